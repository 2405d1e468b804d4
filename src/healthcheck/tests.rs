//! Tests with command lines as operators type them.

use std::ffi::OsString;
use std::time::Duration;

use super::advertising::Rung;
use super::options::{Addresses, Check, Given, Options};
use super::{Refusal, parse};
use crate::engine::hysteresis::RelapsePolicy;
use crate::exabgp::attributes::Attributes;
use crate::exabgp::{Dialect, NextHop};
use crate::exit::Exit;
use crate::logging::facility::Facility;

fn typed<const N: usize>(words: [&str; N]) -> Result<Options, Refusal> {
    parse(words.into_iter().map(OsString::from))
}

/// Parses a line without quotes.
pub(super) fn line(text: &str) -> Result<Options, Refusal> {
    parse(text.split_whitespace().map(OsString::from))
}

fn options(text: &str) -> Options {
    line(text).unwrap_or_else(|refusal| panic!("{text}: {refusal}"))
}

/// The message of the refusal, without `error: `.
pub(super) fn refused(text: &str) -> String {
    sentence(&line(text).expect_err(text))
}

pub(super) fn sentence(refusal: &Refusal) -> String {
    let text = refusal.to_string();
    text.lines().next().unwrap_or_default().strip_prefix("error: ").unwrap_or_default().to_owned()
}

pub(super) fn given(options: Options) -> Given {
    match options.addresses {
        Addresses::Given(given) => *given,
        Addresses::OfInterface(_) => panic!("no addresses are given"),
    }
}

fn announced(rung: &Rung) -> &Attributes {
    match rung {
        Rung::Announce { attributes, .. } => attributes,
        Rung::Withdraw => panic!("withdrawn"),
    }
}

#[test]
fn the_defaults_are_those_of_the_original() {
    let options = options("");
    assert!(matches!(options.check, Check::Nothing));
    assert_eq!(options.interval, Some(Duration::from_secs(5)));
    assert_eq!(options.fast_interval, Duration::from_secs(1));
    assert_eq!((options.thresholds.rise.get(), options.thresholds.fall.get()), (3, 3));
    assert_eq!(options.thresholds.relapse, RelapsePolicy::StartsAnew);
    assert_eq!(options.addresses, Addresses::OfInterface(None));
    assert_eq!(options.log.syslog, Some(Facility::DAEMON));
    assert!(options.setup.at_start && !options.setup.dynamic);
    assert!(options.acknowledged && options.log.console && !options.log.debug && !options.debounce);
    assert_eq!(options.advertising.next_hop, NextHop::Itself);
    let metrics =
        [options.advertising.up, options.advertising.down, options.advertising.disabled].map(|rung| {
            let Rung::Announce { metric, attributes, .. } = rung else { panic!("withdrawn") };
            assert_eq!(attributes, Attributes::default());
            metric
        });
    assert_eq!((metrics, options.advertising.increase), ([100, 1000, 500], 1));
}

#[test]
fn accepts_every_spelling_of_every_option() {
    let spellings: &[&[&str]] = &[
        &["--silent", "-s", "--si", "-s --silent"],
        &["--syslog-facility local1", "-sF local1", "-sF=LOCAL1", "--sy=local1", "-sF local2 -sF local1"],
        &["--no-syslog", "--no-s"],
        &["--debug", "-d", "--debu -d"],
        &["--no-ack", "-a", "--no-a"],
        &["--sudo", "--su"],
        &["--name x", "-n x", "-nx", "-n=x", "--na=x", "--name y --name x"],
        &["--pid x", "-p x", "--pi x"],
        &["--user x", "--us x"],
        &["--group x", "--g x"],
        &["--interval 2", "-i 2", "-i2", "--int 2", "--interval=2.0"],
        &["--fast-interval 2", "-f 2", "--fast 2"],
        &["--timeout 2 -c true", "-t 2 --cmd true", "--t 2 --command true", "-t2 -ctrue"],
        &["--rise 2", "--r 2", "--rise=+2"],
        &["--fall 2", "--fal 2"],
        &["--disable x", "--disable=x"],
        &["--next-hop 192.0.2.9", "-N 192.0.2.9", "--nex 192.0.2.9"],
        &["--ip 192.0.2.1", "--ip=192.0.2.1/32", "--ip 192.0.2.1/255.255.255.255"],
        &["--ip ::1 --ip-ifname ::1%eth0", "--ip-i ::1/128%eth0 --ip ::1"],
        &["--local-preference 7", "--lo 7"],
        &["--deaggregate-networks", "--dea"],
        &["--no-ip-setup", "--no-i"],
        &["--dynamic-ip-setup", "--dy"],
        &["--label x", "--label=x"],
        &["--label x --label-exact-match", "--label x --label-"],
        &["--start-ip -1", "--st -1", "--start-ip=-1"],
        &["--up-metric 7", "--up-m 7"],
        &["--down-metric 7", "--down-m 7"],
        &["--disabled-metric 7", "--disabled-m 7"],
        &["--increase 7", "--inc 7"],
        &["--community 1:2", "--commu 1:2", "--community [1:2]"],
        &["--extended-community target:1:2", "--ext 1:2"],
        &["--large-community 1:2:3", "--lar 1:2:3"],
        &["--disabled-community 1:2", "--disabled-c 1:2"],
        &["--as-path 7,8", "--a [7,8]"],
        &["--up-as-path 7", "--up-a 7"],
        &["--down-as-path 7", "--down-a 7"],
        &["--disabled-as-path 7", "--disabled-a 7"],
        &["--withdraw-on-down", "--withdraw", "--w"],
        &["--path-id 7", "--pa 7"],
        &["--neighbor 192.0.2.9", "--nei 192.0.2.9"],
        &["--debounce", "--debo"],
        &["--execute x", "--exe x"],
        &["--up-execute x", "--up-e x"],
        &["--down-execute x", "--down-e x"],
        &["--disabled-execute x", "--disabled-e x"],
        &["--no-syslog --sudo -ad", "-dan=x --no-sy --sud", "-adi5 --no-syslog --sudo"],
    ];
    let shown = |text: &&str| format!("{:?}", Options { name: None, ..options(text) });
    for same in spellings {
        let all: Vec<_> = same.iter().map(shown).collect();
        assert!(all.iter().all(|one| *one == all[0]), "{same:?}: {all:#?}");
    }
    // Each option except `name` and `pid` changes something.
    for first in spellings.iter().map(|same| same[0]).filter(|text| !text.starts_with("--name")) {
        assert_ne!(shown(&first), shown(&""), "{first}");
    }
}

#[test]
fn accepts_the_abbreviations_of_the_original_only() {
    assert_eq!(
        refused("--no"),
        "`--no` is ambiguous, expected one of `--no-ack`, `--no-syslog`, `--no-ip-setup`"
    );
    assert!(refused("--disabled").contains("`--disabled-metric`"));
    assert_eq!(refused("--withdrawn"), "unexpected `--withdrawn`, did you mean `--withdraw-on-down`?");
    assert!(refused("--print").contains("did you mean `--print-config`?"));
    assert!(refused("--dns-s ::1").starts_with("unexpected `--dns-s`"));
}

#[test]
fn a_dash_starts_an_option_unless_a_number_or_space_follows() {
    assert_eq!(options("--name -5").name.as_deref(), Some("-5"));
    assert_eq!(options("--name -.5").name.as_deref(), Some("-.5"));
    assert_eq!(options("--name -").name.as_deref(), Some("-"));
    assert_eq!(typed(["--name", "-x y"]).unwrap().name.as_deref(), Some("-x y"));
    assert_eq!(typed(["--name", ""]).unwrap().name.as_deref(), Some(""));
    assert_eq!(options("--name=-x").name.as_deref(), Some("-x"));
    for text in ["--name -x", "--name --x", "--name -5.", "--name --", "--name --silent", "--name"] {
        assert_eq!(refused(text), "`--name` expects a value after it", "{text}");
    }
    assert_eq!(sentence(&typed(["--name", "-s y"]).unwrap_err()), "`--name` expects a value after it");
}

#[test]
fn refuses_words_that_are_not_options() {
    assert_eq!(refused("x"), "unexpected `x`");
    assert_eq!(refused("--debug true"), "unexpected `true`");
    assert_eq!(refused("--debug=true"), "`--debug` takes no value, found `true`");
    assert_eq!(refused("-sx"), "`-s` takes no value, found `x`");
    assert_eq!(refused("--debug --"), "unexpected `--`, expected options only");
    assert_eq!(refused("-é"), "unexpected `-é`");
    assert_eq!(refused("local0 -sF"), "unexpected `local0`");
}

#[test]
fn checks_every_value_even_if_a_later_one_replaces_it() {
    assert!(refused("--rise x --rise 3").starts_with("--rise: `x` is not a whole number"));
    assert!(refused("--community no --community 1:2").starts_with("--community: `no` is no community"));
    assert_eq!(refused("--pid="), "--pid: expected a value");
    assert!(refused("--pid -").contains("standard output"));
    assert!(refused("--interval -1").contains("`-1` is negative"));
    assert!(refused("-sF nowhere").contains("is not a syslog facility"));
    assert!(refused("--ip ::1 --ip ::2 --up-metric 4294967295").contains("the metric 4294967296"));
}

#[test]
fn refuses_contradicting_log_destinations() {
    for text in ["-s --no-syslog", "-sF local0 -s", "--no-syslog -sF daemon"] {
        assert!(refused(text).ends_with("cannot be combined, expected one of them"), "{text}");
    }
    assert!(!options("-s -sF").log.console);
    assert_eq!(options("--debug").log.syslog, None);
    assert_eq!(options("--no-syslog --debug").log.syslog, None);
}

#[test]
fn empty_and_zero_values_disable_an_option() {
    assert_eq!(options("--interval 0").interval, None);
    assert_eq!(options("--disable=").disable_file, None);
    assert_eq!(options("--label=").addresses, Addresses::OfInterface(None));
    assert_eq!(options("--path-id 0").advertising.path_information, None);
    assert_eq!(options("--local-preference -1").advertising.up, options("").advertising.up);
    let Check::Command(command) = options("--timeout 0 -c true").check else { panic!("no command") };
    assert_eq!(command.timeout, None);
}

#[test]
fn each_state_has_its_own_path_and_communities() {
    let said =
        options("--as-path 1 --down-as-path 2 --disabled-as-path= --community 1:1 --disabled-community 2:2");
    let said = said.advertising;
    let shown = [&said.up, &said.down, &said.disabled].map(|rung| announced(rung).to_string());
    assert_eq!(
        shown,
        [" community [ 1:1 ] as-path [ 1 ]", " community [ 2:2 ] as-path [ 2 ]", " community [ 2:2 ]"]
    );
    let withdrawn = options("--withdraw-on-down --down-metric -5").advertising;
    assert_eq!((withdrawn.down, withdrawn.disabled), (Rung::Withdraw, Rung::Withdraw));
}

#[test]
fn a_star_selects_all_neighbors() {
    assert_eq!(options("--neighbor 192.0.2.9 --neighbor ::9").advertising.neighbors.len(), 2);
    assert_eq!(options("--neighbor 192.0.2.9 --neighbor *").advertising.neighbors.len(), 0);
}

#[test]
fn advertises_addresses_in_order_and_binds_them_to_interfaces() {
    let text =
        "--ip 192.0.2.1 --ip ::1 --ip 192.0.2.3 --start-ip 1 --ip-ifname ::1%eth0 --ip-ifname ::1%eth1";
    let given = given(options(text));
    let lines = given.advertised.routes.iter();
    let lines: Vec<_> = lines.map(|route| Dialect::Neighbor.advertise(route, &given.advertised.up)).collect();
    assert_eq!(
        lines,
        [
            "neighbor * announce route ::1/128 next-hop self med 100",
            "neighbor * announce route 192.0.2.3/32 next-hop self med 101",
            "neighbor * announce route 192.0.2.1/32 next-hop self med 102",
        ]
    );
    assert_eq!(given.networks[0].to_string(), "192.0.2.1/32");
    assert_eq!(given.interfaces[&given.networks[1]].name(), "eth1");
    assert!(refused("--ip-ifname ::1%eth0").contains("no --ip names `::1/128`"));
}

#[test]
fn a_dns_query_replaces_the_command() {
    let Check::Dns(set) = typed(["--dns", "localhost. A", "--dns-expect", "NOERROR,NXDOMAIN"]).unwrap().check
    else {
        panic!("no question")
    };
    assert_eq!(set.probes()[0].to_string(), "127.0.0.1:53 udp localhost. A");
    assert_eq!(set.probes()[0].timeout, Duration::from_secs(5));
    let refused = |more| sentence(&typed(["--dns", ". NS", more]).unwrap_err());
    assert!(refused("--command=true").contains("cannot be combined"));
    assert!(refused("--timeout=0").contains("expected more than 0"));
    assert!(self::refused("--dns-server ::1").contains("expected --dns"));
    assert!(self::refused("--dns localhost").contains("no record type"));
}

#[test]
fn accepts_a_fixed_dialect() {
    assert_eq!(options("--api auto").dialect, None);
    assert_eq!(options("--api 4").dialect, Some(Dialect::Plain));
    assert_eq!(options("--api 5").dialect, Some(Dialect::Neighbor));
    assert_eq!(options("--api 6").dialect, Some(Dialect::Peer));
    assert_eq!(options("--api 4.2.22").dialect, Some(Dialect::Neighbor));
    assert!(refused("--api 7").contains("a version from 3.4 to 6"));
}

#[test]
fn help_and_refusals_have_exit_statuses() {
    for text in ["--help", "-h", "--he", "-dh", "--bogus -h --rise"] {
        let help = line(text).expect_err(text);
        assert_eq!(help.exit(), Exit::Success, "{text}");
        assert!(help.to_string().contains("--withdraw-on-down"));
    }
    let refusal = line("--bogus").expect_err("an unknown option");
    assert_eq!((refusal.exit(), refusal.wait), (Exit::Usage, true));
    assert!(refusal.to_string().contains("Usage: dnsherald healthcheck [OPTIONS]"));
    assert!(!line("--bogus --no-wait").expect_err("an unknown option").wait);
    assert!(refused("--rise x --help").starts_with("--rise: `x`"));
}
