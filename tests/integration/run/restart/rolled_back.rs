//! Rollbacks that do not bring back what served before.

use super::*;

/// The first attempt fails, and the server refuses the questions after the second one, with the configuration before.
#[test]
fn a_rollback_after_which_questions_are_refused_stays_drained() {
    let mut site = Site::with_a_snapshot();
    site.restarts_by("if grep -q broken etc/srv.conf; then exit 1; fi\nstops; starts; waits");
    fs::write(site.pop.file("etc/srv.conf"), "broken").unwrap();
    let refusing = site.refuses_during_the_restart();
    let said = site.is_left_drained(&["--rollback"], "answered REFUSED, expected NOERROR");
    assert!(said.contains("restarted with the configuration before"), "{said}");
    assert_eq!(fs::read_to_string(site.pop.file("etc/srv.conf")).unwrap(), "good");
    refusing.join().unwrap();
}

/// What is wrong is no file that a rollback restores: the drain keeps the first reason.
#[test]
fn a_rollback_with_nothing_to_restore_keeps_the_cause_of_the_failure() {
    let mut site = Site::with_a_snapshot();
    site.restarts_by("exit 7");
    let said = site.is_left_drained(&["--rollback"], "exited with status 7");
    assert!(said.contains("the files on disk are the ones that the last successful restart saved"), "{said}");
    let reason = &site.drains_of("resolver")[0].1;
    let cause = "restart srv failed: restart: ";
    assert!(reason.starts_with(cause) && reason.contains("; no rollback: the files on disk"), "{reason}");
}

/// The restart of a rollback is a restart whatever the attempt was, and this one has done nothing when it returns.
#[test]
fn a_rollback_has_to_replace_the_server() {
    for attempt in [&["--reload"][..], &["--command", "false"]] {
        let mut site = Site::with_a_snapshot();
        site.restarts_by("true");
        fs::write(site.pop.file("etc/srv.conf"), "broken").unwrap();
        let said = site.is_left_drained(&[attempt, &["--rollback"]].concat(), "from before the restart");
        assert!(said.contains("restarted with the configuration before"), "{said}");
    }
}

/// Addresses that listened before the first attempt must listen after the second.
#[test]
fn a_rollback_that_loses_an_address_stays_drained() {
    let mut site = Site::with_a_snapshot();
    site.restarts_by(
        "if grep -q broken etc/srv.conf; then touch lose; while [ ! -e lost ]; do sleep 0.02; done; exit 1; fi\n\
         stops; starts",
    );
    fs::write(site.pop.file("etc/srv.conf"), "broken").unwrap();
    let port = site.pop.server.address().port();
    let address = SocketAddr::from(([127, 53, 77, 2], port));
    let socket = UdpSocket::bind(address).unwrap();
    let (lose, lost) = (site.pop.file("lose"), site.pop.file("lost"));
    let losing = thread::spawn(move || {
        assert!(eventually(|| lose.exists()));
        drop(socket);
        fs::write(lost, "").unwrap();
    });
    site.is_left_drained(&["--rollback"], &format!("nothing listens at {address} udp"));
    losing.join().unwrap();
}
