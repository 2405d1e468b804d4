//! The levels of the lines about checks.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::api_session::Parent;
use crate::engine::drain::{Holder, Lasts, Lift, Order};
use crate::engine::event::{CheckId, Event, ServiceId};
use crate::engine::memory::Memory;
use crate::logging::entry::Urgency;

struct Log {
    engine: Engine,
    now: Moment,
    lines: Vec<(Urgency, String)>,
}

impl Log {
    /// Of a helper that starts with a service of two checks, the second with these keys.
    fn new(second: &str) -> Self {
        let toml = format!(
            "[node]\nmanagement = \"10.1.0.2\"\n[defaults]\nrise = 2\nfall = 2\n[[service]]\nname = \"a\"\n\
             prefixes = [\"192.0.2.1/32\"]\naddress = false\n\
             [[service.check]]\nname = \"answers\"\ndns = {{ query = \"localhost. A\" }}\n\
             [[service.check]]\nname = \"more\"\n{second}\n"
        );
        let config = Config::parse(Path::new("a.toml"), &toml, "host").unwrap();
        let engine = Engine::new(&config.plan(), Parent::ExaBgp, Memory::default(), Duration::ZERO);
        let mut log = Self { engine, now: Moment::START, lines: vec![] };
        log.handle(Event::Start);
        log
    }

    fn handle(&mut self, event: Event) {
        self.now = self.now + Duration::from_secs(1);
        for action in self.engine.handle(self.now, event) {
            if let Action::Log(notice) = action {
                self.lines.push((notice.urgency(), notice.to_string()));
            }
        }
    }

    fn finds(&mut self, check: usize, outcome: &Outcome) {
        for _ in 0..2 {
            self.handle(Event::Outcome(CheckId { service: ServiceId(0), check }, outcome.clone()));
        }
    }

    /// The lines about checks that changed their verdict, since the last call.
    fn verdicts(&mut self) -> Vec<(Urgency, String)> {
        let is_verdict = |(_, line): &(_, String)| {
            line.starts_with("check ") && (line.contains("-> up") || line.contains("-> down"))
        };
        std::mem::take(&mut self.lines).into_iter().filter(is_verdict).collect()
    }

    fn at(&self, urgency: Urgency) -> Vec<&str> {
        let lines = self.lines.iter().filter(|(of, _)| *of == urgency);
        lines.map(|(_, line)| line.split(':').next().unwrap_or_default()).collect()
    }
}

fn pass() -> Outcome {
    Outcome::pass(Duration::from_millis(1))
}

fn timeout() -> Outcome {
    Outcome::from_cause(Cause::Timeout, "no answer")
}

const DNS: &str = "dns = { query = \"localhost. A\" }";

#[test]
fn checks_that_rise_after_a_start_or_a_drain_are_information_and_the_return_is_a_notice() {
    let mut log = Log::new(DNS);
    log.finds(0, &pass());
    log.finds(1, &pass());
    assert_eq!(log.at(Urgency::Notice), ["service a"]);
    let lasts = Lasts::UntilLifted;
    let order = Order { holder: Holder::operator(), reason: String::new().into(), lasts, uid: None };
    log.handle(Event::Drain(ServiceId(0), order));
    log.lines.clear();
    log.handle(Event::Undrain(ServiceId(0), Lift { holder: None, once_healthy: false, checks: vec![] }));
    // The first outcome is that of a round from before.
    for check in [0, 1, 0, 1] {
        log.finds(check, &pass());
    }
    assert_eq!(log.engine.services()[0].state(), ServiceState::Up);
    assert_eq!(log.at(Urgency::Notice), ["service a"], "{:?}", log.lines);
    assert_eq!(log.verdicts().len(), 2, "both at info");
}

#[test]
fn a_check_that_was_down_returns_with_a_notice() {
    let mut log = Log::new(DNS);
    log.finds(0, &timeout());
    assert_eq!(
        log.verdicts(),
        [(Urgency::Warning, "check a/answers: falling -> down: no answer".to_owned())]
    );
    log.finds(0, &pass());
    assert_eq!(log.verdicts(), [(Urgency::Notice, "check a/answers: rising -> up: passed".to_owned())]);
}

#[test]
fn a_check_that_fails_before_its_first_pass_is_said_not_to_count() {
    let mut log = Log::new(&format!("{DNS}\nonce-up = true"));
    log.finds(1, &timeout());
    let not_counted = "check a/more: falling -> down: no answer; not counted before its first pass";
    assert_eq!(log.verdicts(), [(Urgency::Info, not_counted.to_owned())]);
    log.finds(1, &pass());
    log.finds(1, &timeout());
    let counted = "check a/more: falling -> down: no answer";
    assert_eq!(log.verdicts().last(), Some(&(Urgency::Warning, counted.to_owned())));
}

#[test]
fn a_check_whose_probes_have_not_passed_is_not_said_to_have_passed() {
    let mut log = Log::new("dns = { query = \"localhost. A\", once-seen = true }");
    log.finds(1, &Outcome::pass(Duration::ZERO));
    let unseen = "no pass yet, so its failure (see `dnsherald check`) does not count";
    let rises = (Urgency::Info, format!("check a/more: unknown -> rising: {unseen}"));
    assert!(log.lines.contains(&rises), "{:?}", log.lines);
    assert_eq!(log.verdicts(), [(Urgency::Info, format!("check a/more: rising -> up: {unseen}"))]);
    assert_eq!(log.engine.services()[0].checks()[1].failure(), None);
    log.finds(1, &timeout());
    log.finds(1, &pass());
    assert_eq!(
        log.verdicts().last(),
        Some(&(Urgency::Notice, "check a/more: rising -> up: passed".to_owned()))
    );
}
