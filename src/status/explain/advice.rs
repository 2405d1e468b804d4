//! What an operator does about each cause of a failed check.

use crate::engine::check::Severity;
use crate::outcome::Cause;
use crate::status::{CheckStatus, Document, Service};
use crate::text::joined;

/// The page that says more.
const RUNBOOK: &str = "/usr/share/doc/dnsherald/docs/runbook.md";

/// The advice for one cause.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Advice {
    /// The server is dead: start it.
    Start,
    /// The server hangs, or does not answer: look at it, and restart it.
    Restart,
    /// The server runs, and does not listen at the address. A reload need not open another one.
    Listen,
    /// Another sentence.
    Say(&'static str),
}

impl Advice {
    fn text(self, backend: Option<&str>) -> String {
        let (why, by_hand) = match self {
            Self::Say(text) => return text.to_owned(),
            Self::Start => ("the server is not there", "start the server"),
            Self::Restart => ("the server does not answer, or hangs", "look at the server, and restart it"),
            Self::Listen => (
                "the server runs, and does not listen at the address: see its log, let it listen there, which may take a restart",
                "restart it",
            ),
        };
        match backend {
            Some(name) => {
                format!("{why}: `dnsherald backend status {name}`, then `dnsherald backend restart {name}`")
            }
            None => format!("{why}: {by_hand}"),
        }
    }
}

/// The only table of advice by cause.
const fn by_cause(cause: Cause) -> Advice {
    use Advice::{Restart, Say, Start};
    match cause {
        Cause::ProcessGone | Cause::PortClosed | Cause::ListenerMissing => Start,
        Cause::NotReading
        | Cause::Stalled
        | Cause::PartlyHung
        | Cause::Timeout
        | Cause::Closed
        | Cause::ControlHung => Restart,
        Cause::AddressMissing => Say("add the address to an interface of this host"),
        Cause::SourceAddress => {
            Say("add the source address to an interface of this host, or correct `management` in [node]")
        }
        Cause::Refused => Say("permit the source address of the probes in the access list of the server"),
        Cause::ProbeOnly => Say(
            "permit the source address of the probes in the firewall, the access list and the rate limit; clients are probably answered",
        ),
        Cause::RateLimited => Say(
            "exempt the source address of the probes from the rate limit, as `dnsherald backend status` shows",
        ),
        Cause::Servfail | Cause::ServfailShare => Say(
            "authoritative server: see why the zone is not loaded, or has expired; resolver: look at its upstream and at DNSSEC \
             validation",
        ),
        Cause::Rcode
        | Cause::WrongAnswer
        | Cause::TooFewAnswers
        | Cause::Flags
        | Cause::Size
        | Cause::Ttl
        | Cause::Truncated
        | Cause::Malformed
        | Cause::Http => Say(
            "compare the answer with what the check expects (`dnsherald check`), and correct the one that is wrong",
        ),
        Cause::Partial => Say("see which questions fail: `dnsherald check`"),
        Cause::Stale | Cause::Expired => {
            Say("compare the serials (`dnsherald check`); look at the primary and at the zone transfer")
        }
        Cause::Signature => Say("sign the zone again, and see that the clock of this host is right"),
        Cause::Certificate | Cause::Tls => {
            Say("renew or correct the certificate of the server, or correct what the check expects of it")
        }
        Cause::WrongIdentity => {
            Say("see which server answers (`dnsherald identify ADDRESS`), and correct its NSID or the check")
        }
        Cause::Command | Cause::CommandWarning | Cause::CommandUnknown => {
            Say("run the command of the check by hand, as the user that ExaBGP runs as")
        }
        Cause::NoRoute | Cause::Unreachable => {
            Say("restore the route: `ip route show`, then `dnsherald doctor`")
        }
        Cause::LinkDown => Say("bring the interface up: `ip link show`, then `dnsherald doctor`"),
        Cause::RpFilter => Say("set `rp_filter` of the interface to 0 or 2: `dnsherald doctor` names it"),
        Cause::Overload | Cause::LostInOverload | Cause::Slow => Say(
            "look at the load (`dnsherald metrics`); do not drain, since the traffic would move to the next PoP",
        ),
        Cause::ListenerUnknown => Say(
            "this says nothing about the server: let the server listen at the address (`dnsherald doctor`), or correct what the reason names",
        ),
        Cause::ProcessUnknown | Cause::NoCounters => Say(
            "this says nothing about the server: `dnsherald backend status` names the permission or the setting that is missing",
        ),
        Cause::Local => Say(
            "this says nothing about the server: free descriptors, ports, memory or threads of this host, or find out what \
                 has stopped the helper, as the reason says",
        ),
        Cause::NoReference => {
            Say("this says nothing about the server: look at the reference servers, and at the path to them")
        }
    }
}

/// The advice for the checks with the worst effect on the service and for those without a result, each once; then where
/// there is more. Where no check has an effect, those that fall or that are only observed have it.
pub(super) fn for_service(document: &Document, service: &Service) -> Vec<String> {
    let worst = service.checks.iter().filter_map(|check| check.severity).max();
    let fails = |check: &CheckStatus| {
        check.unknown_for_seconds.is_some()
            || match worst.filter(|severity| *severity > Severity::Observe) {
                Some(worst) => check.severity == Some(worst) && !check.fails_milder,
                None => !check.unproven,
            }
    };
    let failed = service.checks.iter().filter(|check| fails(check)).filter_map(|check| check.last.as_ref());
    let causes = failed.filter(|last| !last.passed).filter_map(|last| last.cause.as_ref());
    let mut all: Vec<(Vec<Cause>, String)> = vec![];
    for cause in causes.filter_map(|cause| cause.parse::<Cause>().ok()) {
        let advice = match cause {
            Cause::PortClosed | Cause::ListenerMissing if is_running(document, service) => Advice::Listen,
            Cause::Timeout if worst == Some(Severity::Degraded) && answers_others(service) => Advice::Say(
                "the server answers the questions of other checks, and not these: resolver: look at its upstream first",
            ),
            cause => by_cause(cause),
        };
        let text = advice.text(service.backend.as_deref());
        match all.iter_mut().find(|(_, known)| *known == text) {
            Some((causes, _)) if causes.contains(&cause) => {}
            Some((causes, _)) => causes.push(cause),
            None => all.push((vec![cause], text)),
        }
    }
    let mut all: Vec<_> =
        all.into_iter().map(|(causes, text)| format!("{}: {text}", joined(&causes, ", "))).collect();
    if !all.is_empty() {
        all.push(format!("more: {RUNBOOK}"));
    }
    all
}

/// Whether the server is not there by the last finding of a check, whatever its effect.
pub(super) fn is_server_gone(document: &Document, service: &Service) -> bool {
    let found = service.checks.iter().filter_map(|check| check.last.as_ref()).filter(|last| !last.passed);
    let mut causes = found.filter_map(|last| last.cause.as_ref()?.parse::<Cause>().ok());
    let is_running = is_running(document, service) || answers_others(service);
    causes.any(|cause| by_cause(cause) == Advice::Start) && !is_running
}

/// Whether the server does not listen at an address, by the last finding of a check.
pub(super) fn lacks_listener(service: &Service) -> bool {
    let found = service.checks.iter().filter_map(|check| check.last.as_ref()).filter(|last| !last.passed);
    let mut causes = found.filter_map(|last| last.cause.as_ref()?.parse::<Cause>().ok());
    causes.any(|cause| matches!(cause, Cause::PortClosed | Cause::ListenerMissing))
}

/// The supplied checks that pass without an answer of the server.
const WITHOUT_ANSWER: [&str; 6] =
    ["process", "address", "listener", "listener-tcp", "way-back", "way-back-ipv6"];

/// Whether a check whose failure takes the service down, and that asks the server, passes.
fn answers_others(service: &Service) -> bool {
    let takes_down = |check: &&CheckStatus| {
        check.on_fail == Some(Severity::Down) && !WITHOUT_ANSWER.contains(&check.name.as_str())
    };
    service.checks.iter().filter(takes_down).any(CheckStatus::passes)
}

/// Whether the server of this service runs: the last round of its supplied check of the process has passed, or that of each
/// check of another service of the server.
fn is_running(document: &Document, service: &Service) -> bool {
    let is_served = |other: &Service| {
        other.name != service.name
            && service.backend.is_some()
            && other.backend == service.backend
            && other.is_serving()
            && other.checks.iter().all(CheckStatus::passes)
    };
    service.checks.iter().any(|check| check.name == "process" && check.passes())
        || document.services.iter().any(is_served)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The match has an arm for each cause; this is about the texts.
    #[test]
    fn every_cause_has_advice() {
        for cause in Cause::ALL {
            let [with, without] = [Some("unbound"), None].map(|backend| by_cause(*cause).text(backend));
            for text in [&with, &without] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{cause}: {text}");
                assert!(!text.contains("hold"), "{cause}: {text}");
            }
        }
        for cause in
            [Cause::ProcessGone, Cause::PortClosed, Cause::ListenerMissing, Cause::NotReading, Cause::Timeout]
        {
            let text = by_cause(cause).text(Some("unbound"));
            let commands = "`dnsherald backend status unbound`, then `dnsherald backend restart unbound`";
            assert!(text.ends_with(commands), "{cause}: {text}");
            assert!(!by_cause(cause).text(None).contains("backend"), "{cause}");
        }
        for cause in [Cause::Refused, Cause::NoRoute, Cause::AddressMissing] {
            assert!(matches!(by_cause(cause), Advice::Say(_)), "{cause}");
        }
    }
}
