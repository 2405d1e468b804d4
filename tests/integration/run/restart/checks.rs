//! The step "checks" of `backend restart`: some checks do not pass, or another holder drains the service meanwhile.

use super::*;

impl Site {
    /// Adds the service `other` of the same server, which passes its check while the file `well` exists.
    fn has_another_service_by_file(&self) {
        self.has_another_service_with("");
    }

    /// The same with these lines of the check.
    fn has_another_service_with(&self, lines: &str) {
        let well = self.pop.file("well");
        let service = format!(
            "[[service]]\nname = \"other\"\nprefixes = [\"192.0.2.54/32\"]\naddress = false\nbackend = \"srv\"\nup = {{ med = 100 }}\n\
             [[service.check]]\nname = \"file\"\ncommand = [\"test\", \"-e\", {well:?}]\ninterval = \"500ms\"\n\
             timeout = \"500ms\"\nrise = 1\nfall = 1\n{lines}"
        );
        let text = fs::read_to_string(self.pop.configuration_file()).unwrap();
        self.pop.is_configured(&format!("{text}{service}"));
        self.pop.told(&["reload"]);
        let is_as_the_file = |service: &Service| match service.name.as_str() {
            "other" if well.exists() => service.state == ServiceState::Up,
            "other" => matches!(service.state, ServiceState::Down | ServiceState::Degraded),
            _ => service.is_serving(),
        };
        self.pop.comes_to_be(|status| {
            let mut services = status.services.iter();
            status.services.len() == 2 && services.all(|one| is_as_the_file(one) && one.settled())
        });
    }

    /// The service `other` is up, with these lines of its check; a restart with the configuration on disk breaks it.
    fn with_a_broken_configuration(lines: &str) -> Self {
        let site = Self::with_a_snapshot();
        fs::write(site.pop.file("well"), "").unwrap();
        site.has_another_service_with(lines);
        site.restarts_by(
            "stops; starts; if grep -q broken etc/srv.conf; then rm -f well; else touch well; fi",
        );
        fs::write(site.pop.file("etc/srv.conf"), "broken").unwrap();
        site
    }

    /// The restart has left only the service `other` drained, for these words. Returns the output.
    #[track_caller]
    fn leaves_only_the_other(&self, options: &[&str], why: &str) -> String {
        let output = self.run(options);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(why), "{why}: {said}");
        let last = said.lines().last().unwrap();
        assert!(last.contains("no recovery; drained until `undrain`: other. See: "), "{last}");
        self.helper.logs("192.0.2.54/32 stays withdrawn; to end it once the server is repaired: dnsherald undrain other --as");
        assert_eq!(self.drains_of("resolver"), []);
        assert!(matches!(&self.drains_of("other")[..], [(false, reason)] if reason.contains(why)));
        let explained = self.pop.told(&["explain", "resolver"]);
        assert!(!explained.contains("repair the server"), "{explained}");
        let log = self.helper.log();
        assert!(!log.contains("192.0.2.53/32 stays withdrawn"), "{log}");
        said
    }

    fn state_of(&self, service: &str) -> ServiceState {
        let status = self.pop.status();
        status.services.iter().find(|one| one.name == service).unwrap().state
    }

    fn has_withdrawn_once(&self) {
        let log = self.helper.log();
        assert_eq!(log.matches("WITHDRAWN 192.0.2.53/32").count(), 1, "{log}");
        assert!(self.pop.status().services[0].is_serving());
    }
}

const FAILED_BEFORE: &str = "check file of other is down, and failed before the restart, too: ";

#[test]
fn a_service_that_failed_before_the_restart_does_not_keep_another_one_drained() {
    let site = Site::new("stops; starts");
    site.has_another_service_by_file();
    site.leaves_only_the_other(&[], FAILED_BEFORE);
    site.has_withdrawn_once();
    // The drain that this has left hides no failure from a second attempt.
    site.leaves_only_the_other(&[], FAILED_BEFORE);
}

#[test]
fn a_service_that_a_restart_breaks_does_not_keep_another_one_drained() {
    let site = Site::new("stops; starts; rm well");
    fs::write(site.pop.file("well"), "").unwrap();
    site.has_another_service_by_file();
    site.leaves_only_the_other(&[], "check file of other is down: ");
    site.has_withdrawn_once();
}

#[test]
fn a_check_that_failed_before_is_no_reason_for_a_rollback() {
    let site = Site::with_a_snapshot();
    site.has_another_service_by_file();
    fs::write(site.pop.file("etc/srv.conf"), "edited").unwrap();
    let said = site.leaves_only_the_other(&["--rollback"], FAILED_BEFORE);
    assert!(said.contains("no rollback: what fails failed before the restart, too"), "{said}");
    assert_eq!(fs::read_to_string(site.pop.file("etc/srv.conf")).unwrap(), "edited");
}

/// Its hold announced it before against this check, and does so again.
#[test]
fn a_check_that_a_hold_overrode_before_keeps_no_service_drained() {
    let site = Site::new("stops; starts");
    site.has_another_service_by_file();
    site.pop.told(&["hold", "other", "--for", "1h", "--reason", "the check is wrong", "--wait"]);
    let output = site.run(&[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!((site.drains_of("other"), site.state_of("other")), (vec![], ServiceState::Up));
    site.helper.logs("is over: no check takes it down but those that its hold overrides");
}

#[test]
fn a_check_that_a_restart_breaks_is_a_reason_for_a_rollback() {
    let site = Site::with_a_broken_configuration("");
    let output = site.run(&["--rollback"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("check file of other is down: "), "{said}");
    // The other service has returned, so clients may ask the server again.
    assert!(said.contains("drained again, and quiet: waited "), "{said}");
    assert_eq!((site.drains_of("resolver"), site.drains_of("other")), (vec![], vec![]));
}

const DEGRADES: &str = "on-fail = \"degraded\"\n";

/// The service would return worse than it was, with a configuration that the next rollback would restore.
#[test]
fn a_service_does_not_return_degraded_by_a_check_that_passed_before() {
    let site = Site::with_a_broken_configuration(DEGRADES);
    site.leaves_only_the_other(&[], "check file of other is down: ");
    assert!(site.has_saved("good"));
    // The drain that this has left hides no failure from a second attempt.
    site.leaves_only_the_other(&[], "check file of other is down, and failed before the restart, too: ");
    assert!(site.has_saved("good"));
    let log = site.helper.log();
    assert_eq!(log.matches("ANNOUNCED 192.0.2.54/32").count(), 1, "{log}");
    let output = site.run(&["--rollback"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert_eq!((site.drains_of("resolver"), site.drains_of("other")), (vec![], vec![]));
    assert_eq!(site.state_of("other"), ServiceState::Up);
}

#[test]
fn a_service_returns_degraded_by_a_check_that_failed_before() {
    let site = Site::new("stops; starts");
    site.has_another_service_with(DEGRADES);
    let output = site.run(&[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("other is announced as degraded, acknowledged: "), "{said}");
    assert_eq!(site.state_of("other"), ServiceState::Degraded);
}

/// The rollback repairs what an unattended restart has broken, so its warning ends.
#[test]
fn a_rollback_ends_the_warning_of_a_restart_that_left_the_service_worse() {
    let site = Site::with_a_broken_configuration(DEGRADES);
    assert_eq!(site.run(&["--unattended"]).status.code(), Some(0));
    let warning = "restart srv done, but check file of other degrades it since then";
    assert!(site.pop.told(&["status"]).split_whitespace().collect::<Vec<_>>().join(" ").contains(warning));
    let output = site.run(&["--rollback"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let status = site.pop.told(&["status"]);
    assert!(!status.contains("WARNING"), "{status}");
}

/// A rollback without an operator returns a degraded service, too, and no later restart may take that for its usual state.
#[test]
fn a_rollback_after_which_a_service_is_worse_leaves_a_warning() {
    let site = Site::with_a_broken_configuration(DEGRADES);
    site.restarts_by("if grep -q broken etc/srv.conf; then exit 1; fi\nstops; starts; rm -f well");
    let output = site.run(&["--unattended", "--rollback"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert_eq!(site.state_of("other"), ServiceState::Degraded);
    let warning = "rolled back, but check file of other degrades it since then; restart srv failed: ";
    let status = site.pop.told(&["status"]).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(status.contains(warning), "{status}");
    site.helper.logs(warning);
}

/// No operator would end the drain, and a degraded server is better than none.
#[test]
fn a_service_returns_degraded_without_an_operator() {
    let site = Site::new("stops; starts; rm well");
    fs::write(site.pop.file("well"), "").unwrap();
    site.has_another_service_with(DEGRADES);
    let output = site.run(&["--unattended"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(site.state_of("other"), ServiceState::Degraded);
}

/// The rollback restores what served before, and that is not everything.
#[test]
fn a_rollback_after_which_only_a_service_fails_that_failed_before_keeps_only_that_one_drained() {
    let site = Site::with_a_snapshot();
    site.has_another_service_by_file();
    site.restarts_by("if grep -q broken etc/srv.conf; then exit 1; fi\nstops; starts");
    fs::write(site.pop.file("etc/srv.conf"), "broken").unwrap();
    let said = site.leaves_only_the_other(&["--rollback"], FAILED_BEFORE);
    assert!(said.contains("restarted with the configuration before"), "{said}");
    assert_eq!(fs::read_to_string(site.pop.file("etc/srv.conf")).unwrap(), "good");
}

/// No service passed before: the restart is a repair, and its failure is a reason for a rollback.
#[test]
fn a_repair_that_repairs_nothing_is_rolled_back() {
    let site = Site::with_a_snapshot();
    site.pop.server.becomes(Fault::Refuse);
    site.pop.comes_to_be(|status| !status.services[0].is_serving());
    fs::write(site.pop.file("etc/srv.conf"), "edited").unwrap();
    let output = site.run(&["--rollback"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("check answers of resolver is down, and failed before the restart, too: "),
        "{said}"
    );
    assert!(said.contains("restarted with the configuration before"), "{said}");
}

/// The operator ends the drain of the restart, and begins another one.
#[test]
fn a_drain_of_another_holder_stands_in_for_no_check() {
    let mine = ["drain", "--as", "op", "--for", "40s", "--reason", "mine"];
    for during_the_checks in [false, true] {
        let site = Site::with_a_snapshot();
        fs::write(site.pop.file("etc/srv.conf"), "edited").unwrap();
        let taken_over = format!("{} >&2; {} >&2", site.asks("undrain"), site.asks(&mine.join(" ")));
        let then = if during_the_checks { "true" } else { &taken_over };
        site.restarts_by(&format!("stops; starts; waits; {then}"));
        let refusing = site.refuses_during_the_restart();
        let output = thread::scope(|scope| {
            if during_the_checks {
                scope.spawn(|| {
                    site.pop
                        .comes_to_be(|status| status.services[0].drains.iter().any(|drain| drain.returning));
                    site.pop.told(&["undrain"]);
                    site.pop.told(&mine);
                });
            }
            site.run(&[])
        });
        refusing.join().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("check answers of resolver is down: "), "{said}");
        assert!(site.has_saved("good"), "{said}");
        assert_eq!(site.helper.log().matches("every step verified").count(), 1, "{}", site.helper.log());
    }
}

/// The server is well, and the operator keeps the service drained.
#[test]
fn a_drain_of_another_holder_does_not_stand_in_the_way_of_a_restart() {
    let mut site = Site::new("");
    let mine = site.asks("drain --as op --reason mine");
    site.restarts_by(&format!("stops; starts; {} >&2; {mine} >&2", site.asks("undrain")));
    let output = site.run(&[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let why = "resolver is still drained: op drains it: mine; to end that: dnsherald undrain --as op";
    assert!(said.contains(why), "{said}");
    site.helper.says(WITHDRAW);
    assert!(matches!(&site.drains_of("resolver")[..], [(false, reason)] if reason == "mine"));
}

/// Its drain follows the prefixes to a service that the command does not know.
#[test]
fn a_service_that_a_reload_renames_during_the_restart_is_named() {
    let site = Site::new("stops; starts; waits");
    let begun = site.pop.file("begun");
    let output = thread::scope(|scope| {
        scope.spawn(|| {
            assert!(eventually(|| begun.exists()));
            let text = fs::read_to_string(site.pop.configuration_file()).unwrap();
            site.pop.is_configured(&text.replace("name = \"resolver\"", "name = \"renamed\""));
            site.pop.told(&["reload"]);
            fs::remove_file(&begun).unwrap();
        });
        site.run(&[])
    });
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let why = "the helper no longer has resolver: its configuration was reloaded meanwhile";
    let remedy = "`dnsherald undrain renamed --as backend/srv --once-healthy`";
    assert!(said.contains(why) && said.contains(remedy), "{said}");
}

/// The pid file names the process that has ended, until the new one has written it.
#[test]
fn a_dead_server_that_writes_its_pid_file_late_is_known_after_the_restart() {
    let site = Site::new("{ sleep 0.2; starts; } > /dev/null 2>&1 &");
    let former = fs::read_to_string(site.pop.file("pid")).unwrap();
    assert!(Command::new("kill").arg(former.trim()).status().unwrap().success());
    let output = site.run(&[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let present = fs::read_to_string(site.pop.file("pid")).unwrap();
    assert!(said.contains(&format!("process {} (sleep)", present.trim())) && present != former, "{said}");
}
