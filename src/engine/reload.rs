//! Another configuration while the engine runs: what did not change goes on as if nothing had happened.

use super::action::Action;
use super::moment::Moment;
use super::notice::Notice;
use super::service::Service;
use super::{Engine, Phase, heartbeat, routes, settings};
use crate::config::Config;

impl Engine {
    /// From now on `config` is meant. A service that is configured as before keeps its state and its counters. One
    /// that is configured otherwise keeps its drains and its penalty and begins anew; until it has decided, what was
    /// said of it stands. What is no longer wanted is withdrawn.
    ///
    /// Checks have the places of the new configuration from here on. The outcome of a round that was out does not come
    /// back: it is asked again.
    pub fn reload(&mut self, now: Moment, config: &Config) -> Vec<Action> {
        let mut out = vec![];
        if self.phase != Phase::Running {
            return out;
        }
        let memory = self.remember(now).clone();
        let plans = std::mem::replace(&mut self.plans, config.services.clone());
        let services = std::mem::take(&mut self.services);
        let settled = std::mem::take(&mut self.settled);
        let mut before: Vec<_> = plans.into_iter().zip(services.into_iter().zip(settled)).collect();
        let (mut unchanged, mut changed, mut added) = (0, vec![], vec![]);
        for plan in &config.services {
            let known = before.iter().position(|(earlier, _)| earlier.name == plan.name);
            let (service, settled) = match known.map(|place| before.swap_remove(place)) {
                Some((earlier, (mut service, settled))) if earlier == *plan => {
                    unchanged += 1;
                    service.ask_again(now);
                    (service, settled)
                }
                earlier => {
                    if earlier.is_some() { &mut changed } else { &mut added }.push(plan.name.clone());
                    let remembered =
                        memory.services.get(&plan.name).map(|kept| (kept, std::time::Duration::ZERO));
                    (Service::new(now, plan, config.habits, remembered, &mut vec![]), None)
                }
            };
            self.services.push(service);
            self.settled.push(settled);
        }
        let removed = before.into_iter().map(|(plan, _)| plan.name).collect();
        out.push(Notice::Reloaded { unchanged, changed, added, removed }.into());
        let (owners, routes) = routes(config);
        self.owners = owners;
        self.link.change(now, settings(config, self.parent), routes, &mut out);
        self.heartbeat = heartbeat(config);
        self.heartbeat_at = self.heartbeat.map(|period| now + period);
        out.push(Action::Save);
        self.advance(now, true, &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::engine::drain::{Holder, Lasts, Order};
    use crate::engine::event::{CheckId, Event, ServiceId};
    use crate::engine::memory::Memory;
    use crate::engine::service::State;
    use crate::exabgp::link::Parent;
    use crate::probe::{Cause, Outcome};

    /// Two services, one of two prefixes.
    const TWO: &str = "a 192.0.2.1/32 192.0.2.2/32\nb 192.0.2.3/32";

    /// Each line is a service: its name, `med=…` if it has one, and its prefixes.
    fn config(services: &str) -> Config {
        let mut toml = "[node]\nmanagement = [\"10.1.0.2\"]\n[defaults]\nrise = 2\nfall = 2\n".to_owned();
        for service in services.lines() {
            let (med, words): (Vec<_>, Vec<_>) =
                service.split(' ').partition(|word| word.starts_with("med="));
            let med = med.first().map_or("med=100", |med| med).replace('=', " = ");
            toml += &format!(
                "[[service]]\nname = {:?}\nprefixes = {:?}\nup = {{ {med} }}\n[[service.check]]\nname = \"answers\"\n\
                 dns = {{ query = \"localhost. A\" }}\n",
                words[0],
                &words[1..]
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
    }

    impl Bench {
        fn up(services: &str) -> Self {
            let engine = Engine::new(&config(services), Parent::ExaBgp, Memory::default(), Duration::ZERO);
            let mut bench = Self { engine, now: Moment::START, said: vec![], answers: true };
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
            let actions = self.engine.reload(self.now, &config(services));
            self.follow(&actions);
        }

        fn follow(&mut self, actions: &[Action]) {
            for action in actions {
                let Action::Print(line) = action else { continue };
                if line == "system version 0" {
                    self.tell(Event::Heard("exabgp 5.0.15".to_owned()));
                } else if let Some(command) = line.strip_prefix("neighbor * ") {
                    self.said.push(command.to_owned());
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

        fn said(&mut self) -> Vec<String> {
            std::mem::take(&mut self.said)
        }

        fn states(&self) -> Vec<(&str, State)> {
            self.engine.services().iter().map(|service| (service.name(), service.state())).collect()
        }
    }

    #[test]
    fn the_same_again_says_nothing_and_forgets_nothing() {
        let mut bench = Bench::up(TWO);
        bench.finds(0, &[false]);
        bench.reload(TWO);
        assert_eq!(bench.states(), [("a", State::Up), ("b", State::Up)]);
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
        assert_eq!(bench.states(), [("b", State::Down), ("a", State::Up)]);
        bench.finds(0, &[true, true]);
        assert_eq!(bench.said(), ["announce route 192.0.2.3/32 next-hop 10.1.0.2 med 100"]);
    }

    #[test]
    fn what_changes_stands_until_it_has_decided_anew() {
        let mut bench = Bench::up(TWO);
        bench.reload("a 192.0.2.1/32 192.0.2.2/32\nb med=200 192.0.2.3/32");
        assert_eq!(bench.states(), [("a", State::Up), ("b", State::Starting)]);
        assert_eq!(bench.said(), [""; 0]);
        bench.finds(1, &[true, true]);
        assert_eq!(bench.said(), ["announce route 192.0.2.3/32 next-hop 10.1.0.2 med 200"]);
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
        let order =
            Order { holder: Holder::operator(), reason: String::new().into(), lasts: Lasts::UntilLifted };
        bench.tell(Event::Drain(ServiceId(1), order));
        assert_eq!(bench.said(), ["withdraw route 192.0.2.3/32"]);
        bench.reload("b med=200 192.0.2.3/32");
        bench.finds(0, &[true, true]);
        assert_eq!(bench.states(), [("b", State::Drained)]);
        assert!(!bench.said().iter().any(|line| line.contains("announce")));
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
        assert!(bench.engine.link().entries().iter().all(|entry| !entry.perhaps_announced));
    }
}
