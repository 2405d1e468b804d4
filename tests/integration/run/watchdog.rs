//! Messages to systemd; the test receives them.

use std::os::unix::net::UnixDatagram;

use dnsherald::responder::Fault;

use crate::support::helper::{ANNOUNCE, DEADLINE, Helper, Pop, WITHDRAW, ideal};

/// The socket of systemd, and a helper with a watchdog of half a second.
fn watched(pop: &Pop) -> (UnixDatagram, Helper) {
    let path = pop.file("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(DEADLINE)).unwrap();
    let environment = format!("export NOTIFY_SOCKET='{}' DNSHERALD_WATCHDOG=500ms", path.display());
    let mut helper = pop.helper_after(&environment, ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    (systemd, helper)
}

/// The next message that contains this text.
#[track_caller]
fn receive(systemd: &UnixDatagram, wanted: &str) -> String {
    let mut bytes = [0; 4096];
    loop {
        let length =
            systemd.recv(&mut bytes).unwrap_or_else(|error| panic!("waited for `{wanted}`: {error}"));
        let heard = String::from_utf8(bytes[..length].to_vec()).unwrap();
        if heard.contains(wanted) {
            return heard;
        }
    }
}

#[test]
fn requests_a_watchdog_and_reports_the_status() {
    let pop = Pop::new();
    let (systemd, mut helper) = watched(&pop);
    let first = receive(&systemd, "STATUS=dnsherald: resolver starting (no verdict yet)\n");
    assert!(first.starts_with("WATCHDOG_USEC=500000\nWATCHDOG=1\n"), "{first}");
    receive(&systemd, "STATUS=dnsherald: resolver up\n");
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
    receive(&systemd, "STATUS=dnsherald: resolver down (");
    helper.is_sent("TERM");
    receive(&systemd, "WATCHDOG_USEC=0\n");
}

#[test]
fn sends_keep_alive_messages_with_a_broken_configuration() {
    let pop = Pop::new();
    pop.is_configured("nonsense");
    let path = pop.file("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(DEADLINE)).unwrap();
    let environment = format!("export NOTIFY_SOCKET='{}' DNSHERALD_WATCHDOG=500ms", path.display());
    let _helper = pop.helper_after(&environment, ideal("5.0.15"));
    for _ in 0..3 {
        receive(&systemd, "WATCHDOG=1\n");
    }
}
