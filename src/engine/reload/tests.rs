use std::path::Path;

use super::*;
use crate::config::Config;
use crate::engine::api_session::Parent;
use crate::engine::api_session::route_entry::RouteEntry;
use crate::engine::drain::{Holder, Lasts, Lift, Order};
use crate::engine::event::{CheckId, Event, ServiceId};
use crate::engine::hold::HoldOrder;
use crate::engine::memory::Memory;
use crate::engine::service::ServiceState;
use crate::exabgp::Advertisement;
use crate::exabgp::attributes::Attributes;
use crate::outcome::{Cause, Failure, Outcome};

mod announcements;
mod dampening;
mod drains;
mod handover;
mod holds;
mod neighbors;
mod next_hops;
mod restarts;
mod returns;
mod standing;
mod unknown;
mod verdicts;

/// Two services, one of two prefixes.
const TWO: &str = "a 192.0.2.1/32 192.0.2.2/32\nb 192.0.2.3/32";

/// Each line is a service: its name, `med=…` if it has one, its prefixes, and `neighbor=…`, `to=NEIGHBOR/MED`, `start=…`, `hop=…`, `warm-up=…`, `recovery=…`, `query=…`,
/// `disable-file=…`, `enabled=…`, `drained=MED` and keys of its dampening (`mode=…`, `suppress=…`, `reuse=…`), if it has any; `unit=…` adds a check of that unit's process, `deep=…` one with that interval that degrades once it has been up. A first line that begins with `exabgp:` has lines of that section.
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
        let hop = of("hop=").first().map(|hop| format!("next-hop = {hop:?}\n"));
        let warm_up = of("warm-up=").first().map(|name| format!("warm-up = {name:?}\n"));
        let recovery = of("recovery=").first().map(|after| format!("recovery = {{ after = {after:?} }}\n"));
        let enabled = of("enabled=").first().map(|enabled| format!("enabled = {enabled}\n"));
        let drained = of("drained=").first().map(|med| format!("drained = {{ med = {med} }}\n"));
        let returns = [hop, warm_up, recovery, enabled, drained].into_iter().flatten().collect::<String>();
        let unit = of("unit=")
            .first()
            .map(|unit| format!("[[service.check]]\nname = \"alive\"\nprocess = {{ unit = {unit:?} }}\n"));
        let deep = of("deep=").first().map(|interval| {
            let keys = "once-up = true\non-fail = \"degraded\"\ndns = { query = \"example. A\" }";
            format!("[[service.check]]\nname = \"deep\"\ninterval = {interval:?}\n{keys}\n")
        });
        let keys = settings.iter().filter_map(|word| match word.split_once('=')? {
            ("mode", mode) => Some(format!("mode = {mode:?}")),
            (key @ ("suppress" | "reuse"), value) => Some(format!("{key} = {value}")),
            _ => None,
        });
        let dampening = format!("dampening = {{ {} }}\n", keys.collect::<Vec<_>>().join(", "));
        toml += &format!(
            "[[service]]\nname = {:?}\nprefixes = {:?}\naddress = false\nstart = {start:?}\n{returns}{}{dampening}{terms}\
             [[service.check]]\nname = \"answers\"\ndns = {{ query = \"{query} A\" }}\n{}{}",
            words[0],
            &words[1..],
            disable_file.unwrap_or_default(),
            unit.unwrap_or_default(),
            deep.unwrap_or_default(),
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
    /// How often ExaBGP was asked for its version.
    asked: usize,
    /// It answers a command that contains this with `error`.
    refuses: Option<&'static str>,
    /// By the last reload.
    kept: HashMap<CheckId, CheckId>,
    logged: Vec<String>,
    /// The states for which `on-change` ran.
    entered: Vec<String>,
    probed: Vec<CheckId>,
}

impl Bench {
    /// A helper that starts with this memory, of this age.
    fn started(memory: Memory, services: &str, age: Duration) -> Self {
        Self::begun(memory, services, age, true)
    }

    /// A helper whose ExaBGP `answers` its commands, or none.
    fn begun(memory: Memory, services: &str, age: Duration, answers: bool) -> Self {
        let mut bench = Self {
            engine: Engine::new(&config(services).plan(), Parent::ExaBgp, memory, age),
            now: Moment::START,
            said: vec![],
            answers,
            asked: 0,
            refuses: None,
            kept: HashMap::new(),
            logged: vec![],
            entered: vec![],
            probed: vec![],
        };
        bench.handle(Event::Start);
        bench
    }

    fn up(services: &str) -> Self {
        let mut bench = Self::started(Memory::default(), services, Duration::ZERO);
        for service in 0..bench.engine.services().len() {
            bench.finds(service, &[true, true]);
        }
        bench.said.clear();
        bench
    }

    fn handle(&mut self, event: Event) {
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
                Action::Enter { state, .. } => self.entered.push(state.clone()),
                Action::Probe(check) => self.probed.push(*check),
                _ => {}
            }
            let Action::Print(line) = action else { continue };
            if line == "system version 0" {
                self.asked += 1;
                self.handle(Event::Received("exabgp 5.0.15".to_owned()));
            } else if !line.starts_with('#') {
                self.said.push(line.strip_prefix("neighbor * ").unwrap_or(line).to_owned());
            }
            if self.answers {
                let is_refused = self.refuses.is_some_and(|neighbor| line.contains(neighbor));
                self.handle(Event::Received(if is_refused { "error" } else { "done" }.to_owned()));
            }
        }
    }

    fn finds(&mut self, service: usize, passes: &[bool]) {
        for pass in passes {
            let check = CheckId { service: ServiceId(service), check: 0 };
            let failed = || Outcome::from_cause(Cause::Timeout, "no answer");
            let outcome = if *pass { Outcome::pass(Duration::ZERO) } else { failed() };
            self.handle(Event::Outcome(check, outcome));
        }
    }

    fn passes(&mut self, time: Duration) {
        self.now = self.now + time;
        self.handle(Event::Tick);
    }

    fn drain(&mut self, service: usize, lasts: Lasts) {
        let order = Order { holder: Holder::operator(), reason: String::new().into(), lasts, uid: None };
        self.handle(Event::Drain(ServiceId(service), order));
    }

    fn hold(&mut self, service: usize) {
        let lasts = Duration::from_secs(3600).try_into().unwrap();
        let order = HoldOrder { holder: Holder::operator(), reason: String::new().into(), lasts, uid: None };
        self.handle(Event::Hold(ServiceId(service), order));
    }

    fn drain_all(&mut self) {
        let lasts = Lasts::UntilLifted;
        let order = Order { holder: Holder::operator(), reason: String::new().into(), lasts, uid: None };
        self.handle(Event::DrainAll(order));
    }

    fn undrain(&mut self, service: usize) {
        self.handle(Event::Undrain(
            ServiceId(service),
            Lift { holder: None, once_healthy: false, checks: vec![] },
        ));
    }

    /// Starts another helper one second later; every check passes.
    fn restarts(mut self, services: &str) -> Self {
        let memory = self.engine.remember(self.now);
        let mut next = Self::started(memory, services, Duration::from_secs(1));
        for service in 0..next.engine.services().len() {
            next.finds(service, &[true, true]);
        }
        next
    }

    fn commands(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    fn states(&self) -> Vec<(&str, ServiceState)> {
        self.engine.services().iter().map(|service| (service.name(), service.state())).collect()
    }
}

#[test]
fn reloading_the_same_configuration_changes_nothing() {
    let mut bench = Bench::up(TWO);
    bench.finds(0, &[false]);
    bench.reload(TWO);
    assert_eq!(bench.states(), [("a", ServiceState::Up), ("b", ServiceState::Up)]);
    assert_eq!(bench.commands(), [""; 0]);
    bench.finds(0, &[false]);
    assert_eq!(bench.commands(), ["withdraw route 192.0.2.1/32", "withdraw route 192.0.2.2/32"]);
}

#[test]
fn services_keep_their_state_in_any_order() {
    let mut bench = Bench::up(TWO);
    bench.finds(1, &[false, false]);
    bench.commands();
    bench.reload("b 192.0.2.3/32\na 192.0.2.1/32 192.0.2.2/32");
    assert_eq!(bench.states(), [("b", ServiceState::Down), ("a", ServiceState::Up)]);
    bench.finds(0, &[true, true]);
    assert_eq!(bench.commands(), ["announce route 192.0.2.3/32 next-hop 10.1.0.2 med 100"]);
}

#[test]
fn a_changed_service_keeps_the_verdicts_of_unchanged_checks() {
    let mut bench = Bench::up(TWO);
    bench.finds(1, &[false]);
    bench.reload("a 192.0.2.1/32 192.0.2.2/32\nb med=200 192.0.2.3/32");
    assert_eq!(bench.states(), [("a", ServiceState::Up), ("b", ServiceState::Up)]);
    assert_eq!(bench.commands(), ["announce route 192.0.2.3/32 next-hop 10.1.0.2 med 200"]);
    bench.finds(1, &[false]);
    assert_eq!(bench.commands(), ["withdraw route 192.0.2.3/32"], "the second failure in a row");
}

#[test]
fn the_log_lists_changed_and_kept_parts_of_a_reload() {
    let mut bench = Bench::up(TWO);
    bench.reload("a 192.0.2.1/32 192.0.2.2/32\nb query=example. 192.0.2.3/32");
    let changed = "configuration reloaded: 1 service unchanged, changed: b (check answers; route unchanged until a verdict)";
    assert!(bench.logged.contains(&changed.to_owned()), "{:?}", bench.logged);
    bench.commands();
    bench.finds(1, &[true, true]);
    let is_verdict = |line: &String| line.starts_with("service b: ") && line.contains("required checks pass");
    let verdicts =
        |bench: &Bench| bench.logged.iter().filter(|line| is_verdict(line)).cloned().collect::<Vec<_>>();
    let first = "service b: starting -> up: required checks pass; announcing 192.0.2.3/32";
    assert_eq!(verdicts(&bench), [first], "neither state nor route has changed");
    assert_eq!(
        bench.logged.last().unwrap(),
        "b: still ANNOUNCED 192.0.2.3/32 med 100 (acknowledged): required checks pass"
    );
    assert_eq!(bench.commands(), [""; 0]);
    bench.reload("a 192.0.2.1/32 192.0.2.4/32\nb query=example. med=300 192.0.2.3/32");
    let changed = "configuration reloaded: changed: a (prefixes), b (what its states advertise)";
    assert!(bench.logged.contains(&changed.to_owned()), "{:?}", bench.logged);
    bench.reload("a 192.0.2.1/32 192.0.2.4/32 192.0.2.5/32\nb query=example. med=300 192.0.2.3/32");
    let changed = "configuration reloaded: 1 service unchanged, changed: a (prefixes)";
    assert!(bench.logged.contains(&changed.to_owned()), "{:?}", bench.logged);
}

#[test]
fn the_last_statement_stands_until_new_checks_have_a_verdict() {
    let mut bench = Bench::up(TWO);
    bench.reload("a 192.0.2.1/32 192.0.2.2/32\nb query=example. 192.0.2.3/32");
    assert_eq!(bench.states(), [("a", ServiceState::Up), ("b", ServiceState::Starting)]);
    let why = "service b: no verdict yet on checks that the reload added or changed: answers; its last announcement or \
               withdraw stands until its verdict";
    assert!(bench.logged.contains(&why.to_owned()), "{:?}", bench.logged);
    bench.passes(Duration::from_secs(3));
    bench.reload("a 192.0.2.1/32 192.0.2.2/32\nb query=example.net. med=200 192.0.2.3/32");
    let again = "; reloads have left it without a verdict for 3s; ";
    assert!(bench.logged.iter().any(|line| line.contains(again)), "{:?}", bench.logged);
    let b = &bench.engine.services()[1];
    assert!(b.explain().contains("its last announcement or withdraw stands") && b.since < bench.now);
    assert_eq!(bench.commands(), [""; 0]);
    bench.finds(1, &[true, true]);
    assert_eq!(bench.commands(), ["announce route 192.0.2.3/32 next-hop 10.1.0.2 med 200"]);
}

/// A service whose process has ended, and its log line about that, after a reload to `services` within the grace.
fn ended_before_a_reload(services: &str, is_back: bool) -> Vec<String> {
    let mut bench = Bench::up("a unit=unbound.service 192.0.2.1/32");
    let alive = CheckId { service: ServiceId(0), check: 1 };
    let pass = || Event::Outcome(alive, Outcome::pass(Duration::ZERO));
    bench.handle(pass());
    bench.handle(pass());
    assert_eq!(bench.states(), [("a", ServiceState::Up)]);
    bench.handle(Event::SuddenFailure(alive, Failure::new(Cause::ProcessGone, "it has ended")));
    bench.reload(services);
    if is_back {
        bench.handle(pass());
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

/// Reloads more frequent than the verdict on a server that hangs.
#[test]
fn a_round_continues_if_its_check_does() {
    let mut bench = Bench::up("a 192.0.2.1/32\nb 192.0.2.2/32\nc 192.0.2.3/32");
    let id = |service| CheckId { service: ServiceId(service), check: 0 };
    bench.passes(Duration::from_secs(5));
    bench.probed.clear();
    bench.reload("c 192.0.2.3/32\na query=example. 192.0.2.1/32\nd med=200 192.0.2.2/32\ne 192.0.2.4/32");
    assert_eq!(bench.kept, HashMap::from([(id(2), id(0)), (id(1), id(2))]));
    assert_eq!(bench.probed, [id(1), id(3)], "what goes on is out already, and the rest is asked at once");
    bench.finds(0, &[false, false]);
    assert_eq!(bench.commands()[1..], ["withdraw route 192.0.2.3/32"], "after the new attributes of d");
}

#[test]
fn a_disabled_service_stays_withdrawn_until_its_file_was_looked_for() {
    let mut bench = Bench::up("a disable-file=/off 192.0.2.1/32");
    bench.drain(0, Lasts::UntilLifted);
    let disable = Event::DisableFile(ServiceId(0), true);
    assert!(bench.engine.handle(bench.now, disable).contains(&Action::Save), "though it was drained before");
    bench.handle(Event::Undrain(ServiceId(0), Lift { holder: None, once_healthy: false, checks: vec![] }));
    bench.reload("a disable-file=/off med=200 192.0.2.1/32");
    assert_eq!(bench.states(), [("a", ServiceState::Drained)]);
    bench.reload("a med=200 192.0.2.1/32");
    bench.finds(0, &[true, true]);
    assert_eq!(bench.states(), [("a", ServiceState::Up)], "there is no file any more");
}

#[test]
fn removed_services_are_withdrawn_and_new_ones_decide() {
    let mut bench = Bench::up(TWO);
    bench.reload("a 192.0.2.1/32\nc 192.0.2.9/32");
    let mut said = bench.commands();
    said.sort();
    assert_eq!(said, ["withdraw route 192.0.2.2/32", "withdraw route 192.0.2.3/32"]);
    bench.finds(0, &[true, true]);
    bench.finds(1, &[true, true]);
    assert_eq!(bench.commands(), ["announce route 192.0.2.9/32 next-hop 10.1.0.2 med 100"]);
}

/// The acknowledged state may be long out of date if ExaBGP does not answer.
#[test]
fn the_adopted_state_is_the_present_one() {
    let mut bench = Bench::up("a start=adopt 192.0.2.1/32");
    bench.answers = false;
    bench.finds(0, &[false, false]);
    assert_eq!(bench.commands(), ["withdraw route 192.0.2.1/32"]);
    bench.reload("a start=adopt med=200 192.0.2.1/32");
    bench.answers = true;
    bench.handle(Event::Received("done".to_owned()));
    assert_eq!(bench.commands(), [""; 0], "the server is dead");
}

fn finds_nothing_out(bench: &mut Bench) {
    let check = CheckId { service: ServiceId(0), check: 0 };
    bench.handle(Event::Outcome(check, Outcome::from_cause(Cause::SourceAddress, "cannot ask")));
}
