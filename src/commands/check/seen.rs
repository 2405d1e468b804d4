//! What the running helper has seen to pass: a failure of `once-up` or `once-seen` counts only after that.

use crate::config::describe::questions;
use crate::config::{self, Service};
use crate::status::Document;

/// Why a failure is not counted if the helper has not seen a pass.
const NOT_YET: &str = "not counted by the helper before its first pass";

/// Why a failure is not counted if no helper answers, or one that does not say: of an older version, or one that does not probe
/// for a service that is not enabled.
const UNTOLD: &str = "not counted: it is not known whether it has passed before";

/// What the helper has seen of one check.
#[derive(Debug)]
pub(super) enum Seen {
    /// No helper says.
    Untold,
    /// The helper does not have the check, or one of its name that asks something else: a reload makes it anew.
    Nothing,
    /// The helper has the check.
    Check {
        /// Whether it has not been up.
        unproven: bool,
        /// The labels of the probes that have not passed, if the helper says.
        unseen: Option<Vec<String>>,
    },
}

impl Seen {
    /// Finds the check by its name and that of its service.
    pub(super) fn new(document: Option<&Document>, service: &Service, check: &config::Check) -> Self {
        let Some(document) = document else { return Self::Untold };
        let its = document.services.iter().find(|its| its.name == service.name);
        let its = its.and_then(|its| its.checks.iter().find(|its| its.name == check.name));
        match its.filter(|its| its.asks.is_empty() || its.asks == questions(check)) {
            Some(its) => Self::Check { unproven: its.unproven, unseen: its.unseen.clone() },
            None => Self::Nothing,
        }
    }

    /// Why a failure of a `once-up` check is not counted; `None` if it is.
    pub(super) const fn why_check_is_not_counted(&self) -> Option<&'static str> {
        match self {
            Self::Untold => Some(UNTOLD),
            Self::Nothing | Self::Check { unproven: true, .. } => Some(NOT_YET),
            Self::Check { .. } => None,
        }
    }

    /// Why a failure of this probe of a `once-seen` check is not counted; `None` if it is.
    pub(super) fn why_probe_is_not_counted(&self, label: &str) -> Option<&'static str> {
        match self {
            Self::Untold | Self::Check { unseen: None, .. } => Some(UNTOLD),
            Self::Nothing => Some(NOT_YET),
            Self::Check { unseen: Some(unseen), .. } => {
                unseen.iter().any(|unseen| unseen == label).then_some(NOT_YET)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::config::Config;
    use crate::engine::Engine;
    use crate::engine::api_session::Parent;
    use crate::engine::memory::Memory;
    use crate::engine::moment::Moment;
    use crate::status::time::Clock;

    fn config(query: &str) -> Config {
        let text = format!(
            "[node]\nmanagement = \"10.1.0.2\"\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.1/32\"]\naddress = false\n\
             [[service.check]]\nname = \"b\"\nonce-up = true\ndns = {{ query = \"{query}\", once-seen = true }}\n\
             [[service.check]]\nname = \"c\"\ndns = {{ query = \"localhost. A\" }}\n"
        );
        Config::parse(Path::new("a.toml"), &text, "host").unwrap()
    }

    /// What a helper with the query `running` has seen of the check of a file with the query `www.`; `unseen` is a label.
    fn seen(running: &str, unproven: bool, unseen: Option<&str>) -> [Option<&'static str>; 2] {
        let (helper, file) = (config(running), config("www. A"));
        let engine = Engine::new(&helper.plan(), Parent::Terminal, Memory::default(), Duration::ZERO);
        let clock = Clock::new(Moment::START, UNIX_EPOCH);
        let mut document = Document::from_engine(&engine, &clock, "host", Path::new("a.toml"));
        let shown = &mut document.services[0].checks[0];
        shown.asks = questions(&helper.services[0].checks[0]);
        shown.unproven = unproven;
        shown.unseen = unseen.map(|label| vec![label.to_owned()]);
        told(&Seen::new(Some(&document), &file.services[0], &file.services[0].checks[0]))
    }

    fn told(seen: &Seen) -> [Option<&'static str>; 2] {
        [seen.why_check_is_not_counted(), seen.why_probe_is_not_counted("10.1.0.2:53 udp www. A")]
    }

    #[test]
    fn a_failure_counts_if_the_helper_has_seen_this_check_and_this_probe_pass() {
        let of_another = Some("10.1.0.2:53 tcp www. A");
        assert_eq!(seen("www. A", false, of_another), [None, None]);
        assert_eq!(seen("www. A", true, Some("10.1.0.2:53 udp www. A")), [Some(NOT_YET); 2]);
        assert_eq!(seen("www. A", false, None), [None, Some(UNTOLD)], "an older helper");
        assert_eq!(seen("ftp. A", false, of_another), [Some(NOT_YET); 2], "a check that a reload makes anew");
        assert_eq!(told(&Seen::Untold), [Some(UNTOLD); 2]);
    }
}
