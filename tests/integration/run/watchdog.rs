//! What systemd hears, with the test in its place.

use std::os::unix::net::UnixDatagram;

use dnsherald::responder::Fault;

use crate::support::helper::{ANNOUNCE, DEADLINE, Helper, Pop, WITHDRAW, ideal};

/// The socket of systemd, and a helper that is to be watched for half a second.
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

/// What it says next that contains this.
#[track_caller]
fn hears(systemd: &UnixDatagram, wanted: &str) -> String {
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
fn systemd_is_asked_to_watch_and_told_how_the_services_are() {
    let pop = Pop::new();
    let (systemd, mut helper) = watched(&pop);
    let first = hears(&systemd, "STATUS=dnsherald: resolver starting (no verdict yet)\n");
    assert!(first.starts_with("WATCHDOG_USEC=500000\nWATCHDOG=1\n"), "{first}");
    hears(&systemd, "STATUS=dnsherald: resolver up\n");
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
    hears(&systemd, "STATUS=dnsherald: resolver down (");
    helper.is_sent("TERM");
    hears(&systemd, "WATCHDOG_USEC=0\n");
}

#[test]
fn a_helper_with_a_broken_configuration_is_alive() {
    let pop = Pop::new();
    pop.is_configured("nonsense");
    let path = pop.file("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(DEADLINE)).unwrap();
    let environment = format!("export NOTIFY_SOCKET='{}' DNSHERALD_WATCHDOG=500ms", path.display());
    let _helper = pop.helper_after(&environment, ideal("5.0.15"));
    for _ in 0..3 {
        hears(&systemd, "WATCHDOG=1\n");
    }
}
