//! Two servers at one port: the checks of a service may pass all the same, since they reach the right one.

use crate::backend::sharing::{several_servers, shared};
use crate::cli::Undrain;
use crate::commands::helper::Helper;
use crate::restart::listeners_of;
use crate::text::{foreign, joined};

/// Refuses to let the drain of a failed restart end once the checks pass while several servers share the port of the
/// backend. Only root sees the processes of another user; what cannot be seen refuses nothing.
///
/// # Errors
/// Names the service, the addresses and the processes.
pub(super) fn refuse_if_shared(helper: &Helper, options: &Undrain) -> anyhow::Result<()> {
    // Without a helper the request reports that.
    let (Ok(config), Ok(document)) = (&helper.file, helper.status()) else { return Ok(()) };
    for service in &document.services {
        if options.service.as_ref().is_some_and(|name| *name != service.name) {
            continue;
        }
        let is_asked = |holder: &str| options.holder.as_ref().is_none_or(|asked| asked.as_str() == holder);
        let drains = service.drains.iter().filter(|drain| is_asked(&drain.holder));
        let names: Vec<_> = drains.filter_map(|drain| drain.left_by()).collect();
        let Some(backend) = config.backends.iter().find(|backend| names.contains(&backend.name.as_str()))
        else {
            continue;
        };
        let found = several_servers(&shared(listeners_of(config, backend)));
        if !found.is_empty() {
            let name = foreign(&service.name);
            anyhow::bail!(
                "nothing is changed, {name} stays drained: {}: end the wrong one, then ask again; `dnsherald undrain {name}` \
                 without --once-healthy returns it all the same",
                joined(found, "; ")
            );
        }
    }
    Ok(())
}
