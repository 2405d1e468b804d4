//! How long a failed `backend restart` waits, and what it says of the drain that it leaves.

use super::*;
use crate::support::zones::serves_zones;

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

/// The checks need not see what has failed. A drain that ends so already needs no second note.
#[test]
fn undrain_once_healthy_says_why_the_restart_left_the_drain() {
    let mut site = Site::new("exit 1");
    site.is_left_drained(&[], "exited with status 1");
    site.pop.server.becomes(Fault::Refuse);
    let [(false, reason)] = &site.drains_of("resolver")[..] else { panic!("{:?}", site.pop.status()) };
    let noted = |options: &[&str]| {
        let undrain = site.pop.command(&[&["undrain", "--once-healthy"], options].concat());
        String::from_utf8(undrain.stderr).unwrap()
    };
    assert_eq!(
        noted(&["--as", "bob"]),
        "dnsherald: nothing to undrain: no drain of any service held by bob\n"
    );
    let note = format!(
        "dnsherald: note: backend/srv drained resolver because `{reason}`; the checks need not see that\n"
    );
    assert_eq!(noted(&[]), note);
    assert_eq!(noted(&[]), "");
}

/// A zone that only the server lists.
#[test]
fn a_lost_zone_names_the_option_that_excuses_it() {
    let name = "run::restart::left::a_lost_zone_names_the_option_that_excuses_it";
    in_namespace(name, "true", || {
        let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
        let mut site = Site::new("stops; starts; touch lost");
        let lost = site.pop.file("lost");
        thread::spawn(move || serves_zones(&socket, |_| (!lost.exists()).then_some(7)));
        site.has_a_backend_with("zone-list = [\"echo\", \"example.org\"]");
        let remedy = "FAILED: zone example.org. at 127.0.0.1:53: serial none, before 7, answered No Error without a SOA; \
                      name a zone that was removed on purpose with --removed ZONE";
        site.is_left_drained(&[], remedy);
        fs::remove_file(site.pop.file("lost")).unwrap();
        assert_eq!(site.run(&["--removed", "example.org"]).status.code(), Some(0));
    });
}
