//! Describes a configuration: effective values, the commands it sends, and worst-case times.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use self::probe::ProbeShown;
use super::backend::describe as describe_backend;
use super::outlets::describe_places;
use super::paste::Tables;
use super::{Check, Config, Service};
use crate::engine::check::Severity;
use crate::engine::dampening::window::WINDOW;
use crate::engine::dampening::{Mode, RESTARTS_EXCUSED};
use crate::engine::ladder::Ladder;
use crate::engine::service::StartPolicy;
use crate::exabgp::Dialect;
use crate::outcome::Cause;
use crate::probe::Probe;
use crate::probe::dns::DnsProbe;
use crate::text::period::Period;
use crate::text::{joined, ordered};

mod check;
mod degrading;
pub(crate) mod loss;
mod probe;

/// Displays what a configuration means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Description<'a>(pub &'a Config);

impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Config { node, exabgp, backends, services, .. } = self.0;
        writeln!(f, "node {}: management {}", node.name, joined(&node.management, ", "))?;
        let pinned = |dialect: Dialect| format!("{} (`{}`)", dialect.api(), dialect.form());
        let api = exabgp.dialect.map_or("auto".to_owned(), pinned);
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
        describe_places(f, self.0)?;
        if let Some(lacking) = self.0.since.lacking() {
            writeln!(f, "{lacking}")?;
        }
        for backend in backends {
            writeln!(f)?;
            describe_backend(f, backend)?;
        }
        for service in services {
            writeln!(f)?;
            describe_service(f, service, exabgp.dialect.unwrap_or(Dialect::Neighbor))?;
            warn_of_gaps(f, service, &node.management)?;
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
        let announces = service.announcements().any(|(_, ladder)| ladder.degraded.announces());
        let how = if announces { "returns" } else { "stays withdrawn" };
        let up = Period(service.recovery);
        writeln!(f, "  after a withdraw it {how} as `degraded`, and is up {up} later")?;
    }
    if let Some(warm_up) = &service.warm_up {
        let names = joined(&warm_up.names, ", ");
        let limit = Period(warm_up.timeout);
        writeln!(f, "  before it returns it asks for {names}, for at most {limit}")?;
    }
    if service.checks.iter().any(|check| check.on_fail.absorbs_overload) {
        writeln!(f, "  absorb: causes of overload degrade at most")?;
    }
    match &service.disable_file {
        Some(path) => writeln!(f, "  drained while {} exists", path.display())?,
        None => writeln!(f, "  no disable-file")?,
    }
    if !service.on_change.is_empty() {
        writeln!(f, "  on change: {}", service.on_change.join(" "))?;
    }
    describe_dampening(f, service)?;
    for rung in 0..Ladder::STATES {
        for (route, ladder) in service.announcements() {
            let (state, advertisement) = ladder.rungs()[rung];
            writeln!(f, "  {state:<9} {}", dialect.advertise(route, advertisement))?;
        }
    }
    if let Some(held) = service.observed_newer() {
        writeln!(f, "  {held}")?;
    }
    degrading::describe(f, service)?;
    service.checks.iter().try_for_each(|check| check::describe(f, check))?;
    if service.checks.iter().any(|check| check.default.is_some()) {
        writeln!(f, "{}{}", how_to_change(service), Tables(service))?;
    }
    Ok(())
}

/// How to use the tables of the supplied checks. A service that names no role loses the checks of its role, and that of the
/// process, with the first check of its own.
fn how_to_change(service: &Service) -> String {
    let lists_checks = service.checks.iter().any(|check| check.default.is_none());
    let role = service.backend.as_ref().and_then(|backend| backend.kind.only_role());
    let first = match (service.role, role) {
        (None, Some(role)) if !lists_checks => format!("write `role = \"{role}\"` in the service, and "),
        (None, None) if !lists_checks => {
            return "  to change the supplied checks, paste all these tables into the service: a check of its own replaces them\n"
                .to_owned();
        }
        _ => String::new(),
    };
    format!(
        "  to change a supplied check, {first}paste its table into the service; it takes the place of the check of its name, and all \
         else in the file stays\n"
    )
}

/// Probes of a check that [`questions`] describes.
const DESCRIBED: usize = 4;

/// What a check asks and expects, one sentence for each probe. Every user of the host may read it, so that of a command
/// only the first word is named.
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
        Probe::Command(command) => one(format!("exit status 0 of {}", program(&command.to_string()))),
        Probe::Process(process) => one(format!("must run: {process}")),
        Probe::Address(address) => one(format!("must be on this host: {address}")),
        Probe::Freshness(freshness) => one(format!("must be as new: {freshness}")),
        Probe::Listener(listener) => one(format!("must be read: {listener}")),
        Probe::Counters(counters) => one(counters.to_string()),
        Probe::Route(route) => one(format!("must have a way back: {route}")),
        Probe::Lookup(lookup) => one(format!("must be resolved as a client does: {lookup}")),
        Probe::Nothing => one("nothing; it always passes".to_owned()),
    }
}

/// The first word of a command as it is displayed, without any backquote: "a command" if there is none, or if it is an
/// assignment, which may be a secret.
fn program(displayed: &str) -> String {
    let bare = displayed.replace('`', "");
    match bare.split_whitespace().next() {
        Some(word) if !word.contains('=') => word.to_owned(),
        _ => "a command".to_owned(),
    }
}

/// Whether the answer of another PoP brings the service down: the check expects the NSID of this one.
fn withdraws_for_another_pop(check: &Check) -> bool {
    let Probe::Dns(set) = &check.probe else { return false };
    check.on_fail.severity(Cause::WrongIdentity) == Severity::Down
        && set.probes().iter().any(|probe| probe.question.expect().nsid.is_some())
}

/// Warns of what the `dns` probes and the address check of a service do not cover. A service without `dns` probes gets no
/// warning.
fn warn_of_gaps(f: &mut fmt::Formatter<'_>, service: &Service, management: &[IpAddr]) -> fmt::Result {
    let probes: Vec<_> = service
        .checks
        .iter()
        .flat_map(|check| match &check.probe {
            Probe::Dns(set) => set.probes(),
            _ => &[],
        })
        .collect();
    let observes =
        |check: &Check| !matches!(check.probe, Probe::Address(_) | Probe::Route(_) | Probe::Listener(_));
    if service.backend.is_some() && !service.checks.iter().any(observes) {
        writeln!(
            f,
            "  warning: no check asks the server: write `role = \"…\"` to have the supplied checks beside those of the file, or \
             add a `dns` check"
        )?;
    }
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
    let has_process = service.backend.as_ref().is_some_and(|backend| backend.process_source().is_some());
    if has_process && !service.watches_process() {
        writeln!(
            f,
            "  warning: no check watches the process of the backend: write `role = \"…\"` to have the supplied checks beside \
             those of the file, or add a check with `process = {{}}`"
        )?;
    }
    for prefix in ordered::<BTreeSet<_>, _>(service.routes.iter().map(|route| route.prefix)) {
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

fn describe_dampening(f: &mut fmt::Formatter<'_>, service: &Service) -> fmt::Result {
    let policy = &service.dampening;
    let mode = match policy.mode {
        Mode::Off => return writeln!(f, "  dampening off"),
        Mode::Enforce => "enforce",
        Mode::Observe => "observe",
    };
    writeln!(
        f,
        "  dampening {mode}: penalty {} per fall, suppress {}, reuse {}, half-life {}, max-suppress {}",
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
        _ if !service.watches_process() => {
            writeln!(f, "  no check watches the process, so every exit that a check notices counts as a fall")
        }
        Duration::ZERO => writeln!(f, "  every exit of the server process counts as a fall"),
        grace => writeln!(
            f,
            "  a process that restarts within {} does not count as a fall, at most {RESTARTS_EXCUSED} times within {}",
            Period(grace),
            Period(WINDOW)
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn described(of_service: &str) -> String {
        let text = format!(
            "[node]\nmanagement = [\"10.1.0.2\"]\n[backend.unbound]\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.53/32\"]\n\
             {of_service}"
        );
        Description(&Config::parse(Path::new("test.toml"), &text, "host").unwrap()).to_string()
    }

    const OWN: &str =
        "[[service.check]]\nname = \"own\"\ndns = { query = \"example.org. A\", server = \"192.0.2.53\" }\n";

    #[test]
    fn a_service_without_its_supplied_checks_is_described_as_it_is() {
        let grace = "a process that restarts within 3s does not count as a fall";
        let unwatched = "warning: no check watches the process of the backend: write `role = ";
        let by_backend = described("backend = \"unbound\"\n");
        assert!(by_backend.contains(grace) && !by_backend.contains(unwatched), "{by_backend}");
        assert!(
            by_backend.contains("write `role = \"resolver\"` in the service, and paste its table"),
            "{by_backend}"
        );
        let unasked = "warning: no check asks the server: write `role = ";
        let sockets = "[[service.check]]\nname = \"sockets\"\nlistener = {}\n";
        let only_sockets = described(&format!("backend = \"unbound\"\n{sockets}"));
        assert!(only_sockets.contains(unasked) && !by_backend.contains(unasked), "{only_sockets}");
        let own = described(&format!("backend = \"unbound\"\n{OWN}"));
        assert!(!own.contains(unasked) && !own.contains(grace) && own.contains(unwatched), "{own}");
        let both = described(&format!("backend = \"unbound\"\nrole = \"resolver\"\n{OWN}"));
        assert!(both.contains(grace) && !both.contains(unwatched), "{both}");
        assert!(both.contains("to change a supplied check, paste its table into"), "{both}");
        assert!(described("").contains("paste all these tables into the service"), "no role");
    }

    #[test]
    fn a_command_is_described_by_its_program_without_half_a_pair_of_backquotes() {
        for (command, told) in [
            ("\"test -e /ok\"", "test"),
            ("[\"/usr/bin/check\", \"--name\", \"a b\"]", "/usr/bin/check"),
            ("\"test `hostname` = a\"", "test"),
            ("\"`which dig` @127.0.0.1\"", "which"),
            ("\"check`date +%s`\"", "checkdate"),
            ("\"`\"", "a command"),
            ("\"PASSWORD=secret check\"", "a command"),
        ] {
            let text = format!(
                "[node]\nmanagement = [\"10.1.0.2\"]\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.53/32\"]\n\
                 [[service.check]]\nname = \"own\"\ncommand = {command}\n"
            );
            let config = Config::parse(Path::new("test.toml"), &text, "host").unwrap();
            let own = config.services[0].checks.iter().find(|check| check.name == "own").unwrap();
            assert_eq!(questions(own), [format!("exit status 0 of {told}")], "{command}");
        }
    }
}
