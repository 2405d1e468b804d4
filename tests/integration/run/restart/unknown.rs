//! A `backend restart` of a server that does not say before which zones it serves.

use super::*;

/// Hung before, and again after the next restart, which runs these shell commands, too.
fn hangs(site: &Site, lines: &str) {
    fs::write(site.pop.file("hung"), "").unwrap();
    site.restarts_by(&format!("stops; starts; rm hung; {lines}"));
}

#[track_caller]
fn ends(site: &Site, options: &[&str], status: i32, words: &str) {
    let output = site.run(options);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.contains(words), "{said}");
}

/// The 3 a.m. case: the server hangs, and its configuration has changed since it read it.
#[test]
fn a_hung_server_must_serve_again_what_the_last_verified_operation_has_seen() {
    let name =
        "run::restart::unknown::a_hung_server_must_serve_again_what_the_last_verified_operation_has_seen";
    in_namespace(name, "true", || {
        let site = Site::with_a_listed_zone("stops; starts");
        site.has_a_backend_with("timeout = \"1s\"");
        site.reloads_by("true");
        // A reload verifies it as well.
        site.pop.told(&["backend", "reload"]);
        site.helper.logs("reload srv done, and every step verified");
        // The checks ask another address, and decide if the management address gets no answer.
        fs::write(site.pop.file("hung"), "").unwrap();
        ends(&site, &[], 0, "WARNING: the server does not answer the management address");
        site.helper.logs("restart srv done; the server does not answer the management address");
        fs::remove_file(site.pop.file("hung")).unwrap();
        // systemd has started it again before an operator looks.
        fs::write(site.pop.file("lost"), "").unwrap();
        for _ in 0..2 {
            ends(&site, &[], 0, "WARNING: zones are missing that the server served before (record of 2");
        }
        site.helper.logs("; repair its configuration, or name them with --removed");
        fs::remove_file(site.pop.file("lost")).unwrap();
        hangs(&site, "touch lost");
        ends(&site, &[], 3, " count as served before this operation, as far as the server did not answer");
        let reason = &site.drains_of("resolver")[0].1;
        assert!(reason.contains("zone example.org. at 127.0.0.1:53: serial none, before 7"), "{reason}");
        // Nor does it help to hang again.
        hangs(&site, "true");
        ends(&site, &[], 3, "zone example.org. at 127.0.0.1:53: serial none, before 7");
        ends(&site, &["--removed", "example.org"], 0, "none to compare");
        // The server does not list the zone any more: it is not expected.
        fs::write(site.pop.file("list"), "").unwrap();
        site.restarts_by("stops; starts");
        ends(&site, &[], 0, "none to compare");
        hangs(&site, "true");
        ends(&site, &[], 0, "none to compare");
    });
}

/// Nothing is known of its zones, so the log does not claim that they are verified.
#[test]
fn a_restart_says_if_a_lost_zone_could_not_be_noticed() {
    let name = "run::restart::unknown::a_restart_says_if_a_lost_zone_could_not_be_noticed";
    in_namespace(name, "true", || {
        let site = Site::with_a_listed_zone("stops; starts");
        site.has_a_backend_with("timeout = \"1s\"");
        let words = "which zones the server served before is not known, so a lost one is not noticed";
        // The second attempt finds what the first one has left.
        site.restarts_by("rm hung; touch lost; exit 1");
        fs::write(site.pop.file("hung"), "").unwrap();
        ends(&site, &[], 3, "restart.sh");
        site.restarts_by("stops; starts");
        ends(&site, &[], 0, &format!("WARNING: {words}"));
        site.helper.logs(&format!("restart srv done; {words}: make sure that it serves all of them"));
        // The record has no zone now.
        hangs(&site, "rm lost");
        ends(&site, &[], 0, "none to compare");
        // Without an operator an old record delays no return, and stays. It only warns.
        for _ in 0..2 {
            hangs(&site, "touch lost");
            ends(
                &site,
                &["--unattended"],
                0,
                "WARNING: zones are missing that the server served before (record of 2",
            );
        }
        hangs(&site, "touch lost");
        ends(&site, &[], 3, "zone example.org. at 127.0.0.1:53: serial none, before 7");
        assert_eq!(site.helper.log().matches("every step verified").count(), 1, "{}", site.helper.log());
    });
}
