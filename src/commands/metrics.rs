//! `metrics`: the metrics of the running helper.

use super::helper::Helper;
use super::print;
use crate::cli;
use crate::exit::Exit;
use crate::metrics::exposition;

/// Prints the metrics of the running helper.
///
/// # Errors
/// Returns an error if there is no helper to ask.
pub(crate) fn run(options: &cli::Helper) -> anyhow::Result<Exit> {
    let helper = Helper::find(options);
    let document = helper.status().inspect_err(|_| helper.print_file_error())?;
    print(&exposition(document))?;
    Ok(Exit::Success)
}
