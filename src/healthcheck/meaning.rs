//! From what was typed to what is meant. Values are understood already; what is refused here are their combinations.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use super::advertising::{Advertising, Rung};
use super::arguments::{self, Arguments};
use super::attribute::{AsPath, Communities};
use super::dns;
use super::facility::Facility;
use super::network::Neighbor;
use super::number::Whole;
use super::options::{Addresses, Check, Given, Hooks, Identity, Label, Log, Options, Setup};
use crate::engine::hysteresis::{Relapse, Thresholds};
use crate::exabgp::NextHop;
use crate::exabgp::attributes::Attributes;
use crate::probe::command::CommandProbe;

impl TryFrom<Arguments> for Options {
    type Error = String;

    fn try_from(written: Arguments) -> Result<Self, Self::Error> {
        let interval = written.checking.interval.0;
        let label = label(&written.addresses);
        let setup = Setup {
            at_start: !written.addresses.no_ip_setup,
            dynamic: written.addresses.dynamic_ip_setup,
            sudo: written.addresses.sudo,
            label: label.clone(),
        };
        let debounce = written.advertising.debounce;
        let advertising = advertising(written.advertising, &written.addresses);
        Ok(Self {
            name: written.name,
            log: log(&written.logging)?,
            pid_file: pid_file(written.pid)?,
            identity: Identity { user: written.user, group: written.group },
            interval: (!interval.is_zero()).then_some(interval),
            fast_interval: written.checking.fast_interval.0,
            thresholds: Thresholds {
                rise: written.checking.rise.0,
                fall: written.checking.fall.0,
                relapse: Relapse::StartsAnew,
            },
            disable_file: disable_file(written.checking.disable.as_deref()),
            check: check(written.checking, &written.ours)?,
            addresses: addresses(written.addresses, label, &advertising)?,
            advertising,
            setup,
            hooks: Hooks {
                up: written.hooks.up_execute,
                down: written.hooks.down_execute,
                disabled: written.hooks.disabled_execute,
                any: written.hooks.execute,
            },
            debounce,
            acknowledged: !written.no_ack,
            dialect: written.ours.api.0,
            print_config: written.ours.print_config,
            wait: !written.ours.no_wait,
        })
    }
}

fn log(written: &arguments::Logging) -> Result<Log, String> {
    // Without its value, --syslog-facility asks for what is the default, and conflicts with nothing.
    let facility = written.syslog_facility.flatten();
    let chosen = [
        (written.silent, "--silent"),
        (facility.is_some(), "--syslog-facility"),
        (written.no_syslog, "--no-syslog"),
    ];
    let chosen: Vec<_> =
        chosen.into_iter().filter_map(|(is_chosen, name)| is_chosen.then_some(name)).collect();
    if let [one, other, ..] = chosen[..] {
        return Err(format!("{one} and {other} exclude each other, expected one of them"));
    }
    let syslog = !written.no_syslog && !written.debug;
    Ok(Log {
        debug: written.debug,
        console: !written.silent,
        syslog: syslog.then_some(facility.unwrap_or(Facility::DAEMON)),
    })
}

fn pid_file(written: Option<PathBuf>) -> Result<Option<PathBuf>, String> {
    match written {
        Some(path) if path.as_os_str() == "-" => {
            Err("--pid: `-` is standard output, which is ExaBGP's; expected the name of a file".to_owned())
        }
        path => Ok(path),
    }
}

/// A file without a name does not exist.
fn disable_file(written: Option<&str>) -> Option<PathBuf> {
    written.filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn check(written: arguments::Checking, ours: &arguments::Ours) -> Result<Check, String> {
    let timeout = written.timeout.0;
    let Some(query) = &ours.dns else {
        if !ours.dns_server.is_empty() || ours.dns_expect.is_some() {
            return Err(
                "--dns-server and --dns-expect say how to ask, expected --dns with what to ask".to_owned()
            );
        }
        return Ok(match written.command {
            Some(text) => Check::Command(CommandProbe { text, timeout }),
            None => Check::Nothing,
        });
    };
    if written.command.is_some() {
        return Err("--command and --dns exclude each other, expected one of them".to_owned());
    }
    let timeout = timeout.ok_or("--timeout: --dns has to know when to give up, expected more than 0")?;
    let set = dns::probe_set(query.clone(), &ours.dns_server, ours.dns_expect.clone(), timeout);
    set.map(Check::Dns).map_err(|message| format!("--dns: {message}"))
}

/// No label is the same as an empty one.
fn label(written: &arguments::Addresses) -> Option<Label> {
    let text = written.label.clone().filter(|text| !text.is_empty())?;
    Some(Label { text, exact: written.label_exact_match })
}

fn addresses(
    written: arguments::Addresses,
    label: Option<Label>,
    advertising: &Advertising,
) -> Result<Addresses, String> {
    let networks: Vec<_> = written.ip.into_iter().map(|network| network.0).collect();
    let mut interfaces = BTreeMap::new();
    for binding in written.ip_ifname {
        if !networks.contains(&binding.network) {
            return Err(format!("--ip-ifname: no --ip names `{}`, expected one that does", binding.network));
        }
        interfaces.insert(binding.network, binding.interface);
    }
    if networks.is_empty() {
        return Ok(Addresses::OfInterface(label));
    }
    let advertised = advertising.over(&networks)?;
    Ok(Addresses::Given(Box::new(Given { networks, interfaces, advertised })))
}

fn advertising(written: arguments::Advertising, addresses: &arguments::Addresses) -> Advertising {
    let common = Attributes {
        local_preference: written.local_preference.and_then(|preference| preference.0),
        communities: written.community.unwrap_or_default().0,
        extended_communities: written.extended_community.unwrap_or_default().0,
        large_communities: written.large_community.unwrap_or_default().0,
        ..Attributes::default()
    };
    let rung = |option, Whole(metric), own_path: Option<AsPath>, own: Option<Communities>| {
        let AsPath(as_path) = own_path.or_else(|| written.as_path.clone()).unwrap_or_default();
        let mut attributes = Attributes { as_path, ..common.clone() };
        if let Some(Communities(own)) = own.filter(|own| !own.0.is_empty()) {
            attributes.communities = own;
        }
        Rung::Announce { option, metric, attributes }
    };
    let unless_up = |rung| if written.withdraw_on_down { Rung::Withdraw } else { rung };
    let apart = written.disabled_community;
    Advertising {
        deaggregate: addresses.deaggregate_networks,
        start: addresses.start_ip.0,
        next_hop: written.next_hop.map_or(NextHop::Itself, |address| NextHop::Address(address.0)),
        path_information: written.path_id.and_then(|path| path.0),
        neighbors: neighbors(&written.neighbor),
        increase: written.increase.0,
        up: rung("--up-metric", written.up_metric, written.up_as_path, None),
        down: unless_up(rung("--down-metric", written.down_metric, written.down_as_path, apart.clone())),
        disabled: unless_up(rung(
            "--disabled-metric",
            written.disabled_metric,
            written.disabled_as_path,
            apart,
        )),
    }
}

/// Where all are meant, none is named.
fn neighbors(written: &[Neighbor]) -> Vec<IpAddr> {
    let one = |neighbor: &Neighbor| match neighbor {
        Neighbor::All => None,
        Neighbor::One(address) => Some(*address),
    };
    written.iter().map(one).collect::<Option<_>>().unwrap_or_default()
}
