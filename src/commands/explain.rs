//! `explain`: why a service is announced or withdrawn.

use std::io::Write;

use super::helper::Helper;
use crate::cli::Explain;
use crate::control::client::Client;
use crate::exit::Exit;
use crate::status::explain::explain;
use crate::status::explain::shown::Shown;
use crate::status::view::View;
use crate::sys::local_time::Zone;
use crate::sys::terminal::Size;
use crate::text::{self, foreign};

/// Prints the chain of reasons of a service, or of all.
///
/// # Errors
/// Returns an error if there is no helper or no such service.
pub(crate) fn run(options: &Explain) -> anyhow::Result<Exit> {
    let helper = Helper::find(&options.helper);
    let document = match helper.client().and_then(Client::status) {
        Ok(document) => document,
        Err(error) => {
            helper.print_file_error();
            return Err(error);
        }
    };
    helper.print_file_error_unless_known(&document);
    let size = Size::of_stdout().unwrap_or(Size::USUAL);
    let view = View::of(&document, size.columns, Zone::of_this_host());
    let Some(explanations) = explain(&document, options.service.as_deref(), &view) else {
        let known: Vec<_> = document.services.iter().map(|service| foreign(&service.name)).collect();
        anyhow::bail!(
            "no service `{}`, expected one of {}",
            foreign(options.service.as_deref().unwrap_or_default()),
            known.join(", ")
        );
    };
    let mut out = text::stdout();
    if options.json {
        writeln!(out, "{}", text::json(serde_json::to_string(&explanations)?))?;
    } else {
        write!(out, "{}", Shown { explanations: &explanations, view: &view })?;
    }
    out.flush()?;
    Ok(Exit::Success)
}
