//! Tests the API session with a simulated ExaBGP that loses, delays and reorders answers, in virtual time with many
//! seeds. Once ExaBGP answers correctly again, the acknowledged routes are the routes that it has.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::engine::action::Action;
use crate::engine::api_session::{ApiSession, Parent, Settings, Wish};
use crate::engine::compat::Compat;
use crate::engine::moment::Moment;
use crate::engine::plan;
use crate::exabgp::attributes::Attributes;
use crate::exabgp::command::{ASK_VERSION, GREETING};
use crate::exabgp::{Advertisement, NextHop, Route};

const ROUTES: usize = 4;
const ACK_TIMEOUT: Duration = Duration::from_secs(2);

/// How long ExaBGP misbehaves.
const BAD: Duration = Duration::from_secs(90);

/// After this time, no route may be shown as acknowledged that is not: the calm period of the session, its longest
/// pause and the delay of a last lost answer.
const BOUND: Duration = Duration::from_secs(60 + 40);

/// How long ExaBGP behaves afterwards.
const END: Duration = Duration::from_secs(90 + 60 + 60 + 60);

/// The longest wait of a withdraw.
const WITHDRAW_WAIT: Duration = Duration::from_millis(200);

/// A deterministic series of numbers from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    fn millis(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.roll(most))
    }
}

#[derive(Clone, Copy, Debug)]
enum Model {
    /// 4.2.21: answers to comments and version queries overtake queued route commands.
    Old,
    /// 5.0: the same with another selector.
    Five,
    /// 6: answers in order.
    Six,
}

/// The effect of a command and its time.
struct Effect {
    at: Moment,
    route: Option<(usize, bool)>,
    lines: Vec<&'static str>,
}

struct ExaBgp {
    model: Model,
    dice: Dice,
    /// It loses one line in so many, or none.
    losses: Option<u64>,
    /// It does not read before this time.
    stalled: Moment,
    /// When the last queued command is finished.
    queue_free: Moment,
    sync_free: Moment,
    queued: VecDeque<Effect>,
    sync: VecDeque<Effect>,
    rib: [bool; ROUTES],
}

fn after(later: Duration) -> Moment {
    Moment::after_start(later)
}

impl ExaBgp {
    fn is_bad(now: Moment) -> bool {
        now < after(BAD)
    }

    fn read(&mut self, now: Moment, line: &str) {
        let bad = Self::is_bad(now);
        if bad && self.dice.one_in(25) {
            self.stalled = (now + self.dice.millis(6_000)).max(self.stalled).min(after(BAD));
        }
        let is_sync = line == GREETING || line == ASK_VERSION;
        let takes = match bad && self.dice.one_in(4) {
            true => self.dice.millis(400),
            false => Duration::from_millis(1),
        };
        let (in_order, version) = match self.model {
            Model::Old => (false, "exabgp 4.2.21"),
            Model::Five => (false, "exabgp 5.0.15"),
            Model::Six => (true, r#"{"version": "6.0.0", "application": "exabgp"}"#),
        };
        let mut effect = Effect { at: now, route: None, lines: vec![] };
        if is_sync {
            if line == ASK_VERSION {
                effect.lines.push(version);
            }
            effect.lines.push("done");
        } else {
            let understood = match self.model {
                Model::Old => !line.starts_with("peer") && !line.starts_with("neighbor *"),
                Model::Five => !line.starts_with("peer"),
                Model::Six => line.starts_with("peer"),
            };
            if understood && !(bad && self.dice.one_in(8)) {
                let (_, rest) = line.split_once("route 192.0.2.").unwrap();
                let place: usize = rest.split('/').next().unwrap().parse().unwrap();
                effect.route = Some((place, line.contains("announce")));
                effect.lines.push("done");
            } else {
                effect.lines.push("error");
            }
        }
        if let Some(losses) = self.losses.filter(|_| bad) {
            let dice = &mut self.dice;
            effect.lines.retain(|_| !dice.one_in(losses));
        }
        if is_sync && !in_order {
            effect.at = now.max(self.stalled).max(self.sync_free) + Duration::from_millis(1);
            self.sync_free = effect.at;
            self.sync.push_back(effect);
        } else {
            effect.at = now.max(self.stalled).max(self.queue_free) + takes;
            self.queue_free = effect.at;
            self.queued.push_back(effect);
        }
    }

    fn next(&self) -> Option<Moment> {
        [&self.sync, &self.queued].into_iter().filter_map(|queue| queue.front()).map(|effect| effect.at).min()
    }

    fn take(&mut self) -> Effect {
        let sync_first = match (self.sync.front(), self.queued.front()) {
            (Some(sync), Some(queued)) => sync.at <= queued.at,
            (sync, _) => sync.is_some(),
        };
        let queue = if sync_first { &mut self.sync } else { &mut self.queued };
        let effect = queue.pop_front().unwrap();
        if let Some((place, announced)) = effect.route {
            self.rib[place] = announced;
        }
        effect
    }
}

struct Run {
    session: ApiSession,
    exabgp: ExaBgp,
    now: Moment,
    /// Since when a route is wrongly shown as acknowledged.
    wrong_since: BTreeMap<usize, Moment>,
    /// Withdraws that are desired but not sent, and since when.
    waiting: BTreeMap<usize, Moment>,
    /// Whether the last command of a route announces it.
    sent: [Option<bool>; ROUTES],
}

impl Run {
    fn carry_out(&mut self, out: Vec<Action>) {
        for action in out {
            if let Action::Print(line) = action {
                self.exabgp.read(self.now, &line);
                if let Some((_, rest)) = line.split_once("route 192.0.2.") {
                    let place: usize = rest.split('/').next().unwrap().parse().unwrap();
                    self.sent[place] = Some(line.contains("announce"));
                    self.waiting.remove(&place);
                }
            }
        }
    }

    fn look(&mut self) -> Result<(), String> {
        for (place, entry) in self.session.entries().iter().enumerate() {
            let shown = entry.acknowledged.as_ref().map(Advertisement::announces);
            let wrong = entry.is_settled() && shown != Some(self.exabgp.rib[place]);
            if !wrong {
                self.wrong_since.remove(&place);
                continue;
            }
            if self.exabgp.losses.is_none() {
                return Err(format!(
                    "route {place} is wrong at {} and no answer was lost: {entry:?}",
                    self.now
                ));
            }
            let since = (*self.wrong_since.entry(place).or_insert(self.now)).max(after(BAD));
            if self.now.since(since) > BOUND {
                return Err(format!("route {place} is wrong for {BOUND:?} at {}: {entry:?}", self.now));
            }
        }
        for (place, since) in &self.waiting {
            if self.now.since(*since) > WITHDRAW_WAIT {
                return Err(format!("the withdraw of {place} has waited since {since} at {}", self.now));
            }
        }
        Ok(())
    }
}

fn route(place: usize) -> Route {
    Route {
        prefix: format!("192.0.2.{place}/32").parse().unwrap(),
        next_hop: NextHop::Address("10.1.0.2".parse().unwrap()),
        path_information: None,
        neighbors: vec![],
        med_offset: 0,
    }
}

/// Plays one series to its end.
fn play(model: Model, seed: u64) -> Result<(), String> {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    for _ in 0..8 {
        dice.roll(2);
    }
    let settings = Settings {
        exabgp: plan::ExaBgp {
            dialect: None,
            ack_timeout: ACK_TIMEOUT,
            refresh: Duration::ZERO,
            end_of_rib: false,
        },
        parent: Parent::ExaBgp,
        compat: Compat::NONE,
        seed,
    };
    let losses = [Some(3), Some(8), Some(40), None][usize::try_from(dice.roll(4)).unwrap()];
    let exabgp = ExaBgp {
        model,
        losses,
        dice: Dice(dice.roll(u64::MAX) | 1),
        stalled: Moment::START,
        queue_free: Moment::START,
        sync_free: Moment::START,
        queued: VecDeque::new(),
        sync: VecDeque::new(),
        // Routes that earlier helpers may have left.
        rib: [dice.one_in(2); ROUTES],
    };
    let session = ApiSession::new(settings, (0..ROUTES).map(route).collect(), vec![]);
    let mut run = Run {
        session,
        exabgp,
        now: Moment::START,
        wrong_since: BTreeMap::new(),
        waiting: BTreeMap::new(),
        sent: [None; ROUTES],
    };
    let mut out = vec![];
    run.session.begin(run.now, &mut out);
    run.carry_out(out);
    let mut wish_at = after(dice.millis(300));
    let mut wanted = [None; ROUTES];
    loop {
        let due =
            [run.session.deadline(), run.exabgp.next(), Some(wish_at)].into_iter().flatten().min().unwrap();
        if due > after(END) {
            break;
        }
        run.now = due.max(run.now);
        let mut out = vec![];
        if run.exabgp.next() == Some(due) {
            for line in run.exabgp.take().lines {
                run.session.on_line(run.now, line, &mut out);
            }
        } else if wish_at == due {
            // At first the desired state changes at random; before the end it stays the same.
            let place = wanted.iter().position(Option::is_none);
            let place = place.unwrap_or_else(|| usize::try_from(dice.roll(ROUTES as u64)).unwrap());
            let announce = dice.one_in(2);
            wanted[place] = Some(announce);
            let advertisement = match announce {
                true => Advertisement::Announce(Attributes::default()),
                false => Advertisement::Withdraw,
            };
            if announce {
                run.waiting.remove(&place);
            }
            let new = run.session.entries()[place].desired.as_ref() != Some(&advertisement);
            if !announce && new && run.sent[place] != Some(false) {
                run.waiting.insert(place, run.now);
            }
            let wish = Wish { place, advertisement: &advertisement, decided: true, again: false };
            run.session.desire_all(run.now, [wish], &mut out);
            let pause = if dice.one_in(3) { dice.millis(20) } else { dice.millis(8_000) };
            wish_at = if run.now + pause > after(BAD) && wanted.iter().all(Option::is_some) {
                after(END + Duration::from_secs(1))
            } else {
                run.now + pause
            };
        }
        run.session.expire(run.now, &mut out);
        run.carry_out(out);
        run.look()?;
    }
    for (place, entry) in run.session.entries().iter().enumerate() {
        let (desired, rib) = (entry.desired.as_ref().map(Advertisement::announces), run.exabgp.rib[place]);
        if desired != Some(rib) || entry.acknowledged != entry.desired {
            return Err(format!(
                "at the end route {place} is announced: {rib}, and the session has {entry:?}"
            ));
        }
    }
    Ok(())
}

/// The failing seeds, with a description of the first.
fn failures(model: Model, seeds: u64) -> Vec<String> {
    let outcomes = (1..=seeds).map(|seed| (seed, play(model, seed)));
    outcomes.filter_map(|(seed, outcome)| Some(format!("{model:?} {seed}: {}", outcome.err()?))).collect()
}

fn all_are_right(model: Model) {
    let seeds = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1000);
    let failures = failures(model, seeds);
    assert!(failures.is_empty(), "{} of {seeds} go wrong, the first: {}", failures.len(), failures[0]);
}

#[test]
fn knows_the_routes_of_exabgp_4_once_it_answers_again() {
    all_are_right(Model::Old);
}

#[test]
fn knows_the_routes_of_exabgp_5_once_it_answers_again() {
    all_are_right(Model::Five);
}

#[test]
fn knows_the_routes_of_exabgp_6_once_it_answers_again() {
    all_are_right(Model::Six);
}
