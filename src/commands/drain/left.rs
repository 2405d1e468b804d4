//! Drains that a failed restart has left: the checks of a service may pass all the same, since they need not see what the
//! verification has seen. Of two servers at one port they may reach the right one.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write as _;

use crate::backend::sharing::{several_servers, shared};
use crate::cli::Undrain;
use crate::commands::complain;
use crate::commands::helper::Helper;
use crate::config::Config;
use crate::restart::listeners_of;
use crate::text::{self, foreign, joined};

/// For `undrain --once-healthy`: prints why each drain of a failed restart was left. Refuses the request while several servers
/// share the port of the backend. Only root sees the processes of other users; a server that the caller cannot see is no
/// reason to refuse.
///
/// # Errors
/// Names the service, the addresses and the processes.
pub(super) fn note_or_refuse(helper: &Helper, options: &Undrain) -> anyhow::Result<()> {
    // Without a helper the request reports that.
    let Ok(document) = helper.status() else { return Ok(()) };
    let mut notes = String::new();
    let mut config = None;
    for service in &document.services {
        if options.service.as_ref().is_some_and(|name| *name != service.name) {
            continue;
        }
        let name = foreign(&service.name);
        for drain in &service.drains {
            let Some(left_by) = drain.left_by() else { continue };
            if options.holder.as_ref().is_some_and(|asked| asked.as_str() != drain.holder) {
                continue;
            }
            if let Some(config) = config.get_or_insert_with(|| usable_config(helper))
                && let Some(backend) = config.backends.iter().find(|backend| backend.name == left_by)
                && let found = several_servers(&shared(listeners_of(config, backend)))
                && !found.is_empty()
            {
                anyhow::bail!(
                    "nothing is changed, {name} stays drained: {}: end the wrong one, then ask again; `dnsherald undrain \
                     {name}` without --once-healthy returns it all the same",
                    joined(found, "; ")
                );
            }
            let (holder, reason) = (foreign(&drain.holder), foreign(&drain.reason));
            writeln!(
                notes,
                "dnsherald: note: {holder} drained {name} because `{reason}`; the checks need not see that"
            )?;
        }
    }
    Ok(text::stderr().write_all(notes.as_bytes())?)
}

/// The configuration, or the last good one if the file has errors; `None` if neither can be used.
fn usable_config(helper: &Helper) -> Option<Cow<'_, Config>> {
    match &helper.file {
        Ok(config) => Some(Cow::Borrowed(config)),
        Err(error) => {
            match helper.last_good(error) {
                Ok(config) => Some(Cow::Owned(config)),
                Err(error) => {
                    complain(&error.context(
                        "note: without the configuration the listeners of the server are not compared",
                    ));
                    None
                }
            }
        }
    }
}
