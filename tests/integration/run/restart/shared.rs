//! Two servers at one port after a `backend restart` that has failed.

use super::*;
use crate::doctor::running::Sharer;
use crate::support::helper::Server;

/// The checks may pass at the right server, while the wrong one answers a part of the clients.
#[test]
fn a_service_does_not_return_while_two_servers_share_the_port() {
    let mut site = Site::new("exit 1");
    let (first, address) = Sharer::at("127.0.0.1:0");
    let (second, _) = Sharer::at(&address);
    let text = fs::read_to_string(site.pop.configuration_file()).unwrap();
    let observed = "[[service.check]]\nname = \"shared\"\non-fail = \"observe\"\ndns = { query = \"localhost. A\", server = ";
    site.pop.is_configured(&format!("{text}{observed}\"{address}\", transport = \"tcp\" }}\n"));
    site.pop.told(&["reload"]);
    site.pop.keeps_its_configuration();
    site.is_left_drained(&[], "exited with status 1");
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
    // With an error in the file, the last good one names the address.
    let whole = fs::read_to_string(site.pop.configuration_file()).unwrap();
    site.pop.is_configured(&format!("nonsense = 1\n{whole}"));
    let undrain = site.pop.command(&["undrain", "--once-healthy"]);
    let said = String::from_utf8_lossy(&undrain.stderr).into_owned();
    assert!(
        undrain.status.code() == Some(1) && said.contains("resolver stays drained: several servers"),
        "{said}"
    );
    site.pop.is_configured(&whole);
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

/// Nothing listened before, and the checks meet the right server.
#[test]
fn a_restart_that_leaves_two_servers_where_none_was_has_failed() {
    let site = Site::new("stops; starts; waits");
    let (first, address) = Sharer::at("127.0.0.1:0");
    drop(first);
    site.listens_at(&address);
    let starting = site.does_during_the_restart(move || [Sharer::at(&address).0, Sharer::at(&address).0]);
    site.fails_by("  listeners ", "several servers share ");
    drop(starting.join().unwrap());
}

/// The first look at the listeners finds one server.
#[test]
fn a_restart_during_whose_checks_a_second_server_starts_has_failed() {
    let site = Site::new("stops; starts");
    let (_first, address) = Sharer::at("127.0.0.1:0");
    site.listens_at(&address);
    site.pop.server.becomes(Fault::Refuse);
    thread::scope(|scope| {
        let starting = scope.spawn(|| {
            site.pop.comes_to_be(|status| status.services[0].drains.iter().any(|drain| drain.returning));
            let second = Sharer::at(&address).0;
            site.pop.server.becomes(Fault::None);
            second
        });
        site.fails_by("  checks ", "two servers share the address");
        drop(starting.join().unwrap());
    });
}

/// One service has returned before the second server is found.
#[test]
fn two_servers_drain_a_service_that_has_returned_too() {
    let site = Site::new("stops; starts");
    let (_first, address) = Sharer::at("127.0.0.1:0");
    let other = Server::start();
    site.has_another_service_at(other.address());
    site.listens_at(&address);
    other.becomes(Fault::Refuse);
    thread::scope(|scope| {
        let starting = scope.spawn(|| {
            site.pop.comes_to_be(|status| {
                let [one, two] = &status.services[..] else { return false };
                one.is_serving() && one.drains.is_empty() && two.drains.iter().any(|drain| drain.returning)
            });
            let second = Sharer::at(&address).0;
            other.becomes(Fault::None);
            second
        });
        site.fails_by("  checks ", "two servers share the address");
        drop(starting.join().unwrap());
    });
    for service in ["resolver", "other"] {
        assert!(matches!(site.drains_of(service)[..], [(false, _)]), "{service}: {:?}", site.pop.status());
    }
}

impl Site {
    /// The file, not the helper, names this address of the server, for the commands that follow.
    fn listens_at(&self, address: &str) {
        let text = fs::read_to_string(self.pop.configuration_file()).unwrap();
        let text = text.replace(&self.pop.server.address().to_string(), address);
        self.pop.is_configured(&text.replace("start-timeout = \"1s\"", "start-timeout = \"5s\""));
    }

    /// Its last step is this one, and fails because of this.
    #[track_caller]
    fn fails_by(&self, step: &str, why: &str) {
        let output = self.run(&[]);
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(3), "{said}");
        let failed = said.lines().find(|line| line.contains(" FAILED: ")).unwrap_or_default();
        assert!(
            failed.starts_with(step) && failed.contains(why) && failed.contains("; end the wrong one"),
            "{said}"
        );
    }
}
