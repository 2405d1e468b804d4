//! A reload changes the neighbors of a route while its command is in flight.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const ANNOUNCE: &str = "announce route 192.0.2.1/32 next-hop 10.1.0.2 med 100";
const WITHDRAW: &str = "withdraw route 192.0.2.1/32";
/// ExaBGP answers no more commands than this within a step, unless they repeat without an end.
const MOST_ANSWERS: u32 = 200;

const NEIGHBORS: [&str; 3] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];

/// The service that announces the route to these neighbors: by one command, or by one for each.
fn to(neighbors: &[&str], key: &str, end: &str) -> String {
    let words: String = neighbors.iter().map(|neighbor| format!("{key}={neighbor}{end} ")).collect();
    format!("a {words}192.0.2.1/32")
}

/// The commands after a reload while the announcement to the first neighbor is repeated, and after this answer to it.
fn meets_a_repetition(from: &str, services: &str, answer: &str) -> Vec<String> {
    let mut bench = Bench::up(from);
    bench.answers = false;
    bench.handle(Event::Received("neighbor 10.0.0.1 up".to_owned()));
    assert_eq!(bench.commands().len(), 1);
    bench.reload(services);
    assert_eq!(bench.commands(), [""; 0], "one command at a time");
    bench.answers = true;
    bench.handle(Event::Received(answer.to_owned()));
    assert!(bench.engine.stale_routes().next().is_none());
    assert!(bench.engine.entries_of(0).all(RouteEntry::is_settled));
    bench.commands()
}

#[test]
fn a_neighbor_keeps_a_route_whose_command_is_in_flight() {
    let [one, both] = [1, 2].map(|some| to(&NEIGHBORS[..some], "neighbor", ""));
    let to_both = format!("neighbor 10.0.0.1, neighbor 10.0.0.2 {ANNOUNCE}");
    for answer in ["done", "error"] {
        assert_eq!(meets_a_repetition(&one, &both, answer), [to_both.as_str()], "{answer}");
        assert_eq!(
            meets_a_repetition(&both, &one, answer),
            [format!("neighbor 10.0.0.2 {WITHDRAW}"), format!("neighbor 10.0.0.1 {ANNOUNCE}")],
            "{answer}"
        );
    }
}

#[test]
fn a_command_without_an_answer_is_not_repeated_for_a_route_that_is_gone() {
    let mut bench = Bench::up(&to(&NEIGHBORS[..1], "neighbor", ""));
    bench.answers = false;
    bench.handle(Event::Received("neighbor 10.0.0.1 up".to_owned()));
    bench.reload(&to(&NEIGHBORS[..2], "neighbor", ""));
    bench.commands();
    bench.answers = true;
    bench.passes(Duration::from_secs(60));
    bench.passes(Duration::from_secs(60));
    let commands = bench.commands();
    assert!(bench.logged.iter().any(|line| line.contains("has not answered")), "{:?}", bench.logged);
    assert!(!commands.is_empty());
    let to_both = format!("neighbor 10.0.0.1, neighbor 10.0.0.2 {ANNOUNCE}");
    assert!(commands.iter().all(|line| *line == to_both), "{commands:?}");
}

/// The withdraw from both was in flight. Whatever becomes of it, each neighbor that is gone is withdrawn from.
#[test]
fn a_withdraw_in_flight_is_repeated_for_the_neighbors_that_are_gone() {
    let mut bench = Bench::up(&to(&NEIGHBORS[..2], "neighbor", ""));
    bench.answers = false;
    bench.finds(0, &[false, false]);
    assert_eq!(bench.commands(), [format!("neighbor 10.0.0.1, neighbor 10.0.0.2 {WITHDRAW}")]);
    bench.reload(&to(&NEIGHBORS[..1], "neighbor", ""));
    bench.answers = true;
    bench.handle(Event::Received("error".to_owned()));
    let mut commands = bench.commands();
    commands.sort();
    assert_eq!(commands, [1, 2].map(|nth| format!("neighbor 10.0.0.{nth} {WITHDRAW}")));
}

#[derive(Clone, Debug)]
enum Step {
    Reload(String),
    /// ExaBGP answers the oldest command, or the answer is lost.
    Answer {
        is_lost: bool,
    },
    /// A session comes up, so that every route is stated again.
    Up(&'static str),
    Finds(bool),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let neighbors = proptest::sample::subsequence(&NEIGHBORS[..], 1..=3);
    let services = prop_oneof![
        6 => (neighbors, any::<bool>()).prop_map(|(some, each)| match each {
            true => to(&some, "to", "/100"),
            false => to(&some, "neighbor", ""),
        }),
        1 => Just(to(&[], "", "")),
    ];
    prop_oneof![
        4 => services.prop_map(Step::Reload),
        6 => (0..8).prop_map(|nth| Step::Answer { is_lost: nth == 0 }),
        2 => select(&NEIGHBORS[..]).prop_map(Step::Up),
        2 => any::<bool>().prop_map(Step::Finds),
        2 => (1..300_u64).prop_map(Step::Pass),
    ]
}

/// A helper with an ExaBGP that carries out or refuses each command at once, and answers when it is asked to.
struct World {
    bench: Bench,
    services: String,
    /// Whether ExaBGP refuses the next commands; it refuses none after them.
    refusals: VecDeque<bool>,
    /// Whether each neighbor has the route.
    has: BTreeMap<&'static str, bool>,
    answers: VecDeque<&'static str>,
}

impl World {
    fn is_configured(&self, neighbor: &str) -> bool {
        !self.services.contains('=') || self.services.contains(neighbor)
    }

    fn perform(&mut self, step: Step) -> Result<(), TestCaseError> {
        let is_up = |bench: &Bench| bench.engine.services()[0].state() == ServiceState::Up;
        let was_up = is_up(&self.bench);
        match step {
            Step::Reload(services) => {
                self.bench.reload(&services);
                self.services = services;
            }
            Step::Answer { is_lost } => {
                if let Some(answer) = self.answers.pop_front().filter(|_| !is_lost) {
                    self.bench.handle(Event::Received(answer.to_owned()));
                }
            }
            Step::Up(neighbor) => self.bench.handle(Event::Received(format!("neighbor {neighbor} up"))),
            Step::Finds(pass) => self.bench.finds(0, &[pass, pass]),
            Step::Pass(millis) => self.bench.passes(Duration::from_millis(millis)),
        }
        let is_up = was_up && is_up(&self.bench);
        // The answer to a question for the version overtakes others.
        for _ in 0..std::mem::take(&mut self.bench.asked) {
            self.answers.push_front("done");
        }
        for line in self.bench.commands() {
            if self.refusals.pop_front() == Some(true) {
                self.answers.push_back("error");
                continue;
            }
            self.answers.push_back("done");
            let concerned = |neighbor: &&str| !line.starts_with("neighbor ") || line.contains(*neighbor);
            for neighbor in NEIGHBORS.into_iter().filter(concerned) {
                let has = line.contains("announce");
                // ExaBGP has no command for all neighbors but some.
                let is_for_all = line == WITHDRAW;
                let loses = self.has.insert(neighbor, has) == Some(true) && !has;
                prop_assert!(
                    !(loses && is_up && self.is_configured(neighbor)) || is_for_all,
                    "{neighbor} loses the route by `{line}` to {}",
                    self.services
                );
            }
        }
        Ok(())
    }

    /// Every answer comes within 150 ms, so many times.
    fn answers_for_steps(&mut self, steps: usize) -> Result<(), TestCaseError> {
        for _ in 0..steps {
            self.perform(Step::Pass(150))?;
            let mut answers = 0;
            while !self.answers.is_empty() {
                self.perform(Step::Answer { is_lost: false })?;
                answers += 1;
                prop_assert!(answers < MOST_ANSWERS, "commands repeat without an end");
            }
        }
        Ok(())
    }
}

/// Plays a series of steps, and what follows it. While the service is up, no neighbor that keeps the route loses it. In the
/// end the configured neighbors have it, and no other does.
fn play(steps: Vec<Step>, refusals: VecDeque<bool>) -> Result<(), TestCaseError> {
    let services = to(&NEIGHBORS[..1], "neighbor", "");
    let mut bench = Bench::up(&services);
    (bench.answers, bench.asked) = (false, 0);
    let has = BTreeMap::from([(NEIGHBORS[0], true)]);
    let mut world = World { bench, services, refusals, has, answers: VecDeque::new() };
    for step in steps {
        world.perform(step)?;
    }
    world.perform(Step::Finds(true))?;
    world.answers_for_steps(1000)?;
    if world.bench.engine.stale_routes().any(|entry| entry.given_up) {
        // The next refresh tries their withdraws again.
        world.perform(Step::Pass(330_000))?;
        world.answers_for_steps(10)?;
    }
    for neighbor in NEIGHBORS {
        let has = world.has.get(neighbor).is_some_and(|has| *has);
        prop_assert_eq!(has, world.is_configured(neighbor), "{} of {}", neighbor, world.services);
    }
    prop_assert!(world.bench.engine.stale_routes().next().is_none());
    prop_assert!(world.bench.engine.entries_of(0).all(RouteEntry::is_settled));
    Ok(())
}

/// The answer to the withdraw from the first neighbor was `error`, and comes after the session has stopped expecting that to
/// an earlier command.
#[test]
fn a_refused_withdraw_is_repeated_when_an_earlier_answer_takes_the_place_of_its_own() {
    let answer = || Step::Answer { is_lost: false };
    let each = to(&NEIGHBORS, "to", "/100");
    let steps = vec![
        Step::Up(NEIGHBORS[0]),
        answer(),
        Step::Reload(to(&NEIGHBORS[2..], "neighbor", "")),
        Step::Reload(each),
        Step::Pass(195),
        answer(),
        answer(),
        Step::Finds(false),
        answer(),
        Step::Finds(true),
        Step::Reload(to(&[], "", "")),
        Step::Pass(97),
        Step::Up(NEIGHBORS[0]),
        answer(),
        answer(),
        Step::Reload(to(&NEIGHBORS[2..], "neighbor", "")),
        answer(),
        Step::Reload(to(&NEIGHBORS[1..2], "neighbor", "")),
    ];
    let refusals = (0..10).map(|nth| nth == 9).collect();
    play(steps, refusals).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reloads_move_a_route_without_a_gap(
        steps in proptest::collection::vec(step(), 0..60),
        refusals in proptest::collection::vec_deque(proptest::bool::weighted(0.2), 0..30),
    ) {
        play(steps, refusals)?;
    }
}
