//! The `listener` table of a check, and the default checks of the sockets of a service.
//!
//! A service with a backend or a role gets two. Over UDP a server that does not read brings the service down. Over TCP
//! it degrades the service, since idle connections can exhaust TCP.

use std::time::Duration;

use toml::Spanned;

use super::address::free_name;
use super::bounds;
use super::defaults::PORT;
use super::resolve::{CheckScope, Resolver, Result, Scope};
use super::{Check, defaults, file};
use crate::backend::Backend;
use crate::engine::check::{OnFail, Severity};
use crate::netlink::sockets::Protocol;
use crate::probe::Probe;
use crate::probe::listener::ListenerProbe;

const OVER_UDP: &str = "a server that closes its UDP sockets, or hangs, is detected before a probe times out; one that works or whose process is not known, after `stall`";
const OVER_TCP: &str = "the same for TCP; a failure only degrades the service";

impl Resolver<'_> {
    /// Builds the probe of a `listener` table.
    pub(super) fn listener_probe(
        &self,
        written: &Spanned<file::Listener>,
        check: &CheckScope<'_>,
    ) -> Result<ListenerProbe> {
        let listener = written.get_ref();
        let stall = self.period(&listener.stall, bounds::STALL, defaults::STALL);
        let addresses = self.addresses_for("where a server listens", check, &written.span());
        let port = listener.port.map_or(PORT, std::num::NonZeroU16::get);
        let protocol = listener.transport.as_ref().map_or(Protocol::Udp, |word| word.get_ref().0);
        let process = check.of.backend.and_then(Backend::process_source);
        Ok(ListenerProbe { addresses: addresses?, port, protocol, stall: stall?, process })
    }

    /// The default checks of a service with a backend or a role and addresses on this host. A check of the same
    /// transport in `others` replaces the default.
    pub(super) fn default_listener_checks(&self, of: Scope<'_>, others: &[Check]) -> Result<Vec<Check>> {
        let addresses = of.addresses();
        if addresses.is_empty() || (of.backend.is_none() && of.service.role.is_none()) {
            return Ok(vec![]);
        }
        let timing = self.default_timing(of)?.without_window();
        let both = [
            ("listener", Protocol::Udp, Severity::Down, OVER_UDP),
            ("listener-tcp", Protocol::Tcp, Severity::Degraded, OVER_TCP),
        ];
        let is_missing = |protocol| {
            let is_same =
                |check: &Check| matches!(&check.probe, Probe::Listener(probe) if probe.protocol == protocol);
            !others.iter().any(is_same)
        };
        let missing = both.into_iter().filter(|(_, protocol, ..)| is_missing(*protocol));
        let checks = missing.map(|(name, protocol, severity, why)| {
            let (addresses, process) = (addresses.clone(), of.backend.and_then(Backend::process_source));
            let probe = ListenerProbe { addresses, port: PORT, protocol, stall: defaults::STALL, process };
            let (name, on_fail) = (free_name(name, others), OnFail::always(severity));
            Check::supplied(name, why, timing, on_fail, Probe::Listener(probe))
        });
        Ok(checks.collect())
    }
}

/// The `listener` table of this probe, for the service and backend that it has.
pub(super) fn table(probe: &ListenerProbe) -> String {
    let mut keys = vec![];
    if probe.protocol == Protocol::Tcp {
        keys.push("transport = \"tcp\"".to_owned());
    }
    if probe.port != PORT {
        keys.push(format!("port = {}", probe.port));
    }
    if probe.stall != defaults::STALL {
        keys.push(format!("stall = \"{}\"", crate::text::period::Period(probe.stall)));
    }
    if keys.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", keys.join(", ")) }
}

/// The longest time to detect a hang with queries, on a host that is not overloaded, of a server whose process is known and
/// does not work. Of others the time `stall` and those of further failures are added.
pub(super) const DETECTED: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::config::describe::Description;

    fn config(service: &str) -> Config {
        let text = format!(
            "[node]\nmanagement = [\"10.1.0.2\"]\n[backend.unbound]\n[[service]]\nname = \"s\"\n{service}\n"
        );
        Config::parse(Path::new("f"), &text, "host").unwrap_or_else(|error| panic!("{error}"))
    }

    /// Each check as `NAME SEVERITY TABLE`, and whether its process is known.
    fn listeners(service: &str) -> Vec<(String, bool)> {
        let checks = config(service).services.remove(0).checks;
        let of = |check: &Check| match &check.probe {
            Probe::Listener(probe) => Some((
                format!("{} {} {}", check.name, check.on_fail.otherwise.word(), table(probe)),
                probe.process.is_some(),
            )),
            _ => None,
        };
        checks.iter().filter_map(of).collect()
    }

    const HOST: &str = "prefixes = [\"192.0.2.53/32\"]\n";
    const OWN: &str = "[[service.check]]\nname = \"a\"\ndns = { query = \"localhost. A\" }\n";

    #[test]
    fn a_service_with_a_backend_or_a_role_watches_its_sockets() {
        let both = |process| {
            let names = ["listener down {}", "listener-tcp degraded { transport = \"tcp\" }"];
            names.map(|name| (name.to_owned(), process)).to_vec()
        };
        assert_eq!(listeners(&format!("{HOST}role = \"resolver\"")), both(false));
        assert_eq!(listeners(&format!("{HOST}backend = \"unbound\"")), both(true));
        assert_eq!(listeners(&format!("{HOST}backend = \"unbound\"\n{OWN}")), both(true));
        assert_eq!(listeners(&format!("{HOST}{OWN}")), []);
        assert_eq!(listeners(&format!("{HOST}role = \"resolver\"\naddress = false")), []);
        assert_eq!(listeners("prefixes = [\"192.0.2.0/24\"]\nrole = \"resolver\""), []);
    }

    #[test]
    fn a_listener_check_of_the_file_replaces_the_default_of_its_transport() {
        let own = "[[service.check]]\nname = \"listener\"\non-fail = \"degraded\"\nlistener = { port = 5353, stall = \"3s\" }\n";
        let all = listeners(&format!("{HOST}backend = \"unbound\"\n{OWN}{own}"));
        let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
        let expected = [
            "listener degraded { port = 5353, stall = \"3s\" }",
            "listener-tcp degraded { transport = \"tcp\" }",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn describes_its_sockets_and_the_effect_of_overload() {
        let told = Description(&config(&format!("{HOST}role = \"resolver\""))).to_string();
        assert!(told.contains("must be read: 192.0.2.53:53 udp"), "{told}");
        assert!(told.contains("overload: observe, partly-hung: degraded"), "{told}");
        // `stalled` is soft: it takes the service down after `fall` failures.
        let check =
            "[[service.check]]\nname = \"listener\"\nfall = 10\nfast-interval = \"1s\"\nlistener = {}\n";
        let told = Description(&config(&format!("{HOST}role = \"resolver\"\n{check}"))).to_string();
        let times =
            "detected in 300ms, of a server that works or whose process is not known in 10s 300ms, return";
        assert!(told.contains(times), "{told}");
    }
}
