//! Tests with a fake `ip` that records its arguments.

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

/// A directory with a record of the calls of `ip`.
struct Fake(PathBuf);

impl Fake {
    /// Makes `addresses` call the fake. `script` decides its exit status.
    fn new(name: &str, addresses: &mut Addresses, script: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("dnsherald-setup-{}-{name}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let calls = format!("echo \"$*\" >> {}; {script}", directory.join("told").display());
        addresses.ip.words = ["sh", "-c", &calls, "ip"].map(str::to_owned).to_vec();
        Self(directory)
    }

    /// The calls since the last query.
    fn calls(&self) -> Vec<String> {
        let path = self.0.join("told");
        let calls = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        calls.lines().map(|line| line.replace("address ", "")).collect()
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
fn splits_networks_unless_they_are_too_large() {
    let bound = [("192.0.2.4/31", "eth0"), ("192.0.2.5/32", "eth1")];
    let given =
        given("192.0.2.4/31 192.0.2.5/32 2001:db8::/64 2001:db8::1/128 10.0.0.0/15 0.0.0.0/0", &bound);
    assert_eq!(
        shown(&Addresses::from_given(&given, &PLAIN)),
        ["192.0.2.4%eth0", "192.0.2.5%eth1", "2001:db8::1%lo"]
    );
    let largest = self::given("10.0.0.0/16 2001:db8::/112", &[]);
    assert_eq!(Addresses::from_given(&largest, &PLAIN).wanted.len(), 2 << 16);
}

#[test]
fn a_network_found_on_the_interface_is_present_as_a_whole() {
    let found = ["192.0.2.0/24", "192.0.2.1/32", "2001:db8::1/128"].map(|network| network.parse().unwrap());
    assert_eq!(shown(&Addresses::from_interface(&found, &PLAIN)), ["192.0.2.1%lo", "2001:db8::1%lo"]);
}

#[test]
fn removes_only_addresses_that_it_added() {
    let given = given("192.0.2.1/32 192.0.2.2/32 2001:db8::1/128", &[]);
    let mut addresses = Addresses::from_given(&given, &PLAIN);
    let ip = Fake::new("removed", &mut addresses, "exit 0");
    let before = [("lo:other", "192.0.2.1/24"), ("eth0", "192.0.2.2/32")];
    addresses.add(|| Ok(present(&before))).unwrap();
    assert_eq!(ip.calls(), ["add 192.0.2.2/32 dev lo", "add 2001:db8::1/128 dev lo"]);
    let all = [("lo", "192.0.2.1/24"), ("lo", "192.0.2.2/32"), ("lo", "2001:db8::1/128")];
    addresses.add(|| Ok(present(&all))).unwrap();
    assert!(ip.calls().is_empty());
    addresses.remove(|| Ok(present(&all[..2])));
    assert_eq!(ip.calls(), ["delete 192.0.2.2/32 dev lo"]);
    addresses.remove(|| Ok(present(&all)));
    assert!(ip.calls().is_empty());
}

#[test]
fn labels_ipv4_addresses_of_each_interface() {
    let setup = Setup { label: Some(Label { text: "dns".into(), exact: true }), ..PLAIN };
    let given = given("192.0.2.1/32 2001:db8::1/128", &[("192.0.2.1/32", "eth0")]);
    let mut addresses = Addresses::from_given(&given, &setup);
    let ip = Fake::new("label", &mut addresses, "exit 0");
    addresses.add(|| Ok(vec![])).unwrap();
    addresses.remove(|| Ok(present(&[("eth0:dns", "192.0.2.1/32")])));
    assert_eq!(
        ip.calls(),
        [
            "add 192.0.2.1/32 dev eth0 label eth0:dns",
            "add 2001:db8::1/128 dev lo",
            "delete 192.0.2.1/32 dev eth0 label eth0:dns"
        ]
    );
}

#[test]
fn continues_without_refused_addresses_and_never_removes_them() {
    let mut addresses = Addresses::from_given(&given("192.0.2.1/32 192.0.2.2/32", &[]), &PLAIN);
    let ip = Fake::new("refused", &mut addresses, "exit 2");
    addresses.add(|| Ok(vec![])).unwrap();
    assert!(addresses.complained);
    assert_eq!(ip.calls().len(), 2);
    addresses.remove(|| Ok(present(&[("lo", "192.0.2.1/32")])));
    assert!(ip.calls().is_empty());
}

#[test]
fn other_failures_are_errors() {
    let mut addresses = Addresses::from_given(&given("192.0.2.1/32 192.0.2.2/32", &[]), &PLAIN);
    let ip = Fake::new("failed", &mut addresses, "echo 'Cannot find device \"lo\"' >&2; exit 1");
    let error = addresses.add(|| Ok(vec![])).unwrap_err();
    assert!(error.starts_with("cannot add 192.0.2.1 to lo: `sh -c "), "{error}");
    assert!(
        error.contains("exited with status 1: Cannot find device \"lo\"; expected CAP_NET_ADMIN"),
        "{error}"
    );
    assert_eq!(ip.calls().len(), 1);
}

#[test]
fn retries_a_failed_removal() {
    let mut addresses = Addresses::from_given(&given("192.0.2.1/32 192.0.2.2/32", &[]), &PLAIN);
    let ip = Fake::new("again", &mut addresses, "test $2 = add");
    let all = [("lo", "192.0.2.1/32"), ("lo", "192.0.2.2/32")];
    addresses.add(|| Ok(vec![])).unwrap();
    assert_eq!(ip.calls().len(), 2);
    addresses.remove(|| Ok(present(&all)));
    assert_eq!(ip.calls(), ["delete 192.0.2.1/32 dev lo"]);
    assert_eq!(addresses.added.len(), 2);
}

#[test]
fn sudo_precedes_ip() {
    let setup = Setup { sudo: true, ..PLAIN };
    assert_eq!(Addresses::from_interface(&[], &setup).ip.words, ["sudo", "ip"]);
    assert_eq!(Addresses::from_interface(&[], &PLAIN).ip.words, ["ip"]);
}
