//! How long a failed `backend restart` waits, and what it says of the drain that it leaves.

use super::*;

#[track_caller]
fn last_line(site: &Site, options: &[&str]) -> String {
    let output = site.run(options);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    said.lines().last().unwrap().to_owned()
}

#[test]
fn the_drain_of_a_failure_ends_by_itself_if_the_helper_is_gone() {
    let site = Site::new("");
    site.restarts_by(&format!("kill -s KILL {}; exit 1", site.pop.status().pid));
    let said = last_line(&site, &[]);
    assert!(said.contains("the helper could not be told: the drain ends by itself within "), "{said}");
}

#[test]
fn the_drain_of_an_unattended_failure_ends_once_the_checks_pass() {
    let site = Site::new("exit 1");
    let said = last_line(&site, &["--unattended"]);
    assert!(said.contains("no recovery; drained until the checks pass: resolver. See: "), "{said}");
    site.pop.comes_to_be(|status| status.services[0].is_serving());
}

/// A check that becomes unknown and has no verdict after the restart delays the return by `unknown-after`, which is longer than what its rounds need.
#[test]
fn a_restart_waits_for_unknown_checks() {
    let service = "backend = \"srv\"\nunknown-after = \"8s\"\n[[service.check]]\nname = \"odd\"\n\
                   command = [\"/bin/sh\", \"-c\", \"[ ! -e FOLDER/odd ] || exit 3\"]\nplugin = true\ninterval = \"1s\"\ntimeout = \"1s\"";
    let mut site = Site::with("stops; starts", service);
    fs::write(site.pop.file("odd"), "").unwrap();
    let output = site.run(&[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    site.helper.says(WITHDRAW);
    site.helper.says(ANNOUNCE);
}
