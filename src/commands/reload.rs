//! `reload`: makes the running helper read its configuration again.

use std::io::Write;

use super::helper::Helper;
use super::named;
use crate::cli::Helper as Options;
use crate::control::Request;
use crate::exit::Exit;
use crate::text;

/// Sends the request and prints the services of the new configuration.
///
/// # Errors
/// Returns an error if there is no helper or the configuration is invalid. Then nothing changes.
pub(crate) fn run(options: &Options) -> anyhow::Result<Exit> {
    let helper = Helper::find(options);
    let client = helper.client()?;
    let before = client.status()?.configuration_hash;
    let services = client.ask(&Request::Reload)?;
    let is_same = before.is_some() && before == client.status()?.configuration_hash;
    let unchanged = if is_same { " (the file has not changed)" } else { "" };
    writeln!(text::stdout(), "reloaded: {}{unchanged}", named(&services))?;
    Ok(Exit::Success)
}
