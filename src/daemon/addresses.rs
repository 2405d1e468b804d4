//! Watches the addresses of `address` checks and the routes of `route` checks, and reports lost ones, and routes that
//! return, to the loop.
//!
//! A missing address fails its checks at once. A lost route may be replaced by another in a moment: it makes all checks of a
//! serving service due, and the round decides. A route that returns makes its own check due at once if that fails, or due
//! sooner if it rises.

use std::collections::HashMap;

use tokio::sync::mpsc::UnboundedSender;

use super::Probes;
use super::loss::LossReporter;
use crate::engine::event::{CheckId, Event};
use crate::outcome::Cause;
use crate::probe::Probe;
use crate::probe::address::watch::{Report, Subject, Watch};

/// All watched addresses and routes.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    watch: Option<Watch>,
}

impl Addresses {
    /// Replaces the watched addresses and routes by those of these checks.
    pub(super) fn assign(&mut self, probes: &Probes, events: &UnboundedSender<Event>) {
        let mut wanted = HashMap::<Subject, Vec<CheckId>>::new();
        for (check, (probe, _)) in probes {
            let subject = match &**probe {
                Probe::Address(probe) => Subject::Address(probe.clone()),
                Probe::Route(probe) => Subject::Route(probe.clone()),
                _ => continue,
            };
            wanted.entry(subject).or_default().push(*check);
        }
        if wanted.is_empty() {
            self.watch = None;
            return;
        }
        if self.watch.is_none() {
            match Watch::start() {
                Ok(watch) => self.watch = Some(watch),
                Err(error) => log::error!(
                    "cannot start the thread that watches addresses and routes: {error}; only the next round \
                     of its check detects a missing one"
                ),
            }
        }
        let Some(watch) = &self.watch else { return };
        watch.assign(wanted.into_iter().map(|(probe, mut checks)| {
            checks.sort_unstable();
            let events = events.clone();
            let report: Box<dyn Fn(Report) + Send> = match &probe {
                Subject::Address(_) => {
                    let reporter = LossReporter { checks, cause: Cause::AddressMissing, events };
                    Box::new(move |report| {
                        if let Report::Gone(why) = report {
                            reporter.report(&why);
                        }
                    })
                }
                // Sending fails only after the loop has ended.
                Subject::Route(_) => Box::new(move |report| {
                    for check in &checks {
                        let event = match report {
                            Report::Gone(_) => Event::ProbeNow(*check),
                            Report::Returned => Event::Returned(*check),
                        };
                        drop(events.send(event));
                    }
                }),
            };
            (probe, report)
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::config::Config;
    use crate::daemon::probes::probes;
    use crate::engine::event::ServiceId;
    use crate::netlink::namespace::{in_namespace, shell};

    /// Of a host with an uplink.
    const HOST: &str = "
        ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up
        ip addr add 10.0.0.2/24 dev v0; ip addr add 192.0.2.53/32 dev lo; ip route add default via 10.0.0.1";

    #[test]
    fn a_lost_route_and_its_return_make_its_check_due() {
        let name = "daemon::addresses::tests::a_lost_route_and_its_return_make_its_check_due";
        in_namespace(name, HOST, || {
            let text = "[node]\nmanagement = [\"10.0.0.2\"]\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.53/32\"]\n\
                        [[service.check]]\nname = \"answers\"\ndns = { query = \"localhost. A\" }\n\
                        [[service.check]]\nname = \"back\"\nroute = { to = [\"198.51.100.1\"] }\n";
            let config = Config::parse(Path::new("a.toml"), text, "host").unwrap();
            let probes = probes(&config);
            let back = CheckId { service: ServiceId(0), check: 1 };
            let Probe::Route(probe) = &*probes[&back].0 else { panic!() };
            let began = Instant::now();
            while !probe.ask(|_| 0).passed() {
                assert!(began.elapsed() < Duration::from_secs(20), "{:?}", probe.ask(|_| 0));
                std::thread::yield_now();
            }
            let (events, mut received) = unbounded_channel();
            let mut addresses = Addresses::default();
            addresses.assign(&probes, &events);
            let mut is_told = |wanted: &Event, time: Duration| {
                let asked = Instant::now();
                loop {
                    match received.try_recv() {
                        Ok(event) if event == *wanted => break true,
                        Err(_) if asked.elapsed() >= time => break false,
                        _ => std::thread::yield_now(),
                    }
                }
            };
            // A change may come before the look-up that has to precede it, so it is made again, for longer, until it is told.
            let mut is_told_after = |before: &str, change: &str, wanted: &Event| {
                let mut time = Duration::from_millis(50);
                loop {
                    shell(before);
                    let late = is_told(wanted, time);
                    shell(change);
                    if late || is_told(wanted, time) {
                        return;
                    }
                    assert!(began.elapsed() < Duration::from_secs(20), "{wanted:?} was not told");
                    time *= 2;
                }
            };
            let (add, delete) =
                ("ip route replace default via 10.0.0.1", "ip route del default 2>/dev/null || true");
            is_told_after(add, delete, &Event::ProbeNow(back));
            is_told_after(delete, add, &Event::Returned(back));
        });
    }
}
