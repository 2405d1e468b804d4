//! Checks that stay unknown after a reload.

use super::*;

impl Bench {
    /// The first check of the first service is unknown for 40 s, which is longer than `unknown-after`.
    fn knows_nothing(&mut self) {
        let check = CheckId { service: ServiceId(0), check: 0 };
        for _ in 0..40 {
            self.passes(Duration::from_secs(1));
            let unknown = Outcome::from_cause(Cause::SourceAddress, "10.1.0.2 is not on this host");
            self.handle(Event::Outcome(check, unknown));
        }
    }

    fn says_none(&mut self, beginning: &str, when: &str) {
        let said = self.commands();
        assert_eq!(said.iter().find(|line| line.starts_with(beginning)), None, "{when}");
    }
}

/// A reload is no start of the helper: what `start` says does not matter.
#[test]
fn unknown_checks_after_a_reload_withdraw_nothing() {
    for start in ["probe", "withdraw", "adopt"] {
        let mut bench = Bench::up(&format!("a start={start} 192.0.2.1/32"));
        bench.reload(&format!("a start={start} query=example. 192.0.2.1/32"));
        bench.knows_nothing();
        assert!(bench.logged.iter().any(|line| line.contains("unknown")), "{start}: {:?}", bench.logged);
        bench.says_none("withdraw", start);
    }
}

/// While it is not enabled it is withdrawn, though `drained` has attributes.
#[test]
fn a_service_that_becomes_enabled_is_announced_by_a_verdict_only() {
    for (start, reloads) in [("probe", true), ("probe", false), ("adopt", true), ("adopt", false)] {
        let off = format!("a start={start} enabled=false drained=900 192.0.2.1/32");
        let on = off.replace("false", "true");
        let mut bench = Bench::started(Memory::default(), &off, Duration::ZERO);
        if reloads {
            bench.reload(&on);
        } else {
            let memory = bench.engine.remember(bench.now);
            bench = Bench::started(memory, &on, Duration::from_secs(1));
        }
        bench.knows_nothing();
        bench.says_none("announce", &format!("{start}, reload: {reloads}"));
        bench.finds(0, &[true, true]);
        assert_eq!(bench.commands(), ["announce route 192.0.2.1/32 next-hop 10.1.0.2 med 100"]);
    }
}

/// The address of a dead server passes, and its sockets, of which none can be seen, tell nothing.
#[test]
fn an_address_alone_announces_no_service_that_was_down() {
    let mut bench = Bench::up("a 192.0.2.1/32");
    bench.finds(0, &[false, false]);
    assert_eq!(bench.commands(), ["withdraw route 192.0.2.1/32"]);
    let toml = "[node]\nmanagement = [\"10.1.0.2\"]\n[defaults]\nrise = 2\nfall = 2\n[[service]]\nname = \"a\"\n\
                prefixes = [\"192.0.2.1/32\"]\nup = { med = 100 }\ndampening = {}\n[[service.check]]\nname = \"sockets\"\n\
                listener = {}\n";
    let plan = Config::parse(Path::new("test.toml"), toml, "host").unwrap().plan();
    let reloaded = bench.engine.reload(bench.now, &plan);
    bench.follow(&reloaded.actions);
    let names: Vec<_> = plan.services[0].checks.iter().map(|check| check.name.clone()).collect();
    assert!(names.contains(&"address".to_owned()) && names.len() == 2, "{names:?}");
    for _ in 0..40 {
        bench.passes(Duration::from_secs(1));
        for (place, name) in names.iter().enumerate() {
            let outcome = match name.as_str() {
                "address" => Outcome::pass(Duration::ZERO),
                _ => Outcome::from_cause(Cause::ListenerUnknown, "no socket"),
            };
            bench.handle(Event::Outcome(CheckId { service: ServiceId(0), check: place }, outcome));
        }
    }
    bench.says_none("announce", "the sockets are unknown");
}
