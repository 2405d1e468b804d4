//! A stopped and continued helper (SIGSTOP or a paused virtual machine) knows nothing about the server meanwhile.

use std::thread::sleep;
use std::time::Duration;

use dnsherald::responder::Fault;

use crate::support::helper::{ANNOUNCE, Plan, Pop, ideal};

/// One failure withdraws. The probe in flight while the helper is stopped is never answered.
#[test]
fn a_stopped_and_continued_helper_moves_no_route() {
    let pop = Pop::with(Plan { check: "interval = \"3s\"\ntimeout = \"3s\"\nfall = 1", ..Plan::default() });
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.server.becomes(Fault::Silent);
    pop.server.is_asked_again(1);
    helper.is_sent("STOP");
    sleep(Duration::from_secs(8));
    helper.is_sent("CONT");
    helper.logs("but this process did not run for");
    helper.logs("s (stopped, or the machine paused): the outcomes of that time are discarded");
    assert!(pop.told(&["history"]).contains("(stopped, or the machine paused)"));
    pop.server.becomes(Fault::None);
    pop.server.is_asked_again(1);
    helper.has_said_no_more();
}
