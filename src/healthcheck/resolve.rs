//! Converts parsed arguments to options and checks combinations of values. Each single value is valid already.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::advertising::{Advertising, Rung};
use super::arguments::{self, Arguments};
use super::attribute::{AsPath, Communities};
use super::dns;
use super::options::{Addresses, Check, Given, Label, Log, Options, Setup};
use crate::engine::hysteresis::{RelapsePolicy, Thresholds};
use crate::exabgp::NextHop;
use crate::exabgp::attributes::Attributes;
use crate::logging::facility::Facility;
use crate::probe::command::CommandProbe;

impl TryFrom<Arguments> for Options {
    type Error = String;

    fn try_from(arguments: Arguments) -> Result<Self, Self::Error> {
        let interval = arguments.checking.interval;
        let label = label(&arguments.addresses);
        let setup = Setup {
            at_start: !arguments.addresses.no_ip_setup,
            dynamic: arguments.addresses.dynamic_ip_setup,
            sudo: arguments.addresses.sudo,
            label: label.clone(),
        };
        let debounce = arguments.advertising.debounce;
        let advertising = advertising(arguments.advertising, &arguments.addresses);
        Ok(Self {
            name: arguments.name,
            log: log(&arguments.logging)?,
            pid_file: pid_file(arguments.pid)?,
            identity: arguments.identity,
            interval: (!interval.is_zero()).then_some(interval),
            fast_interval: arguments.checking.fast_interval,
            thresholds: Thresholds {
                rise: arguments.checking.rise,
                fall: arguments.checking.fall,
                relapse: RelapsePolicy::StartsAnew,
                window: None,
            },
            disable_file: disable_file(arguments.checking.disable.as_deref()),
            check: check(arguments.checking, &arguments.ours)?,
            addresses: addresses(arguments.addresses, label, &advertising)?,
            advertising,
            setup,
            hooks: arguments.hooks,
            debounce,
            acknowledged: !arguments.no_ack,
            dialect: arguments.ours.api.0,
            print_config: arguments.ours.print_config,
            wait: !arguments.ours.no_wait,
        })
    }
}

fn log(arguments: &arguments::Logging) -> Result<Log, String> {
    // --syslog-facility without a value selects the default and conflicts with nothing.
    let facility = arguments.syslog_facility.flatten();
    let chosen = [
        (arguments.silent, "--silent"),
        (facility.is_some(), "--syslog-facility"),
        (arguments.no_syslog, "--no-syslog"),
    ];
    let chosen: Vec<_> =
        chosen.into_iter().filter_map(|(is_chosen, name)| is_chosen.then_some(name)).collect();
    if let [one, other, ..] = chosen[..] {
        return Err(format!("{one} and {other} cannot be combined, expected one of them"));
    }
    let syslog = !arguments.no_syslog && !arguments.debug;
    Ok(Log {
        debug: arguments.debug,
        console: !arguments.silent,
        syslog: syslog.then_some(facility.unwrap_or(Facility::DAEMON)),
    })
}

fn pid_file(arguments: Option<PathBuf>) -> Result<Option<PathBuf>, String> {
    match arguments {
        Some(path) if path.as_os_str() == "-" => {
            Err("--pid: `-` is standard output, which is reserved for ExaBGP; expected the name of a file"
                .to_owned())
        }
        path => Ok(path),
    }
}

/// An empty name stands for no file.
fn disable_file(arguments: Option<&str>) -> Option<PathBuf> {
    arguments.filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn check(arguments: arguments::Checking, ours: &arguments::Ours) -> Result<Check, String> {
    let timeout = arguments.timeout;
    let Some(query) = &ours.dns else {
        if !ours.dns_server.is_empty() || ours.dns_expect.is_some() {
            return Err(
                "--dns-server and --dns-expect have no effect without a query, expected --dns".to_owned()
            );
        }
        return Ok(match arguments.command {
            Some(text) => Check::Command(CommandProbe::shell(text, timeout)),
            None => Check::Nothing,
        });
    };
    if arguments.command.is_some() {
        return Err("--command and --dns cannot be combined, expected one of them".to_owned());
    }
    let timeout = timeout.ok_or("--timeout: --dns needs a time limit, expected more than 0")?;
    let set = dns::probe_set(query.clone(), &ours.dns_server, ours.dns_expect.clone(), timeout);
    set.map(Check::Dns).map_err(|message| format!("--dns: {message}"))
}

/// An empty label stands for none.
fn label(arguments: &arguments::Addresses) -> Option<Label> {
    let text = arguments.label.clone().filter(|text| !text.is_empty())?;
    Some(Label { text, exact: arguments.label_exact_match })
}

fn addresses(
    arguments: arguments::Addresses,
    label: Option<Label>,
    advertising: &Advertising,
) -> Result<Addresses, String> {
    let networks = arguments.ip;
    let mut interfaces = BTreeMap::new();
    for (network, interface) in arguments.ip_ifname {
        if !networks.contains(&network) {
            return Err(format!(
                "--ip-ifname: no --ip names `{network}`, expected an --ip with that address"
            ));
        }
        interfaces.insert(network, interface);
    }
    if networks.is_empty() {
        return Ok(Addresses::OfInterface(label));
    }
    let advertised = advertising.advertise(&networks)?;
    Ok(Addresses::Given(Box::new(Given { networks, interfaces, advertised })))
}

fn advertising(arguments: arguments::Advertising, addresses: &arguments::Addresses) -> Advertising {
    let common = Attributes {
        local_preference: arguments.local_preference.flatten(),
        communities: arguments.community.unwrap_or_default(),
        extended_communities: arguments.extended_community.unwrap_or_default(),
        large_communities: arguments.large_community.unwrap_or_default(),
        ..Attributes::default()
    };
    let rung = |option, metric, own_path: Option<AsPath>, own: Option<Communities>| {
        let as_path = own_path.or_else(|| arguments.as_path.clone()).unwrap_or_default();
        let mut attributes = Attributes { as_path, ..common.clone() };
        if let Some(own) = own.filter(|own| !own.is_empty()) {
            attributes.communities = own;
        }
        Rung::Announce { option, metric, attributes }
    };
    let unless_up = |rung| if arguments.withdraw_on_down { Rung::Withdraw } else { rung };
    let apart = arguments.disabled_community;
    Advertising {
        deaggregate: addresses.deaggregate_networks,
        start: addresses.start_ip,
        next_hop: arguments.next_hop.map_or(NextHop::Itself, |address| NextHop::Address(address.0)),
        path_information: arguments.path_id.flatten(),
        // One `*` stands for all neighbors, as the empty list does.
        neighbors: arguments.neighbor.into_iter().collect::<Option<_>>().unwrap_or_default(),
        increase: arguments.increase,
        up: rung("--up-metric", arguments.up_metric, arguments.up_as_path, None),
        down: unless_up(rung("--down-metric", arguments.down_metric, arguments.down_as_path, apart.clone())),
        disabled: unless_up(rung(
            "--disabled-metric",
            arguments.disabled_metric,
            arguments.disabled_as_path,
            apart,
        )),
    }
}
