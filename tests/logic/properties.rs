//! Properties that hold for every series of events.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::Duration;

use crate::config::Config;
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::api_session::Parent;
use crate::engine::check::Check;
use crate::engine::drain::{Holder, Lasts, Lift, Order};
use crate::engine::event::{CheckId, Event, ServiceId};
use crate::engine::hold::HoldOrder;
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;
use crate::engine::notice::Notice;
use crate::engine::service::ServiceState;
use crate::exabgp::Advertisement;
use crate::exabgp::command::ASK_VERSION;
use crate::exabgp::reply::Reply;
use crate::outcome::{Cause, Class, Failure, Outcome};
use crate::simulate::{Watcher, play};
use crate::trace::names::Names;
use crate::trace::{Effect, Step, Trace, write_event};
use proptest::prelude::*;

const FALL: usize = 3;

/// The minimum timeout of an acknowledgment.
const HANDSHAKE: Duration = Duration::from_millis(500);

fn config(dampening: &str) -> Config {
    let toml = format!(
        r#"
        [node]
        name = "fra1"
        management = ["10.1.0.2"]
        [exabgp]
        refresh = "0s"
        [defaults]
        rise = 2
        fall = {FALL}
        [[service]]
        name = "resolver"
        prefixes = ["192.0.2.53/32", "192.0.2.54/32"]
        address = false
        disable-file = "/nowhere"
        degraded = {{ med = 400 }}
        unknown-after = "10m"
        [service.dampening]
        {dampening}
        [[service.check]]
        name = "answers"
        dns = {{ query = "localhost. A" }}
        [[service.check]]
        name = "recursion"
        on-fail = "degraded"
        dns = {{ query = ". NS" }}
        "#
    );
    Config::parse(Path::new("property.toml"), &toml, "host").unwrap_or_else(|error| panic!("{error}"))
}

const QUICK: &str = "mode = \"enforce\"\nhalf-life = \"2s\"\nmax-suppress = \"10s\"";

const fn check(check: usize) -> CheckId {
    CheckId { service: ServiceId(0), check }
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        3 => Just(Outcome::pass(Duration::from_millis(1))),
        2 => proptest::sample::select(Cause::ALL).prop_map(|cause| Outcome::from_cause(cause, "")),
    ]
}

fn of_class(is_unknown: bool) -> Vec<Cause> {
    Cause::ALL.iter().copied().filter(|cause| (cause.class() == Class::Unknown) == is_unknown).collect()
}

/// The causes that bring down by default. A server that limits its rate, drops queries or refuses the probe alone
/// serves, and so does one of which only a part hangs.
fn failures() -> Vec<Cause> {
    let serves = |cause: &Cause| {
        matches!(
            cause,
            Cause::RateLimited
                | Cause::Overload
                | Cause::ProbeOnly
                | Cause::PartlyHung
                | Cause::CommandWarning
        )
    };
    of_class(false).into_iter().filter(|cause| !serves(cause)).collect()
}

fn unknowns() -> Vec<Cause> {
    of_class(true)
}

fn holder() -> impl Strategy<Value = Holder> {
    proptest::sample::select(&["operator", "unbound.service"][..]).prop_map(|name| name.parse().unwrap())
}

fn dampening_mode() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&["enforce", "observe"][..])
}

/// Any event, with the milliseconds since the previous one.
fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let line = prop_oneof![
        4 => Just("done".to_owned()),
        2 => Just("error".to_owned()),
        1 => Just("exabgp 5.0.15".to_owned()),
        1 => Just("exabgp 4.2.21".to_owned()),
        1 => Just(r#"{"version": "6.0.0", "application": "exabgp"}"#.to_owned()),
        1 => Just("neighbor 10.0.0.1 up".to_owned()),
        1 => "\\PC{0,20}",
    ];
    let event = prop_oneof![
        8 => (0..2_usize, outcome()).prop_map(|(at, outcome)| Event::Outcome(check(at), outcome)),
        1 => (0..2_usize, "[a-z ]{0,9}").prop_map(|(at, why)| Event::SuddenFailure(check(at), Failure::new(Cause::ProcessGone, why.trim()))),
        1 => (0..2_usize).prop_map(|at| Event::ProbeNow(check(at))),
        1 => (0..2_usize).prop_map(|at| Event::Returned(check(at))),
        6 => line.prop_map(Event::Received),
        1 => any::<bool>().prop_map(|present| Event::DisableFile(ServiceId(0), present)),
        1 => (holder(), proptest::option::of(0..5_000_u64), any::<bool>()).prop_map(|(holder, lasts, of_all)| {
            let lasts = lasts.map_or(Lasts::UntilLifted, |lasts| Lasts::For(Duration::from_millis(lasts)));
            let order = Order { holder, reason: String::new().into(), lasts, uid: None };
            if of_all { Event::DrainAll(order) } else { Event::Drain(ServiceId(0), order) }
        }),
        2 => (proptest::option::of(holder()), any::<bool>(), any::<bool>()).prop_map(|(holder, once_healthy, of_all)| {
            let checks = if once_healthy && !of_all { vec!["recursion".to_owned()] } else { vec![] };
            let lift = Lift { holder, once_healthy, checks };
            if of_all { Event::UndrainAll(lift) } else { Event::Undrain(ServiceId(0), lift) }
        }),
        1 => Just(Event::Undampen(ServiceId(0))),
        1 => Just(Event::OutputBlocked),
        2 => Just(Event::OutputUnblocked),
        2 => Just(Event::Tick),
    ];
    proptest::collection::vec((0..800_u64, event), 0..120)
}

/// The same with holds.
fn events_and_holds() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let hold = prop_oneof![
        3 => (holder(), 1..5_000_u64).prop_map(|(holder, lasts)| {
            let lasts = Duration::from_millis(lasts).try_into().unwrap();
            Event::Hold(ServiceId(0), HoldOrder { holder, reason: String::new().into(), lasts, uid: None })
        }),
        1 => proptest::option::of(holder()).prop_map(|whose| Event::Unhold(ServiceId(0), whose)),
    ];
    let holds = proptest::collection::vec((0..800_u64, hold), 0..20);
    (events(), holds).prop_map(|(events, holds)| {
        let every = events.len() / (holds.len() + 1) + 1;
        let mut holds = holds.into_iter();
        let with = events.chunks(every).flat_map(|some| holds.next().into_iter().chain(some.iter().cloned()));
        with.collect()
    })
}

/// A server that works and fails alternately; both checks see the same. It is drained at times.
fn flaps() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let turn =
        (1..6_usize, 50..400_u64, any::<bool>(), 0..12_u8).prop_map(|(rounds, every, passes, drain)| {
            let found =
                if passes { Outcome::pass(Duration::ZERO) } else { Outcome::from_cause(Cause::Timeout, "") };
            let lasts = Lasts::For(Duration::from_millis(every * 4));
            let order = Order { holder: Holder::operator(), reason: String::new().into(), lasts, uid: None };
            let drained = (drain == 0).then_some((every, Event::Drain(ServiceId(0), order)));
            let round =
                [(every, Event::Outcome(check(0), found.clone())), (0, Event::Outcome(check(1), found))];
            drained.into_iter().chain(round.into_iter().cycle().take(2 * rounds)).collect::<Vec<_>>()
        });
    proptest::collection::vec(turn, 0..40).prop_map(|turns| turns.concat())
}

/// An engine and its time.
struct Bench {
    engine: Engine,
    now: Moment,
}

impl Bench {
    fn new(config: &Config) -> Self {
        let engine = Engine::new(&config.plan(), Parent::ExaBgp, Memory::default(), Duration::ZERO);
        let mut bench = Self { engine, now: Moment::START };
        bench.handle(0, Event::Start);
        bench
    }

    fn handle(&mut self, later: u64, event: Event) -> Vec<Action> {
        self.now = self.now + Duration::from_millis(later);
        self.engine.handle(self.now, event)
    }

    /// Handles an event as the loop does, which wakes at each deadline.
    fn handle_in_time(&mut self, later: u64, event: Event) {
        let at = self.now + Duration::from_millis(later);
        while let Some(deadline) = self.engine.deadline().filter(|deadline| *deadline <= at) {
            self.now = self.now.max(deadline);
            self.engine.handle(self.now, Event::Tick);
        }
        self.now = at;
        self.engine.handle(at, event);
    }

    fn wishes(&self) -> Vec<Option<Advertisement>> {
        self.engine.api_session().entries().iter().map(|entry| entry.desired.clone()).collect()
    }

    /// From now on ExaBGP 5 answers each command a little later, for longer than any pause and suppression. It refuses
    /// the first `refused` commands. If `is_well`, the server passes meanwhile.
    fn is_answered_properly(&mut self, is_well: bool, mut refused: usize) {
        let passes = |at| Event::Outcome(check(at), Outcome::pass(Duration::from_millis(1)));
        let mut coming = VecDeque::new();
        for _ in 0..4000 {
            let mut actions = self.handle(50, coming.pop_front().map_or(Event::Tick, Event::Received));
            for at in 0..if is_well { 2 } else { 0 } {
                actions.extend(self.handle(0, passes(at)));
            }
            for action in actions {
                if let Action::Print(line) = action {
                    if line.starts_with("system version") {
                        coming.push_back("exabgp 5.0.15".to_owned());
                    }
                    let understood = !line.starts_with("peer") && refused == 0;
                    refused = refused.saturating_sub(1);
                    coming.push_back(if understood { "done" } else { "error" }.to_owned());
                }
            }
        }
    }

    /// From now on every round passes and nothing is drained. Returns the time until the service is up.
    fn returns_in(&mut self) -> Duration {
        let began = self.now;
        self.handle(
            0,
            Event::Undrain(ServiceId(0), Lift { holder: None, once_healthy: false, checks: vec![] }),
        );
        let mut asked: Vec<_> = (0..2).map(check).collect();
        while self.engine.services()[0].state() != ServiceState::Up
            && self.now.since(began) < Duration::from_secs(3600)
        {
            for check in std::mem::take(&mut asked) {
                let actions = self.handle(0, Event::Outcome(check, Outcome::pass(Duration::ZERO)));
                asked.extend(probed(&actions));
            }
            if asked.is_empty() {
                self.now = self.engine.deadline().unwrap();
                asked.extend(probed(&self.handle(0, Event::Tick)));
            }
        }
        self.now.since(began)
    }

    fn penalty(&self) -> f64 {
        self.engine.services()[0].dampening.penalty(self.now)
    }

    fn announced(&self) -> bool {
        self.wishes().iter().flatten().any(Advertisement::announces)
    }
}

fn probed(actions: &[Action]) -> Vec<CheckId> {
    let probe = |action: &Action| match action {
        Action::Probe(check) => Some(*check),
        _ => None,
    };
    actions.iter().filter_map(probe).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fall_consecutive_failures_withdraw_the_prefix(events in events(), cause in proptest::sample::select(failures())) {
        let mut bench = Bench::new(&config("mode = \"off\""));
        for (later, event) in events {
            bench.handle(later, event);
        }
        for _ in 0..FALL {
            bench.handle(10, Event::Outcome(check(0), Outcome::from_cause(cause, "")));
        }
        prop_assert!(!bench.announced());
        prop_assert!(bench.wishes().iter().all(Option::is_some), "every prefix is stated once there is a verdict");
    }

    /// Until `unknown-after`, an unknown outcome has the effect of no probe. Only a first verdict does not wait for a process
    /// that is not known.
    #[test]
    fn an_unknown_outcome_moves_no_route(events in events(), unknown in proptest::sample::select(unknowns()), at in 0..2_usize) {
        let mut bench = Bench::new(&config(QUICK));
        for (later, event) in events {
            bench.handle(later, event);
            let (before, verdict) = (bench.wishes(), bench.engine.services()[0].checks()[at].verdict());
            let is_starting = bench.engine.services()[0].state() == ServiceState::Starting;
            bench.handle(0, Event::Outcome(check(at), Outcome::from_cause(unknown, "")));
            prop_assert_eq!(verdict, bench.engine.services()[0].checks()[at].verdict());
            // The first verdict does not wait for these.
            let is_ignored = matches!(unknown, Cause::ProcessUnknown | Cause::ListenerUnknown);
            if !(is_starting && is_ignored) {
                prop_assert_eq!(before, bench.wishes());
            }
        }
    }

    #[test]
    fn the_exit_of_a_process_withdraws_at_once(events in events()) {
        let mut bench = Bench::new(&config(QUICK));
        for (later, event) in events {
            bench.handle(later, event);
        }
        bench.handle(0, Event::SuddenFailure(check(0), Failure::new(Cause::ProcessGone, "process 4711 has ended")));
        prop_assert!(!bench.announced());
        prop_assert!(bench.wishes().iter().all(Option::is_some), "every prefix is stated once there is a verdict");
    }

    #[test]
    fn a_drained_service_is_never_announced_and_every_drain_can_be_ended(events in events()) {
        let mut bench = Bench::new(&config(QUICK));
        for (later, event) in events {
            bench.handle(later, event);
            prop_assert!(bench.engine.services()[0].drains.is_empty() || !bench.announced());
        }
        bench.handle(0, Event::Undrain(ServiceId(0), Lift { holder: None, once_healthy: false, checks: vec![] }));
        prop_assert!(bench.engine.services()[0].drains.is_empty());
    }

    /// Independent of its checks and falls.
    #[test]
    fn a_held_service_is_announced_unless_it_is_drained_or_lacks_its_address(events in events_and_holds()) {
        let mut bench = Bench::new(&config(QUICK));
        let mut ends = BTreeMap::new();
        for (later, event) in events {
            let at = bench.now + Duration::from_millis(later);
            match &event {
                Event::Hold(_, order) => drop(ends.insert(order.holder.clone(), at + Duration::from(order.lasts))),
                Event::Unhold(_, Some(whose)) => drop(ends.remove(whose)),
                Event::Unhold(_, None) => ends.clear(),
                _ => {}
            }
            bench.handle(later, event);
            let service = &bench.engine.services()[0];
            let is_held = ends.values().any(|end| *end > bench.now);
            prop_assert_eq!(is_held, !service.holds.is_empty(), "it ends, and not before");
            let is_drained = service.is_disabled() || !service.drains.is_empty();
            prop_assert!(!(is_drained && bench.announced()));
            let last = |check: &Check| check.last.as_ref().map(|(_, outcome)| outcome.clone());
            let found: Vec<_> = service.checks().iter().map(last).collect();
            // An unknown outcome keeps a missing address missing. Without a look-up since the start, it is not known.
            let has_address = found.iter().all(|last| match last {
                Some(Outcome::Pass { .. }) => true,
                Some(Outcome::Fail(failure)) => failure.cause != Cause::AddressMissing,
                Some(Outcome::Unknown(_)) | None => false,
            });
            let lacks_address = found[0].iter().any(|last| {
                last.failure().is_some_and(|failure| failure.cause == Cause::AddressMissing)
            });
            if is_held && !is_drained && has_address {
                prop_assert!(bench.announced(), "{}", bench.engine.services()[0].explain());
            }
            prop_assert!(!(is_held && lacks_address && bench.announced()));
        }
        // After the last hold ends, the checks decide.
        bench.handle(6_000, Event::Tick);
        for _ in 0..FALL {
            bench.handle(10, Event::Outcome(check(0), Outcome::from_cause(Cause::Timeout, "")));
        }
        prop_assert!(!bench.announced());
    }

    #[test]
    fn a_suppressed_service_is_never_announced(events in events()) {
        let mut bench = Bench::new(&config(QUICK));
        for (later, event) in events {
            bench.handle(later, event);
            let suppressed = bench.engine.services()[0].dampening.enforced();
            prop_assert!(!(suppressed && bench.announced()));
        }
    }

    #[test]
    fn a_penalty_never_grows_while_the_service_is_withdrawn(events in flaps(), mode in dampening_mode()) {
        let mut bench = Bench::new(&config(&format!("mode = \"{mode}\"\nhalf-life = \"2s\"\nmax-suppress = \"10s\"")));
        for (later, event) in events {
            bench.handle(later, Event::Tick);
            let (before, was_announced) = (bench.penalty(), bench.announced());
            bench.handle(0, event);
            prop_assert!(was_announced || bench.penalty() <= before, "{before} -> {}", bench.penalty());
        }
    }

    /// Unless the mode is `enforce`.
    #[test]
    fn a_recovered_server_returns_within_a_minute(
        events in flaps(), dampening in proptest::sample::select(&["", "mode = \"observe\"", "max-rise-time = \"0s\""][..]),
    ) {
        let config = config(dampening);
        let mut bench = Bench::new(&config);
        for (later, event) in events {
            bench.handle(later, event);
        }
        let rises_in = config.services[0].checks[0].timing.returns();
        let returns_in = bench.returns_in();
        prop_assert!(returns_in <= config.services[0].dampening.max_rise_time + rises_in, "{returns_in:?}");
    }

    #[test]
    fn the_desired_state_depends_only_on_the_events(events in events(), ticks in proptest::collection::vec(0..400_u64, 120)) {
        let config = config(QUICK);
        let (mut plain, mut ticked) = (Bench::new(&config), Bench::new(&config));
        // Probes that were in flight when a process exited or a drain ended do not count. Whether they were depends on
        // the ticks: the test delivers outcomes that no round has requested.
        let forgets = |event: &Event| match event {
            Event::SuddenFailure(..) | Event::Undrain(..) | Event::UndrainAll(_) | Event::DisableFile(_, false) => true,
            Event::Drain(_, order) | Event::DrainAll(order) => order.lasts != Lasts::UntilLifted,
            _ => false,
        };
        let events = events.into_iter().filter(|(_, event)| !forgets(event));
        for ((later, event), before) in events.zip(ticks) {
            plain.handle_in_time(later, event.clone());
            let before = before.min(later);
            ticked.handle_in_time(before, Event::Tick);
            ticked.handle_in_time(later - before, event);
            prop_assert_eq!(plain.wishes(), ticked.wishes());
        }
    }

    #[test]
    fn a_deadline_is_handled_so_the_loop_never_spins(events in events()) {
        let mut bench = Bench::new(&config(QUICK));
        for (later, event) in events {
            bench.handle(later, event);
            let deadline = bench.engine.deadline();
            prop_assert!(deadline.is_none_or(|deadline| deadline > bench.now), "{deadline:?} at {}", bench.now);
        }
    }

    /// Whatever ExaBGP does: once it answers correctly again, it has the desired routes.
    #[test]
    fn the_api_session_recovers(events in events(), is_well in any::<bool>(), refused in 0..6_usize) {
        let mut bench = Bench::new(&config(QUICK));
        for (later, event) in events {
            bench.handle(later, event);
        }
        bench.handle(1, Event::OutputUnblocked);
        bench.handle(1, Event::DisableFile(ServiceId(0), !is_well));
        if is_well {
            bench.handle(1, Event::Undrain(ServiceId(0), Lift { holder: None, once_healthy: false, checks: vec![] }));
        }
        bench.is_answered_properly(is_well, refused);
        for entry in bench.engine.api_session().entries() {
            prop_assert_eq!(entry.desired.as_ref().map(Advertisement::announces), Some(is_well));
            prop_assert_eq!(&entry.acknowledged, &entry.desired);
        }
    }

    /// Only withdraws may overtake it, and the version query that follows them.
    #[test]
    fn one_command_is_in_flight_at_a_time(events in events()) {
        let mut bench = Bench::new(&config(QUICK));
        let mut answered = false;
        let mut said = Moment::START;
        // If answers are off, the engine does not wait and says so first.
        let mut awaits = true;
        for (later, event) in events {
            answered |= matches!(&event, Event::Received(line) if matches!(Reply::from_line(line), Reply::Done | Reply::Error));
            let mut overtakes = false;
            for action in bench.handle(later, event) {
                match action {
                    Action::Log(Notice::AnswersNothing) => awaits = false,
                    Action::Log(Notice::AnswersAfterAll) => awaits = true,
                    Action::Log(Notice::Overtaken { .. }) => overtakes = true,
                    Action::Print(line) if overtakes => {
                        prop_assert!(line.contains("withdraw") || line == ASK_VERSION, "`{line}` overtakes");
                    }
                    Action::Print(line) => {
                        let waited = bench.now.since(said);
                        prop_assert!(!awaits || answered || waited >= HANDSHAKE, "`{line}` after {waited:?}");
                        answered = false;
                        said = bench.now;
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn traces_round_trip(events in events()) {
        let config = config(QUICK);
        let names = Names::new(&config);
        for (_, event) in events {
            let line = format!("1.5 {}", write_event(&event, &names));
            let trace = Trace::read(&line, &names).map_err(|error| TestCaseError::fail(format!("{line}: {error}")))?;
            let read: Vec<_> = trace.steps.into_iter().map(|step| step.what).collect();
            let expected = match event {
                Event::Received(line) => Event::Received(line.trim().to_owned()),
                other => other,
            };
            prop_assert_eq!(read, vec![Effect::Event(expected)]);
        }
    }

    /// `check-config` promises worst-case times. They hold whenever the fault begins.
    #[test]
    fn faults_are_detected_within_the_promised_time(
        interval in 20..2000_u64, fast in 1..100_u32, timeout in 1..100_u32, rise in 1..6_u32, fall in 1..6_u32,
        fault_after in 0..3_000_000_u64, hangs in any::<bool>(),
    ) {
        let percent = |part: u32| (interval * u64::from(part) / 100).max(1);
        let toml = format!(
            "[node]\nmanagement = [\"10.1.0.2\"]\n[defaults]\ninterval = \"{interval}ms\"\nfast-interval = \"{}ms\"\n\
             timeout = \"{}ms\"\nrise = {rise}\nfall = {fall}\n[[service]]\nname = \"s\"\nprefixes = [\"192.0.2.53/32\"]\naddress = false\n\
             [service.dampening]\nmode = \"off\"\n[[service.check]]\nname = \"c\"\ndns = {{ query = \"localhost. A\" }}\n",
            percent(fast), percent(timeout)
        );
        let config = Config::parse(Path::new("property.toml"), &toml, "host").unwrap();
        let timing = config.services[0].checks[0].timing;
        let up_by = timing.first_verdict() + Duration::from_millis(10);
        let fault = up_by + Duration::from_micros(fault_after);
        let bound = if hangs { timing.detects_hang() } else { timing.detects_refusal() };
        let repaired = fault + bound + Duration::from_micros(fault_after / 2);
        let returned = repaired + timing.returns();
        let at = |time: Duration| time.as_secs_f64();
        let trace = format!(
            "0 becomes c pass\n0 start\n{:.6} becomes c {}\n{:.6} becomes c pass\n{:.6} end\n",
            at(fault), if hangs { "timeout" } else { "port-closed" }, at(repaired), at(returned) + 1.0
        );
        let trace = Trace::read(&trace, &Names::new(&config)).unwrap();
        let mut lines = Lines::default();
        play(&config, &trace, &mut lines);
        let routes: Vec<_> = lines.0.iter().filter(|(_, line)| line.contains(" route ")).collect();
        prop_assert_eq!(routes.len(), 3, "{:?}", routes);
        // The API session takes a millisecond per answer.
        let slack = Duration::from_millis(5);
        prop_assert!(routes[1].0.since_start() <= fault + bound + slack, "{:?} {:?}", routes[1], fault + bound);
        prop_assert!(routes[2].0.since_start() <= returned + slack, "{:?} {:?}", routes[2], returned);
    }
}

#[derive(Default)]
struct Lines(Vec<(Moment, String)>);

impl Watcher for Lines {
    fn step(&mut self, _at: Moment, _step: &Step) {}

    fn after(&mut self, at: Moment, _event: &Event, actions: &[Action], _engine: &Engine) {
        self.0.extend(actions.iter().filter_map(|action| match action {
            Action::Print(line) => Some((at, line.clone())),
            _ => None,
        }));
    }
}

proptest! {
    /// A flight recorder with little room begins in the middle of a run, and its dump replays to the same lines.
    #[test]
    fn a_dump_of_the_flight_recorder_replays_to_the_same_lines(
        events in events_and_holds(),
        mode in dampening_mode(),
        room in 64..4096_usize,
    ) {
        let config = config(&format!("mode = \"{mode}\"\nhalf-life = \"2s\"\nmax-suppress = \"10s\""));
        let names = Names::new(&config);
        let mut recorder = crate::trace::flight::FlightRecorder::new(room, names.clone());
        let mut engine = Engine::new(&config.plan(), Parent::ExaBgp, Memory::default(), Duration::ZERO);
        let (mut now, mut live) = (Moment::START, Lines::default());
        for (later, event) in std::iter::once((0, Event::Start)).chain(events) {
            now = now + Duration::from_millis(later);
            recorder.record(now, || std::time::UNIX_EPOCH, &event, &engine);
            let actions = engine.handle(now, event.clone());
            live.after(now, &event, &actions, &engine);
        }
        let header = crate::trace::Header {
            exabgp: crate::trace::Answering::Recorded(Parent::ExaBgp),
            ..Default::default()
        };
        for excerpt in [recorder.excerpt(&header), recorder.last_minute(&header)] {
            let dump = excerpt.unwrap().text();
            let trace = Trace::read(&dump, &names).unwrap_or_else(|error| panic!("{error}\n{dump}"));
            let mut replayed = Lines::default();
            let replayed_engine = play(&config, &trace, &mut replayed);
            let began = trace.steps[0].at;
            // Several events may share the moment at which the trace begins, so the lines are compared from the end.
            let same = &live.0[live.0.len() - replayed.0.len()..];
            prop_assert_eq!(same, &replayed.0[..]);
            prop_assert!(live.0[..live.0.len() - replayed.0.len()].iter().all(|(at, _)| *at <= began));
            prop_assert_eq!(replayed_engine.snapshot(), engine.snapshot());
        }
    }
}
