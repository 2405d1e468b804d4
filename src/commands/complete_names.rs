//! `complete-names`: names that the completions of a shell offer, from the running helper.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::helper::Helper;
use crate::cli::{CompleteNames, NameKind};
use crate::exit::Exit;
use crate::status::Document;
use crate::text;
use crate::text::ordered;

/// A user who presses a key does not wait longer.
const STATUS_TIMEOUT: Duration = Duration::from_millis(200);

/// Prints the names, one a line; nothing if no helper answers in time.
pub(crate) fn run(options: &CompleteNames) -> Exit {
    let (tell, told) = mpsc::channel();
    let helper = options.helper.clone();
    // The thread ends with the process.
    let asked = thread::Builder::new().spawn(move || {
        // After the deadline the receiver is gone.
        let _ = tell.send(Helper::find(&helper).client.status());
    });
    if asked.is_ok()
        && let Ok(Ok(document)) = told.recv_timeout(STATUS_TIMEOUT)
    {
        let mut out = text::stdout();
        for name in names(&document, options.kind) {
            if writeln!(out, "{name}").is_err() {
                break;
            }
        }
    }
    Exit::Success
}

/// The names of this kind, each once.
fn names(document: &Document, kind: NameKind) -> BTreeSet<&str> {
    let services = &document.services;
    match kind {
        NameKind::Services => ordered(services.iter().map(|service| service.name.as_str())),
        NameKind::Backends => ordered(services.iter().filter_map(|service| service.backend.as_deref())),
        NameKind::Holders => {
            let drains = services.iter().flat_map(|service| &service.drains).chain(&document.drains_of_all);
            let removed = document.removed_drained.iter().flat_map(|removed| &removed.drains);
            let holds = services.iter().flat_map(|service| &service.holds);
            let drains = drains.chain(removed).map(|drain| drain.holder.as_str());
            ordered(drains.chain(holds.map(|hold| hold.holder.as_str())))
        }
    }
}
