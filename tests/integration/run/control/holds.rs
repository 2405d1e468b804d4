//! Holds against the checks.

use super::*;

#[test]
fn a_hold_announces_against_the_checks_until_its_end_over_a_restart() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    let refused = pop.command(&["hold", "resolver", "--for", "25h", "--reason", "check is wrong"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("at most 1d") || stderr(&refused).contains("at most 24h"),
        "{refused:?}"
    );
    assert_eq!(pop.command(&["unhold"]).status.code(), Some(1));
    assert_eq!(pop.told(&["unhold", "--quiet-if-none"]), "");
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
    let held = pop.told(&["hold", "resolver", "--for", "1h", "--reason", "check is wrong", "--wait"]);
    assert!(
        held.starts_with("holding resolver announced for 1h\nannounced resolver, acknowledged"),
        "{held}"
    );
    helper.says(ANNOUNCE);
    helper.logs("held announced against its checks by operator (uid ");
    let status = pop.status();
    let service = &status.services[0];
    assert_eq!((service.state, service.without_hold), (ServiceState::Up, Some(ServiceState::Down)));
    assert_eq!(
        (service.holds[0].holder.as_str(), service.holds[0].reason.as_str()),
        ("operator", "check is wrong")
    );
    let table = pop.told(&["status"]);
    assert!(table.contains("resolver: up since") && table.contains("held announced"), "{table}");
    let alert = pop.command(&["status", "--plugin"]);
    assert_eq!(alert.status.code(), Some(1));
    assert!(
        stdout(&alert)
            .starts_with("DNSHERALD WARNING - resolver up: operator holds it announced: check is wrong"),
        "{alert:?}"
    );
    pop.remembers("check is wrong");
    helper.dies_suddenly();
    let shown = pop.told(&["check-config"]);
    assert!(
        shown.starts_with("now: resolver would be announced, independent of its checks: operator holds it announced: check is wrong\n"),
        "{shown}"
    );
    let mut successor = pop.helper(ideal("5.0.15"));
    successor.opens();
    successor.says(ANNOUNCE);
    let drained = pop.told(&["drain", "--for", "1h", "--wait"]);
    assert!(drained.starts_with("drained resolver for 1h"), "{drained}");
    assert!(!drained.contains("announced"), "the hold ends first: {drained}");
    let drained = pop.told(&["drain", "--for", "5m"]);
    let held = "operator holds resolver announced: check is wrong; while that lasts, it returns at once when it is no longer \
                drained, whatever its checks say; to end that: dnsherald unhold resolver --as operator\n";
    assert!(drained.ends_with(held), "{drained}");
    successor.says(WITHDRAW);
    let all_the_same = pop.told(&["hold", "resolver", "--for", "1h", "--reason", "check is wrong"]);
    assert!(all_the_same.contains("resolver is still drained: "), "{all_the_same}");
    let alert = stdout(&pop.command(&["status", "--plugin"]));
    assert!(alert.contains(" more, then held announced by operator: "), "{alert}");
    let undrained = pop.told(&["undrain"]);
    let held = "undrained resolver\noperator holds resolver announced: check is wrong; it returns at once, whatever its checks \
                say; to end that: dnsherald unhold resolver --as operator\n";
    assert_eq!(undrained, held);
    successor.says(ANNOUNCE);
    pop.comes_to_be(|status| status.services[0].without_hold == Some(ServiceState::Down));
    pop.told(&["hold", "resolver", "--for", "1h", "--reason", "test", "--as", "bob"]);
    let still = "resolver is still held by operator: check is wrong; to end that: dnsherald unhold resolver --as operator\n";
    assert_eq!(pop.told(&["unhold", "--as", "bob"]), format!("no longer held by bob: resolver\n{still}"));
    let nothing = pop.command(&["unhold", "--as", "bob"]);
    assert_eq!((nothing.status.code(), stdout(&nothing)), (Some(1), still.to_owned()));
    let unheld = pop.told(&["unhold", "resolver"]);
    assert!(
        unheld.starts_with(
            "no longer held: resolver; the checks decide\n\
             resolver is withdrawn now (192.0.2.53/32) until its checks pass: check "
        ),
        "{unheld}"
    );
    assert!(unheld.contains("answered REFUSED"), "{unheld}");
    successor.says(WITHDRAW);
    // A drain overrides a hold, so that the end of this one withdraws nothing.
    pop.told(&["drain", "resolver", "--for", "1h", "--wait"]);
    pop.told(&["hold", "resolver", "--for", "1h", "--reason", "check is wrong"]);
    let unheld = pop.told(&["unhold", "resolver"]);
    assert!(unheld.contains("\nresolver is still drained: ") && !unheld.contains("now"), "{unheld}");
}
