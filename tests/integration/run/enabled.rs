//! Services that are not enabled, and a configuration file that is its own disable-file.

use std::fs;

use dnsherald::engine::service::ServiceState;

use dnsherald::responder::Fault;

use crate::support::helper::{ANNOUNCE, Plan, Pop, WITHDRAW, ideal};

const OFF: &str = "enabled = false";

/// The same configuration with the service enabled, or not.
fn becomes(pop: &Pop, enabled: bool) {
    pop.is_configured(&pop.configuration().replace(OFF, &format!("enabled = {enabled}")));
}

#[test]
fn withdraws_a_disabled_service_until_a_reload_enables_it() {
    let pop = Pop::with(Plan { service: OFF, ..Plan::default() });
    becomes(&pop, true);
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.remembers("\"acknowledged\": \"up\"");
    helper.dies_suddenly();
    becomes(&pop, false);
    let asked = pop.server.queries();
    let mut successor = pop.helper(ideal("5.0.15"));
    successor.opens();
    successor.says(WITHDRAW);
    successor.logs("no service is enabled");
    let status = pop.status();
    let service = &status.services[0];
    assert_eq!((service.enabled, service.state), (false, ServiceState::Drained));
    let shown = pop.told(&["status"]);
    assert!(shown.contains("resolver: not enabled since "), "{shown}");
    // A drain is accepted and moves no route.
    pop.told(&["drain", "--as", "unbound.service", "--wait"]);
    pop.told(&["undrain", "--as", "unbound.service", "--once-healthy"]);
    pop.comes_to_be(|status| status.services[0].drains.is_empty());
    let held = pop.command(&["hold", "resolver", "--for", "1h", "--reason", "test"]);
    let said = String::from_utf8(held.stderr).unwrap();
    let expected = "the hold of resolver has no effect while it has `enabled = false`; it stays, and then announces the service, \
                    whatever its checks say; to end it: dnsherald unhold resolver --as operator\n";
    assert!(held.status.code() == Some(1) && said.contains(expected), "{said}");
    successor
        .logs("; it stays withdrawn, since no hold overrides this: `enabled = false` in the configuration");
    pop.told(&["unhold", "resolver"]);
    assert_eq!(pop.server.queries(), asked, "it is not probed");
    becomes(&pop, true);
    pop.told(&["reload"]);
    successor.says(ANNOUNCE);
    becomes(&pop, false);
    pop.told(&["reload"]);
    successor.says(WITHDRAW);
    // The hold that had no effect is kept.
    assert_eq!(pop.command(&["hold", "resolver", "--for", "1h", "--reason", "test"]).status.code(), Some(1));
    pop.server.becomes(Fault::Refuse);
    becomes(&pop, true);
    pop.told(&["reload"]);
    successor.says(ANNOUNCE);
}

#[test]
fn shows_disabled_services() {
    let pop = Pop::with(Plan { service: OFF, ..Plan::default() });
    let shown = pop.told(&["check-config"]);
    assert!(shown.contains("service resolver\n  not enabled: "), "{shown}");
    assert!(pop.told(&["check"]).contains("service resolver (not enabled): up"));
    pop.is_configured(&pop.configuration().replace("rise = 2", "rise = 0"));
    assert_eq!(pop.command(&["check-config"]).status.code(), Some(78));
}

#[test]
fn a_missing_configuration_file_keeps_its_drain() {
    let pop = Pop::with(Plan { service: "disable-file = \"FOLDER/dnsherald.toml\"", ..Plan::default() });
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(WITHDRAW);
    fs::remove_file(pop.configuration_file()).unwrap();
    helper.logs("is a configuration file and has disappeared");
    pop.server.is_asked_again(5);
    helper.has_said_no_more();
    pop.is_configured(&pop.configuration().replace("disable-file", "# disable-file"));
    pop.told(&["reload"]);
    helper.says(ANNOUNCE);
}
