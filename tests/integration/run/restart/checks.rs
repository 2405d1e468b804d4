//! The step "checks" of `backend restart`: some checks do not pass, or another holder drains the service meanwhile.

use super::*;

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
        assert!(said.contains("check answers is down: "), "{said}");
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
    assert!(said.contains("resolver is drained all the same: op drains it: mine"), "{said}");
    site.helper.says(WITHDRAW);
    assert!(matches!(&site.drains_of("resolver")[..], [(false, reason)] if reason == "mine"));
}
