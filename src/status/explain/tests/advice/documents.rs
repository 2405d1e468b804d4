//! Changes of the announced service to a state that has advice.

use super::*;

pub(super) fn starting(document: &mut Document) {
    rises(document, ServiceState::Starting);
    first(document).checks[0].severity = None;
}

pub(super) fn starting_and_failing(document: &mut Document) {
    becomes(document, ServiceState::Starting, "falling", Severity::Observe);
    first(document).checks[0].severity = None;
}

pub(super) fn warm_up(document: &mut Document) {
    let service = first(document);
    service.state = ServiceState::Drained;
    service.warm_up = Some(WarmUp { ends_in_seconds: 1.5, ends_at: None });
}

pub(super) fn unknown(document: &mut Document) {
    becomes(document, ServiceState::Degraded, "up", Severity::Observe);
    let check = &mut first(document).checks[0];
    check.unknown_for_seconds = Some(31.0);
    check.last.as_mut().unwrap().cause = Some("local".to_owned());
}

pub(super) fn refused(document: &mut Document) {
    unacknowledged(document);
    first(document).prefixes[0].refused = true;
}

pub(super) fn unacknowledged(document: &mut Document) {
    let prefix = &mut first(document).prefixes[0];
    prefix.acknowledged = None;
    prefix.answer =
        Some(Answered { ago_seconds: 1.0, at: None, result: AnswerResult::Unanswered, why: None });
}

pub(super) fn on_a_terminal(document: &mut Document) {
    document.exabgp.answers = false;
    document.exabgp.silence = Some("standard output is a terminal".to_owned());
}

pub(super) fn sessions_down(document: &mut Document) {
    for session in &mut document.exabgp.bgp_sessions {
        session.state = SessionState::Down;
    }
}

pub(super) fn withdrawn_by_file(document: &mut Document) {
    let prefix = &mut first(document).prefixes[0];
    (prefix.desired, prefix.acknowledged) = (Some("withdraw".to_owned()), Some("withdraw".to_owned()));
}

pub(super) fn crash_loop(document: &mut Document) {
    rises(document, ServiceState::Down);
    let service = first(document);
    (service.recent_exits, service.unit) = (Some(4), Some("unbound.service".to_owned()));
}

pub(super) fn reload_failed(document: &mut Document) {
    let service = first(document);
    service.backend = Some("unbound".to_owned());
    service.failed_reload = Some("reload unbound failed: unbound.conf:3: syntax error".to_owned());
}

pub(super) fn last_good(document: &mut Document) {
    document.trouble = Some("dnsherald.toml:3:1: unknown key `rize`".to_owned());
    document.last_good = Some("/var/lib/dnsherald/last-good.toml".into());
}

/// Every prefix is withdrawn, and no check counts.
pub(super) fn without_configuration(document: &mut Document) {
    document.trouble = Some("dnsherald.toml:3:1: unknown key `rize`".to_owned());
    becomes(document, ServiceState::Down, "down", Severity::Down);
}
