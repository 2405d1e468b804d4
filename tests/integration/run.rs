//! Tests `dnsherald run` over real pipes; the test acts as ExaBGP. Scenarios cover the API session in virtual time;
//! these tests cover the program.

use std::fs;

use dnsherald::engine::service::ServiceState;
use dnsherald::responder::Fault;

use crate::support::helper::{ANNOUNCE, Plan, Pop, WITHDRAW, ideal};

mod acks;
mod address;
mod asleep;
mod callers;
mod configuration;
mod control;
mod edges;
mod enabled;
mod healing;
mod input;
mod killed;
mod last_good;
mod log;
mod lost;
mod memory;
mod metrics;
mod output;
mod process;
mod prometheus;
mod recording;
mod restart;
mod rollback;
mod root;
mod sessions;
mod shortage;
mod sockets;
mod watchdog;
mod watched;
mod watching;

#[test]
fn uses_the_dialect_of_the_version() {
    let pop = Pop::new();
    for (version, selector) in [("4.2.21", ""), ("5.0.15", "neighbor * "), ("6.0.0-4460078e", "peer * ")] {
        let asked = pop.server.queries();
        let mut helper = pop.helper(ideal(version));
        helper.opens();
        helper.says(ANNOUNCE.replace("neighbor * ", selector));
        assert!(pop.server.queries() >= asked + 2, "rise is 2");
        helper.is_sent("TERM");
        helper.says(WITHDRAW.replace("neighbor * ", selector));
    }
}

#[test]
fn every_fault_withdraws_and_recovery_announces() {
    let pop = Pop::new();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    for fault in [Fault::Closed, Fault::Silent, Fault::Refuse] {
        pop.server.becomes(fault);
        helper.says(WITHDRAW);
        pop.server.becomes(Fault::None);
        helper.says(ANNOUNCE);
    }
}

/// What is not configured is not sent: no MED, and no withdraw either.
#[test]
fn a_degraded_service_without_attributes_of_its_own_keeps_its_route() {
    let pop = Pop::with(Plan { check: "on-fail = \"degraded\"", ..Plan::default() });
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.server.becomes(Fault::Refuse);
    pop.comes_to_be(|status| status.services[0].state == ServiceState::Degraded);
    helper.logs("up -> degraded");
    pop.server.becomes(Fault::None);
    pop.comes_to_be(|status| status.services[0].state == ServiceState::Up);
    helper.has_said_no_more();
}

#[test]
fn withdraws_a_server_that_is_dead_at_start() {
    let pop = Pop::new();
    pop.server.becomes(Fault::Closed);
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(WITHDRAW);
}

#[test]
fn a_disable_file_drains_when_it_appears() {
    let pop = Pop::with(Plan { service: "disable-file = \"FOLDER/off\"", ..Plan::default() });
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    fs::write(pop.file("off"), "").unwrap();
    helper.says(WITHDRAW);
    helper.logs("up -> drained");
}

#[test]
fn announces_when_the_disable_file_is_removed() {
    let pop = Pop::with(Plan { service: "disable-file = \"FOLDER/off\"", ..Plan::default() });
    fs::write(pop.file("off"), "").unwrap();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(WITHDRAW);
    pop.server.is_asked_again(5);
    helper.has_said_no_more();
    fs::remove_file(pop.file("off")).unwrap();
    helper.says(ANNOUNCE);
}
