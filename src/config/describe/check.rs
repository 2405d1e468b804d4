//! Describes a check: its questions, timing and worst-case times.

use std::fmt;
use std::time::Duration;

use super::loss;
use super::probe::ProbeShown;
use crate::config::Check;
use crate::config::listener::DETECTED;
use crate::engine::check::{Severity, Timing};
use crate::engine::hysteresis::WindowRule;
use crate::outcome::Cause;
use crate::probe::Probe;
use crate::probe::command::Statuses;
use crate::probe::counters::CountersProbe;
use crate::probe::dns::Transport;
use crate::probe::freshness::FreshnessProbe;
use crate::text::period::Period;

pub(super) fn describe(f: &mut fmt::Formatter<'_>, check: &Check) -> fmt::Result {
    write!(f, "  check {}: on-fail {}", check.name, check.on_fail.otherwise.word())?;
    for (cause, severity) in &check.on_fail.by_cause {
        write!(f, ", {cause}: {}", severity.word())?;
    }
    writeln!(f, ", unknown: {}", check.on_fail.unknown.word())?;
    if let Some(default) = check.default {
        writeln!(f, "    default check: {}", default.why)?;
    }
    let timing = check.timing;
    writeln!(
        f,
        "    interval {}, fast-interval {}, timeout {}, rise {}, fall {}",
        Period(timing.interval),
        Period(timing.fast_interval),
        Period(timing.timeout),
        timing.thresholds.rise,
        timing.thresholds.fall
    )?;
    describe_window(f, check)?;
    if let Some(probes) = probes_by_udp(check) {
        loss::describe(f, &timing, probes)?;
    }
    describe_probe(f, &check.probe)?;
    if check.on_fail.once_up {
        writeln!(f, "    counts once it has been up")?;
    }
    if check.on_fail.worst() == Severity::Observe {
        return writeln!(f, "    observed: shown and logged, moves no route");
    }
    describe_detection(f, check)
}

/// What must hold for a pass.
fn describe_probe(f: &mut fmt::Formatter<'_>, probe: &Probe) -> fmt::Result {
    match probe {
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
        Probe::Command(command) => {
            let meanings = match command.statuses {
                Statuses::Plugin => "; a plugin: status 1 degrades at most, 3 and above are unknown",
                Statuses::ZeroPasses => "",
            };
            writeln!(f, "    must exit with status 0: {command}{meanings}")?;
        }
        Probe::Process(process) => writeln!(f, "    must run: {process}")?,
        Probe::Address(address) => writeln!(f, "    must be on this host: {address}")?,
        Probe::Freshness(freshness) => describe_freshness(f, freshness)?,
        Probe::Listener(listener) => writeln!(f, "    must be read: {listener}")?,
        Probe::Counters(counters) => describe_counters(f, counters)?,
        Probe::Route(route) => writeln!(f, "    must have a way back: {route}")?,
        Probe::Lookup(lookup) => writeln!(f, "    must be resolved as a client does, each: {lookup}")?,
        Probe::Nothing => writeln!(f, "    probes nothing and always passes")?,
    }
    Ok(())
}

/// How long the check takes to detect a failure and to return.
fn describe_detection(f: &mut fmt::Formatter<'_>, check: &Check) -> fmt::Result {
    let timing = &check.timing;
    let (returns, first_verdict) = (Period(timing.returns()), Period(timing.first_verdict()));
    match &check.probe {
        Probe::Counters(counters) => {
            let third = Period(counters.limits.window / 3);
            writeln!(f, "    read every {third}; a failure takes a window to show and to pass")
        }
        Probe::Freshness(freshness) => writeln!(
            f,
            "    a zone fails at most {} after it has lacked a serial for {}, if {} queries per second are enough",
            Period(freshness.zone_interval.saturating_add(timing.detects_refusal())),
            Period(freshness.limits.max_lag),
            freshness.max_queries
        ),
        Probe::Process(_) => {
            writeln!(f, "    an exit is detected at once, return takes at most {returns}")?;
            writeln!(f, "    after a start the verdict on a running process takes {first_verdict}")
        }
        Probe::Listener(listener) => {
            let shown = |cause: Cause| format!("{cause}: {}", check.on_fail.severity(cause).word());
            writeln!(f, "    {}, {}", shown(Cause::Overload), shown(Cause::PartlyHung))?;
            writeln!(
                f,
                "    a hang with queries is detected in {}, of a server that works or whose process is not known in {}, \
                 return takes at most {returns}",
                Period(DETECTED),
                Period(DETECTED + listener.stall + timing.fast_interval * (timing.thresholds.fall.get() - 1))
            )
        }
        Probe::Route(_) => writeln!(
            f,
            "    a lost route is detected in {}, return takes at most {returns}",
            Period(timing.fast_interval * (timing.thresholds.fall.get() - 1).max(1))
        ),
        Probe::Address(_) => {
            writeln!(f, "    a missing address is detected at once, return takes at most {returns}")
        }
        Probe::Dns(_) | Probe::Command(_) | Probe::Lookup(_) | Probe::Nothing => {
            writeln!(
                f,
                "    at worst a closed port or an error answered at once is detected in {}, a slow error or a hang in {}, \
                 return takes {returns} plus the latency of the last answer",
                Period(timing.detects_refusal()),
                Period(detects_hang(check))
            )?;
            writeln!(f, "    after a start the verdict on a healthy server takes {first_verdict}")
        }
    }
}

/// The worst time to detect a hang. A set of more probes than are in flight at once waits for several timeouts.
fn detects_hang(check: &Check) -> Duration {
    let timeout = match &check.probe {
        Probe::Dns(set) => check.timing.timeout.max(set.longest_round()),
        _ => check.timing.timeout,
    };
    Timing { timeout, ..check.timing }.detects_hang()
}

/// The number of probes of a check that silence over UDP brings down, all of which must pass.
fn probes_by_udp(check: &Check) -> Option<u32> {
    let Probe::Dns(set) = &check.probe else { return None };
    let counts = !set.reports_partial()
        && set.need() == set.probes().len()
        && set.probes().iter().all(|probe| probe.transport == Transport::Udp)
        && check.on_fail.severity(Cause::Timeout) == Severity::Down;
    u32::try_from(set.need()).ok().filter(|_| counts)
}

/// The effect of failures that are not in a row.
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
