//! Two servers at one port after a `backend restart` that has failed.

use super::*;
use crate::doctor::running::Sharer;

/// The checks may pass at the right server, while the wrong one answers a part of the clients.
#[test]
fn a_service_does_not_return_while_two_servers_share_the_port() {
    let mut site = Site::new("exit 1");
    site.is_left_drained(&[], "exited with status 1");
    let text = fs::read_to_string(site.pop.configuration_file()).unwrap();
    let (first, address) = Sharer::at("127.0.0.1:0");
    let (second, _) = Sharer::at(&address);
    site.pop.is_configured(&text.replace(&site.pop.server.address().to_string(), &address));
    for options in [&["--as", "backend/srv"][..], &["resolver", "--wait"], &[]] {
        let undrain = site.pop.command(&[&["undrain", "--once-healthy"], options].concat());
        let said = String::from_utf8_lossy(&undrain.stderr).into_owned();
        assert_eq!(undrain.status.code(), Some(1), "{said}");
        let (one, other) = (first.0.id(), second.0.id());
        for words in [
            &format!("resolver stays drained: several servers share {address} over TCP: process "),
            &format!("process {one} ("),
            &format!("process {other} ("),
            "end the wrong one, then ask again",
        ] {
            assert!(said.contains(words), "`{words}` is not in {said}");
        }
    }
    assert!(matches!(site.drains_of("resolver")[..], [(false, _)]));
    drop(second);
    site.pop.told(&["undrain", "--once-healthy"]);
    site.helper.says(ANNOUNCE);
}

/// An operator's own drain has not been left by two servers.
#[test]
fn only_the_drain_of_a_failed_restart_depends_on_the_port() {
    let mut site = Site::new("exit 1");
    let text = fs::read_to_string(site.pop.configuration_file()).unwrap();
    let (_first, address) = Sharer::at("127.0.0.1:0");
    let _second = Sharer::at(&address);
    site.pop.is_configured(&text.replace(&site.pop.server.address().to_string(), &address));
    site.pop.told(&["drain", "--wait"]);
    site.helper.says(WITHDRAW);
    site.pop.told(&["undrain", "--once-healthy"]);
    site.helper.says(ANNOUNCE);
}
