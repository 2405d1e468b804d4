//! Drains that an operator ends while `backend restart` runs, and those of an earlier one.

use super::*;

/// The service is announced again while the server would be restarted.
#[test]
fn a_drain_lifted_before_the_restart_leaves_the_server_untouched() {
    let mut site = Site::new("touch restarted; stops; starts");
    site.meets_in_quiet(&site.asks("undrain"));
    let output = site.run(&[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("resolver is no longer drained"), "{said}");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(!site.pop.file("restarted").exists());
    site.helper.says(WITHDRAW);
    site.helper.says(ANNOUNCE);
    assert_eq!(site.pop.status().services[0].drains, []);
}

/// The drain of the restart is gone, and the checks of the new server fail: this is no recovery.
#[test]
fn a_drain_lifted_during_a_restart_that_fails_is_a_failure() {
    let mut site = Site::new("");
    site.restarts_by(&format!("stops; starts; waits; {} >&2", site.asks("undrain")));
    let refusing = site.refuses_during_the_restart();
    let said = site.is_left_drained(&[], "answered REFUSED, expected NOERROR");
    assert!(said.contains("no recovery within"), "{said}");
    refusing.join().unwrap();
}

/// A restart that ends in the wait for a quiet server, after one that has failed.
fn interrupted(site: &Site) {
    site.meets_in_quiet("kill -s INT $PPID");
    let output = site.run(&[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("quiet") && said.contains("interrupted"), "{said}");
    assert_eq!(output.status.code(), Some(1), "{said}");
}

#[test]
fn an_interrupted_restart_restores_the_drain_of_an_earlier_failure() {
    let mut site = Site::new("exit 1");
    site.is_left_drained(&[], "exited with status 1");
    let left = site.drains_of("resolver");
    interrupted(&site);
    assert_eq!(site.drains_of("resolver"), left);
    // The operator has let it return meanwhile.
    site.pop.server.becomes(Fault::Refuse);
    site.pop.told(&["undrain", "--as", "backend/srv", "--once-healthy"]);
    fs::remove_file(site.pop.file("counted")).unwrap();
    assert_eq!(site.run(&[]).status.code(), Some(1));
    let [(true, reason)] = &site.drains_of("resolver")[..] else { panic!("{:?}", site.pop.status()) };
    assert_eq!(*reason, left[0].1);
}

#[test]
fn an_interrupted_restart_does_not_drain_a_service_that_was_announced() {
    let site = Site::new("exit 1");
    site.has_another_service();
    assert_eq!(site.run(&[]).status.code(), Some(3));
    site.pop.told(&["undrain", "other"]);
    interrupted(&site);
    assert_eq!(site.drains_of("other"), []);
    assert!(matches!(site.drains_of("resolver")[..], [(false, _)]));
}

#[test]
fn a_left_drain_that_an_operator_ends_during_a_restart_stays_ended() {
    let mut site = Site::new("exit 1");
    site.is_left_drained(&[], "exited with status 1");
    site.meets_in_quiet(&site.asks("undrain"));
    let output = site.run(&[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(site.drains_of("resolver"), []);
    site.helper.says(ANNOUNCE);
}

#[test]
fn a_service_that_the_file_no_longer_names_refuses_the_restart() {
    let site = Site::new("touch restarted; stops; starts");
    let before = fs::read_to_string(site.pop.configuration_file()).unwrap();
    site.has_another_service();
    site.pop.is_configured(&before);
    let output = site.run(&[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("the helper also announces other for srv"), "{said}");
    assert!(said.contains("run `dnsherald reload` first"), "{said}");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(!site.pop.file("restarted").exists());
    assert_eq!(site.drains_of("resolver"), []);
}
