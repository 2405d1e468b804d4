//! The record of a failed reload of the server: shown, and the next reload or restart must repair what it names.

use super::Service;
use crate::engine::drain::{FailedRestart, Reason, UNTOUCHED};

/// Whether it tells of an operation that was refused.
fn is_untouched(why: &Reason) -> bool {
    why.to_string().contains(UNTOUCHED)
}

impl Service {
    /// Keeps why an operation has failed, and the zones that it has lost.
    ///
    /// * One that an operator ran and that was compared with the server before replaces the record of an earlier one.
    /// * One that was not compared, such as a reload whose command failed, replaces no record of one that was.
    /// * One that has not touched the server replaces no record of one that has.
    /// * One without an operator is added: it has accepted what an earlier one has lost.
    pub(crate) fn record_failed_reload(&mut self, failed: FailedRestart) {
        let FailedRestart { why, lost, unattended, .. } = failed;
        if is_untouched(&why) && self.failed_reload.as_ref().is_some_and(|earlier| !is_untouched(earlier)) {
            return;
        }
        let compared = self.lost_zones.take().zip(self.failed_reload.as_ref());
        (self.failed_reload, self.lost_zones) = match (compared, lost) {
            (Some((earlier, text)), None) => (Some(text.clone()), Some(earlier)),
            (Some((earlier, text)), Some(lost)) if unattended => {
                let is_told = text.to_string().starts_with(&why.to_string());
                let both = if is_told { text.clone() } else { format!("{why}; {text}").into() };
                (Some(both), Some([earlier, lost].concat()))
            }
            (_, lost) => (Some(why), lost),
        };
    }

    /// A later operation has touched the server, so its configuration was valid by then. Its own failure is told elsewhere.
    pub(crate) fn forget_refusal(&mut self) {
        if self.lost_zones.is_none() && self.failed_reload.as_ref().is_some_and(is_untouched) {
            self.forget_failed_reload();
        }
    }

    /// The server serves as before.
    pub(crate) fn forget_failed_reload(&mut self) {
        (self.failed_reload, self.lost_zones) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use crate::config::Config;
    use crate::engine::Engine;
    use crate::engine::api_session::Parent;
    use crate::engine::drain::{FailedRestart, RestartEnd, UNTOUCHED};
    use crate::engine::event::ServiceId;
    use crate::engine::memory::Memory;
    use crate::engine::moment::Moment;

    /// The later operation has found the configuration valid.
    #[test]
    fn a_refusal_ends_with_a_later_operation_that_touched_the_server() {
        let mut bench = Bench::new();
        let refused = format!("restart srv failed: {UNTOUCHED}the configuration is broken");
        assert_eq!(bench.fails(&refused, None, false), refused);
        let left = |end| FailedRestart {
            holder: "backend/srv".parse().unwrap(),
            end,
            why: "restart srv failed: listeners".to_owned().into(),
            lost: Some(vec![]),
            unattended: false,
        };
        bench.0.restart_failed(Moment::START, ServiceId(0), left(RestartEnd::LeftDrained)).unwrap();
        assert_eq!(bench.record(), "");
        // What a reload has broken stays.
        let lost = bench.fails("reload srv done, but zone a.", Some(&["a."]), false);
        bench.0.restart_failed(Moment::START, ServiceId(0), left(RestartEnd::LeftDrained)).unwrap();
        assert_eq!(bench.record(), lost);
    }

    struct Bench(Engine);

    impl Bench {
        fn new() -> Self {
            let toml = "[node]\nmanagement = \"10.1.0.2\"\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.1/32\"]\n\
                        address = false\n[[service.check]]\nname = \"answers\"\ndns = { query = \"localhost. A\" }\n";
            let config = Config::parse(Path::new("a.toml"), toml, "host").unwrap();
            Self(Engine::new(&config.plan(), Parent::ExaBgp, Memory::default(), Duration::ZERO))
        }

        /// The record after a failure that has lost these zones.
        fn fails(&mut self, why: &str, lost: Option<&[&str]>, unattended: bool) -> String {
            let at = |zone: &&str| ((*zone).to_owned(), "192.0.2.1:53".parse().unwrap());
            let failed = FailedRestart {
                holder: "backend/srv".parse().unwrap(),
                end: RestartEnd::ReloadFailed,
                why: why.to_owned().into(),
                lost: lost.map(|lost| lost.iter().map(at).collect()),
                unattended,
            };
            self.0.restart_failed(Moment::START, ServiceId(0), failed).unwrap();
            self.record()
        }

        fn record(&self) -> String {
            let service = &self.0.services()[0];
            let why = service.failed_reload.as_ref().map(ToString::to_string);
            let zones = service.lost_zones.iter().flatten().map(|(zone, _)| format!(" {zone}"));
            why.unwrap_or_default() + &zones.collect::<String>()
        }
    }

    #[test]
    fn a_reload_that_touched_nothing_replaces_no_record_of_one_that_did() {
        let mut bench = Bench::new();
        assert_eq!(bench.fails("line 3", None, false), "line 3");
        assert_eq!(bench.fails("line 5", None, false), "line 5", "it is the latest");
        assert_eq!(bench.fails("lost", Some(&["a.", "b."]), false), "lost a. b.");
        assert_eq!(bench.fails("line 7", None, false), "lost a. b.");
        assert_eq!(
            bench.fails("half", Some(&["b."]), false),
            "half b.",
            "the other is served again, or removed"
        );
        assert_eq!(bench.fails("refused", Some(&[]), false), "refused");
        assert_eq!(bench.fails("line 9", None, false), "refused", "it names a check");
    }

    #[test]
    fn a_refused_operation_replaces_no_record_of_one_that_touched_the_server() {
        let (mut bench, refused) = (Bench::new(), format!("restart srv {UNTOUCHED}line 3"));
        assert_eq!(bench.fails(&refused, None, false), refused);
        let timeout = "reload srv failed: not done within 10s";
        assert_eq!(bench.fails(timeout, None, false), timeout);
        assert_eq!(bench.fails(&refused, None, false), timeout);
    }

    #[test]
    fn an_operation_without_an_operator_repairs_nothing() {
        let mut bench = Bench::new();
        bench.fails("lost", Some(&["a."]), false);
        assert_eq!(bench.fails("worse", Some(&[]), true), "worse; lost a.");
        assert_eq!(bench.fails("worse", Some(&[]), true), "worse; lost a.", "again");
        let done = |bench: &mut Bench, unattended| {
            let what = "restart srv".to_owned().into();
            bench.0.restarted(ServiceId(0), what, unattended, None).unwrap().to_string()
        };
        let stays = "; the warning of a failed reload stays, since no operator has repaired it";
        let said = done(&mut bench, true);
        assert!(said.ends_with(&format!("done, and every step verified{stays}")), "{said}");
        assert_eq!(bench.record(), "worse; lost a.");
        let said = done(&mut bench, false);
        assert!(!said.contains(stays), "{said}");
        assert_eq!(bench.record(), "");
    }
}
