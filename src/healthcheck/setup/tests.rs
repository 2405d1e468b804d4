//! What is added and removed, by an `ip` that only writes down what it is told.

use std::fs;
use std::path::PathBuf;

use super::super::advertising::Advertised;
use super::super::options::Label;
use super::*;
use crate::exabgp::Advertisement;

const PLAIN: Setup = Setup { at_start: true, dynamic: true, sudo: false, label: None };

fn given(networks: &str, bound: &[(&str, &str)]) -> Given {
    let (up, down, disabled) = (Advertisement::Withdraw, Advertisement::Withdraw, Advertisement::Withdraw);
    Given {
        networks: networks.split(' ').map(|network| network.parse().unwrap()).collect(),
        interfaces: bound.iter().map(|(at, name)| (at.parse().unwrap(), name.parse().unwrap())).collect(),
        advertised: Advertised { routes: vec![], repeated: vec![], up, down, disabled },
    }
}

fn present(entries: &[(&str, &str)]) -> Vec<Present> {
    let entry = |(label, network): &(&str, &str)| Present {
        label: (*label).to_owned(),
        network: network.parse().unwrap(),
    };
    entries.iter().map(entry).collect()
}

/// A folder with a file of what `ip` was told.
struct Fake(PathBuf);

impl Fake {
    /// Lets `addresses` call it. `script` decides how it exits.
    fn of(name: &str, addresses: &mut Addresses, script: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("dnsherald-setup-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let told = format!("echo \"$*\" >> {}; {script}", folder.join("told").display());
        addresses.ip.words = ["sh", "-c", &told, "ip"].map(str::to_owned).to_vec();
        Self(folder)
    }

    /// What it was told since it was asked last.
    fn told(&self) -> Vec<String> {
        let path = self.0.join("told");
        let told = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        told.lines().map(|line| line.replace("address ", "")).collect()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn shown(addresses: &Addresses) -> Vec<String> {
    addresses.wanted.iter().map(|wanted| format!("{}%{}", wanted.address, wanted.interface)).collect()
}

#[test]
fn networks_are_taken_apart_unless_they_are_too_large() {
    let bound = [("192.0.2.4/31", "eth0"), ("192.0.2.5/32", "eth1")];
    let given =
        given("192.0.2.4/31 192.0.2.5/32 2001:db8::/64 2001:db8::1/128 10.0.0.0/15 0.0.0.0/0", &bound);
    assert_eq!(
        shown(&Addresses::given(&given, &PLAIN)),
        ["192.0.2.4%eth0", "192.0.2.5%eth1", "2001:db8::1%lo"]
    );
    let largest = self::given("10.0.0.0/16 2001:db8::/112", &[]);
    assert_eq!(Addresses::given(&largest, &PLAIN).wanted.len(), 2 << 16);
}

#[test]
fn a_network_that_was_found_is_there_as_a_whole() {
    let found = ["192.0.2.0/24", "192.0.2.1/32", "2001:db8::1/128"].map(|network| network.parse().unwrap());
    assert_eq!(shown(&Addresses::of_interface(&found, &PLAIN)), ["192.0.2.1%lo", "2001:db8::1%lo"]);
}

#[test]
fn only_what_we_added_is_removed() {
    let given = given("192.0.2.1/32 192.0.2.2/32 2001:db8::1/128", &[]);
    let mut addresses = Addresses::given(&given, &PLAIN);
    let ip = Fake::of("removed", &mut addresses, "exit 0");
    let before = [("lo:other", "192.0.2.1/24"), ("eth0", "192.0.2.2/32")];
    addresses.add(|| Ok(present(&before))).unwrap();
    assert_eq!(ip.told(), ["add 192.0.2.2/32 dev lo", "add 2001:db8::1/128 dev lo"]);
    let all = [("lo", "192.0.2.1/24"), ("lo", "192.0.2.2/32"), ("lo", "2001:db8::1/128")];
    addresses.add(|| Ok(present(&all))).unwrap();
    assert!(ip.told().is_empty());
    addresses.remove(|| Ok(present(&all[..2])));
    assert_eq!(ip.told(), ["delete 192.0.2.2/32 dev lo"]);
    addresses.remove(|| Ok(present(&all)));
    assert!(ip.told().is_empty());
}

#[test]
fn a_label_is_that_of_an_interface_and_of_ipv4() {
    let setup = Setup { label: Some(Label { text: "dns".into(), exact: true }), ..PLAIN };
    let given = given("192.0.2.1/32 2001:db8::1/128", &[("192.0.2.1/32", "eth0")]);
    let mut addresses = Addresses::given(&given, &setup);
    let ip = Fake::of("label", &mut addresses, "exit 0");
    addresses.add(|| Ok(vec![])).unwrap();
    addresses.remove(|| Ok(present(&[("eth0:dns", "192.0.2.1/32")])));
    assert_eq!(
        ip.told(),
        [
            "add 192.0.2.1/32 dev eth0 label eth0:dns",
            "add 2001:db8::1/128 dev lo",
            "delete 192.0.2.1/32 dev eth0 label eth0:dns"
        ]
    );
}

#[test]
fn what_is_refused_is_gone_without_and_never_removed() {
    let mut addresses = Addresses::given(&given("192.0.2.1/32 192.0.2.2/32", &[]), &PLAIN);
    let ip = Fake::of("refused", &mut addresses, "exit 2");
    addresses.add(|| Ok(vec![])).unwrap();
    assert!(addresses.complained);
    assert_eq!(ip.told().len(), 2);
    addresses.remove(|| Ok(present(&[("lo", "192.0.2.1/32")])));
    assert!(ip.told().is_empty());
}

#[test]
fn what_fails_otherwise_is_an_error() {
    let mut addresses = Addresses::given(&given("192.0.2.1/32 192.0.2.2/32", &[]), &PLAIN);
    let ip = Fake::of("failed", &mut addresses, "echo 'Cannot find device \"lo\"' >&2; exit 1");
    let error = addresses.add(|| Ok(vec![])).unwrap_err();
    assert!(error.starts_with("cannot add 192.0.2.1 to lo: `sh -c "), "{error}");
    assert!(
        error.contains("exited with status 1: Cannot find device \"lo\"; expected CAP_NET_ADMIN"),
        "{error}"
    );
    assert_eq!(ip.told().len(), 1);
}

#[test]
fn what_cannot_be_removed_is_tried_again() {
    let mut addresses = Addresses::given(&given("192.0.2.1/32 192.0.2.2/32", &[]), &PLAIN);
    let ip = Fake::of("again", &mut addresses, "test $2 = add");
    let all = [("lo", "192.0.2.1/32"), ("lo", "192.0.2.2/32")];
    addresses.add(|| Ok(vec![])).unwrap();
    assert_eq!(ip.told().len(), 2);
    addresses.remove(|| Ok(present(&all)));
    assert_eq!(ip.told(), ["delete 192.0.2.1/32 dev lo"]);
    assert_eq!(addresses.added.len(), 2);
}

#[test]
fn sudo_goes_first() {
    let setup = Setup { sudo: true, ..PLAIN };
    assert_eq!(Addresses::of_interface(&[], &setup).ip.words, ["sudo", "ip"]);
    assert_eq!(Addresses::of_interface(&[], &PLAIN).ip.words, ["ip"]);
}
