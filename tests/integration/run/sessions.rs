//! BGP sessions in the status, from events of ExaBGP in text (up to 5) and JSON (6).

use std::time::SystemTime;

use dnsherald::status::{BgpSession, SessionState};

use crate::support::helper::{ANNOUNCE, Pop, ideal};

/// The sessions of the status, once there are this many.
fn sessions(pop: &Pop, number: usize) -> Vec<BgpSession> {
    pop.comes_to_be(|status| status.exabgp.bgp_sessions.len() == number);
    pop.status().exabgp.bgp_sessions
}

#[test]
fn the_state_of_each_session_and_its_beginning_are_shown() {
    let pop = Pop::new();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    assert_eq!(pop.status().exabgp.bgp_sessions, []);
    assert!(
        pop.told(&["status"])
            .contains("BGP sessions            not known (no neighbor-changes from ExaBGP yet)")
    );

    let before = SystemTime::now();
    helper.receives("neighbor 10.0.0.1 connected");
    assert_eq!(sessions(&pop, 1)[0].state, SessionState::Down);
    helper.receives("neighbor 10.0.0.1 up");
    helper.comes_to_say(ANNOUNCE);
    helper.receives(
        r#"{ "exabgp": "6.0.0", "type": "state", "neighbor": { "address": { "local": "10.0.0.2", "peer": "2001:db8::1" }, "state": "down", "reason": "notification sent (6,3)" } }"#,
    );
    let sessions = sessions(&pop, 2);
    assert_eq!((sessions[0].neighbor.as_str(), sessions[0].state), ("10.0.0.1", SessionState::Up));
    assert_eq!((sessions[1].neighbor.as_str(), sessions[1].state), ("2001:db8::1", SessionState::Down));
    assert_eq!(sessions[1].reason.as_deref(), Some("notification sent (6,3)"));
    for session in sessions {
        // A clock may be stepped meanwhile by a little.
        let since = session.since.unwrap().system();
        assert!(
            since <= SystemTime::now() && since + std::time::Duration::from_secs(2) > before,
            "{since:?}"
        );
    }
    let table = pop.told(&["status"]);
    assert!(table.contains("  BGP 10.0.0.1            up since "), "{table}");
    assert!(table.contains("  BGP 2001:db8::1         DOWN since "), "{table}");
}

/// ExaBGP acknowledges commands without a router.
#[test]
fn a_drain_that_no_router_learns_of_says_so() {
    let pop = Pop::new();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    helper.receives("neighbor 10.0.0.1 connected");
    assert_eq!(sessions(&pop, 1)[0].state, SessionState::Down);
    let output = pop.command(&["drain", "--for", "1h", "--reason", "new disk"]);
    let said = String::from_utf8(output.stderr).unwrap();
    let note = "every BGP session that ExaBGP has reported is down (10.0.0.1): these routers do not learn of this change";
    assert!(output.status.success() && said.contains(note), "{said}");
}
