//! Service addresses on a real interface in a network namespace: removed, restored, or never present.
//!
//! Two kinds of interfaces are modules that a kernel may lack. `dummy`: then one end of a veth pair stands in, which
//! loses its addresses in the same way. `vrf`: then only a VRF that is not there can be tried, and the
//! test asserts that the kernel has none ([`makes_vrf`]). No test is left out for that.

use std::process::Command;

use dnsherald::responder::Fault;

use crate::support::helper::{ANNOUNCE, Pop, WITHDRAW, ideal};
use crate::support::namespace::{in_namespace, shell};

const PRESENT: &str = "ip addr add 192.0.2.53/32 dev lo";
const ABSENT: &str = "ip addr del 192.0.2.53/32 dev lo";

/// A PoP whose service address must be on this host.
fn pop(change: impl Fn(String) -> String) -> Pop {
    let pop = Pop::new();
    pop.is_configured(&change(pop.configuration().replace("address = false\n", "")));
    pop
}

#[test]
fn a_check_that_is_newer_than_the_file_moves_no_route() {
    let name = "run::address::a_check_that_is_newer_than_the_file_moves_no_route";
    in_namespace(name, "true", || {
        let pop = pop(|text| text.replace("[defaults]\n", "[defaults]\nsince = \"0.1\"\n"));
        let mut helper = pop.helper(ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE);
        helper
            .logs("newer than `since` in [defaults] and only observed: address; write since = \"0.2\" there");
    });
}

#[test]
fn a_removed_service_address_withdraws_until_it_is_restored() {
    let name = "run::address::a_removed_service_address_withdraws_until_it_is_restored";
    in_namespace(name, PRESENT, || {
        let pop = pop(|text| text);
        let mut helper = pop.helper(ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE);
        for _ in 0..3 {
            shell(ABSENT);
            helper.says(WITHDRAW);
            helper.logs("192.0.2.53 is not on this host");
            // The server continues to answer at another address.
            pop.server.is_asked_again(5);
            helper.has_said_no_more();
            shell(PRESENT);
            helper.says(ANNOUNCE);
        }
    });
}

/// The hold ends long before the timeout of `--wait`.
#[test]
fn a_hold_of_a_missing_address_reports_its_end_and_the_address() {
    let name = "run::address::a_hold_of_a_missing_address_reports_its_end_and_the_address";
    in_namespace(name, PRESENT, || {
        let pop = pop(|text| text);
        let mut helper = pop.helper(ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE);
        shell(ABSENT);
        helper.says(WITHDRAW);
        let words = ["hold", "resolver", "--for", "1s", "--reason", "test", "--wait"];
        let held = pop.command(&words);
        assert_eq!(held.status.code(), Some(1));
        let at_once = String::from_utf8(held.stdout).unwrap();
        assert!(at_once.contains("resolver stays withdrawn: 192.0.2.53 is not on this host"), "{at_once}");
        let said = String::from_utf8(held.stderr).unwrap();
        let expected =
            "the hold of resolver is over, and resolver stays withdrawn: 192.0.2.53 is not on this host";
        assert!(said.contains(expected) && said.contains("no hold overrides a missing address"), "{said}");
        let held = pop.command(&["hold", "resolver", "--for", "1h", "--reason", "test"]);
        assert_eq!(held.status.code(), Some(1), "{held:?}");
        let said = String::from_utf8(held.stdout).unwrap();
        assert!(said.contains("resolver stays withdrawn: 192.0.2.53 is not on this host"), "{said}");
        let said = String::from_utf8(held.stderr).unwrap();
        let expected = "the hold of resolver has no effect as long as the address is missing; it stays, and then announces \
                        the service, whatever its checks say; to end it: dnsherald unhold resolver --as operator\n";
        assert!(said.contains(expected), "{said}");
        let next = "announced at once when its address is back, whatever its checks say: held by operator";
        for command in ["status", "explain"] {
            let shown = pop.told(&[command, "--json"]);
            assert!(shown.contains(next), "{shown}");
        }
        pop.server.becomes(Fault::Refuse);
        shell(PRESENT);
        helper.says(ANNOUNCE);
    });
}

/// No round is due for hours; only the event reports the loss.
#[test]
fn detects_a_removed_service_address_between_rounds() {
    let name = "run::address::detects_a_removed_service_address_between_rounds";
    in_namespace(name, PRESENT, || {
        let pop = pop(|text| text.replace("interval = \"100ms\"\nfast", "interval = \"1h\"\nfast"));
        let mut helper = pop.helper(ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE);
        shell(ABSENT);
        helper.says(WITHDRAW);
    });
}

#[test]
fn does_not_announce_an_address_missing_at_start() {
    let name = "run::address::does_not_announce_an_address_missing_at_start";
    in_namespace(name, "", || {
        let pop = pop(|text| text);
        let mut helper = pop.helper(ideal("5.0.15"));
        helper.opens();
        helper.says(WITHDRAW);
        helper.logs("192.0.2.53 is not on this host");
        shell(PRESENT);
        helper.says(ANNOUNCE);
    });
}

/// A route of type local suffices (AnyIP), here for a prefix whose address the configuration names.
#[test]
fn a_local_route_suffices_for_a_shorter_prefix() {
    let name = "run::address::a_local_route_suffices_for_a_shorter_prefix";
    in_namespace(name, "ip route add local 192.0.2.0/24 dev lo", || {
        let named = |text: String| {
            text.replace("[\"192.0.2.53/32\"]", "[\"192.0.2.0/24\"]\naddress = [\"192.0.2.53\"]")
        };
        let pop = pop(named);
        let mut helper = pop.helper(ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE.replace("192.0.2.53/32", "192.0.2.0/24"));
        shell("ip route del local 192.0.2.0/24 dev lo");
        helper.says(WITHDRAW.replace("192.0.2.53/32", "192.0.2.0/24"));
    });
}

#[test]
fn a_host_without_ipv4_keeps_watch_over_its_ipv6_address() {
    let name = "run::address::a_host_without_ipv4_keeps_watch_over_its_ipv6_address";
    in_namespace(name, "ip -6 addr add 2001:db8:53::53/128 dev lo", || {
        let six = |text: String| {
            text.replace("192.0.2.53/32", "2001:db8:53::53/128")
                .replace("[\"127.0.0.1\"]", "[\"127.0.0.1\", \"::1\"]")
        };
        let pop = pop(six);
        let of_six =
            |line: &str| line.replace("192.0.2.53/32", "2001:db8:53::53/128").replace("127.0.0.1", "::1");
        let mut helper = pop.helper(ideal("5.0.15"));
        helper.opens();
        helper.comes_to_say(&of_six(ANNOUNCE));
        shell("ip -6 addr del 2001:db8:53::53/128 dev lo");
        helper.says(of_six(WITHDRAW));
    });
}

/// Beside their results, for the file may be meant for another host.
#[test]
fn check_and_check_config_say_which_address_is_missing() {
    let name = "run::address::check_and_check_config_say_which_address_is_missing";
    in_namespace(name, "", || {
        let missing = "warning: service resolver: 192.0.2.53 is not on this host";
        let elsewhere = "warning: management address 203.0.113.2 is not on this host";
        let pop = pop(|text| text.replace("[\"127.0.0.1\"]", "[\"127.0.0.1\", \"203.0.113.2\"]"));
        let said = |words: &[&str]| String::from_utf8(pop.command(words).stderr).unwrap();
        for words in [["check"], ["check-config"]] {
            let said = said(&words);
            assert!(said.contains(missing) && said.contains(elsewhere), "{words:?}: {said}");
        }
        shell(PRESENT);
        shell("ip addr add 203.0.113.2/32 dev lo");
        for words in [["check"], ["check-config"]] {
            assert_eq!(said(&words), "", "{words:?}");
        }
    });
}

/// The server is in another network namespace or behind DNAT.
#[test]
fn address_false_lifts_the_check() {
    let name = "run::address::address_false_lifts_the_check";
    in_namespace(name, "", || {
        let pop = Pop::new();
        let mut helper = pop.helper(ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE);
    });
}

/// The address on an interface of its own. The kernel delivers to an IPv4 address while its interface is down.
#[test]
fn a_service_address_goes_and_comes_with_its_interface_and_not_with_the_link() {
    let name = "run::address::a_service_address_goes_and_comes_with_its_interface_and_not_with_the_link";
    let setup = "ip link add anycast type dummy || { ip link add anycast type veth peer name other; ip link set other up; }
                 ip link set anycast up; ip addr add 192.0.2.53/32 dev anycast";
    in_namespace(name, setup, || {
        let pop = pop(|text| text);
        let mut helper = pop.helper(ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE);
        shell("ip link set anycast down");
        pop.server.is_asked_again(5);
        helper.has_said_no_more();
        shell("ip link del anycast");
        helper.says(WITHDRAW);
        helper.logs("192.0.2.53 is not on this host");
        shell(setup);
        helper.says(ANNOUNCE);
    });
}

/// Makes a VRF, unless the kernel has none; any other reason is a failure.
#[track_caller]
fn makes_vrf(name: &str) -> bool {
    let made = Command::new("ip").args(["link", "add", name, "type", "vrf", "table", "53"]).output().unwrap();
    let told = String::from_utf8_lossy(&made.stderr);
    let is_lacking = ["Unknown device type", "not supported"].iter().any(|why| told.contains(why));
    assert!(made.status.success() || is_lacking, "{told}");
    made.status.success()
}

#[test]
fn a_service_address_in_a_vrf_is_looked_up_there() {
    let name = "run::address::a_service_address_in_a_vrf_is_looked_up_there";
    in_namespace(name, PRESENT, || {
        let in_vrf =
            "[[service.check]]\nname = \"here\"\ndevice = \"vrf-dns\"\naddress = {}\n\n[[service.check]]";
        let pop = pop(|text| text.replace("[[service.check]]", in_vrf));
        let mut helper = pop.helper(ideal("5.0.15"));
        helper.comes_to_say(WITHDRAW);
        helper.logs("192.0.2.53 is not on this host: it has no device `vrf-dns`");
        // The rules of the VRFs come first.
        shell("ip rule add pref 32765 table local; ip rule del pref 0");
        if !makes_vrf("vrf-dns") {
            return;
        }
        // And its table has an end, so that the address on `lo` is not in the VRF.
        shell("ip route add table 53 unreachable default metric 4278198272; ip link set vrf-dns up");
        pop.server.is_asked_again(5);
        assert!(!helper.said().iter().any(|line| line.contains("announce")), "{}", helper.log());
        shell("ip addr add 192.0.2.53/32 dev vrf-dns");
        helper.comes_to_say(ANNOUNCE);
        shell("ip link del vrf-dns");
        helper.comes_to_say(WITHDRAW);
    });
}
