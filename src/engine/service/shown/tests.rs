//! The reason of a state, where several checks explain it.

use std::path::Path;

use super::*;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::api_session::Parent;
use crate::engine::event::{CheckId, Event, ServiceId};
use crate::engine::memory::Memory;
use crate::outcome::{Cause, Failure, Outcome};

/// A service with three checks, of which the first watches the process.
fn started() -> Engine {
    let toml = "[node]\nmanagement = \"10.1.0.2\"\n[defaults]\nrise = 2\nfall = 1\n[[service]]\nname = \"a\"\n\
                prefixes = [\"192.0.2.1/32\"]\naddress = false\n\
                [[service.check]]\nname = \"process\"\nprocess = { unit = \"unbound.service\" }\n\
                [[service.check]]\nname = \"answers\"\ndns = { query = \"localhost. A\" }\n\
                [[service.check]]\nname = \"sockets\"\ndns = { query = \"localhost. A\" }\n";
    let config = Config::parse(Path::new("a.toml"), toml, "host").unwrap();
    let mut engine = Engine::new(&config.plan(), Parent::ExaBgp, Memory::default(), Duration::ZERO);
    engine.handle(Moment::START, Event::Start);
    engine
}

/// The same, up by all of them.
fn up() -> Engine {
    let mut engine = started();
    for check in [0, 1, 2, 0, 1, 2] {
        passes(&mut engine, check);
    }
    assert_eq!(engine.services()[0].state(), ServiceState::Up);
    engine
}

fn id(check: usize) -> CheckId {
    CheckId { service: ServiceId(0), check }
}

fn passes(engine: &mut Engine, check: usize) {
    engine.handle(Moment::START, Event::Outcome(id(check), Outcome::pass(Duration::ZERO)));
}

fn fails(engine: &mut Engine, check: usize, cause: Cause) -> String {
    engine.handle(Moment::START, Event::Outcome(id(check), Outcome::from_cause(cause, cause.to_string())));
    engine.services()[0].explain()
}

/// Before any verdict of the dns checks the process exits; it is back, and they cannot ask.
#[test]
fn a_failure_that_is_over_is_no_reason_while_no_dns_check_has_a_result() {
    let mut engine = started();
    let gone = Failure::new(Cause::ProcessGone, "process 31151 (unbound) has ended");
    engine.handle(Moment::START, Event::SuddenFailure(id(0), gone));
    for check in [1, 2] {
        fails(&mut engine, check, Cause::SourceAddress);
    }
    let service = |engine: &Engine| engine.services()[0].reason();
    assert_eq!(service(&engine), "process 31151 (unbound) has ended", "still");
    for _ in 0..2 {
        passes(&mut engine, 0);
    }
    assert_eq!(engine.services()[0].state(), ServiceState::Down);
    let reason = service(&engine);
    let now = "down, and stays withdrawn until its checks pass; all dns checks unknown: check answers: source-address";
    assert!(reason.starts_with(now), "{reason}");
}

#[test]
fn the_reason_names_the_cause_nearest_to_the_root() {
    let mut engine = up();
    assert_eq!(fails(&mut engine, 1, Cause::Timeout), "check answers: timeout");
    assert_eq!(fails(&mut engine, 2, Cause::NotReading), "check sockets: not-reading");
    assert_eq!(fails(&mut engine, 1, Cause::PortClosed), "check answers: port-closed");
    assert_eq!(
        fails(&mut engine, 2, Cause::ListenerMissing),
        "check sockets: listener-missing",
        "of equals the last"
    );
    assert_eq!(fails(&mut engine, 1, Cause::AddressMissing), "check answers: address-missing");
    let gone = Failure::new(Cause::ProcessGone, "process 31151 (unbound) has ended");
    engine.handle(Moment::START, Event::SuddenFailure(id(0), gone));
    assert_eq!(engine.services()[0].explain(), "process 31151 (unbound) has ended");
    assert_eq!(fails(&mut engine, 2, Cause::ListenerMissing), "process 31151 (unbound) has ended");
    // An unknown outcome does not hide what was found before.
    assert_eq!(fails(&mut engine, 0, Cause::ProcessUnknown), "process 31151 (unbound) has ended");
}

#[test]
fn a_check_that_fails_explains_more_than_one_that_passes_again() {
    let mut engine = up();
    fails(&mut engine, 0, Cause::ProcessGone);
    fails(&mut engine, 1, Cause::PortClosed);
    fails(&mut engine, 2, Cause::Timeout);
    passes(&mut engine, 0);
    assert_eq!(engine.services()[0].explain(), "check answers: port-closed");
    passes(&mut engine, 1);
    assert_eq!(engine.services()[0].explain(), "check sockets: timeout");
    passes(&mut engine, 2);
    assert!(engine.services()[0].explain().ends_with("passes again, but not yet 2 times in a row"));
}

/// After a hang the kernel has dropped queries, which is only observed.
#[test]
fn a_milder_failure_is_not_the_reason_of_a_worse_verdict() {
    let mut engine = up();
    fails(&mut engine, 1, Cause::Timeout);
    assert_eq!(fails(&mut engine, 2, Cause::NotReading), "check sockets: not-reading");
    assert_eq!(fails(&mut engine, 2, Cause::Overload), "check answers: timeout", "it fails as before");
    assert_eq!(
        fails(&mut engine, 1, Cause::Overload),
        "check sockets fails milder now, but not yet 2 times in a row: overload"
    );
    let (service, now) = (&engine.services()[0], Moment::START);
    let next = service.next(now, &engine.until(service, now)).unwrap().text(|_| "soon".to_owned());
    assert!(next.contains("answers: 1 of 2 milder results"), "{next}");
    fails(&mut engine, 1, Cause::Overload);
    assert_eq!(
        fails(&mut engine, 2, Cause::Overload),
        "required checks pass (answers: down by overload, ignored; sockets: down by overload, ignored)"
    );
}
