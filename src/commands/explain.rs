//! `explain`: why a service is announced or withdrawn.

use super::helper::Helper;
use super::print;
use crate::cli::Explain;
use crate::exit::Exit;
use crate::status::explain::explain;
use crate::status::explain::shown::Shown;
use crate::status::view::View;
use crate::sys::local_time::Zone;
use crate::sys::terminal::Size;
use crate::text::{self, foreign, joined};

/// Prints the chain of reasons of a service, or of all.
///
/// # Errors
/// Returns an error if there is no helper or no such service.
pub(crate) fn run(options: &Explain) -> anyhow::Result<Exit> {
    let helper = Helper::find(&options.helper);
    let document = helper.status().inspect_err(|_| helper.print_file_error())?;
    helper.print_file_error_unless_known(&document);
    let view = View::new(&document, Size::from_stdout().columns, Zone::from_this_host());
    let fault = helper.trouble_ahead(&document).map(|ahead| ahead.fault);
    let Some(explanations) = explain(&document, options.service.as_deref(), fault, &view) else {
        anyhow::bail!(
            "no service `{}`, expected one of {}",
            foreign(options.service.as_deref().unwrap_or_default()),
            joined(document.services.iter().map(|service| foreign(&service.name)), ", ")
        );
    };
    print(&if options.json {
        text::json(serde_json::to_string(&explanations)? + "\n")
    } else {
        Shown { explanations: &explanations, view: &view }.to_string()
    })?;
    Ok(Exit::Success)
}
