//! Runs the engine in virtual time: reads a trace and reports every line to ExaBGP, log entry and probe.
//!
//! The engine is the one that `run` uses. Between two steps of the trace the clock jumps from deadline to deadline, so
//! a month takes seconds. A `becomes` line sets the state of the world: it tells how long a probe takes that is sent
//! then, and the outcome of one that is answered then. A `pass` or `fail` line gives the engine an outcome directly.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use crate::config::Config;
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::event::{CheckId, Event};
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;
use crate::exabgp::command::{ASK_VERSION, GREETING};
use crate::outcome::{Cause, Outcome};
use crate::probe::Probe;
use crate::text::ordered;
use crate::trace::names::Names;
use crate::trace::share::Share;
use crate::trace::{Answering, Effect, Step, Trace};

use self::random::Random;

pub(crate) mod generate;
pub(crate) mod random;

/// The version that ExaBGP reports if the trace names none.
const IDEAL_VERSION: &str = "5.0.15";
/// The delay of an answer from ExaBGP.
const ANSWER_AFTER: Duration = Duration::from_millis(1);

/// Observes a simulation.
pub(crate) trait Watcher {
    /// Called when a line of the trace takes effect, each time that it does.
    fn step(&mut self, _at: Moment, _step: &Step) {}

    /// Called after the engine has handled an event, with the actions that it returned.
    fn after(&mut self, at: Moment, event: &Event, actions: &[Action], engine: &Engine);
}

/// Plays a trace to its end and returns the engine in its final state.
pub(crate) fn play(config: &Config, trace: &Trace, watcher: &mut dyn Watcher) -> Engine {
    let (memory, age) = trace.header.memory.clone().unwrap_or((Memory::default(), Duration::ZERO));
    let names = Names::new(config);
    let world = match trace.header.exabgp {
        Answering::Recorded(_) => BTreeMap::new(),
        _ => present(config, &names),
    };
    let series = |check| Random::new(trace.header.seed, &names.check(check));
    let plan = config.plan();
    // The caller has checked the snapshot.
    let snapshot = trace.header.engine.as_ref();
    let restored = snapshot.and_then(|snapshot| Engine::restored(snapshot, &plan).ok());
    let mut simulation = Simulation {
        engine: restored.unwrap_or_else(|| Engine::new(&plan, trace.header.exabgp.parent(), memory, age)),
        answering: &trace.header.exabgp,
        world,
        lossy: BTreeMap::new(),
        random: ordered(names.checks().map(|check| (check, series(check)))),
        open: BTreeSet::new(),
        pending: BinaryHeap::new(),
        sequence: 0,
        config,
        watcher,
    };
    let mut series = BinaryHeap::new();
    for (place, step) in trace.steps.iter().enumerate() {
        simulation.play_until(step.at, trace, &mut series);
        series.push(Reverse((step.at, place, 0)));
    }
    let last = trace.steps.iter().map(Step::end).max().unwrap_or(Moment::START);
    simulation.play_until(last + Duration::from_micros(1), trace, &mut series);
    simulation.engine
}

/// The initial state of the world: every service address is present, and its sockets are read, until the trace says
/// otherwise.
fn present(config: &Config, names: &Names) -> BTreeMap<CheckId, Outcome> {
    let is_present = |id: &CheckId| matches!(config.check(*id).probe, Probe::Address(_) | Probe::Listener(_));
    ordered(names.checks().filter(is_present).map(|check| (check, Outcome::pass(Duration::ZERO))))
}

/// Pending repetitions: time, index of the step, number of the repetition.
type Series = BinaryHeap<Reverse<(Moment, usize, u64)>>;

struct Simulation<'a> {
    engine: Engine,
    answering: &'a Answering,
    /// The outcome that the probes of each check find.
    world: BTreeMap<CheckId, Outcome>,
    /// The checks whose packets are lost at random: the probability, and the outcome of the last round.
    lossy: BTreeMap<CheckId, (Share, Outcome)>,
    /// A series of random numbers for each check, so that one does not change the losses of another.
    random: BTreeMap<CheckId, Random>,
    /// Probes whose outcome the trace has not set yet.
    open: BTreeSet<CheckId>,
    /// Pending answers, ordered by time and then by the order of the requests.
    pending: BinaryHeap<Reverse<(Moment, u64, Answer)>>,
    sequence: u64,
    config: &'a Config,
    watcher: &'a mut dyn Watcher,
}

/// An answer to the engine. It stays small so that the heap can order it; `answer` builds the event.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Answer {
    Line(String),
    Probed(CheckId),
}

impl Simulation<'_> {
    /// Plays everything before `end`. At the same instant the trace comes first, then answers, then deadlines.
    fn play_until(&mut self, end: Moment, trace: &Trace, series: &mut Series) {
        loop {
            // Find the earliest of the next step, answer and deadline before `end`.
            let stepped = series.peek().map(|Reverse((at, ..))| *at);
            let answered = self.pending.peek().map(|Reverse((at, ..))| *at);
            let deadline = match self.answering {
                Answering::Recorded(_) => None,
                _ => self.engine.deadline(),
            };
            let Some(at) = [stepped, answered, deadline].into_iter().flatten().min().filter(|at| *at < end)
            else {
                return;
            };
            // Play it.
            if stepped == Some(at)
                && let Some(Reverse((_, place, repetition))) = series.pop()
            {
                let step = &trace.steps[place];
                if repetition + 1 < step.count {
                    series.push(Reverse((at + step.every, place, repetition + 1)));
                }
                self.step(at, step);
            } else if answered == Some(at)
                && let Some(Reverse((_, _, answer))) = self.pending.pop()
            {
                self.answer(at, answer);
            } else {
                self.handle(at, &Event::Tick);
            }
        }
    }

    fn step(&mut self, at: Moment, step: &Step) {
        self.watcher.step(at, step);
        match &step.what {
            Effect::Event(event) => self.handle(at, event),
            Effect::Becomes(check, outcome) => {
                self.lossy.remove(check);
                self.world.insert(*check, outcome.clone());
                self.probe_if_open(at, *check);
            }
            Effect::Loses(check, share) => {
                self.lossy.insert(*check, (*share, Outcome::pass(random::LATENCY)));
                self.probe_if_open(at, *check);
            }
            Effect::Truth(..) | Effect::End => {}
        }
    }

    fn answer(&mut self, at: Moment, answer: Answer) {
        let event = match answer {
            Answer::Line(line) => Event::Received(line),
            // A probe finds the state at the time of its answer, not at the time when it was sent.
            Answer::Probed(check) => {
                let lost = self.lossy.get(&check).map(|(_, outcome)| outcome);
                let found = lost.or_else(|| self.world.get(&check));
                Event::Outcome(check, found.cloned().unwrap_or_else(|| Outcome::pass(Duration::ZERO)))
            }
        };
        self.handle(at, &event);
    }

    fn handle(&mut self, at: Moment, event: &Event) {
        if let Event::Outcome(check, _) = event {
            self.open.remove(check);
        }
        let actions = self.engine.handle(at, event.clone());
        for action in &actions {
            match action {
                Action::Print(line) => self.reply(at, line),
                Action::Probe(check) => self.probe(at, *check),
                Action::Log(_)
                | Action::Enter { .. }
                | Action::Settled(_)
                | Action::WarmUp(_)
                | Action::Said(_)
                | Action::Save
                | Action::Exit => {}
            }
        }
        self.watcher.after(at, event, &actions, &self.engine);
    }

    fn reply(&mut self, at: Moment, line: &str) {
        let version = match self.answering {
            Answering::Ideal => IDEAL_VERSION,
            Answering::Version(version) => version,
            Answering::Silent | Answering::Recorded(_) | Answering::Terminal => return,
        };
        let due = at + ANSWER_AFTER;
        if line == ASK_VERSION {
            let answer = if version.starts_with('6') {
                format!(r#"{{"version": "{version}", "application": "exabgp"}}"#)
            } else {
                format!("exabgp {version}")
            };
            self.expect(due, Answer::Line(answer));
        }
        // ExaBGP before 4.0 acknowledges nothing.
        if !version.starts_with('3') {
            let is_known = line.starts_with("peer ") || line == ASK_VERSION || line == GREETING;
            let refused = version.starts_with('6') && !is_known;
            self.expect(due, Answer::Line(if refused { "error" } else { "done" }.to_owned()));
        }
    }

    /// Probes a check that waited until the trace set its state.
    fn probe_if_open(&mut self, at: Moment, check: CheckId) {
        if self.open.remove(&check) {
            self.probe(at, check);
        }
    }

    fn probe(&mut self, at: Moment, check: CheckId) {
        let plan = self.config.check(check);
        if let (Some((share, outcome)), Some(random)) =
            (self.lossy.get_mut(&check), self.random.get_mut(&check))
        {
            let (found, after) = random.round(plan, *share);
            *outcome = found;
            self.expect(at + after, Answer::Probed(check));
            return;
        }
        let after = match self.world.get(&check) {
            None => {
                self.open.insert(check);
                return;
            }
            Some(Outcome::Pass { latency, .. }) => *latency,
            Some(Outcome::Fail(failure)) if failure.cause == Cause::Timeout => plan.timing.timeout,
            Some(Outcome::Fail(_) | Outcome::Unknown(_)) => Duration::ZERO,
        };
        self.expect(at + after, Answer::Probed(check));
    }

    fn expect(&mut self, at: Moment, answer: Answer) {
        self.sequence += 1;
        self.pending.push(Reverse((at, self.sequence, answer)));
    }
}
