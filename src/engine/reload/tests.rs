use rustix::time::{ClockId, clock_gettime};

use std::path::Path;

use super::*;
use crate::config::Config;
use crate::engine::api_session::Parent;
use crate::engine::api_session::route_entry::RouteEntry;
use crate::engine::drain::{Holder, Lasts, Lift, Order};
use crate::engine::event::{CheckId, Event, ServiceId};
use crate::engine::memory::Memory;
use crate::exabgp::Advertisement;
use crate::exabgp::attributes::Attributes;
use crate::outcome::{Cause, Failure, Outcome};

/// Two services, one of two prefixes.
const TWO: &str = "a 192.0.2.1/32 192.0.2.2/32\nb 192.0.2.3/32";

/// Each line is a service: its name, `med=…` if it has one, its prefixes, and `neighbor=…`, `to=NEIGHBOR/MED`, `start=…`, `query=…` and
/// `disable-file=…`, if it has any; `unit=…` adds a check of that unit's process. A first line that begins with `exabgp:` has lines of that section.
fn config(services: &str) -> Config {
    let mut toml =
        "[node]\nmanagement = [\"10.1.0.2\", \"2001:db8:1::2\"]\n[defaults]\nrise = 2\nfall = 2\n".to_owned();
    for service in services.lines() {
        if let Some(lines) = service.strip_prefix("exabgp:") {
            toml += &format!("[exabgp]\n{lines}\n");
            continue;
        }
        let (settings, words): (Vec<_>, Vec<_>) = service.split(' ').partition(|word| word.contains('='));
        let of = |name: &str| settings.iter().filter_map(|word| word.strip_prefix(name)).collect::<Vec<_>>();
        let med = of("med=").first().map_or("100", |med| med).to_owned();
        let start = of("start=").first().map_or("probe", |start| start).to_owned();
        let query = of("query=").first().map_or("localhost.", |query| query).to_owned();
        let disable_file = of("disable-file=").first().map(|file| format!("disable-file = {file:?}\n"));
        let entry = |to: &&str| {
            let (neighbor, med) = to.split_once('/').unwrap();
            format!("[[service.announce]]\nneighbors = [{neighbor:?}]\nup = {{ med = {med} }}\n")
        };
        let terms = match of("to=").as_slice() {
            [] => format!("neighbors = {:?}\nup = {{ med = {med} }}\n", of("neighbor=")),
            some => some.iter().map(entry).collect(),
        };
        let unit = of("unit=")
            .first()
            .map(|unit| format!("[[service.check]]\nname = \"alive\"\nprocess = {{ unit = {unit:?} }}\n"));
        toml += &format!(
            "[[service]]\nname = {:?}\nprefixes = {:?}\naddress = false\nstart = {start:?}\n{}{terms}\
             [[service.check]]\nname = \"answers\"\ndns = {{ query = \"{query} A\" }}\n{}",
            words[0],
            &words[1..],
            disable_file.unwrap_or_default(),
            unit.unwrap_or_default(),
        );
    }
    Config::parse(Path::new("test.toml"), &toml, "host").unwrap_or_else(|error| panic!("{error}"))
}

/// An engine whose ExaBGP answers at once.
struct Bench {
    engine: Engine,
    now: Moment,
    /// Lines behind `neighbor * `.
    said: Vec<String>,
    answers: bool,
    /// By the last reload.
    kept: HashMap<CheckId, CheckId>,
    logged: Vec<String>,
    probed: Vec<CheckId>,
}

impl Bench {
    fn up(services: &str) -> Self {
        let engine = Engine::new(&config(services).plan(), Parent::ExaBgp, Memory::default(), Duration::ZERO);
        let mut bench = Self {
            engine,
            now: Moment::START,
            said: vec![],
            answers: true,
            kept: HashMap::new(),
            logged: vec![],
            probed: vec![],
        };
        bench.tell(Event::Start);
        for service in 0..bench.engine.services().len() {
            bench.finds(service, &[true, true]);
        }
        bench.said.clear();
        bench
    }

    fn tell(&mut self, event: Event) {
        self.now = self.now + Duration::from_millis(1);
        let actions = self.engine.handle(self.now, event);
        self.follow(&actions);
    }

    fn reload(&mut self, services: &str) {
        let reloaded = self.engine.reload(self.now, &config(services).plan());
        self.follow(&reloaded.actions);
        self.kept = reloaded.kept;
    }

    fn follow(&mut self, actions: &[Action]) {
        for action in actions {
            if matches!(action, Action::Save) {
                self.engine.remember(self.now);
            }
            match action {
                Action::Log(notice) => self.logged.push(notice.to_string()),
                Action::Probe(check) => self.probed.push(*check),
                _ => {}
            }
            let Action::Print(line) = action else { continue };
            if line == "system version 0" {
                self.tell(Event::Heard("exabgp 5.0.15".to_owned()));
            } else if !line.starts_with('#') {
                self.said.push(line.strip_prefix("neighbor * ").unwrap_or(line).to_owned());
            }
            if self.answers {
                self.tell(Event::Heard("done".to_owned()));
            }
        }
    }

    fn finds(&mut self, service: usize, passes: &[bool]) {
        for pass in passes {
            let check = CheckId { service: ServiceId(service), check: 0 };
            let failed = || Outcome::fail(Cause::Timeout, "no answer");
            let outcome = if *pass { Outcome::pass(Duration::ZERO) } else { failed() };
            self.tell(Event::Outcome(check, outcome));
        }
    }

    fn passes(&mut self, time: Duration) {
        self.now = self.now + time;
        self.tell(Event::Tick);
    }

    fn drain(&mut self, service: usize, lasts: Lasts) {
        let order = Order { holder: Holder::operator(), reason: String::new().into(), lasts, uid: None };
        self.tell(Event::Drain(ServiceId(service), order));
    }

    fn drain_all(&mut self) {
        let lasts = Lasts::UntilLifted;
        let order = Order { holder: Holder::operator(), reason: String::new().into(), lasts, uid: None };
        self.tell(Event::DrainAll(order));
    }

    fn undrain(&mut self, service: usize) {
        self.tell(Event::Undrain(ServiceId(service), Lift { holder: None, once_healthy: false }));
    }

    /// Another helper takes over, one second later, and every check passes.
    fn restarts(mut self, services: &str) -> Self {
        let memory = self.engine.remember(self.now).clone();
        let engine = Engine::new(&config(services).plan(), Parent::ExaBgp, memory, Duration::from_secs(1));
        let mut next = Self {
            engine,
            now: Moment::START,
            said: vec![],
            answers: true,
            kept: HashMap::new(),
            logged: vec![],
            probed: vec![],
        };
        next.tell(Event::Start);
        for service in 0..next.engine.services().len() {
            next.finds(service, &[true, true]);
        }
        next
    }

    fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    fn states(&self) -> Vec<(&str, ServiceState)> {
        self.engine.services().iter().map(|service| (service.name(), service.state())).collect()
    }
}

#[test]
fn the_same_again_says_nothing_and_forgets_nothing() {
    let mut bench = Bench::up(TWO);
    bench.finds(0, &[false]);
    bench.reload(TWO);
    assert_eq!(bench.states(), [("a", ServiceState::Up), ("b", ServiceState::Up)]);
    assert_eq!(bench.said(), [""; 0]);
    bench.finds(0, &[false]);
    assert_eq!(bench.said(), ["withdraw route 192.0.2.1/32", "withdraw route 192.0.2.2/32"]);
}

#[test]
fn services_keep_what_they_are_in_whatever_order() {
    let mut bench = Bench::up(TWO);
    bench.finds(1, &[false, false]);
    bench.said();
    bench.reload("b 192.0.2.3/32\na 192.0.2.1/32 192.0.2.2/32");
    assert_eq!(bench.states(), [("b", ServiceState::Down), ("a", ServiceState::Up)]);
    bench.finds(0, &[true, true]);
    assert_eq!(bench.said(), ["announce route 192.0.2.3/32 next-hop 10.1.0.2 med 100"]);
}

#[test]
fn what_changes_keeps_the_verdict_of_checks_that_do_not() {
    let mut bench = Bench::up(TWO);
    bench.finds(1, &[false]);
    bench.reload("a 192.0.2.1/32 192.0.2.2/32\nb med=200 192.0.2.3/32");
    assert_eq!(bench.states(), [("a", ServiceState::Up), ("b", ServiceState::Up)]);
    assert_eq!(bench.said(), ["announce route 192.0.2.3/32 next-hop 10.1.0.2 med 200"]);
    bench.finds(1, &[false]);
    assert_eq!(bench.said(), ["withdraw route 192.0.2.3/32"], "the second failure in a row");
}

#[test]
fn the_log_says_what_a_reload_changes_and_what_it_keeps() {
    let mut bench = Bench::up(TWO);
    bench.reload("a 192.0.2.1/32 192.0.2.2/32\nb query=example. 192.0.2.3/32");
    let changed = "configuration reloaded: 1 service unchanged, changed: b (check answers; route kept)";
    assert!(bench.logged.contains(&changed.to_owned()), "{:?}", bench.logged);
    bench.reload("a 192.0.2.1/32 192.0.2.4/32\nb query=example. med=300 192.0.2.3/32");
    let changed = "configuration reloaded: changed: a (prefixes), b (what its states advertise)";
    assert!(bench.logged.contains(&changed.to_owned()), "{:?}", bench.logged);
}

#[test]
fn what_its_checks_say_anew_stands_until_then_and_the_log_says_so() {
    let mut bench = Bench::up(TWO);
    bench.reload("a 192.0.2.1/32 192.0.2.2/32\nb query=example. 192.0.2.3/32");
    assert_eq!(bench.states(), [("a", ServiceState::Up), ("b", ServiceState::Starting)]);
    let why = "service b: new or changed by the reload, so asked from the beginning: answers; its last announcement or \
               withdraw stands until its verdict";
    assert!(bench.logged.contains(&why.to_owned()), "{:?}", bench.logged);
    bench.passes(Duration::from_secs(3));
    bench.reload("a 192.0.2.1/32 192.0.2.2/32\nb query=example.net. med=200 192.0.2.3/32");
    let again = "; reloads have left it without a verdict for 3s; ";
    assert!(bench.logged.iter().any(|line| line.contains(again)), "{:?}", bench.logged);
    let b = &bench.engine.services()[1];
    assert!(b.explain().contains("its last announcement or withdraw stands") && b.since() < bench.now);
    assert_eq!(bench.said(), [""; 0]);
    bench.finds(1, &[true, true]);
    assert_eq!(bench.said(), ["announce route 192.0.2.3/32 next-hop 10.1.0.2 med 200"]);
}

/// A service whose process has ended, and its line in the log about it, after a reload to `services` within the grace.
fn ended_before_a_reload(services: &str, is_back: bool) -> Vec<String> {
    let mut bench = Bench::up("a unit=unbound.service 192.0.2.1/32");
    let alive = CheckId { service: ServiceId(0), check: 1 };
    let pass = || Event::Outcome(alive, Outcome::pass(Duration::ZERO));
    bench.tell(pass());
    bench.tell(pass());
    assert_eq!(bench.states(), [("a", ServiceState::Up)]);
    bench.tell(Event::SuddenFailure(alive, Failure::new(Cause::ProcessGone, "it has ended")));
    bench.reload(services);
    if is_back {
        bench.tell(pass());
    }
    bench.passes(Duration::from_secs(3));
    let tells = |line: &String| line.contains("fell, ") || line.contains("its process is back");
    bench.logged.into_iter().filter(tells).map(|line| line.chars().take(30).collect()).collect()
}

#[test]
fn the_end_of_a_process_stays_undecided_over_a_reload() {
    let fell = "service a: fell, penalty now 1";
    let back = "service a: its process is back";
    let other_med = "a unit=unbound.service med=200 192.0.2.1/32";
    assert_eq!(ended_before_a_reload(other_med, false), [fell]);
    assert_eq!(ended_before_a_reload(other_med, true), [back]);
    let other_unit = "a unit=nsd.service 192.0.2.1/32";
    assert_eq!(ended_before_a_reload(other_unit, true), [back], "by the check of that name");
    assert_eq!(ended_before_a_reload("a 192.0.2.1/32", false), [fell], "whether it is back is not known");
    assert_eq!(ended_before_a_reload("b unit=unbound.service 192.0.2.9/32", false), [""; 0]);
}

/// A reload in a loop, more often than a server that hangs is given up.
#[test]
fn a_round_under_way_goes_on_where_its_check_does() {
    let mut bench = Bench::up("a 192.0.2.1/32\nb 192.0.2.2/32\nc 192.0.2.3/32");
    let id = |service| CheckId { service: ServiceId(service), check: 0 };
    bench.passes(Duration::from_secs(5));
    bench.probed.clear();
    bench.reload("c 192.0.2.3/32\na query=example. 192.0.2.1/32\nd med=200 192.0.2.2/32\ne 192.0.2.4/32");
    assert_eq!(bench.kept, HashMap::from([(id(2), id(0)), (id(1), id(2))]));
    assert_eq!(bench.probed, [id(1), id(3)], "what goes on is out already, and the rest is asked at once");
    bench.finds(0, &[false, false]);
    assert_eq!(bench.said()[1..], ["withdraw route 192.0.2.3/32"], "after the new attributes of d");
}

#[test]
fn what_is_disabled_stays_so_until_somebody_has_looked() {
    let mut bench = Bench::up("a disable-file=/off 192.0.2.1/32");
    bench.drain(0, Lasts::UntilLifted);
    let disable = Event::DisableFile(ServiceId(0), true);
    assert!(bench.engine.handle(bench.now, disable).contains(&Action::Save), "though it was drained before");
    bench.tell(Event::Undrain(ServiceId(0), Lift { holder: None, once_healthy: false }));
    bench.reload("a disable-file=/off med=200 192.0.2.1/32");
    assert_eq!(bench.states(), [("a", ServiceState::Drained)]);
    bench.reload("a med=200 192.0.2.1/32");
    bench.finds(0, &[true, true]);
    assert_eq!(bench.states(), [("a", ServiceState::Up)], "there is no file any more");
}

#[test]
fn what_is_gone_is_withdrawn_and_what_is_new_decides() {
    let mut bench = Bench::up(TWO);
    bench.reload("a 192.0.2.1/32\nc 192.0.2.9/32");
    let mut said = bench.said();
    said.sort();
    assert_eq!(said, ["withdraw route 192.0.2.2/32", "withdraw route 192.0.2.3/32"]);
    bench.finds(0, &[true, true]);
    bench.finds(1, &[true, true]);
    assert_eq!(bench.said(), ["announce route 192.0.2.9/32 next-hop 10.1.0.2 med 100"]);
}

#[test]
fn a_drain_outlives_the_change_of_its_service() {
    let mut bench = Bench::up(TWO);
    bench.drain(1, Lasts::UntilLifted);
    assert_eq!(bench.said(), ["withdraw route 192.0.2.3/32"]);
    bench.reload("b med=200 192.0.2.3/32");
    bench.finds(0, &[true, true]);
    assert_eq!(bench.states(), [("b", ServiceState::Drained)]);
    assert!(!bench.said().iter().any(|line| line.contains("announce")));
}

#[test]
fn a_drain_goes_with_the_prefixes_of_its_service() {
    let mut bench = Bench::up(TWO);
    bench.drain(0, Lasts::UntilLifted);
    bench.said();
    bench.reload("a 192.0.2.1/32\nb 192.0.2.3/32\nc 192.0.2.2/32\nd 192.0.2.4/32");
    for service in 0..4 {
        bench.finds(service, &[true, true]);
    }
    let drained = |name: &'static str| (name, ServiceState::Drained);
    assert_eq!(
        bench.states(),
        [drained("a"), ("b", ServiceState::Up), drained("c"), ("d", ServiceState::Up)]
    );
    bench.reload("e 192.0.2.1/32 192.0.2.2/32\nb 192.0.2.3/32");
    bench.finds(0, &[true, true]);
    assert_eq!(bench.states(), [drained("e"), ("b", ServiceState::Up)]);
}

#[test]
fn a_drained_prefix_does_not_take_others_along() {
    let mut bench = Bench::up(TWO);
    bench.drain(1, Lasts::UntilLifted);
    bench.said();
    bench.reload("a 192.0.2.1/32 192.0.2.2/32 192.0.2.3/32");
    assert_eq!(bench.states(), [("a", ServiceState::Up)]);
    assert_eq!(bench.said(), ["announce route 192.0.2.3/32 next-hop 10.1.0.2 med 100"]);
}

#[test]
fn what_an_earlier_helper_announced_is_withdrawn_when_it_goes_before_the_first_verdict() {
    let mut before = Bench::up(TWO);
    let memory = before.engine.remember(before.now).clone();
    let engine = Engine::new(&config(TWO).plan(), Parent::ExaBgp, memory, Duration::from_secs(1));
    let mut bench = Bench {
        engine,
        now: Moment::START,
        said: vec![],
        answers: true,
        kept: HashMap::new(),
        logged: vec![],
        probed: vec![],
    };
    bench.tell(Event::Start);
    assert_eq!(bench.said(), [""; 0]);
    bench.reload("a 192.0.2.2/32\nb 192.0.2.3/32");
    assert_eq!(bench.said(), ["withdraw route 192.0.2.1/32"]);
    let kept = bench.engine.remember(bench.now).announced().count();
    assert_eq!(kept, 2, "the others stand until they have decided");
}

#[test]
fn a_command_in_flight_is_answered_for_its_own_route() {
    let mut bench = Bench::up(TWO);
    bench.answers = false;
    bench.finds(1, &[false, false]);
    assert_eq!(bench.said(), ["withdraw route 192.0.2.3/32"]);
    bench.reload("b 192.0.2.3/32");
    assert_eq!(bench.said(), [""; 0], "one command at a time");
    bench.answers = true;
    bench.tell(Event::Heard("done".to_owned()));
    assert_eq!(bench.said(), ["withdraw route 192.0.2.1/32", "withdraw route 192.0.2.2/32"]);
    assert!(bench.engine.api_session().entries().iter().all(|entry| !entry.perhaps_announced));
}

/// What was acknowledged last may be long out of date when ExaBGP does not answer.
#[test]
fn what_is_adopted_is_the_present_state() {
    let mut bench = Bench::up("a start=adopt 192.0.2.1/32");
    bench.answers = false;
    bench.finds(0, &[false, false]);
    assert_eq!(bench.said(), ["withdraw route 192.0.2.1/32"]);
    bench.reload("a start=adopt med=200 192.0.2.1/32");
    bench.answers = true;
    bench.tell(Event::Heard("done".to_owned()));
    assert_eq!(bench.said(), [""; 0], "the server is dead");
}

#[test]
fn a_drain_outlives_the_name_of_its_service() {
    let mut bench = Bench::up(TWO);
    bench.drain(1, Lasts::UntilLifted);
    bench.said();
    bench.reload("a 192.0.2.1/32 192.0.2.2/32\nc 192.0.2.3/32");
    bench.finds(1, &[true, true]);
    assert_eq!(bench.states(), [("a", ServiceState::Up), ("c", ServiceState::Drained)]);
    assert_eq!(bench.said(), [""; 0]);
}

#[test]
fn a_drain_that_returns_does_so_under_another_configuration() {
    let mut bench = Bench::up(TWO);
    bench.drain(1, Lasts::UntilLifted);
    bench.tell(Event::Undrain(ServiceId(1), Lift { holder: None, once_healthy: true }));
    bench.reload("b med=200 192.0.2.3/32\na 192.0.2.1/32 192.0.2.2/32");
    bench.said();
    bench.finds(0, &[true]);
    assert_eq!(bench.states()[0], ("b", ServiceState::Drained));
    bench.finds(0, &[true]);
    assert_eq!(bench.said(), ["announce route 192.0.2.3/32 next-hop 10.1.0.2 med 200"]);
}

#[test]
fn a_prefix_that_moves_is_what_it_was_until_its_new_service_has_decided() {
    let mut bench = Bench::up(TWO);
    bench.finds(1, &[false, false]);
    bench.said();
    bench.reload("a 192.0.2.1/32\nb query=example. 192.0.2.3/32 192.0.2.2/32");
    assert_eq!(bench.said(), [""; 0]);
    bench.finds(1, &[false, false]);
    assert_eq!(bench.said(), ["withdraw route 192.0.2.2/32"]);
}

/// A route to other neighbors is another route to ExaBGP, but not to whoever has both.
#[test]
fn other_neighbors_get_what_stands_at_once_and_keep_it() {
    let mut bench = Bench::up("a neighbor=10.0.0.1 192.0.2.1/32");
    bench.answers = false;
    bench.reload("a neighbor=10.0.0.1 neighbor=10.0.0.2 192.0.2.1/32");
    let withdraw = "neighbor 10.0.0.1 withdraw route 192.0.2.1/32";
    let announce =
        "neighbor 10.0.0.1, neighbor 10.0.0.2 announce route 192.0.2.1/32 next-hop 10.1.0.2 med 100";
    assert_eq!(bench.said(), [withdraw]);
    // Not answered, and so said again behind the announcement.
    bench.answers = true;
    bench.passes(Duration::from_secs(2));
    bench.passes(Duration::from_millis(100));
    assert_eq!(bench.said(), [announce]);
    bench.passes(Duration::from_secs(1));
    assert_eq!(bench.said(), [withdraw, announce]);
}

#[test]
fn a_new_family_is_marked_and_one_that_is_gone_is_not() {
    let mut bench = Bench::up("exabgp:end-of-rib = true\na 192.0.2.1/32");
    bench.reload("exabgp:end-of-rib = true\na 192.0.2.1/32\nb 2001:db8:53::1/128");
    bench.finds(1, &[true, true]);
    let route = "announce route 2001:db8:53::1/128 next-hop 2001:db8:1::2 med 100";
    assert_eq!(bench.said(), [route, "announce eor ipv6 unicast"]);
    bench.reload("exabgp:end-of-rib = true\na 192.0.2.1/32\nc 2001:db8:53::2/128");
    bench.reload("exabgp:end-of-rib = true\na 192.0.2.1/32");
    bench.finds(0, &[true, true]);
    assert_eq!(bench.said(), ["withdraw route 2001:db8:53::1/128"]);
}

#[test]
fn another_api_says_everything_again_in_its_words() {
    let mut bench = Bench::up("a 192.0.2.1/32");
    bench.reload("exabgp:api = 6\na 192.0.2.1/32");
    assert_eq!(bench.said(), ["peer * announce route 192.0.2.1/32 next-hop 10.1.0.2 med 100"]);
}

#[test]
fn two_reloads_while_a_command_is_unanswered() {
    let mut bench = Bench::up(TWO);
    bench.answers = false;
    bench.finds(1, &[false, false]);
    bench.reload("a 192.0.2.1/32");
    bench.reload("c 192.0.2.9/32\na 192.0.2.1/32 192.0.2.2/32");
    assert_eq!(bench.said(), ["withdraw route 192.0.2.3/32"]);
    bench.answers = true;
    bench.tell(Event::Heard("done".to_owned()));
    // What the first would have withdrawn, the second wants again.
    assert_eq!(bench.said(), ["announce route 192.0.2.2/32 next-hop 10.1.0.2 med 100"]);
    assert!(bench.engine.left_behind().next().is_none());
}

#[test]
fn forty_thousand_prefixes_hold_up_nothing() {
    let prefixes: Vec<_> = (0..40_000).map(|nth| format!("198.18.{}.{}/32", nth / 256, nth % 256)).collect();
    let (some, all) = (format!("a {}", prefixes[1..].join(" ")), format!("a {}", prefixes.join(" ")));
    let plans = [config(&all).plan(), config(&some).plan()];
    let mut engine = Engine::new(&plans[0], Parent::Terminal, Memory::default(), Duration::ZERO);
    engine.handle(Moment::START, Event::Start);
    // Of the processor, so that it is this work alone.
    let worked = || clock_gettime(ClockId::ThreadCPUTime).tv_sec;
    let before = worked();
    engine.reload(Moment::START, &plans[1]);
    engine.reload(Moment::START, &plans[0]);
    let seconds = worked() - before;
    assert!(seconds < 20, "took {seconds} s");
}

#[test]
fn a_drain_and_a_penalty_survive_a_restart_under_another_name() {
    let mut bench = Bench::up("a start=adopt 192.0.2.1/32\nb 192.0.2.3/32");
    bench.finds(1, &[false, false]);
    let penalty = bench.engine.services()[1].penalty(bench.now);
    bench.drain(0, Lasts::UntilLifted);
    bench.drain(1, Lasts::UntilLifted);
    let next = bench.restarts("c start=adopt 192.0.2.1/32\nd 192.0.2.3/32");
    assert_eq!(next.states(), [("c", ServiceState::Drained), ("d", ServiceState::Drained)]);
    assert!(penalty > 0 && next.engine.services()[1].penalty(next.now) >= penalty - 10);
    let why = "service d: takes over what is remembered of b, which had a prefix of it";
    assert!(next.logged.contains(&why.to_owned()), "{:?}", next.logged);
}

#[test]
fn what_was_disabled_is_so_under_another_name_until_the_file_was_looked_for() {
    let mut bench = Bench::up("a disable-file=/off 192.0.2.1/32");
    bench.tell(Event::DisableFile(ServiceId(0), true));
    let next = bench.restarts("b disable-file=/off 192.0.2.1/32");
    assert_eq!(next.states(), [("b", ServiceState::Drained)]);
}

/// Nothing was acknowledged for the other prefix, so that it is not adopted.
#[test]
fn a_name_that_changes_with_the_prefixes_is_not_adopted() {
    let mut bench = Bench::up("a start=adopt 192.0.2.1/32");
    let memory = bench.engine.remember(bench.now).clone();
    let stated = |services: &str| {
        let config = config(services);
        let engine = Engine::new(&config.plan(), Parent::ExaBgp, memory.clone(), Duration::from_secs(1));
        engine.services()[0].stated(0).is_some()
    };
    assert!(stated("b start=adopt 192.0.2.1/32"));
    assert!(!stated("b start=adopt 192.0.2.1/32 192.0.2.2/32"));
}

#[test]
fn drains_move_with_prefixes_over_a_restart_as_over_a_reload() {
    let mut bench = Bench::up(TWO);
    bench.drain(0, Lasts::UntilLifted);
    let next = bench.restarts("a 192.0.2.9/32\nb 192.0.2.3/32\nc 192.0.2.2/32\nd 192.0.2.1/32 192.0.2.4/32");
    let drained = |name: &'static str| (name, ServiceState::Drained);
    assert_eq!(next.states(), [drained("a"), ("b", ServiceState::Up), drained("c"), ("d", ServiceState::Up)]);
    assert!(
        next.logged.iter().any(|line| line.contains("service d: not drained, though")),
        "{:?}",
        next.logged
    );
}

#[test]
fn a_drain_of_all_includes_what_is_added_later() {
    let mut bench = Bench::up(TWO);
    bench.drain_all();
    bench.said();
    bench.reload("a 192.0.2.1/32 192.0.2.2/32\nb 192.0.2.3/32\nc 192.0.2.9/32");
    bench.finds(2, &[true, true]);
    assert_eq!(bench.states()[2], ("c", ServiceState::Drained));
    assert!(bench.logged.iter().any(|line| line.contains("service c: new, and drained as all services are")));
    let mut next = bench.restarts("c 192.0.2.9/32\nd 192.0.2.10/32");
    assert_eq!(next.states(), [("c", ServiceState::Drained), ("d", ServiceState::Drained)]);
    next.tell(Event::UndrainAll(Lift { holder: None, once_healthy: false }));
    next.reload("e 192.0.2.11/32");
    next.finds(0, &[true, true]);
    assert_eq!(next.states(), [("e", ServiceState::Up)]);
}

#[test]
fn a_service_that_was_taken_out_of_a_drain_of_all_stays_out() {
    let mut bench = Bench::up(TWO);
    bench.drain_all();
    bench.undrain(1);
    bench.reload("b 192.0.2.3/32 192.0.2.4/32\na 192.0.2.1/32\nc 192.0.2.9/32");
    let next = bench.restarts("e 192.0.2.3/32 192.0.2.4/32\na 192.0.2.1/32\nc 192.0.2.9/32\nd 192.0.2.5/32");
    let drained = |name: &'static str| (name, ServiceState::Drained);
    assert_eq!(next.states(), [("e", ServiceState::Up), drained("a"), drained("c"), drained("d")]);
}

#[test]
fn a_drain_of_all_is_over_with_the_last_service_that_had_it() {
    for expires in [false, true] {
        let mut bench = Bench::up(TWO);
        let lasts = if expires { Lasts::For(Duration::from_secs(60)) } else { Lasts::UntilLifted };
        let order = Order { holder: Holder::operator(), reason: String::new().into(), lasts, uid: None };
        bench.tell(Event::DrainAll(order));
        if expires {
            bench.passes(Duration::from_secs(60));
        } else {
            bench.undrain(0);
            assert!(!bench.engine.drains_of_all().is_empty());
            bench.undrain(1);
        }
        assert!(bench.engine.drains_of_all().is_empty());
        bench.reload("c 192.0.2.9/32");
        bench.finds(0, &[true, true]);
        assert_eq!(bench.states(), [("c", ServiceState::Up)]);
    }
}

/// Checks that find out nothing are waited for no longer than `unknown-after`, 30 seconds.
#[test]
fn reloads_that_change_a_service_prolong_no_wait_for_its_first_verdict() {
    for change in ["med=20", "query=example"] {
        let mut bench = Bench::up("a 192.0.2.1/32");
        let check = CheckId { service: ServiceId(1), check: 0 };
        for nth in 0..4 {
            bench.reload(&format!("a 192.0.2.1/32\nb {change}{nth} 192.0.2.2/32"));
            bench.tell(Event::Outcome(check, Outcome::fail(Cause::Local, "")));
            bench.passes(Duration::from_secs(10));
        }
        assert_eq!(bench.said(), ["withdraw route 192.0.2.2/32"], "{change}");
    }
}

const TO_TWO: &str = "a to=10.0.0.1/100 to=10.0.0.2/200 192.0.2.1/32";

#[test]
fn each_neighbor_is_told_its_own_and_a_reload_touches_only_what_differs() {
    let mut bench = Bench::up(TO_TWO);
    let desired = |bench: &Bench| {
        let entries = bench.engine.entries_of(0);
        entries.map(|entry| (entry.is_settled(), entry.desired.clone().unwrap())).collect::<Vec<_>>()
    };
    let med = |med| Advertisement::Announce(Attributes { med: Some(med), ..Attributes::default() });
    assert_eq!(desired(&bench), [(true, med(100)), (true, med(200))]);
    bench.reload(TO_TWO);
    assert_eq!(bench.said, [""; 0]);
    assert!(bench.engine.entries_of(0).all(RouteEntry::is_settled));
    // One of them is to be told something else, and the other hears nothing.
    bench.reload("a to=10.0.0.1/100 to=10.0.0.2/300 192.0.2.1/32");
    let hop = "announce route 192.0.2.1/32 next-hop 10.1.0.2";
    assert_eq!(bench.said, [format!("neighbor 10.0.0.2 {hop} med 300")]);
    assert_eq!(desired(&bench), [(true, med(100)), (true, med(300))]);
}

#[test]
fn from_the_plain_form_to_one_for_each_neighbor_what_is_acknowledged_stays() {
    let mut bench = Bench::up("a med=100 neighbor=10.0.0.1 192.0.2.1/32");
    bench.reload(TO_TWO);
    let hop = "announce route 192.0.2.1/32 next-hop 10.1.0.2";
    assert_eq!(bench.said, [format!("neighbor 10.0.0.2 {hop} med 200")], "never what the other is told");
    bench.said.clear();
    bench.reload("a to=10.0.0.2/200 192.0.2.1/32");
    assert_eq!(bench.said, ["neighbor 10.0.0.1 withdraw route 192.0.2.1/32"]);
}

fn finds_nothing_out(bench: &mut Bench) {
    let check = CheckId { service: ServiceId(0), check: 0 };
    bench.tell(Event::Outcome(check, Outcome::fail(Cause::SourceAddress, "cannot ask")));
}

/// A helper that begins with this memory, of this age.
fn successor(memory: Memory, services: &str, age: Duration) -> Bench {
    let engine = Engine::new(&config(services).plan(), Parent::ExaBgp, memory, age);
    let mut bench = Bench {
        engine,
        now: Moment::START,
        said: vec![],
        answers: true,
        kept: HashMap::new(),
        logged: vec![],
        probed: vec![],
    };
    bench.tell(Event::Start);
    finds_nothing_out(&mut bench);
    bench
}

#[test]
fn after_a_drain_a_blind_service_is_not_announced_for_what_was_before_it() {
    let mut before = Bench::up("a 192.0.2.1/32");
    let memory = before.engine.remember(before.now).clone();
    let mut bench = successor(memory, "a 192.0.2.1/32", Duration::from_secs(1));
    bench.passes(Duration::from_secs(5));
    bench.drain(0, Lasts::UntilLifted);
    assert_eq!(bench.said(), ["withdraw route 192.0.2.1/32"]);
    bench.passes(Duration::from_secs(55));
    finds_nothing_out(&mut bench);
    bench.undrain(0);
    bench.passes(Duration::from_secs(60));
    assert!(!bench.said().iter().any(|line| line.starts_with("announce")));
}

#[test]
fn what_was_withdrawn_at_a_stop_or_is_old_does_not_stand() {
    for (start, age, stops, announces) in [
        ("probe", 1, false, true),
        ("probe", 1, true, false),
        ("probe", 30 * 86_400, false, false),
        ("withdraw", 1, false, false),
    ] {
        let services = format!("a start={start} 192.0.2.1/32");
        let mut before = Bench::up(&services);
        if stops {
            before.tell(Event::Terminate);
        }
        let memory = before.engine.remember(before.now).clone();
        let mut bench = successor(memory, &services, Duration::from_secs(age));
        bench.passes(Duration::from_secs(31));
        let announced = bench.said().iter().any(|line| line.starts_with("announce"));
        assert_eq!(announced, announces, "{start} {age} {stops}");
    }
}

#[test]
fn a_drain_of_all_ends_with_the_last_service_that_had_it() {
    let mut bench = Bench::up("a 192.0.2.1/32\nb 192.0.2.3/32");
    bench.drain_all();
    bench.undrain(0);
    bench.finds(0, &[true, true, true]);
    bench.reload("a 192.0.2.1/32");
    assert!(bench.engine.drains_of_all().is_empty());
    bench.reload("a 192.0.2.1/32\nc 192.0.2.4/32");
    bench.finds(1, &[true, true, true]);
    assert_eq!(bench.states(), [("a", ServiceState::Up), ("c", ServiceState::Up)]);
}

#[test]
fn what_stood_before_two_reloads_stands_while_nothing_is_found_out() {
    let mut bench = Bench::up("a 192.0.2.1/32");
    bench.reload("x query=second. 192.0.2.1/32");
    finds_nothing_out(&mut bench);
    bench.passes(Duration::from_secs(5));
    bench.reload("x query=third. 192.0.2.1/32");
    finds_nothing_out(&mut bench);
    bench.passes(Duration::from_secs(31));
    assert!(!bench.said().iter().any(|line| line.starts_with("withdraw")), "{:?}", bench.logged);
}

#[test]
fn reloads_prolong_no_return_after_falls() {
    let mut bench = Bench::up("a med=1 192.0.2.1/32");
    for _ in 0..4 {
        bench.finds(0, &[false, false, true, true]);
        bench.passes(Duration::from_secs(60));
        bench.passes(Duration::from_secs(1));
        assert_eq!(bench.states(), [("a", ServiceState::Up)]);
    }
    bench.finds(0, &[false, false, true, true]);
    assert_eq!(bench.states(), [("a", ServiceState::Down)], "the return waits");
    for nth in 2..20 {
        bench.passes(Duration::from_secs(5));
        bench.reload(&format!("a med={nth} 192.0.2.1/32"));
        bench.finds(0, &[true]);
    }
    assert_eq!(bench.states(), [("a", ServiceState::Up)], "after 90 s, and max-rise-time is 60 s");
}
