//! `reload`: makes the running helper read its configuration again.

use std::io::Write;

use super::helper::Helper;
use super::named;
use crate::cli::Helper as Options;
use crate::control::Request;
use crate::exit::Exit;
use crate::text::{self, sentence};

/// How the line of the log begins that lists the services that have changed. A helper of an older version, or one that had
/// no configuration before, replies with the names of the services.
const RELOADED: &str = "configuration reloaded: ";

/// Sends the request, and prints what the reload changes, as the log has it.
///
/// # Errors
/// Returns an error if there is no helper or the configuration is invalid. Then nothing changes.
pub(crate) fn run(options: &Options) -> anyhow::Result<Exit> {
    let helper = Helper::find(options);
    let client = helper.client()?;
    let before = client.status()?.configuration_hash;
    let changes = client.ask(&Request::Reload)?;
    let is_same = before.is_some() && before == client.status()?.configuration_hash;
    let mut out = text::stdout();
    match changes.split_first() {
        _ if is_same => writeln!(out, "reloaded: nothing changed")?,
        Some((first, others)) if first.starts_with(RELOADED) => {
            writeln!(out, "reloaded: {}", sentence(&first[RELOADED.len()..]))?;
            others.iter().try_for_each(|line| writeln!(out, "{}", sentence(line)))?;
        }
        _ => writeln!(out, "reloaded: {}", named(&changes))?,
    }
    Ok(Exit::Success)
}
