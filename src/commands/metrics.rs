//! `metrics`: the metrics of the running helper.

use std::io::Write;

use super::helper::Helper;
use crate::cli;
use crate::control::client::Client;
use crate::exit::Exit;
use crate::metrics::exposition;
use crate::text;

/// Prints the metrics of the running helper.
///
/// # Errors
/// Returns an error if there is no helper to ask.
pub(crate) fn run(options: &cli::Helper) -> anyhow::Result<Exit> {
    let helper = Helper::find(options);
    let document = helper.client().and_then(Client::status).inspect_err(|_| helper.print_file_error())?;
    let mut out = text::stdout();
    out.write_all(exposition(document).as_bytes())?;
    out.flush()?;
    Ok(Exit::Success)
}
