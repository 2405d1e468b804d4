//! What degrading means for a service: which checks can do it, and whether a router notices.

use std::fmt;

use super::super::{Check, Service};
use crate::engine::check::Severity;
use crate::exabgp::Advertisement;
use crate::exabgp::attributes::Attributes;

/// Describes where degrading has no effect, and the conditions under which a different MED has one.
pub(super) fn describe(f: &mut fmt::Formatter<'_>, service: &Service) -> fmt::Result {
    let degrading: Vec<_> =
        service.checks.iter().filter(|check| can_degrade(check)).map(|check| check.name.as_str()).collect();
    if degrading.is_empty() {
        return Ok(());
    }
    let is_same_in = |part: fn(&Advertisement) -> Advertisement| {
        service.announcements().all(|(_, ladder)| part(&ladder.up) == part(&ladder.degraded))
    };
    if is_same_in(Advertisement::clone) {
        writeln!(
            f,
            "  `degraded` advertises what `up` does: it moves no route and only raises an alarm: {}; set `degraded = {{ med = … }}`",
            degrading.join(", ")
        )
    } else if is_same_in(without_med) {
        writeln!(
            f,
            "  `degraded` differs from `up` in MED only, which a router compares between routes of one neighboring AS only (RFC 4271, \
             9.1.2.2), unless it is told to compare it always"
        )
    } else {
        Ok(())
    }
}

/// Whether a failure of the check can degrade the service without bringing it down.
fn can_degrade(check: &Check) -> bool {
    let on_fail = &check.on_fail;
    // Half as many failures in the window as it takes to bring down.
    let by_window = check.timing.thresholds.window.is_some() && on_fail.worst() == Severity::Down;
    by_window
        || on_fail.otherwise == Severity::Degraded
        || on_fail.unknown == Severity::Degraded
        || on_fail.by_cause.values().any(|severity| *severity == Severity::Degraded)
}

fn without_med(advertisement: &Advertisement) -> Advertisement {
    match advertisement {
        Advertisement::Announce(attributes) => {
            Advertisement::Announce(Attributes { med: None, ..attributes.clone() })
        }
        withdraw => withdraw.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;
    use crate::config::describe::Description;

    fn described(of_service: &str) -> String {
        let text = format!(
            "[node]\nmanagement = [\"10.1.0.2\"]\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.53/32\"]\n{of_service}"
        );
        Description(&Config::parse(Path::new("a.toml"), &text, "host").unwrap()).to_string()
    }

    #[test]
    fn a_degraded_state_without_effect_is_described_with_its_checks() {
        let told = described("role = \"resolver\"\n");
        assert!(
            told.contains(
                "moves no route and only raises an alarm: answers, answers-tcp, recursion, validation"
            ),
            "{told}"
        );
        let told = described("role = \"resolver\"\ndegraded = { med = 400 }\n");
        assert!(told.contains("differs from `up` in MED only"), "{told}");
        let told = described("role = \"resolver\"\ndegraded = { community = [\"64512:1\"] }\n");
        assert!(!told.contains("`degraded`"), "{told}");
        // No check degrades here.
        let own = "[[service.check]]\nname = \"own\"\ndns = { query = \"localhost. A\" }\n";
        assert!(described(own).contains("only raises an alarm: own"), "by its window");
        let told = described(&own.replace("dns =", "fall = { of = 0 }\ndns ="));
        assert!(!told.contains("`degraded`"), "{told}");
    }
}
