use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use crate::config::Config;
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::api_session::Parent;
use crate::engine::drain::{Lasts, Lift, Order};
use crate::engine::event::{Event, ServiceId};
use crate::engine::hold::HoldOrder;
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;
use crate::outcome::{Cause, Outcome};

const RESOLVER: ServiceId = ServiceId(0);

/// An engine in virtual time whose checks all have the same outcome, at once.
struct Bench {
    engine: Engine,
    now: Moment,
    finds: Outcome,
}

impl Bench {
    /// One service with one check, `rise` 3, `fall` 3, and these further lines.
    fn new(lines: &str) -> Self {
        let toml = format!(
            "[node]\nmanagement = \"10.1.0.2\"\n\
             [defaults]\ninterval = \"1s\"\nfast-interval = \"100ms\"\ntimeout = \"500ms\"\nrise = 3\nfall = 3\n\
             [[service]]\nname = \"resolver\"\nprefixes = [\"192.0.2.53/32\"]\naddress = false\n{lines}\n\
             [[service.check]]\nname = \"answers\"\non-fail = {{ servfail = \"degraded\" }}\n\
             dns = {{ query = \"localhost. A\" }}\n"
        );
        let config =
            Config::parse(Path::new("test.toml"), &toml, "host").unwrap_or_else(|error| panic!("{error}"));
        let engine = Engine::new(&config.plan(), Parent::Terminal, Memory::default(), Duration::ZERO);
        let mut bench = Self { engine, now: Moment::START, finds: Outcome::pass(Duration::ZERO) };
        bench.handle(Event::Start);
        bench
    }

    /// The same service, up.
    fn up(lines: &str) -> Self {
        let mut bench = Self::new(lines);
        bench.until(10.0);
        bench
    }

    fn handle(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in self.engine.handle(self.now, event) {
                if let Action::Probe(id) = action {
                    events.push_back(Event::Outcome(id, self.finds.clone()));
                }
            }
        }
    }

    /// Advances to this number of seconds after the start.
    fn until(&mut self, seconds: f64) {
        let end = Moment::after_start(Duration::from_secs_f64(seconds));
        while let Some(at) = self.engine.deadline().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.handle(Event::Tick);
        }
        self.now = end;
    }

    fn fails(&mut self, cause: Cause, until: f64) {
        self.finds = Outcome::from_cause(cause, "test");
        self.until(until);
    }

    fn passes(&mut self, until: f64) {
        self.finds = Outcome::pass(Duration::ZERO);
        self.until(until);
    }

    fn drain(&mut self, holder: &str, lasts: Lasts) {
        let order =
            Order { holder: holder.parse().unwrap(), reason: "new disk".to_owned().into(), lasts, uid: None };
        self.handle(Event::Drain(RESOLVER, order));
    }

    fn undrain(&mut self, holder: &str, once_healthy: bool) {
        let holder = Some(holder.parse().unwrap());
        self.handle(Event::Undrain(RESOLVER, Lift { holder, once_healthy, checks: vec![] }));
    }

    /// A hold by alice for this number of seconds.
    fn hold(&mut self, seconds: u64) {
        let (holder, reason) = ("alice".parse().unwrap(), "check is wrong".to_owned().into());
        let lasts = Duration::from_secs(seconds).try_into().unwrap();
        self.handle(Event::Hold(RESOLVER, HoldOrder { holder, reason, lasts, uid: None }));
    }

    fn next(&self) -> String {
        let service = &self.engine.services()[0];
        let next = service.next(self.now, &self.engine.until(service, self.now));
        next.map_or_else(String::new, |next| next.text(|at| at.to_string()))
    }

    /// The end of the log line about its withdraw.
    fn until_in_log(&self) -> String {
        self.engine.until(&self.engine.services()[0], self.now).to_string()
    }
}

#[test]
fn a_start_leads_to_the_first_verdict() {
    let mut bench = Bench::new("");
    assert_eq!(bench.next(), "announced at the earliest 0.200 (answers: 1 of 3 passes)");
    bench.until(0.15);
    assert_eq!(bench.next(), "announced at the earliest 0.200 (answers: 2 of 3 passes)");
    bench.until(0.2);
    assert_eq!(bench.next(), "", "it is up");
}

#[test]
fn failures_lead_down_and_passes_back() {
    let mut bench = Bench::up("");
    bench.fails(Cause::Timeout, 10.25);
    let row = "withdrawn at the earliest 10.400 if check answers keeps failing (1 of 3)";
    assert_eq!(bench.next(), row);
    bench.until(12.0);
    assert_eq!(bench.next(), "announced at the earliest 14.400 (answers: 0 of 3 passes)");
    bench.passes(13.5);
    assert_eq!(bench.next(), "announced at the earliest 14.400 (answers: 2 of 3 passes)");
    bench.until(14.4);
    assert_eq!(bench.next(), "");
}

#[test]
fn a_second_fall_adds_its_wait() {
    let mut bench = Bench::up("");
    bench.fails(Cause::Timeout, 12.0);
    bench.passes(20.0);
    bench.fails(Cause::Timeout, 22.0);
    let forecast = bench.next();
    bench.passes(24.7);
    let wait = "announced at 27.600 (waits after 2 falls within 10m), or `dnsherald undampen resolver`";
    assert_eq!(bench.next(), wait);
    assert_eq!(forecast, "announced at the earliest 27.600 (answers: 0 of 3 passes)");
}

#[test]
fn a_service_that_begins_degraded_is_not_announced_before() {
    let mut bench = Bench::new("degraded = { med = 400 }");
    bench.fails(Cause::Servfail, 0.1);
    let begins = "degraded, announced, at the earliest 0.300 if check answers keeps failing (1 of 3)";
    assert_eq!(bench.next(), begins);
}

#[test]
fn a_forecast_separates_degrading_from_withdrawing_failures() {
    let mut bench = Bench::up("degraded = { med = 400 }");
    bench.fails(Cause::Servfail, 10.25);
    let degrades =
        "degraded, still announced, at the earliest 10.400 if check answers keeps failing (1 of 3)";
    assert_eq!(bench.next(), degrades);
    bench.until(12.0);
    assert_eq!(bench.next(), "up at the earliest 14.400 (answers: 0 of 3 passes)");
    bench.fails(Cause::Timeout, 12.45);
    assert_eq!(bench.next(), "withdrawn at the earliest 12.600 if check answers keeps failing (1 of 3)");
}

#[test]
fn a_suppression_ends_by_itself_or_by_the_operator() {
    let dampening = "[service.dampening]\nmode = \"enforce\"\npenalty = 2000\nsuppress = 1500\nreuse = 1000\n\
                     half-life = \"1m\"\nmax-suppress = \"5m\"\n";
    let mut bench = Bench::up(dampening);
    bench.fails(Cause::Timeout, 12.0);
    let failing = "suppressed until 70.400, if the checks pass by then (answers: 0 of 3 passes), \
                   or `dnsherald undampen resolver`";
    assert_eq!(bench.next(), failing);
    bench.passes(20.0);
    assert_eq!(bench.next(), "suppressed until 70.400, or `dnsherald undampen resolver`");
    bench.handle(Event::Undampen(RESOLVER));
    assert_eq!(bench.next(), "");
}

#[test]
fn a_drain_ends_as_its_holders_want() {
    let mut bench = Bench::up("");
    bench.drain("alice", Lasts::For(Duration::from_secs(60)));
    assert_eq!(bench.next(), "drain ends 70.000, then the checks must pass");
    bench.drain("bob", Lasts::UntilLifted);
    assert_eq!(
        bench.next(),
        "drained until `dnsherald undrain resolver --as bob`, and until the drain by alice ends"
    );
    bench.drain("carol", Lasts::UntilLifted);
    assert_eq!(bench.next(), "drained until `dnsherald undrain resolver`", "it ends all");
    bench.undrain("carol", false);
    bench.undrain("bob", false);
    bench.until(70.0);
    assert_eq!(bench.next(), "announced at the earliest 70.200 (answers: 1 of 3 passes)");
    bench.drain("unbound.service", Lasts::UntilExit);
    assert_eq!(bench.next(), "drained until the helper exits, or `dnsherald undrain resolver`");
    bench.handle(Event::Undrain(RESOLVER, Lift { holder: None, once_healthy: true, checks: vec![] }));
    let returning = "announced at the earliest 70.200 (answers: 1 of 3 passes), then the drain ends";
    assert_eq!(bench.next(), returning);
}

/// Although its checks fail.
#[test]
fn a_hold_announces_at_the_end_of_a_drain_that_it_outlasts() {
    let mut bench = Bench::up("");
    bench.hold(600);
    bench.drain("bob", Lasts::For(Duration::from_secs(60)));
    bench.fails(Cause::Timeout, 15.0);
    assert_eq!(bench.next(), "drain ends 70.000, then its hold announces it");
    bench.until(70.0);
    assert_eq!(bench.engine.services()[0].state().to_string(), "up");
    bench.drain("bob", Lasts::For(Duration::from_secs(3600)));
    assert_eq!(bench.next(), "drain ends 3670.000, then the checks must pass");
    bench.drain("bob", Lasts::UntilLifted);
    let endless = "drained until `dnsherald undrain resolver`; its hold then announces it";
    assert_eq!(bench.next(), endless);
}

/// No operator ends a drain that waits for the checks, and none has to beside one that ends by itself.
#[test]
fn a_drain_that_waits_for_the_checks_needs_no_command_beside_another() {
    let mut bench = Bench::up("");
    bench.fails(Cause::Timeout, 12.0);
    bench.drain("alice", Lasts::For(Duration::from_secs(60)));
    bench.drain("bob", Lasts::UntilLifted);
    bench.undrain("bob", true);
    assert_eq!(bench.until_in_log(), "; until its checks pass, drained for 1m at least");
    assert_eq!(bench.next(), "drain ends 72.000, then the checks must pass");
    bench.hold(600);
    assert_eq!(bench.next(), "drain ends 72.000, then the checks must pass", "the drain by bob overrides it");
    bench.until(72.0);
    assert_eq!(bench.engine.services()[0].state().to_string(), "drained");
    assert_eq!(bench.until_in_log(), "; until its checks pass");
    bench.drain("alice", Lasts::UntilExit);
    assert_eq!(bench.until_in_log(), "; until the helper exits");
    let beside = "drained until the helper exits, or `dnsherald undrain resolver --as alice`";
    assert_eq!(bench.next(), beside);
    bench.undrain("bob", false);
    let only = "drained until the helper exits, or `dnsherald undrain resolver`; its hold then announces it";
    assert_eq!(bench.next(), only);
}

#[test]
fn a_drain_that_waits_for_the_checks_ends_in_any_case_at_its_end() {
    let mut bench = Bench::up("");
    bench.hold(600);
    bench.drain("bob", Lasts::For(Duration::from_secs(60)));
    // The hold has not overridden the check before the drain.
    bench.fails(Cause::Timeout, 12.0);
    bench.undrain("bob", true);
    let ends = "drain ends at the latest 70.000, or once its checks pass; its hold then announces it";
    assert_eq!(bench.next(), ends);
    bench.until(70.0);
    assert_eq!(bench.engine.services()[0].state().to_string(), "up");
}

/// The command names the holder beside drains that end by themselves, also in the log.
#[test]
fn a_hold_announces_only_after_the_last_drain() {
    let mut bench = Bench::up("disable-file = \"/etc/off\"");
    bench.hold(3600);
    bench.drain("bob", Lasts::UntilLifted);
    bench.drain("carol", Lasts::For(Duration::from_secs(1800)));
    assert_eq!(
        bench.next(),
        "drained until `dnsherald undrain resolver --as bob`, and until the drain by carol ends",
        "carol's remains"
    );
    assert_eq!(bench.until_in_log(), "; until `dnsherald undrain resolver --as bob`");
    bench.handle(Event::DisableFile(RESOLVER, true));
    assert_eq!(bench.next(), "drained until the disable-file /etc/off is removed", "the drains remain");
    bench.undrain("bob", false);
    bench.undrain("carol", false);
    let last = "drained until the disable-file /etc/off is removed; its hold then announces it";
    assert_eq!(bench.next(), last);
    bench.handle(Event::DisableFile(RESOLVER, false));
    let (holder, reason) = ("bob".parse().unwrap(), "new disk".to_owned().into());
    bench.handle(Event::DrainAll(Order { holder, reason, lasts: Lasts::UntilLifted, uid: None }));
    let all = "drained until `dnsherald undrain --as bob` (it ends the drain of all services); its hold then \
               announces it";
    assert_eq!(bench.next(), all);
}

#[test]
fn a_file_drains_until_it_is_removed() {
    let mut bench = Bench::up("disable-file = \"/etc/dnsherald.disabled\"");
    bench.handle(Event::DisableFile(RESOLVER, true));
    assert_eq!(bench.next(), "drained until the disable-file /etc/dnsherald.disabled is removed");
}

#[test]
fn a_hold_shows_its_end_and_the_next_state() {
    let mut bench = Bench::up("");
    bench.hold(600);
    assert_eq!(bench.next(), "held until 610.000 by alice, then the checks decide");
    bench.fails(Cause::Timeout, 15.0);
    assert_eq!(bench.next(), "held until 610.000 by alice, then withdrawn");
}

#[test]
fn a_hold_announces_once_the_address_is_back() {
    let mut bench = Bench::up("");
    bench.hold(600);
    bench.fails(Cause::AddressMissing, 15.0);
    let waits = "announced at once when its address is back, whatever its checks say: held by alice";
    assert_eq!(bench.next(), waits);
    bench.drain("bob", Lasts::UntilLifted);
    assert_eq!(bench.next(), "drained until `dnsherald undrain resolver`");
    bench.handle(Event::Undrain(RESOLVER, Lift { holder: None, once_healthy: false, checks: vec![] }));
    bench.until(20.0);
    assert_eq!(bench.next(), waits);
    bench.fails(Cause::Timeout, 22.0);
    assert_eq!(bench.next(), "held until 610.000 by alice, then withdrawn");
    bench.fails(Cause::AddressMissing, 30.0);
    bench.handle(Event::Unhold(RESOLVER, None));
    assert_eq!(bench.next(), "announced at the earliest 32.200 (answers: 0 of 3 passes)");
}

#[test]
fn an_unknown_check_delays_a_decision_by_unknown_after() {
    let mut bench = Bench::new("unknown-after = \"30s\"");
    bench.fails(Cause::Local, 0.5);
    let waits = "decided once the checks have a result, without them at 30.000";
    assert_eq!(bench.next(), waits);
    bench.until(30.0);
    assert_eq!(bench.next(), "decided once the checks have a result");
    let mut down = Bench::up("");
    down.fails(Cause::Timeout, 12.0);
    down.fails(Cause::Local, 13.0);
    assert_eq!(down.next(), "announced once the checks pass");
}

#[test]
fn a_service_that_is_not_enabled_waits_for_the_operator() {
    let bench = Bench::up("enabled = false");
    assert_eq!(bench.next(), "withdrawn until `enabled = true` and `dnsherald reload`");
}
