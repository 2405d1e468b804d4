//! `undampen`: clears the dampening of a service.

use std::io::Write;

use super::{helper, nothing_to_do, print_not_announced};
use crate::cli::Undampen;
use crate::control::Request;
use crate::exit::Exit;
use crate::text::{self, foreign};

/// Clears the penalty, the suppression and the delayed return.
///
/// # Errors
/// Returns an error if there is no helper or no such service.
pub(crate) fn run(options: &Undampen) -> anyhow::Result<Exit> {
    let request = Request::Undampen { service: options.service.clone() };
    let (client, cleared) = helper::ask(&options.helper, &request)?;
    if cleared.is_empty() {
        let nothing = "nothing to clear: no penalty, no recent fall and no exit within restart-grace";
        return nothing_to_do(options.quiet_if_none, nothing, options.service.as_deref(), "");
    }
    for service in &cleared {
        writeln!(text::stdout(), "cleared {}", foreign(service))?;
    }
    // Each answer is the name and what was cleared.
    let is_cleared = |name: &String| {
        cleared
            .iter()
            .any(|answer| answer.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with(": ")))
    };
    print_not_announced(&client.status()?, is_cleared)?;
    Ok(Exit::Success)
}
