//! `reload`: has the running helper read its configuration again.

use std::io::Write;

use super::helper::Helper;
use super::named;
use crate::cli::Helper as Options;
use crate::control::Request;
use crate::exit::Exit;
use crate::text;

/// Asks for it, and says which services there are now.
///
/// # Errors
/// When there is no helper, or it finds the file wanting: then nothing is changed.
pub fn run(options: &Options) -> anyhow::Result<Exit> {
    let helper = Helper::find(options);
    let services = helper.client()?.ask(&Request::Reload)?;
    writeln!(text::stdout(), "reloaded: {}", named(&services))?;
    Ok(Exit::Success)
}
