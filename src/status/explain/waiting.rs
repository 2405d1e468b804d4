//! What happens next by itself, for a service that needs no operator.

use super::rule::Rule;
use crate::engine::check::Severity;
use crate::engine::service::ServiceState;
use crate::status::view::shown;
use crate::status::{CheckStatus, Service};
use crate::text::joined;

/// The words after "nothing to do: ".
pub(super) fn for_what(service: &Service, rule: Rule) -> String {
    let about = about(service.next.as_ref().and_then(|next| next.in_seconds));
    match rule {
        Rule::WarmUp => {
            let about = self::about(service.warm_up.as_ref().map(|warm_up| warm_up.ends_in_seconds));
            format!("it returns once the names of `warm-up` are asked{about}")
        }
        Rule::NoVerdict => format!("its checks have no verdict yet, and decide by themselves{about}"),
        _ if service.state == ServiceState::Up => match service.prefixes.is_empty() {
            true => "its checks pass".to_owned(),
            false => "its checks pass, and ExaBGP has acknowledged its routes".to_owned(),
        },
        _ => passing_again(service, &about)
            .unwrap_or_else(|| format!("its checks pass, and it is up by itself{about}")),
    }
}

/// The checks that still have an effect though they pass again or fail milder; `None` if there is none.
fn passing_again(service: &Service, about: &str) -> Option<String> {
    let is_over = |check: &&CheckStatus| check.passes() || check.fails_milder;
    let has_effect = |check: &&CheckStatus| is_over(check) && check.severity != Some(Severity::Observe);
    let checks: Vec<_> = service.checks.iter().filter(has_effect).collect();
    let passes = checks.iter().filter_map(|check| check.passes_ahead).max().unwrap_or(0);
    let names = joined(checks.iter().map(|check| &check.name), ", ");
    let milder = if checks.iter().any(|check| check.fails_milder) { " or fails milder" } else { "" };
    let who = match checks.len() {
        0 => return None,
        1 => format!("check {names} passes again{milder}"),
        _ => format!("checks {names} pass again{milder}"),
    };
    let after = match passes {
        0 => String::new(),
        1 => " after 1 more pass".to_owned(),
        passes => format!(" after {passes} more passes"),
    };
    Some(format!("{who}, up{after}{about}"))
}

/// A forecast in brackets, rounded up.
fn about(seconds: Option<f64>) -> String {
    let rounded = |seconds: f64| if seconds < 1.0 { seconds } else { seconds.ceil() };
    seconds.map_or_else(String::new, |seconds| format!(" (about {})", shown(rounded(seconds))))
}
