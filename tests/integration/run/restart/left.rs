//! How long a failed `backend restart` waits, and what it says of the drain that it leaves.

use super::*;
use crate::support::zones::serves_zones_unless_silent;

impl Site {
    /// The server lists a zone, and serves it unless the file `lost` exists. Only in a namespace of its own.
    pub(super) fn with_a_listed_zone(restart: &str) -> Self {
        let site = Self::new(restart);
        site.lists_zones("example.org");
        site
    }

    /// The server lists these zones, and serves all but those in the file `lost`; without a name there it serves none. While
    /// the file `hung` exists, it does neither. The serial is 7, or 5 while the file `older` exists.
    pub(super) fn lists_zones(&self, zones: &str) {
        let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
        let [list, lost, hung, older] = ["list", "lost", "hung", "older"].map(|name| self.pop.file(name));
        let lists = format!("[ ! -e {} ] && cat {}", hung.display(), list.display());
        fs::write(&list, zones).unwrap();
        let is_lost = move |zone: &str| {
            let is_it = |lost: String| lost.is_empty() || lost.split_whitespace().any(|name| name == zone);
            fs::read_to_string(&lost).is_ok_and(is_it)
        };
        let serial = move |zone: &str| (!is_lost(zone)).then(|| if older.exists() { 5 } else { 7 });
        thread::spawn(move || serves_zones_unless_silent(&socket, || hung.exists(), serial));
        self.has_a_backend_with(&format!("zone-list = [\"/bin/sh\", \"-c\", {lists:?}]"));
    }
}

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

/// The warning of a reload stands until what it names is repaired.
#[test]
fn a_zone_that_a_failed_reload_has_lost_must_be_served_after_a_restart() {
    let name = "run::restart::left::a_zone_that_a_failed_reload_has_lost_must_be_served_after_a_restart";
    in_namespace(name, "true", || {
        let mut site = Site::with_a_listed_zone("stops; starts");
        site.reloads_by("touch lost");
        assert_eq!(site.pop.command(&["backend", "reload"]).status.code(), Some(1));
        site.is_left_drained(
            &[],
            "zone example.org. is not served at 127.0.0.1:53, as after the failed operation before",
        );
        let restart = |exit: i32, words: &str| {
            let restart = site.run(&[]);
            let said = String::from_utf8_lossy(&restart.stdout);
            assert_eq!(restart.status.code(), Some(exit), "{said}");
            assert!(said.contains(words), "{said}");
        };
        restart(3, ", 0 zones, and 1 that an earlier operation has lost\n");
        site.restarts_by("stops; starts; rm lost");
        restart(0, "served again, after an earlier operation had lost it: example.org.\n");
        assert!(!site.pop.told(&["status"]).contains("WARNING"));
    });
}

/// The drain of the restart stays, and its reason names what the server has lost.
#[test]
fn a_reload_after_a_failed_restart_repairs_what_that_has_lost_or_fails() {
    let name = "run::restart::left::a_reload_after_a_failed_restart_repairs_what_that_has_lost_or_fails";
    in_namespace(name, "true", || {
        let mut site = Site::with_a_listed_zone("stops; starts; touch lost");
        site.is_left_drained(&[], "zone example.org. at 127.0.0.1:53: serial none, before 7");
        site.reloads_by("true");
        let reloads = || site.pop.command(&["backend", "reload"]);
        let lost = "zone example.org. is not served at 127.0.0.1:53, as after the failed operation before";
        for _ in 0..2 {
            let output = reloads();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.code() == Some(1) && said.contains(lost), "{said}");
        }
        fs::remove_file(site.pop.file("lost")).unwrap();
        assert_eq!(reloads().status.code(), Some(0));
    });
}

/// The restart is done, and dampening goes on as without it.
#[test]
fn a_restart_of_a_suppressed_service_names_the_command_that_returns_it() {
    let (service, dampening) = ("backend = \"srv\"", "mode = \"enforce\"\npenalty = 3000");
    let mut site = Site::with_plan("stops; starts", Plan { service, dampening, ..Plan::default() });
    site.pop.server.becomes(Fault::Refuse);
    site.helper.says(WITHDRAW);
    site.pop.server.becomes(Fault::None);
    site.pop.comes_to_be(|status| status.services[0].checks.iter().all(|check| check.state == "up"));
    let output = site.run(&[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("resolver stays withdrawn, suppressed for "), "{said}");
    assert!(said.contains(" more; to end it: dnsherald undampen resolver"), "{said}");
    site.helper.logs(
        "done, and every step verified; it is down: dampening keeps it withdrawn; to end that: dnsherald undampen resolver",
    );
    site.helper.has_said_no_more();
}

/// A zone that only the server lists.
#[test]
fn a_lost_zone_names_the_option_that_excuses_it() {
    let name = "run::restart::left::a_lost_zone_names_the_option_that_excuses_it";
    in_namespace(name, "true", || {
        let mut site = Site::with_a_listed_zone("stops; starts; touch lost");
        let remedy = "FAILED: zone example.org. at 127.0.0.1:53: serial none, before 7, answered No Error without a SOA; \
                      name a zone that was removed on purpose with --removed ZONE, once no service of dnsherald's file names it";
        site.is_left_drained(&[], remedy);
        // The server has lost the zone before a second restart, which is no reason to forget it.
        let again = site.run(&[]);
        let said = String::from_utf8_lossy(&again.stdout);
        assert_eq!(again.status.code(), Some(3), "{said}");
        assert!(said.contains(remedy), "{said}");
        assert_eq!(site.drains_of("resolver").len(), 1);
        assert_eq!(site.run(&["--removed", "example.org"]).status.code(), Some(0));
    });
}

/// The checks of the service need not see the zone that the attended restart has lost.
#[test]
fn an_unattended_restart_leaves_a_drain_that_waits_for_an_operator() {
    let name = "run::restart::left::an_unattended_restart_leaves_a_drain_that_waits_for_an_operator";
    in_namespace(name, "true", || {
        let site = Site::with_a_listed_zone("stops; starts; touch lost");
        site.has_another_service();
        assert_eq!(site.run(&[]).status.code(), Some(3));
        let left = site.drains_of("resolver");
        assert!(matches!(&left[..], [(false, reason)] if reason.contains("zone example.org.")), "{left:?}");
        site.pop.told(&["undrain", "other", "--wait"]);

        let last = last_line(&site, &["--unattended"]);
        assert!(last.contains("no recovery; drained until the checks pass: other. See: "), "{last}");
        site.pop.comes_to_be(|status| status.services.iter().any(Service::is_serving));
        assert_eq!((site.drains_of("resolver"), site.drains_of("other")), (left.clone(), vec![]));

        // A command renews the drains while it runs, and its success ends none of an operator.
        site.restarts_by("stops; starts; rm -f lost");
        for options in [&["--unattended"][..], &["--unattended", "--command", "true"]] {
            let output = site.run(options);
            let said = String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(0), "{said}");
            assert!(said.contains("resolver is still drained: backend/srv drains it: "), "{said}");
            assert_eq!((site.drains_of("resolver"), site.drains_of("other")), (left.clone(), vec![]));
        }
        assert!(!site.helper.log().contains("service resolver: the drain by backend/srv is over"));
        assert_eq!(site.run(&[]).status.code(), Some(0));
        assert_eq!(site.drains_of("resolver"), []);
    });
}

/// A configuration that is `broken` lacks an address. The restart and the rollback after the failed one are not compared with
/// the broken server.
#[test]
fn an_attempt_after_a_failed_one_is_compared_with_the_listeners_before_both() {
    let name = "run::restart::left::an_attempt_after_a_failed_one_is_compared_with_the_listeners_before_both";
    in_namespace(name, "true", || {
        let site = Site::with_a_snapshot();
        // The restart says what is to listen, and waits until that is done.
        let (asks, done) = (site.pop.file("asks"), site.pop.file("done"));
        assert!(Command::new("mkfifo").args([&asks, &done]).status().unwrap().success());
        let bind = || UdpSocket::bind("127.0.0.2:53").unwrap();
        let mut socket = Some(bind());
        thread::spawn(move || {
            loop {
                match fs::read_to_string(&asks).unwrap().trim() {
                    "close" => socket = None,
                    _ if socket.is_none() => socket = Some(bind()),
                    _ => {}
                }
                fs::write(&done, "done\n").unwrap();
            }
        });
        site.restarts_by(
            "stops; starts; if grep -q broken etc/srv.conf; then echo close > asks; else echo open > asks; fi; cat done",
        );
        fs::write(site.pop.file("etc/srv.conf"), "broken").unwrap();
        let restart = |options: &[&str]| {
            let output = site.run(options);
            (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
        };
        for _ in 0..2 {
            let (code, said) = restart(&[]);
            assert_eq!(code, Some(3), "{said}");
            assert!(said.contains("nothing listens at 127.0.0.2:53 udp"), "{said}");
        }
        let (code, said) = restart(&["--rollback"]);
        assert_eq!(code, Some(4), "{said}");
        assert_eq!(site.drains_of("resolver"), []);
        assert_eq!(restart(&[]).0, Some(0));
    });
}
