//! A failed `backend reload`, which leaves the server worse than before or as it was.

use super::*;

/// The checks need not see what the reload has lost, such as a zone: it is shown until a later one succeeds.
#[test]
fn a_failed_reload_is_a_warning_until_one_succeeds() {
    let mut site = Site::new("stops; starts");
    let words = "reload srv failed: ";
    let told = |site: &Site, words: &[&str]| {
        let said = String::from_utf8(site.pop.command(words).stdout).unwrap();
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(site.pop.command(&["backend", "reload"]).status.code(), Some(1));
    let is_shown = |site: &Site| {
        let until =
            "; the checks decide what is announced; until `backend reload` or `backend restart` succeeds";
        for command in [&["status"][..], &["explain"]] {
            let said = told(site, command);
            assert!(
                said.contains(&format!("WARNING: {words}")) || said.contains(&format!("WARNING {words}")),
                "{said}"
            );
            assert!(said.contains(until) && !said.contains("nothing to do"), "{said}");
        }
        let alert = told(site, &["status", "--plugin"]);
        assert!(alert.starts_with(&format!("DNSHERALD WARNING - resolver: {words}")), "{alert}");
        assert_eq!(site.pop.command(&["status", "--plugin"]).status.code(), Some(1));
    };
    is_shown(&site);
    site.helper.has_said_no_more();
    // A later helper knows of it.
    site.helper = site.pop.helper(ideal("5.0.15"));
    site.helper.opens();
    site.helper.says(ANNOUNCE);
    site.pop.comes_to_be(|status| status.services[0].settled());
    is_shown(&site);
    assert_eq!(site.run(&[]).status.code(), Some(0));
    assert!(!told(&site, &["status"]).contains(words));
    site.pop.told(&["status", "--plugin"]);
}

/// Unbound exits if it cannot read a zone. A further reload does not start it.
#[test]
fn a_reload_that_ends_the_server_names_the_restart() {
    let site = Site::new("stops; starts");
    let remedy = "srv: a reload does not start the server: see its log, correct its configuration, then `dnsherald backend restart srv`\n";
    for reload in ["stops", "exit 1"] {
        site.reloads_by(reload);
        let output = site.pop.command(&["backend", "reload"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(remedy) && !said.contains("reload again"), "{reload}: {said}");
    }
    assert_eq!(site.run(&[]).status.code(), Some(0));
}

/// Nothing has changed yet, but the next restart would fail.
#[test]
fn an_operation_refused_for_the_configuration_is_a_warning() {
    for operation in ["reload", "restart"] {
        let site = Site::new("stops; starts");
        let valid = fs::read_to_string(site.pop.configuration_file()).unwrap();
        site.has_a_backend_with("config-check = [\"false\"]");
        assert_eq!(site.pop.command(&["backend", operation]).status.code(), Some(1));
        let alert = site.pop.command(&["status", "--plugin"]);
        let said = String::from_utf8(alert.stdout).unwrap();
        let words = format!("{operation} srv failed: the server was not touched: ");
        assert!(said.starts_with(&format!("DNSHERALD WARNING - resolver: {words}")), "{said}");
        site.helper.logs(&words);
        site.helper.has_said_no_more();
        // Unattended, nothing warns: `heal` logs it itself.
        site.pop.is_configured(&valid);
        assert_eq!(site.run(&[]).status.code(), Some(0));
        site.has_a_backend_with("config-check = [\"false\"]");
        assert_eq!(site.run(&["--unattended"]).status.code(), Some(1));
        assert_eq!(site.pop.command(&["status", "--plugin"]).status.code(), Some(0));
    }
}

/// A second reload of the same configuration compares with a server that refuses already.
#[test]
fn a_reload_that_leaves_the_service_down_has_failed_again() {
    let mut site = Site::new("starts");
    site.reloads_by("waits");
    let reload = |site: &Site, fault: Fault| {
        let becoming = site.becomes_during_the_restart(fault);
        let output = site.pop.command(&["backend", "reload"]);
        becoming.join().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let alert = |site: &Site| String::from_utf8(site.pop.command(&["status", "--plugin"]).stdout).unwrap();
    assert_eq!(reload(&site, Fault::Refuse).0, Some(1));
    site.helper.comes_to_say(WITHDRAW);

    let (code, said) = reload(&site, Fault::Refuse);
    assert_eq!(code, Some(1), "{said}");
    let why = "answered REFUSED, expected NOERROR; check answers of resolver failed before the reload, too";
    assert!(said.contains(why), "{said}");
    site.helper.logs(why);
    assert!(!site.helper.log().contains("every step verified"), "{}", site.helper.log());
    assert!(alert(&site).contains(why), "{}", alert(&site));

    assert_eq!(reload(&site, Fault::None).0, Some(0));
    site.helper.logs("reload srv done, and every step verified");
    site.helper.comes_to_say(ANNOUNCE);
    assert!(!alert(&site).contains("reload srv"), "{}", alert(&site));

    site.pop.told(&["drain", "--as", "bob"]);
    site.helper.comes_to_say(WITHDRAW);
    assert_eq!(reload(&site, Fault::None).0, Some(0));
    site.helper.logs("reload srv done, and every step verified; it stays drained: see `dnsherald status`");
}

/// A command that is killed may have left its request with a server that hangs.
#[test]
fn a_reload_that_takes_too_long_is_not_said_to_be_undone() {
    let site = Site::new("stops; starts");
    site.reloads_by("exec sleep 100");
    site.has_a_backend_with("timeout = \"300ms\"");
    let output = site.pop.command(&["backend", "reload"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let late = ": not done within 300ms; the server may still read its configuration once it responds";
    assert!(said.contains("srv: the reload failed: ") && said.contains(late), "{said}");
    site.helper.logs(late);
}

/// The service is only degraded, before the second reload and before the restart, by what the first reload has broken.
#[test]
fn a_check_that_a_failed_reload_has_broken_must_pass_after_the_next_one() {
    let site = Site::with_a_snapshot();
    let text = fs::read_to_string(site.pop.configuration_file()).unwrap();
    let degrades = "name = \"answers\"\non-fail = { refused = \"degraded\" }\n";
    site.pop.is_configured(&text.replace("name = \"answers\"\n", degrades));
    site.reloads_by("waits");
    site.pop.told(&["reload"]);
    site.pop.comes_to_be(|status| status.services[0].is_serving() && status.services[0].settled());
    fs::write(site.pop.file("etc/srv.conf"), "broken").unwrap();
    for why in ["did not fail before the reload", "failed before the reload, too"] {
        let becoming = site.becomes_during_the_restart(Fault::Refuse);
        let output = site.pop.command(&["backend", "reload"]);
        becoming.join().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("check answers of resolver {why}")), "{said}");
        site.pop.comes_to_be(|status| status.services[0].state == ServiceState::Degraded);
    }
    assert!(!site.helper.log().contains("reload srv done, and every step"), "{}", site.helper.log());
    // Nor may the restart take it for a failure from before, and save the file.
    let restart = site.run(&[]);
    assert_eq!(restart.status.code(), Some(3), "{restart:?}");
    assert!(site.has_saved("good"));
    // Healing does not save the file either: the service stays drained.
    let restart = site.run(&["--unattended"]);
    assert_eq!(restart.status.code(), Some(0), "{restart:?}");
    assert!(site.has_saved("good"));
    site.helper.logs("restart srv done, but the drain of resolver waits for an operator; ");
    // Without that drain it returns the service degraded.
    site.pop.told(&["undrain", "resolver"]);
    let restart = site.run(&["--unattended"]);
    let said = String::from_utf8_lossy(&restart.stdout);
    assert_eq!(restart.status.code(), Some(0), "{said}");
    assert!(said.contains("the copy for a rollback stays as it was: "), "{said}");
    assert!(site.has_saved("good"));
    site.helper.logs("restart srv done, but check answers of resolver degrades it since then; not drained: ");
    // Nor is it a failure from before now.
    assert_eq!(site.run(&[]).status.code(), Some(3));
    assert!(site.has_saved("good"));
}

/// Neither has repaired the zone.
#[test]
fn a_refused_reload_and_an_unattended_restart_do_not_end_the_record_of_a_lost_zone() {
    let name = "run::restart::reloaded::a_refused_reload_and_an_unattended_restart_do_not_end_the_record_of_a_lost_zone";
    in_namespace(name, "true", || {
        let site = Site::with_a_listed_zone("stops; starts");
        let reload = |says: &str| {
            let output = site.pop.command(&["backend", "reload"]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains(says), "{said}");
            output.status.code()
        };
        let lost = "zone example.org. is not served at 127.0.0.1:53, as after the failed operation before";
        site.reloads_by("touch lost");
        assert_eq!(reload("zone example.org. at 127.0.0.1:53: serial none, before 7"), Some(1));
        assert_eq!(reload(lost), Some(1));
        let valid = fs::read_to_string(site.pop.configuration_file()).unwrap();
        site.has_a_backend_with("config-check = [\"false\"]");
        assert_eq!(reload("srv: not reloaded, the server was not touched: "), Some(1));
        site.pop.is_configured(&valid);
        assert_eq!(reload(lost), Some(1));

        assert_eq!(site.run(&["--unattended"]).status.code(), Some(0));
        site.helper.logs("; the warning of a failed reload stays, since no operator has repaired it");
        assert_eq!(reload(lost), Some(1));
        site.reloads_by("rm lost");
        assert_eq!(reload(""), Some(0));
        assert!(!site.pop.told(&["status"]).contains("WARNING"));
    });
}

/// Secondaries and clients would keep the newer version.
#[test]
fn a_zone_that_a_failed_operation_has_left_older_fails_the_next_reload() {
    let name = "run::restart::reloaded::a_zone_that_a_failed_operation_has_left_older_fails_the_next_reload";
    in_namespace(name, "true", || {
        let site = Site::with_a_listed_zone("stops; starts");
        let reload = |exit: i32, says: &str| {
            let output = site.pop.command(&["backend", "reload"]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(exit), "{said}");
            assert!(said.contains(says), "{said}");
        };
        let before = "zone example.org. at 127.0.0.1:53: serial 5, before 7";
        let again = format!("{before}, as after the failed operation before");
        site.reloads_by("touch older");
        reload(1, before);
        for _ in 0..2 {
            reload(1, &again);
        }
        reload(1, "; raise the serial of a zone that is older on purpose");
        // Nor does a reload end it in which the zone is not served at all.
        site.reloads_by("touch lost");
        reload(1, "zone example.org. at 127.0.0.1:53: serial none, before 5");
        site.reloads_by("rm -f lost");
        reload(1, &again);
        // A restart cannot make it worse, and only warns.
        let restart = site.run(&[]);
        let said = String::from_utf8_lossy(&restart.stdout);
        let warning = "zones are older than those that the server served before (record of ";
        assert!(restart.status.code() == Some(0) && said.contains(warning), "{said}");
        assert!(!said.contains("served again"), "{said}");
        reload(0, warning);
        fs::remove_file(site.pop.file("older")).unwrap();
        site.reloads_by("true");
        reload(0, "");
    });
}

#[test]
fn a_zone_that_a_failed_restart_has_left_older_fails_a_reload_under_its_drain() {
    let name =
        "run::restart::reloaded::a_zone_that_a_failed_restart_has_left_older_fails_a_reload_under_its_drain";
    in_namespace(name, "true", || {
        let mut site = Site::with_a_listed_zone("stops; starts; touch older");
        let before = "zone example.org. at 127.0.0.1:53: serial 5, before 7";
        site.is_left_drained(&[], before);
        site.reloads_by("true");
        let output = site.pop.command(&["backend", "reload"]);
        let said = String::from_utf8_lossy(&output.stderr);
        let again = format!("{before}, as after the failed operation before");
        assert!(output.status.code() == Some(1) && said.contains(&again), "{said}");
    });
}

/// The sentence of the warning has no room for all of them, and the server may not list them any more.
#[test]
fn every_zone_that_a_reload_has_lost_must_be_served_after_the_next_one() {
    let name = "run::restart::reloaded::every_zone_that_a_reload_has_lost_must_be_served_after_the_next_one";
    in_namespace(name, "true", || {
        let site = Site::new("stops; starts");
        let zones = |first: u32| (first..=30).map(|zone| format!("z{zone}.test.\n")).collect::<String>();
        site.lists_zones(&zones(1));
        let reload = |lost: Option<u32>| {
            fs::write(site.pop.file("new"), lost.map_or(String::from("z.test."), zones)).unwrap();
            let output = site.pop.command(&["backend", "reload"]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            (output.status.code(), said.matches("srv: reloaded, but zone z").count())
        };
        site.reloads_by("mv new lost; : > list");
        assert_eq!(reload(Some(1)), (Some(1), 30));
        assert_eq!(reload(Some(1)), (Some(1), 30));
        assert_eq!(reload(Some(16)), (Some(1), 15));
        let restart = site.run(&[]);
        let said = String::from_utf8_lossy(&restart.stdout);
        assert_eq!(restart.status.code(), Some(3), "{said}");
        assert!(said.contains("; 7 further complaints; "), "{said}");
        assert_eq!(reload(Some(30)), (Some(1), 1));
        assert_eq!(reload(None), (Some(0), 0));
    });
}
