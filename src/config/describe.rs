//! Describes a configuration: effective values, the commands it sends, and worst-case times.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use self::probe::ProbeShown;
use super::backend::describe as describe_backend;
use super::listener::DETECTED;
use super::paste::Tables;
use super::{Check, Config, Service};
use crate::engine::check::{OnFail, Severity};
use crate::engine::dampening::window::WINDOW;
use crate::engine::dampening::{Mode, Policy};
use crate::engine::hysteresis::WindowRule;
use crate::engine::ladder::Ladder;
use crate::engine::service::StartPolicy;
use crate::exabgp::Dialect;
use crate::outcome::Cause;
use crate::probe::Probe;
use crate::probe::command::{CommandProbe, Statuses};
use crate::probe::counters::CountersProbe;
use crate::probe::dns::DnsProbe;
use crate::probe::freshness::FreshnessProbe;
use crate::text::period::Period;

mod degrading;
mod probe;

/// Displays what a configuration means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Description<'a>(pub &'a Config);

impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Config { node, exabgp, state, control, backends, services, .. } = self.0;
        writeln!(f, "node {}: management {}", node.name, join(&node.management))?;
        let api = exabgp.dialect.map_or("auto", Dialect::api);
        let refresh =
            if exabgp.refresh.is_zero() { "never".to_owned() } else { Period(exabgp.refresh).to_string() };
        writeln!(
            f,
            "exabgp: api {api}, ack-timeout {}, refresh {refresh}, end-of-rib {}",
            Period(exabgp.ack_timeout),
            exabgp.end_of_rib
        )?;
        if exabgp.dialect.is_none() {
            writeln!(
                f,
                "  the lines below assume ExaBGP 4.2.22 to 5, `neighbor *`; older: no selector, 6: `peer *`"
            )?;
        }
        writeln!(f, "control: sockets in {}, state in {}", control.display(), state.display())?;
        for backend in backends {
            writeln!(f)?;
            describe_backend(f, backend)?;
        }
        for service in services {
            writeln!(f)?;
            describe_service(f, service, exabgp.dialect.unwrap_or(Dialect::Neighbor))?;
            warn_of_unprobed_addresses(f, service, &node.management)?;
        }
        Ok(())
    }
}

fn describe_service(f: &mut fmt::Formatter<'_>, service: &Service, dialect: Dialect) -> fmt::Result {
    match &service.backend {
        Some(backend) => writeln!(f, "service {} by backend {}", service.name, backend.name)?,
        None => writeln!(f, "service {}", service.name)?,
    }
    if !service.enabled {
        writeln!(f, "  not enabled: neither probed nor announced until `enabled = true`")?;
    }
    let start = match service.start {
        StartPolicy::Probe => "probe: no route is stated before the first verdict".to_owned(),
        StartPolicy::Withdraw => "withdraw: until the first verdict".to_owned(),
        StartPolicy::Adopt { max_age } => {
            format!("adopt: routes acknowledged less than {} ago, until the first verdict", Period(max_age))
        }
    };
    writeln!(f, "  start {start}")?;
    writeln!(f, "  unknown checks delay the first verdict by at most {}", Period(service.unknown_after))?;
    if !service.recovery.is_zero() {
        writeln!(
            f,
            "  after a withdraw it returns as `degraded`, and is up {} later",
            Period(service.recovery)
        )?;
    }
    if service.checks.iter().any(|check| check.on_fail.absorb) {
        writeln!(f, "  absorb: causes of overload degrade at most")?;
    }
    match &service.disable_file {
        Some(path) => writeln!(f, "  drained while {} exists", path.display())?,
        None => writeln!(f, "  no disable-file")?,
    }
    if !service.on_change.is_empty() {
        writeln!(f, "  on change: {}", service.on_change.join(" "))?;
    }
    let policy = &service.dampening;
    match policy.mode {
        Mode::Off => writeln!(f, "  dampening off")?,
        mode => describe_dampening(f, mode, policy)?,
    }
    for place in 0..Ladder::STATES {
        for (route, ladder) in service.announcements() {
            let (state, advertisement) = ladder.rungs()[place];
            writeln!(f, "  {state:<9} {}", dialect.advertise(route, advertisement))?;
        }
    }
    degrading::describe(f, service)?;
    service.checks.iter().try_for_each(|check| describe_check(f, check))?;
    if service.checks.iter().any(|check| check.default.is_some()) {
        writeln!(
            f,
            "  to change them, put these tables in the service instead of `role`:\n{}",
            Tables(service)
        )?;
    }
    Ok(())
}

/// Probes of a check that [`questions`] describes.
const DESCRIBED: usize = 4;

/// What a check asks and expects, one sentence for each probe. Every user of the host may read it, so that of a command
/// only the first word is named.
#[must_use]
pub(crate) fn questions(check: &Check) -> Vec<String> {
    let one = |text: String| vec![text];
    match &check.probe {
        Probe::Dns(set) => {
            let probes = set.probes();
            let mut sentences: Vec<_> =
                probes.iter().take(DESCRIBED).map(|probe| ProbeShown(probe).to_string()).collect();
            if probes.len() > DESCRIBED {
                sentences.push(format!("{} more", probes.len() - DESCRIBED));
            }
            if probes.len() > 1 {
                sentences.push(format!("{} of {} must pass", set.need(), probes.len()));
            }
            sentences
        }
        Probe::Command(command) => {
            let command = command.to_string();
            one(format!("exit status 0 of {}", command.split_whitespace().next().unwrap_or("a command")))
        }
        Probe::Process(process) => one(format!("must run: {process}")),
        Probe::Address(address) => one(format!("must be on this host: {address}")),
        Probe::Freshness(freshness) => one(format!("must be as new: {freshness}")),
        Probe::Listener(listener) => one(format!("must be read: {listener}")),
        Probe::Counters(counters) => one(counters.to_string()),
        Probe::Route(route) => one(format!("must have a way back: {route}")),
        Probe::Nothing => one("nothing; it always passes".to_owned()),
    }
}

/// Whether the answer of another PoP brings the service down: the check expects the NSID of this one.
fn withdraws_for_another_pop(check: &Check) -> bool {
    let Probe::Dns(set) = &check.probe else { return false };
    check.on_fail.severity(Cause::WrongIdentity) == Severity::Down
        && set.probes().iter().any(|probe| probe.question.expect().nsid.is_some())
}

/// Warns about prefixes without probes and about addresses that are probed from themselves.
fn warn_of_unprobed_addresses(
    f: &mut fmt::Formatter<'_>,
    service: &Service,
    management: &[IpAddr],
) -> fmt::Result {
    let probes: Vec<_> = service
        .checks
        .iter()
        .filter_map(|check| match &check.probe {
            Probe::Dns(set) => Some(set.probes()),
            _ => None,
        })
        .flatten()
        .collect();
    if probes.is_empty() {
        return Ok(());
    }
    if service.addresses.is_none() && !service.checks.iter().any(withdraws_for_another_pop) {
        writeln!(
            f,
            "  warning: with `address = false` another PoP may answer the probes; identify this one with `expect.nsid` \
             in a `dns` check"
        )?;
    }
    for prefix in service.routes.iter().map(|route| route.prefix).collect::<BTreeSet<_>>() {
        if !probes.iter().any(|probe| prefix.contains(&probe.server.ip())) {
            writeln!(
                f,
                "  warning: no check probes an address of {prefix}: a server that does not answer there is not detected"
            )?;
        }
        let is_watched = |addresses: &Vec<IpAddr>| addresses.iter().any(|address| prefix.contains(address));
        if service.addresses.as_ref().is_some_and(|addresses| !is_watched(addresses)) {
            writeln!(
                f,
                "  warning: no address of {prefix} is watched: a missing address is not detected; set `address = \
                 [\"…\"]`"
            )?;
        }
        let address = prefix.addr();
        let has_management = management.iter().any(|own| own.is_ipv4() == address.is_ipv4());
        let asks_itself = |probe: &DnsProbe| probe.server.ip() == address && probe.source == Some(address);
        if !has_management && probes.iter().copied().any(asks_itself) {
            writeln!(
                f,
                "  {address} is probed from {address}, because no management address has its family"
            )?;
        }
    }
    Ok(())
}

fn describe_dampening(f: &mut fmt::Formatter<'_>, mode: Mode, policy: &Policy) -> fmt::Result {
    writeln!(
        f,
        "  dampening {}: penalty {} per fall, suppress {}, reuse {}, half-life {}, max-suppress {}",
        if mode == Mode::Enforce { "enforce" } else { "observe" },
        policy.penalty,
        policy.suppress,
        policy.reuse,
        Period(policy.half_life),
        Period(policy.max_suppress)
    )?;
    if policy.max_rise_time.is_zero() {
        writeln!(f, "  repeated falls do not delay the return")?;
    } else {
        writeln!(
            f,
            "  each further fall within {} doubles the time to return, at most {}",
            Period(WINDOW),
            Period(policy.max_rise_time)
        )?;
    }
    match policy.restart_grace {
        Duration::ZERO => writeln!(f, "  every exit of the server process counts as a fall"),
        grace => writeln!(f, "  a process that restarts within {} does not count as a fall", Period(grace)),
    }
}

fn describe_check(f: &mut fmt::Formatter<'_>, check: &Check) -> fmt::Result {
    writeln!(f, "  check {}: on-fail {}", check.name, OnFailShown(&check.on_fail))?;
    if let Some(why) = check.default {
        writeln!(f, "    default check: {why}")?;
    }
    let (timing, rise, fall) = (check.timing, check.timing.thresholds.rise, check.timing.thresholds.fall);
    writeln!(
        f,
        "    interval {}, fast-interval {}, timeout {}, rise {rise}, fall {fall}",
        Period(timing.interval),
        Period(timing.fast_interval),
        Period(timing.timeout)
    )?;
    describe_window(f, check)?;
    match &check.probe {
        Probe::Dns(set) => {
            let probes = set.probes();
            let once_seen = if set.needs_seen() { ", each once it has passed" } else { "" };
            writeln!(f, "    {} of {} must pass{once_seen}:", set.need(), probes.len())?;
            let at_once = set.pace().max_in_flight.get();
            if probes.len() > at_once {
                let spread = Period(set.pace().spread);
                writeln!(f, "    at most {at_once} in flight, started over {spread}")?;
            }
            for probe in probes {
                writeln!(f, "      {}", ProbeShown(probe))?;
            }
        }
        Probe::Command(command) => describe_command(f, command)?,
        Probe::Process(process) => writeln!(f, "    must run: {process}")?,
        Probe::Address(address) => writeln!(f, "    must be on this host: {address}")?,
        Probe::Freshness(freshness) => describe_freshness(f, freshness)?,
        Probe::Listener(listener) => writeln!(f, "    must be read: {listener}")?,
        Probe::Counters(counters) => describe_counters(f, counters)?,
        Probe::Route(route) => writeln!(f, "    must have a way back: {route}")?,
        Probe::Nothing => writeln!(f, "    probes nothing and always passes")?,
    }
    if check.on_fail.once_up {
        writeln!(f, "    counts once it has been up")?;
    }
    if check.on_fail.worst() == Severity::Observe {
        return writeln!(f, "    observed: shown and logged, moves no route");
    }
    if let Probe::Counters(counters) = &check.probe {
        let window = counters.limits.window;
        return writeln!(
            f,
            "    read every {}; a failure takes a window to show and to pass",
            Period(window / 3)
        );
    }
    if let Probe::Freshness(freshness) = &check.probe {
        return writeln!(
            f,
            "    a zone fails at most {} after it has lacked a serial for {}, if {} queries per second are enough",
            Period(freshness.zone_interval.saturating_add(timing.detects_refusal())),
            Period(freshness.limits.max_lag),
            freshness.max_queries
        );
    }
    if matches!(check.probe, Probe::Process(_)) {
        writeln!(f, "    an exit is detected at once, return takes at most {}", Period(timing.returns()))?;
        return writeln!(
            f,
            "    after a start the verdict on a running process takes {}",
            Period(timing.first_verdict())
        );
    }
    if let Probe::Listener(listener) = &check.probe {
        let shown = |cause: Cause| format!("{cause}: {}", check.on_fail.severity(cause).word());
        writeln!(f, "    {}, {}", shown(Cause::Overload), shown(Cause::PartlyHung))?;
        return writeln!(
            f,
            "    a hang with queries is detected in {}, of a server that works or whose process is not known in {} more, \
             return takes at most {}",
            Period(DETECTED),
            Period(listener.stall),
            Period(timing.returns())
        );
    }
    if matches!(check.probe, Probe::Route(_)) {
        return writeln!(
            f,
            "    a lost route is detected in {}, return takes at most {}",
            Period(timing.fast_interval * (fall.get() - 1).max(1)),
            Period(timing.returns())
        );
    }
    if matches!(check.probe, Probe::Address(_)) {
        return writeln!(
            f,
            "    a missing address is detected at once, return takes at most {}",
            Period(timing.returns())
        );
    }
    writeln!(
        f,
        "    at worst an error or a closed port is detected in {}, a hang in {}, \
         return takes {} plus the latency of the last answer",
        Period(timing.detects_refusal()),
        Period(timing.detects_hang()),
        Period(timing.returns())
    )?;
    writeln!(f, "    after a start the verdict on a healthy server takes {}", Period(timing.first_verdict()))
}

fn describe_command(f: &mut fmt::Formatter<'_>, command: &CommandProbe) -> fmt::Result {
    write!(f, "    must exit with status 0: {command}")?;
    match command.statuses {
        Statuses::Plugin => writeln!(f, "; a plugin: status 1 degrades at most, 3 and above are unknown"),
        Statuses::ZeroPasses => writeln!(f),
    }
}

/// What failures do that are not in a row.
fn describe_window(f: &mut fmt::Formatter<'_>, check: &Check) -> fmt::Result {
    let Some(WindowRule { failures, of }) = check.timing.thresholds.window else { return Ok(()) };
    let half = check.timing.thresholds.halved().window.map_or(failures, |half| half.failures);
    match check.on_fail.worst() {
        Severity::Down => writeln!(
            f,
            "    the same if {failures} of the last {of} rounds failed or were lost, degraded from {half} on"
        ),
        Severity::Degraded => {
            writeln!(f, "    the same if {half} of the last {of} rounds failed or were lost")
        }
        Severity::Observe => Ok(()),
    }
}

fn describe_freshness(f: &mut fmt::Formatter<'_>, freshness: &FreshnessProbe) -> fmt::Result {
    writeln!(f, "    must be as new: {freshness}")?;
    writeln!(
        f,
        "    each zone once in {}, max-lag {}, expire-left {}, at most {} queries per second",
        Period(freshness.zone_interval),
        Period(freshness.limits.max_lag),
        Period(freshness.limits.expire_left),
        freshness.max_queries
    )
}

fn describe_counters(f: &mut fmt::Formatter<'_>, counters: &CountersProbe) -> fmt::Result {
    let limits = &counters.limits;
    writeln!(
        f,
        "    {counters} over {}, from {} queries on: SERVFAIL at most {:.0} %, dropped at most {:.0} %",
        Period(limits.window),
        limits.min_queries,
        100.0 * limits.max_servfail,
        100.0 * limits.max_dropped
    )?;
    match limits.request_list {
        Some(size) => {
            writeln!(f, "    at most {:.0} % of {size} queries may wait", 100.0 * limits.max_request_list)
        }
        None => writeln!(f, "    queries that wait are not judged without `request-list`"),
    }
}

struct OnFailShown<'a>(&'a OnFail);

impl fmt::Display for OnFailShown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.otherwise.word())?;
        for (cause, severity) in &self.0.by_cause {
            write!(f, ", {cause}: {}", severity.word())?;
        }
        write!(f, ", unknown: {}", self.0.unknown.word())
    }
}

fn join<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
