//! All metrics of a document.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::family::Families;
use crate::engine::service::ServiceState;
use crate::status::time::Time;
use crate::status::{Document, Prefix, Service, SessionState, announces};

const SERVICE_STATES: [ServiceState; 5] = [
    ServiceState::Starting,
    ServiceState::Up,
    ServiceState::Degraded,
    ServiceState::Down,
    ServiceState::Drained,
];

const SESSION_STATES: [(SessionState, &str); 3] =
    [(SessionState::Up, "up"), (SessionState::Down, "down"), (SessionState::Unknown, "unknown")];

/// A document to be encoded.
#[derive(Debug)]
pub(super) struct Page(pub(super) Document);

impl Collector for Page {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let families = &mut Families(encoder);
        self.helper(families)?;
        self.services(families)?;
        self.prefixes(families)?;
        self.orders(families)?;
        self.dampening(families)?;
        self.checks(families)?;
        self.sessions(families)?;
        self.listeners(families)?;
        self.programs(families)
    }
}

/// 1 or 0.
fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

impl Page {
    fn helper(&self, families: &mut Families<'_>) -> fmt::Result {
        let document = &self.0;
        families.gauge("dnsherald_up", "The helper runs", 1.0)?;
        families.gauges(
            "dnsherald_build_info",
            "Version of dnsherald",
            [([("version", document.version.as_str())], 1.0)],
        )?;
        let file = document.configuration.display().to_string();
        let hash = document.configuration_hash.as_deref().unwrap_or_default();
        families.gauges(
            "dnsherald_configuration_info",
            "Name of the node, the configuration file, and the hash (FNV-1a, 64 bits) of the configuration in force",
            [([("node", document.node.as_str()), ("file", &file), ("hash", hash)], 1.0)],
        )?;
        families.gauge(
            "dnsherald_configuration_valid",
            "The configuration file can be used",
            flag(document.trouble.is_none()),
        )?;
        families.gauge(
            "dnsherald_last_good_configuration_in_force",
            "The last good configuration is in force in place of a file that cannot be used",
            flag(document.last_good.is_some()),
        )?;
        families.gauge(
            "dnsherald_state_saved",
            "The state that survives a restart is on the disk",
            flag(document.unwritten.is_none()),
        )?;
        families.gauge(
            "dnsherald_uptime_seconds",
            "Time since the helper started",
            document.running_seconds,
        )?;
        families.gauges(
            "dnsherald_written_timestamp_seconds",
            "When these metrics were written, in seconds since 1970",
            document.at.and_then(Time::since_1970).map(|at| ([], at.as_secs_f64())),
        )?;
        families.gauges(
            "dnsherald_watchdog_age_seconds",
            "Time since the last keep-alive message to systemd; absent if systemd does not watch",
            document.totals.watchdog_seconds.map(|age| ([], age)),
        )
    }

    fn services(&self, families: &mut Families<'_>) -> fmt::Result {
        let services = &self.0.services;
        let words = SERVICE_STATES.map(|state| (state, state.to_string()));
        families.gauges(
            "dnsherald_service_enabled",
            "The service is probed and announced",
            services.iter().map(|service| ([("service", service.name.as_str())], flag(service.enabled))),
        )?;
        families.gauges(
            "dnsherald_service_state",
            "1 for the present state of the service, 0 for all others",
            services.iter().flat_map(|service| {
                words.iter().map(|(state, word)| {
                    let labels = [("service", service.name.as_str()), ("state", word.as_str())];
                    (labels, flag(service.state == *state))
                })
            }),
        )?;
        families.gauges(
            "dnsherald_service_state_age_seconds",
            "Time since the service entered its state",
            services.iter().map(|service| ([("service", service.name.as_str())], service.for_seconds)),
        )?;
        families.counters(
            "dnsherald_transitions",
            "Transitions of the service to this state",
            services.iter().flat_map(|service| {
                let counts = self.0.totals.transitions.get(&service.name);
                words.iter().map(move |(state, word)| {
                    let labels = [("service", service.name.as_str()), ("state", word.as_str())];
                    (labels, counts.and_then(|counts| counts.get(state)).copied().unwrap_or(0))
                })
            }),
        )
    }

    fn prefixes(&self, families: &mut Families<'_>) -> fmt::Result {
        let all: Vec<_> = self.0.services.iter().flat_map(stated).collect();
        families.gauges(
            "dnsherald_prefix_desired_announced",
            "The prefix is to be announced to at least one neighbor",
            all.iter().map(|(labels, stated)| (*labels, flag(stated.desired))),
        )?;
        families.gauges(
            "dnsherald_prefix_acknowledged_announced",
            "ExaBGP has acknowledged an announcement of the prefix last; absent if it has acknowledged nothing",
            all.iter().filter_map(|(labels, stated)| Some((*labels, flag(stated.acknowledged?)))),
        )?;
        families.gauges(
            "dnsherald_prefix_acknowledged",
            "ExaBGP has acknowledged what is desired of the prefix",
            all.iter().map(|(labels, stated)| (*labels, flag(stated.is_settled))),
        )
    }

    fn orders(&self, families: &mut Families<'_>) -> fmt::Result {
        let services = &self.0.services;
        families.gauges(
            "dnsherald_drain_age_seconds",
            "How long this holder has drained the service",
            services.iter().flat_map(|service| {
                service.drains.iter().map(|drain| {
                    (
                        [("service", service.name.as_str()), ("holder", drain.holder.as_str())],
                        drain.for_seconds,
                    )
                })
            }),
        )?;
        families.gauges(
            "dnsherald_hold_age_seconds",
            "How long this holder has kept the service announced against its checks",
            services.iter().flat_map(|service| {
                service.holds.iter().map(|hold| {
                    ([("service", service.name.as_str()), ("holder", hold.holder.as_str())], hold.for_seconds)
                })
            }),
        )?;
        families.gauges(
            "dnsherald_disable_file_present",
            "The disable-file of the service exists",
            services.iter().map(|service| ([("service", service.name.as_str())], flag(service.disabled))),
        )
    }

    fn dampening(&self, families: &mut Families<'_>) -> fmt::Result {
        let mut gauges = |name, help, value: &dyn Fn(&Service) -> f64| {
            let samples = self.0.services.iter();
            let samples = samples.map(|service| ([("service", service.name.as_str())], value(service)));
            families.gauges(name, help, samples)
        };
        gauges("dnsherald_dampening_penalty", "Penalty of the service", &|service| {
            f64::from(service.dampening.penalty)
        })?;
        gauges(
            "dnsherald_dampening_suppress_threshold",
            "At this penalty the service is suppressed",
            &|service| f64::from(service.dampening.suppress),
        )?;
        gauges("dnsherald_dampening_reuse_threshold", "At this penalty a suppression ends", &|service| {
            f64::from(service.dampening.reuse)
        })?;
        gauges("dnsherald_dampening_suppressed", "The service is held down", &|service| {
            flag(service.dampening.suppressed)
        })?;
        gauges(
            "dnsherald_dampening_would_be_suppressed",
            "The service would be held down in mode enforce",
            &|service| flag(service.dampening.would_be_suppressed),
        )?;
        gauges("dnsherald_dampening_recent_falls", "Falls within the last ten minutes", &|service| {
            f64::from(service.dampening.falls)
        })
    }

    fn checks(&self, families: &mut Families<'_>) -> fmt::Result {
        let checks = || {
            let services = self.0.services.iter();
            services.flat_map(|service| service.checks.iter().map(|check| (service.name.as_str(), check)))
        };
        families.gauges(
            "dnsherald_check_state",
            "1 for the present state of the check: unknown, rising, up, falling or down; no series for the others",
            checks().map(|(service, check)| {
                let labels = [("service", service), ("check", &check.name), ("state", &check.state)];
                (labels, 1.0)
            }),
        )?;
        let totals = || {
            let services = self.0.totals.checks.iter();
            services.flat_map(|(service, checks)| {
                checks.iter().map(|(check, totals)| ([service.as_str(), check.as_str()], totals))
            })
        };
        families.counters(
            "dnsherald_probes",
            "Rounds of probes by result (pass, fail, unknown) and cause",
            totals().flat_map(|([service, check], totals)| {
                let passed = std::iter::once(("pass", "", totals.passed));
                let (failed, unknown) =
                    (by_cause("fail", &totals.failed), by_cause("unknown", &totals.unknown));
                passed.chain(failed).chain(unknown).map(move |(result, cause, count)| {
                    let names = [("service", service), ("check", check)];
                    ([names[0], names[1], ("result", result), ("cause", cause)], count)
                })
            }),
        )?;
        families.counters(
            "dnsherald_probe_seconds",
            "Sum of the times of the slowest answers of the rounds that passed",
            totals()
                .filter(|(_, totals)| totals.seconds > 0.0)
                .map(|([service, check], totals)| ([("service", service), ("check", check)], totals.seconds)),
        )?;
        families.histograms(
            "dnsherald_probe_duration_seconds",
            "Time of the slowest answer of a round that passed, over all checks of the service",
            self.0.totals.durations.iter().map(|(service, durations)| {
                ([("service", service.as_str())], (&durations.counts[..], durations.sum_seconds))
            }),
        )
    }

    fn sessions(&self, families: &mut Families<'_>) -> fmt::Result {
        let exabgp = &self.0.exabgp;
        families.gauges(
            "dnsherald_bgp_session_state",
            "1 for the present state of the BGP session with the neighbor, 0 for all others",
            exabgp.bgp_sessions.iter().flat_map(|session| {
                SESSION_STATES.map(|(state, word)| {
                    let labels = [("neighbor", session.neighbor.as_str()), ("state", word)];
                    (labels, flag(session.state == state))
                })
            }),
        )?;
        families.gauge("dnsherald_exabgp_answers", "ExaBGP answers commands", flag(exabgp.answers))?;
        families.gauges(
            "dnsherald_exabgp_answer_seconds",
            "Time from the last answered command to its answer",
            exabgp.latency_seconds.map(|latency| ([], latency)),
        )?;
        families.counters(
            "dnsherald_exabgp_late_answers",
            "Commands that ExaBGP did not answer in time",
            [([], exabgp.unanswered)],
        )?;
        families.counters(
            "dnsherald_exabgp_refused_commands",
            "Commands that ExaBGP refused",
            [([], exabgp.refused)],
        )
    }

    fn listeners(&self, families: &mut Families<'_>) -> fmt::Result {
        let of = |transports: &'static [&str]| {
            let listeners = self.0.totals.listeners.iter();
            listeners.filter(move |listener| transports.contains(&listener.transport.as_str()))
        };
        let of_all = || self.0.totals.listeners.iter();
        families.gauges(
            "dnsherald_listener_sockets",
            "Sockets of the server at the address",
            of_all().map(|listener| {
                let labels =
                    [("address", listener.address.as_str()), ("transport", listener.transport.as_str())];
                (labels, listener.sockets as f64)
            }),
        )?;
        families.gauges(
            "dnsherald_listener_receive_queue_bytes",
            "Datagrams that wait to be read, with the memory that the kernel counts for them",
            of(&["udp"]).map(|listener| ([("address", listener.address.as_str())], listener.queue as f64)),
        )?;
        families.gauges(
            "dnsherald_listener_accept_queue_connections",
            "Connections that wait to be accepted",
            of(&["tcp", "tls", "https"]).map(|listener| {
                let labels =
                    [("address", listener.address.as_str()), ("transport", listener.transport.as_str())];
                (labels, listener.queue as f64)
            }),
        )?;
        families.counters(
            "dnsherald_listener_dropped_datagrams",
            "Datagrams that the kernel dropped because the server did not read them in time",
            of(&["udp"]).map(|listener| ([("address", listener.address.as_str())], listener.drops)),
        )
    }

    fn programs(&self, families: &mut Families<'_>) -> fmt::Result {
        let totals = &self.0.totals;
        families.counters(
            "dnsherald_hooks",
            "Hooks by result: succeeded, failed, dropped",
            totals.hooks.iter().map(|(result, count)| ([("result", result.as_str())], *count)),
        )?;
        families.counters(
            "dnsherald_heals",
            "Restarts of a server that was down or hung, by result: succeeded, failed",
            totals.heals.iter().flat_map(|(backend, results)| {
                results.iter().map(|(result, count)| {
                    ([("backend", backend.as_str()), ("result", result.as_str())], *count)
                })
            }),
        )
    }
}

/// The counts of a result, each with its cause.
fn by_cause<'a>(
    result: &'static str,
    causes: &'a BTreeMap<String, u64>,
) -> impl Iterator<Item = (&'static str, &'a str, u64)> {
    causes.iter().map(move |(cause, count)| (result, cause.as_str(), *count))
}

/// What is stated of a prefix toward all its neighbors.
#[derive(Clone, Copy, Debug)]
struct Stated {
    desired: bool,
    acknowledged: Option<bool>,
    is_settled: bool,
}

/// The prefixes of a service, each once.
fn stated(service: &Service) -> Vec<([(&'static str, &str); 2], Stated)> {
    let mut prefixes = BTreeMap::<&str, Vec<&Prefix>>::new();
    for prefix in &service.prefixes {
        prefixes.entry(&prefix.prefix).or_default().push(prefix);
    }
    let stated = prefixes.into_iter().map(|(name, of_neighbors)| {
        let acknowledged: Vec<_> =
            of_neighbors.iter().filter_map(|prefix| prefix.acknowledged.as_ref()).collect();
        let stated = Stated {
            desired: of_neighbors.iter().any(|prefix| prefix.announces()),
            acknowledged: (!acknowledged.is_empty())
                .then(|| acknowledged.into_iter().any(|text| announces(text))),
            is_settled: of_neighbors.iter().all(|prefix| prefix.is_settled()),
        };
        ([("service", service.name.as_str()), ("prefix", name)], stated)
    });
    stated.collect()
}
