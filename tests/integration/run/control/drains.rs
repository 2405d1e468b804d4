//! Drains: their begin, their end, and who holds them.

use super::*;

#[test]
fn a_drain_withdraws_and_its_end_announces() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    let said = pop.told(&["drain", "resolver", "--for", "1h", "--reason", "new disk", "--wait"]);
    assert!(said.starts_with("drained resolver for 1h, acknowledged within "), "{said}");
    helper.says(WITHDRAW);
    let status = pop.status();
    let drain = &status.services[0].drains[0];
    assert_eq!((drain.holder.as_str(), drain.reason.as_str()), ("operator", "new disk"));
    assert!(drain.expires_in_seconds.is_some_and(|left| (3500.0..=3600.0).contains(&left)));
    let table = pop.told(&["status"]);
    assert!(table.contains("by operator (uid ") && table.contains(", until "), "{table}");
    let still = pop.command(&["undrain", "--as", "another"]);
    assert_eq!(still.status.code(), Some(1));
    assert_eq!(
        stdout(&still),
        "resolver is still drained: operator drains it: new disk; to end that: dnsherald undrain resolver --as operator\n"
    );
    assert_eq!(stderr(&still), "dnsherald: nothing to undrain: no drain of any service held by another\n");
    let refused = pop.command(&["drain", "--for", "0s"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(stderr(&refused).contains("a drain of no time would end before it withdraws"), "{refused:?}");
    assert_eq!(pop.told(&["undrain"]), "undrained resolver\n");
    helper.says(ANNOUNCE);
}

#[test]
fn undrain_reports_when_there_is_no_drain() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    let nothing = pop.command(&["undrain", "resolver"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert_eq!(stderr(&nothing), "dnsherald: nothing to undrain: no drain of resolver\n");
    assert_eq!(pop.told(&["undrain", "--quiet-if-none"]), "");
    assert_eq!(pop.command(&["undrain", "--once-healthy"]).status.code(), Some(1));
    pop.told(&["drain", "--wait"]);
    helper.says(WITHDRAW);
    let announced = pop.told(&["undrain", "--wait"]);
    assert!(
        announced.starts_with("undrained resolver\nannounced resolver, acknowledged within "),
        "{announced}"
    );
    assert!(pop.status().services[0].settled() && pop.status().services[0].is_serving());
    helper.says(ANNOUNCE);
    // Idempotent for scripts.
    let again = pop.command(&["undrain", "--wait", "--quiet-if-none"]);
    assert_eq!(
        (again.status.code(), stdout(&again), stderr(&again)),
        (Some(0), String::new(), String::new())
    );
    pop.told(&["drain", "--as", "other", "--reason", "new disk"]);
    let beside = pop.told(&["drain"]);
    assert!(
        beside.contains(
            "resolver is also drained by other: new disk; to end that: dnsherald undrain --as other\n"
        ),
        "{beside}"
    );
    let held = pop.command(&["undrain", "--as", "operator", "--wait"]);
    assert_eq!(held.status.code(), Some(1));
    let why =
        "resolver is still drained: other drains it: new disk; to end that: dnsherald undrain --as other";
    assert!(stderr(&held).contains(why), "{held:?}");
}

#[test]
fn undrain_says_why_the_route_stays_withdrawn() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    pop.told(&["drain", "resolver", "--wait"]);
    helper.says(WITHDRAW);
    pop.server.becomes(Fault::Refuse);
    pop.comes_to_be(|status| status.services[0].checks.iter().any(|check| check.state == "down"));
    let undrained = pop.told(&["undrain", "resolver"]);
    let expected = "undrained resolver\nresolver stays withdrawn until its checks pass: ";
    assert!(undrained.starts_with(expected) && undrained.contains("answered REFUSED"), "{undrained}");
}

#[test]
fn the_end_of_a_drain_of_all_is_named_for_all() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    pop.told(&["drain", "--reason", "new disk", "--wait"]);
    helper.says(WITHDRAW);
    helper.logs("until `dnsherald undrain --as operator` (it ends the drain of all services)");
    let remedy = "dnsherald undrain --as operator";
    assert!(pop.told(&["status"]).matches(remedy).count() == 2, "{}", pop.told(&["status"]));
    assert!(pop.told(&["explain"]).contains(&format!("to end it: `{remedy}`")));
    pop.told(&["undrain", "--as", "operator", "--wait"]);
    helper.says(ANNOUNCE);
    pop.told(&["drain", "resolver", "--reason", "new disk", "--wait"]);
    helper.logs("until `dnsherald undrain resolver`");
}

#[test]
fn a_drain_without_end_and_reason_gives_a_hint() {
    let pop = Pop::new();
    let _helper = pop.settled();
    let drained = pop.command(&["drain", "resolver"]);
    assert!(drained.status.success());
    let hint = "to give it both: dnsherald drain resolver --for 2h --reason TEXT\n";
    assert!(stderr(&drained).ends_with(hint), "{drained:?}");
    // With the same holder, so that it replaces this drain.
    let of_maint = pop.command(&["drain", "--as", "maint"]);
    let hint = "to give it both: dnsherald drain --as maint --for 2h --reason TEXT\n";
    assert!(stderr(&of_maint).ends_with(hint), "{of_maint:?}");
    for words in
        [&["drain", "--for", "1h"][..], &["drain", "--reason", "new disk"], &["drain", "--until-exit"]]
    {
        assert_eq!(stderr(&pop.command(words)), "", "{words:?}");
    }
}

#[test]
fn a_drain_survives_the_helper_and_expires_by_itself() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    pop.told(&["drain", "--reason", "new disk", "--wait"]);
    helper.says(WITHDRAW);
    pop.remembers("new disk");
    helper.dies_suddenly();
    let mut successor = pop.helper(ideal("5.0.15"));
    successor.opens();
    successor.says(WITHDRAW);
    pop.comes_to_be(|status| status.services[0].state == ServiceState::Drained);
    pop.told(&["drain", "--for", "50ms"]);
    successor.says(ANNOUNCE);
    successor.logs("the drain by operator has expired");
}

#[test]
fn a_drain_of_all_includes_added_services() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    pop.told(&["drain", "--reason", "new disk", "--wait"]);
    helper.says(WITHDRAW);
    let other = "[[service]]\nname = \"other\"\nprefixes = [\"198.18.9.9/32\"]\naddress = false\n[[service.check]]\nname = \"answers\"\n\
                 dns = { query = \"localhost. A\" }\n";
    pop.is_configured(&format!("{}{other}", pop.configuration()));
    pop.told(&["reload"]);
    let all_are_drained =
        |status: &Document| status.services.iter().all(|service| service.state == ServiceState::Drained);
    pop.comes_to_be(|status| status.services.len() == 2 && all_are_drained(status));
    pop.remembers("(all services)");
    helper.dies_suddenly();
    pop.is_configured(&format!("{}{other}", pop.configuration().replace("resolver", "nameserver")));
    let _successor = pop.helper(ideal("5.0.15"));
    pop.comes_to_be(|status| status.services[0].name == "nameserver" && all_are_drained(status));
    let table = pop.told(&["status"]);
    assert!(table.contains("all services, those added later included, drained by operator"), "{table}");
    // Nothing answers the check of the other: once that is known, a second line says it.
    assert_eq!(pop.told(&["undrain"]).lines().next(), Some("undrained nameserver, other"));
    pop.comes_to_be(|status| status.drains_of_all.is_empty() && status.services[0].state == ServiceState::Up);
}

#[test]
fn a_drain_until_exit_ends_with_the_helper() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    let said = pop.told(&["drain", "--as", "exabgp.service", "--until-exit", "--wait"]);
    assert!(said.starts_with("drained resolver until the helper exits, acknowledged within "), "{said}");
    helper.says(WITHDRAW);
    let both = pop.told(&["drain", "--as", "unbound.service", "--until-exit", "--for", "1h"]);
    assert_eq!(
        both,
        "draining resolver for 1h or until the helper exits\nresolver is also drained by exabgp.service: no reason \
         given; to end that: dnsherald undrain --as exabgp.service\n"
    );
    // A reload does not end it.
    pop.is_configured(&pop.configuration().replace("med = 100", "med = 200"));
    pop.told(&["reload"]);
    pop.comes_to_be(|status| status.services[0].state == ServiceState::Drained);
    pop.remembers("exabgp.service");
    helper.dies_suddenly();
    let mut successor = pop.helper(ideal("5.0.15"));
    successor.opens();
    successor.says(ANNOUNCE.replace("100", "200"));
    assert!(pop.status().services[0].drains.is_empty());
}

#[test]
fn once_healthy_ends_a_drain_after_new_passes() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    pop.told(&["drain", "--as", "unbound.service", "--wait"]);
    helper.says(WITHDRAW);
    pop.server.becomes(Fault::Closed);
    pop.told(&["undrain", "--as", "unbound.service", "--once-healthy"]);
    pop.comes_to_be(|status| status.services[0].checks[0].state == "down");
    assert!(pop.status().services[0].drains[0].returning);
    helper.has_said_no_more();
    pop.server.becomes(Fault::None);
    helper.says(ANNOUNCE);
}

/// The command must not promise a return that another holder prevents, nor ask for an undrain once the checks decide.
#[test]
fn once_healthy_names_the_drains_that_remain() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    let said = |words: &[&str]| String::from_utf8(pop.command(words).stdout).unwrap();
    pop.told(&["drain", "--as", "bob", "--for", "5m", "--reason", "new disk"]);
    helper.says(WITHDRAW);
    pop.server.becomes(Fault::Closed);
    pop.comes_to_be(|status| status.services[0].checks[0].state == "down");
    pop.told(&["drain", "--as", "alice"]);
    let both = said(&["undrain", "--as", "alice", "--once-healthy"]);
    assert!(
        both.contains(" returns once no check takes it down and its other drains have ended\n"),
        "{both}"
    );
    assert!(both.contains(" is also drained by bob: new disk; to end that: dnsherald undrain "), "{both}");
    let by_checks = said(&["undrain", "--as", "bob"]);
    assert!(by_checks.contains("; it returns once its checks pass\n"), "{by_checks}");
    let alone = said(&["undrain", "--as", "alice", "--once-healthy"]);
    assert!(alone.ends_with(" returns once no check takes it down\n"), "{alone}");
    pop.server.becomes(Fault::None);
    helper.says(ANNOUNCE);
}

#[test]
fn a_drain_is_stored_before_it_is_confirmed() {
    let pop = Pop::new();
    let _helper = pop.settled();
    pop.told(&["drain", "--reason", "new disk"]);
    assert!(fs::read_to_string(pop.state_file()).unwrap().contains("new disk"));
    pop.told(&["undrain"]);
    assert!(!fs::read_to_string(pop.state_file()).unwrap().contains("new disk"));
}

#[test]
fn reports_a_drain_that_cannot_be_stored() {
    let pop = Pop::with(Plan { state: "/dev/null/state", ..Plan::default() });
    let mut helper = pop.settled();
    let output = pop.command(&["drain"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("the state is not on disk yet"), "{said}");
    helper.says(WITHDRAW);
    helper.logs("drains, holds and penalties will not survive a restart");
}

#[test]
fn drain_wait_reports_a_drain_that_ends() {
    let pop = Pop::new();
    let _helper = pop.settled();
    let output = pop.command(&["drain", "--for", "1us", "--wait"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("resolver is no longer drained"), "{said}");
}

#[test]
fn limits_the_number_of_holders() {
    let pop = Pop::new();
    let _helper = pop.settled();
    let client = Client::new(&pop.file("control"));
    let drain = |holder: usize| {
        let holder = format!("holder-{holder}").parse().unwrap();
        let order = Order { holder, reason: String::new().into(), lasts: Lasts::UntilLifted, uid: None };
        client.ask(&Request::Drain { service: None, order })
    };
    let drained = (0..20).filter(|holder| drain(*holder).is_ok()).count();
    assert_eq!(drained, 16);
    assert!(drain(3).is_ok(), "whoever has one may give it another end");
    assert!(drain(17).unwrap_err().to_string().contains("` ends all of them"));
    pop.told(&["undrain"]);
    assert!(drain(17).is_ok());
}

/// Every user may read the status and so can keep its socket busy.
#[test]
fn drains_for_a_stopping_unit_without_a_status() {
    let pop = Pop::with(Plan { service: "backend = \"generic\"", ..Plan::default() });
    let backend = "\n[backend.generic]\nunit = \"ns@1.service\"\nsettle = \"0s\"\n";
    pop.is_configured(&format!("{}{backend}", pop.configuration()));
    let mut helper = pop.settled();
    fs::remove_file(status_socket(&pop.file("control"))).unwrap();
    let stopping = |unit: &str| {
        let mut command = Command::new(binary());
        command.args(["backend", "stopping", unit, "-c"]).arg(pop.configuration_file());
        let output = command.env("MAINPID", "1").output().unwrap();
        assert!(output.status.success(), "whatever happens, the unit stops");
        String::from_utf8(output.stderr).unwrap()
    };
    let said = stopping("other");
    assert!(said.contains("no service has a backend with the unit other.service"), "{said}");
    helper.has_said_no_more();
    // The helper does not know a service that was not reloaded; the others are drained.
    let new = "\n[[service]]\nname = \"new\"\nprefixes = [\"198.18.9.9/32\"]\naddress = false\nbackend = \"generic\"\n";
    pop.is_configured(&format!("{}{new}{backend}", pop.configuration()).replacen(
        "name = \"resolver\"",
        "name = \"newer\"\nprefixes = [\"198.18.9.8/32\"]\naddress = false\nbackend = \"generic\"\n[[service]]\nname = \"resolver\"",
        1,
    ));
    let said = stopping("ns@1");
    helper.says(WITHDRAW);
    for name in ["newer", "new"] {
        assert!(said.contains(&format!("no service `{name}`, expected one of resolver")), "{said}");
    }
}

/// A request that the command reported as failed must not take effect later.
#[test]
fn a_drain_that_failed_has_no_later_effect() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    let pid = pop.status().pid;
    helper.is_sent("STOP");
    let output = pop.command(&["drain"]);
    let said = String::from_utf8(output.stderr).unwrap();
    helper.is_sent("CONT");
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains(&format!("the helper (pid {pid}) behind ")) && said.contains("does not respond"),
        "{said}"
    );
    // A request sent now has an expiry and waits behind the first.
    pop.told(&["drain", "--as", "another"]);
    helper.comes_to_say(WITHDRAW);
    let holders: Vec<_> = pop.status().services[0].drains.iter().map(|drain| drain.holder.clone()).collect();
    assert_eq!(holders, ["another"]);
}
