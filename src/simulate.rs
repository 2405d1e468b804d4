//! The engine in virtual time: a trace goes in, all that would be said, logged and probed comes out.
//!
//! It is the same engine that `run` drives. Between the steps of the trace time jumps from deadline to deadline, so
//! that a month takes seconds. Where the trace says what the world is like (`becomes`) the probes find that, at the
//! times the engine asks for; where it says what was found (`pass`, `fail`) that is taken as it stands.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use crate::config::Config;
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::event::{CheckId, Event, ServiceId};
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;
use crate::exabgp::command::{ASK_VERSION, GREETING};
use crate::outcome::Outcome;
use crate::probe::Probe;
use crate::trace::{Answering, Step, Trace, What};

/// The version that answers where the trace names none.
const IDEAL_VERSION: &str = "5.0.15";
/// How long ExaBGP takes to answer where the trace does not say.
const ANSWER_AFTER: Duration = Duration::from_millis(1);

/// Somebody who watches.
pub(crate) trait Watcher {
    /// A line of the trace takes effect.
    fn step(&mut self, _at: Moment, _step: &Step) {}

    /// The engine has dealt with an event, and this is what it wants done.
    fn after(&mut self, at: Moment, event: &Event, actions: &[Action], engine: &Engine);
}

/// Plays a trace to its end and returns the engine as it is then.
pub(crate) fn play(config: &Config, trace: &Trace, watcher: &mut dyn Watcher) -> Engine {
    let (memory, age) = trace.header.memory.clone().unwrap_or((Memory::default(), Duration::ZERO));
    let world = match trace.header.exabgp {
        Answering::Recorded(_) => BTreeMap::new(),
        _ => present(config),
    };
    let mut simulation = Simulation {
        engine: Engine::new(&config.plan(), trace.header.exabgp.parent(), memory, age),
        answering: &trace.header.exabgp,
        world,
        open: BTreeSet::new(),
        coming: BinaryHeap::new(),
        order: 0,
        timeouts: config
            .services
            .iter()
            .map(|service| service.checks.iter().map(|c| c.timing.timeout).collect())
            .collect(),
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

/// Addresses are on the host unless the trace says that they are missing.
fn present(config: &Config) -> BTreeMap<CheckId, Outcome> {
    let services = config.services.iter().enumerate();
    let checks = services.flat_map(|(service, plan)| {
        plan.checks
            .iter()
            .enumerate()
            .filter(|(_, plan)| matches!(plan.probe, Probe::Address(_)))
            .map(move |(check, _)| CheckId { service: ServiceId(service), check })
    });
    checks.map(|check| (check, Outcome::pass(Duration::ZERO))).collect()
}

/// Repetitions still to come: when, which step, which repetition.
type Series = BinaryHeap<Reverse<(Moment, usize, u64)>>;

struct Simulation<'a> {
    engine: Engine,
    answering: &'a Answering,
    /// What the probes of a check find.
    world: BTreeMap<CheckId, Outcome>,
    /// Probes of which the trace has not said yet what they find.
    open: BTreeSet<CheckId>,
    /// What the world will answer, in order of time and then of asking.
    coming: BinaryHeap<Reverse<(Moment, u64, Answer)>>,
    order: u64,
    timeouts: Vec<Vec<Duration>>,
    watcher: &'a mut dyn Watcher,
}

/// Kept small and ordered; the event is made when it comes.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Answer {
    Heard(String),
    Found(CheckId),
}

impl Simulation<'_> {
    /// Everything before `end`: the trace first, then what it led to, then deadlines.
    fn play_until(&mut self, end: Moment, trace: &Trace, series: &mut Series) {
        loop {
            let stepped = series.peek().map(|Reverse((at, ..))| *at);
            let answered = self.coming.peek().map(|Reverse((at, ..))| *at);
            let due = match self.answering {
                Answering::Recorded(_) => None,
                _ => self.engine.deadline(),
            };
            let Some(at) = [stepped, answered, due].into_iter().flatten().min().filter(|at| *at < end) else {
                return;
            };
            if stepped == Some(at)
                && let Some(Reverse((_, place, repetition))) = series.pop()
            {
                let step = &trace.steps[place];
                if repetition + 1 < step.count {
                    series.push(Reverse((at + step.every, place, repetition + 1)));
                }
                self.step(at, step, repetition == 0);
            } else if answered == Some(at)
                && let Some(Reverse((_, _, answer))) = self.coming.pop()
            {
                self.answer(at, answer);
            } else {
                self.tell(at, &Event::Tick);
            }
        }
    }

    fn step(&mut self, at: Moment, step: &Step, first: bool) {
        if first {
            self.watcher.step(at, step);
        }
        match &step.what {
            What::Event(event) => self.tell(at, event),
            What::Becomes(check, outcome) => {
                self.world.insert(*check, outcome.clone());
                if self.open.remove(check) {
                    self.probe(at, *check);
                }
            }
            What::End => {}
        }
    }

    fn answer(&mut self, at: Moment, answer: Answer) {
        let event = match answer {
            Answer::Heard(line) => Event::Heard(line),
            // The world may have changed while the probe was out; what it finds is how things are now.
            Answer::Found(check) => Event::Outcome(check, self.world[&check].clone()),
        };
        self.tell(at, &event);
    }

    fn tell(&mut self, at: Moment, event: &Event) {
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
        let comes = at + ANSWER_AFTER;
        if line == ASK_VERSION {
            let answer = if version.starts_with('6') {
                format!(r#"{{"version": "{version}", "application": "exabgp"}}"#)
            } else {
                format!("exabgp {version}")
            };
            self.expect(comes, Answer::Heard(answer));
        }
        // Before 4.0 nothing was ever acknowledged.
        if !version.starts_with('3') {
            let refused = version.starts_with('6')
                && !line.starts_with("peer ")
                && line != ASK_VERSION
                && line != GREETING;
            self.expect(comes, Answer::Heard(if refused { "error" } else { "done" }.to_owned()));
        }
    }

    fn probe(&mut self, at: Moment, check: CheckId) {
        let after = match self.world.get(&check) {
            None => {
                self.open.insert(check);
                return;
            }
            Some(Outcome::Pass { latency }) => *latency,
            Some(Outcome::Fail(failure)) if failure.cause == crate::outcome::Cause::Timeout => {
                self.timeouts[check.service.0][check.check]
            }
            Some(Outcome::Fail(_) | Outcome::Unknown(_)) => Duration::ZERO,
        };
        self.expect(at + after, Answer::Found(check));
    }

    fn expect(&mut self, at: Moment, answer: Answer) {
        self.order += 1;
        self.coming.push(Reverse((at, self.order, answer)));
    }
}
