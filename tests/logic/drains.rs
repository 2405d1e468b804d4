//! A drain keeps its prefixes withdrawn through all reloads and restarts.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::config::Config;
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::api_session::Parent;
use crate::engine::drain::{Holder, Lasts, Lift, Order};
use crate::engine::event::{CheckId, Event, ServiceId};
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;
use crate::engine::service::ServiceState;
use crate::outcome::Outcome;
use proptest::prelude::*;

/// The prefixes of each service, by name; prefix 7 is 192.0.2.7/32.
type Layout = BTreeMap<&'static str, Vec<usize>>;

#[derive(Clone, Debug)]
enum Step {
    Drain(Option<usize>),
    Undrain(Option<usize>),
    /// A reload with another configuration.
    Reload(Layout),
    /// The same with a killed helper.
    Restart(Layout),
}

/// Each of six prefixes belongs to one of four services or to none. At least one service exists.
fn layout() -> impl Strategy<Value = Layout> {
    let owners = proptest::collection::vec(proptest::option::of(0..4_usize), 6);
    owners.prop_filter_map("no service", |owners| {
        let mut layout = Layout::new();
        for (prefix, owner) in owners.iter().enumerate() {
            if let Some(owner) = owner {
                layout.entry(["a", "b", "c", "d"][*owner]).or_default().push(prefix);
            }
        }
        (!layout.is_empty()).then_some(layout)
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => proptest::option::of(0..4_usize).prop_map(Step::Drain),
        1 => proptest::option::of(0..4_usize).prop_map(Step::Undrain),
        2 => layout().prop_map(Step::Reload),
        2 => layout().prop_map(Step::Restart),
    ];
    proptest::collection::vec(step, 1..12)
}

fn config(layout: &Layout) -> Config {
    let mut toml = "[node]\nmanagement = [\"10.1.0.2\"]\n[defaults]\nrise = 1\n".to_owned();
    for (name, prefixes) in layout {
        let prefixes: Vec<_> = prefixes.iter().map(|prefix| format!("192.0.2.{prefix}/32")).collect();
        toml += &format!(
            "[[service]]\nname = {name:?}\nprefixes = {prefixes:?}\naddress = false\n[[service.check]]\nname = \"answers\"\n\
             dns = {{ query = \"localhost. A\" }}\n"
        );
    }
    Config::parse(Path::new("drains.toml"), &toml, "host").unwrap_or_else(|error| panic!("{error}"))
}

/// An engine whose checks pass and whose ExaBGP answers.
struct Pop {
    engine: Engine,
    layout: Layout,
}

impl Pop {
    fn start(layout: Layout, memory: Memory) -> Self {
        let engine = Engine::new(&config(&layout).plan(), Parent::ExaBgp, memory, Duration::ZERO);
        let mut pop = Self { engine, layout };
        pop.handle(Event::Start);
        pop.all_pass();
        pop
    }

    fn handle(&mut self, event: Event) {
        let actions = self.engine.handle(Moment::START, event);
        self.follow(&actions);
    }

    fn follow(&mut self, actions: &[Action]) {
        for action in actions {
            if matches!(action, Action::Print(_)) {
                self.handle(Event::Received("done".to_owned()));
            }
        }
    }

    fn all_pass(&mut self) {
        for service in 0..self.engine.services().len() {
            let check = CheckId { service: ServiceId(service), check: 0 };
            for _ in 0..2 {
                self.handle(Event::Outcome(check, Outcome::pass(Duration::ZERO)));
            }
        }
    }

    fn becomes(&mut self, layout: &Layout, by_reload: bool) {
        if by_reload {
            self.layout = layout.clone();
            let reloaded = self.engine.reload(Moment::START, &config(layout).plan());
            self.follow(&reloaded.actions);
        } else {
            let memory = self.engine.remember(Moment::START);
            *self = Self::start(layout.clone(), memory);
        }
        self.all_pass();
    }

    fn is_drained(&self, name: &str) -> bool {
        let service = self.engine.services().iter().find(|service| service.name() == name);
        service.is_some_and(|service| service.state() == ServiceState::Drained)
    }

    /// The holders of each service, and the state of each prefix.
    fn seen(&self) -> Vec<String> {
        let services = self.engine.services().iter().enumerate();
        let seen = services.map(|(place, service)| {
            let held: Vec<_> = service.drains.iter().map(|(holder, _)| holder.to_string()).collect();
            let stated: Vec<_> =
                self.engine.entries_of(place).map(|entry| format!("{:?}", entry.desired)).collect();
            format!("{} {} {held:?} {stated:?}", service.name(), service.state())
        });
        seen.collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_drain_stays_in_force_through_reloads_and_restarts(first in layout(), steps in steps()) {
        let mut pop = Pop::start(first, Memory::default());
        let mut all_drained = false;
        for step in steps {
            match step {
                Step::Drain(which) => {
                    let order = Order {
                        holder: Holder::operator(),
                        reason: String::new().into(),
                        lasts: Lasts::UntilLifted,
                        uid: None,
                    };
                    all_drained |= which.is_none();
                    pop.handle(which.map_or_else(
                        || Event::DrainAll(order.clone()),
                        |service| Event::Drain(ServiceId(service), order.clone()),
                    ));
                }
                Step::Undrain(which) => {
                    let lift = Lift { holder: None, once_healthy: false, checks: vec![] };
                    all_drained = false;
                    pop.handle(which.map_or_else(
                        || Event::UndrainAll(lift.clone()),
                        |service| Event::Undrain(ServiceId(service), lift.clone()),
                    ));
                    pop.all_pass();
                }
                Step::Reload(ref layout) | Step::Restart(ref layout) => {
                    let memory = pop.engine.remember(Moment::START);
                    let before = pop.layout.clone();
                    let drained: Vec<_> = before.keys().filter(|name| pop.is_drained(name)).copied().collect();
                    let removed: Vec<_> =
                        pop.engine.removed_services().drained_by(None).cloned().collect();
                    let any = !drained.is_empty()
                        || !removed.is_empty()
                        || !pop.engine.drains_of_all().is_empty();
                    let other_way = {
                        let mut other = Pop::start(before.clone(), memory);
                        other.becomes(layout, matches!(step, Step::Restart(_)));
                        other.seen()
                    };
                    pop.becomes(layout, matches!(step, Step::Reload(_)));
                    prop_assert_eq!(other_way, pop.seen(), "a reload and a restart have one rule");
                    let was_drained =
                        |prefix: &usize| drained.iter().any(|name| before[name].contains(prefix));
                    for (name, prefixes) in layout {
                        let kept = drained.contains(name)
                            || removed.iter().any(|removed| removed == name)
                            || prefixes.iter().all(was_drained)
                            || all_drained;
                        prop_assert!(!kept || pop.is_drained(name), "{name} was drained: {:?}", pop.seen());
                        prop_assert!(any || !pop.is_drained(name), "{name} is drained without a holder");
                    }
                }
            }
            for (place, service) in pop.engine.services().iter().enumerate() {
                let drained = !service.drains.is_empty();
                let mut wanted = pop.engine.entries_of(place).filter_map(|entry| entry.desired.as_ref());
                prop_assert!(!drained || wanted.all(|wanted| !wanted.announces()), "{:?}", pop.seen());
                prop_assert!(!all_drained || drained, "all are: {:?}", pop.seen());
            }
        }
    }
}
