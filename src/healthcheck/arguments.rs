//! Every option of `healthcheck`, with its help. [`parse`](mod@super::parse) reads them; [`super::resolve`] checks their
//! combinations.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser};
use ipnet::IpNet;

use super::attribute::{
    AsPath, Communities, ExtendedCommunities, LargeCommunities, as_path, communities, extended_communities,
    large_communities,
};
use super::dns::expected;
use super::network::{Binding, Neighbor, binding, neighbor, network};
use super::number::{Limit, PathId, Preference, count, limit, path_id, period, preference, whole};
use crate::config::value::{Address, Api, Server};
use crate::logging::facility::Facility;
use crate::probe::dns::{Query, Rcodes};

/// The name of the program in its messages.
pub(super) const NAME: &str = "dnsherald healthcheck";

/// Heading of the options that the original does not have. These cannot be abbreviated.
pub(super) const OURS: &str = "Beyond exabgp healthcheck";

const EXPLAINED: &str = "\
ExaBGP starts it as a process. It checks a service periodically and sends ExaBGP commands that
announce or withdraw the service's addresses. It accepts every option of exabgp healthcheck with the
same meaning.

Options of exabgp healthcheck may be abbreviated. A configuration file has one option in each line,
without the dashes: `interval = 10`, `withdraw-on-down`. Lines that start with # are comments.

In exabgp.conf:
  process resolver {
      run /usr/bin/dnsherald healthcheck --ip 192.0.2.53 --withdraw-on-down --dns 'localhost. A';
      encoder text;
  }";

/// Announces addresses while a check succeeds; accepts the options of exabgp healthcheck
#[derive(Debug, Parser)]
#[command(name = NAME, bin_name = NAME, after_help = EXPLAINED, max_term_width = 100)]
#[command(args_override_self = true, disable_help_flag = true)]
pub(crate) struct Arguments {
    /// Read options from FILE before those of the command line
    #[arg(short = 'F', long, value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,
    /// Name of this check in the log
    #[arg(short, long)]
    pub(crate) name: Option<String>,
    /// Write the process id to FILE
    #[arg(short, long, value_name = "FILE")]
    pub(crate) pid: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) identity: RunAs,
    /// Do not wait for ExaBGP's answers (exabgp.api.ack=false, ExaBGP 3.4)
    #[arg(short = 'a', long)]
    pub(crate) no_ack: bool,
    /// Print this help
    #[arg(short, long, action = ArgAction::HelpShort)]
    pub(crate) help: Option<bool>,
    #[command(flatten)]
    pub(crate) logging: Logging,
    #[command(flatten)]
    pub(crate) checking: Checking,
    #[command(flatten)]
    pub(crate) addresses: Addresses,
    #[command(flatten)]
    pub(crate) advertising: Advertising,
    #[command(flatten)]
    pub(crate) hooks: Hooks,
    #[command(flatten)]
    pub(crate) ours: Ours,
}

/// The user and group to switch to; `None` to keep the current one.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunAs {
    /// Run as USER after the addresses are set up
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Run as GROUP after the addresses are set up
    #[arg(long)]
    pub(crate) group: Option<String>,
}

/// Options of the log.
#[derive(Args, Debug)]
#[command(next_help_heading = "Logging")]
pub(crate) struct Logging {
    /// Log nothing to standard error
    #[arg(short, long)]
    pub(crate) silent: bool,
    /// Log to this syslog facility [default: daemon]; short form: -sF
    #[arg(long, value_name = "FACILITY")]
    pub(crate) syslog_facility: Option<Option<Facility>>,
    /// Log nothing to syslog
    #[arg(long)]
    pub(crate) no_syslog: bool,
    /// Log debug messages, and nothing to syslog
    #[arg(short, long)]
    pub(crate) debug: bool,
}

/// Options of the check.
#[derive(Args, Debug)]
#[command(next_help_heading = "Checking")]
pub(crate) struct Checking {
    /// Run CMD in a shell as the check; exit status 0 is success. Without a check the service is always up
    #[arg(short, long, visible_alias = "cmd", value_name = "CMD")]
    pub(crate) command: Option<String>,
    /// Seconds between checks; 0 exits after the first decision
    #[arg(short, long, value_name = "SECONDS", default_value = "5", value_parser = period)]
    pub(crate) interval: Duration,
    /// Seconds between checks while the state is about to change
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = period)]
    pub(crate) fast_interval: Duration,
    /// Seconds until a check fails, 0 for no limit
    #[arg(short, long, value_name = "SECONDS", default_value = "5", value_parser = limit)]
    pub(crate) timeout: Limit,
    /// Consecutive successes until the service is up
    #[arg(long, value_name = "N", default_value = "3", value_parser = count)]
    pub(crate) rise: NonZeroU32,
    /// Consecutive failures until the service is down
    #[arg(long, value_name = "N", default_value = "3", value_parser = count)]
    pub(crate) fall: NonZeroU32,
    /// Disable the service while FILE exists; no checks run then
    #[arg(long, value_name = "FILE")]
    pub(crate) disable: Option<String>,
}

/// Options of the addresses.
#[derive(Args, Debug)]
#[command(next_help_heading = "Addresses")]
pub(crate) struct Addresses {
    /// Advertise this address or network; may be repeated [default: the addresses of lo]
    #[arg(long, value_name = "IP", value_parser = network)]
    pub(crate) ip: Vec<IpNet>,
    /// Set up this address of --ip on INTERFACE instead of lo; may be repeated
    #[arg(long, value_name = "IP%INTERFACE", value_parser = binding)]
    pub(crate) ip_ifname: Vec<Binding>,
    /// Advertise each address of a network separately
    #[arg(long)]
    pub(crate) deaggregate_networks: bool,
    /// Start with the address at index N, from 0; the addresses before it come last
    #[arg(long, value_name = "N", default_value = "0", value_parser = whole)]
    pub(crate) start_ip: i64,
    /// Use the addresses of lo whose label is `lo:` and a text that starts with LABEL; added IPv4 addresses get the label
    /// `INTERFACE:LABEL`
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// Use only addresses with exactly the label `lo:LABEL`
    #[arg(long)]
    pub(crate) label_exact_match: bool,
    /// Do not add addresses that the interface lacks
    #[arg(long)]
    pub(crate) no_ip_setup: bool,
    /// Remove addresses from the interface while the service is down or disabled, add them while it is up
    #[arg(long)]
    pub(crate) dynamic_ip_setup: bool,
    /// Use sudo to add and remove addresses
    #[arg(long)]
    pub(crate) sudo: bool,
}

/// Options of the routes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Advertising")]
pub(crate) struct Advertising {
    /// Withdraw while the service is down or disabled, instead of announcing with another metric
    #[arg(long)]
    pub(crate) withdraw_on_down: bool,
    /// Send commands only when the state changes, not after every check
    #[arg(long)]
    pub(crate) debounce: bool,
    /// Announce only to this neighbor, * for all; may be repeated [default: *]
    #[arg(long, value_name = "IP", value_parser = neighbor)]
    pub(crate) neighbor: Vec<Neighbor>,
    /// Next hop [default: self]
    #[arg(short = 'N', long, value_name = "IP")]
    pub(crate) next_hop: Option<Address>,
    /// Metric (MED) of the first address while the service is up
    #[arg(long, value_name = "METRIC", default_value = "100", value_parser = whole)]
    pub(crate) up_metric: i64,
    /// Metric (MED) of the first address while the service is down
    #[arg(long, value_name = "METRIC", default_value = "1000", value_parser = whole)]
    pub(crate) down_metric: i64,
    /// Metric (MED) of the first address while the service is disabled
    #[arg(long, value_name = "METRIC", default_value = "500", value_parser = whole)]
    pub(crate) disabled_metric: i64,
    /// Increase of the metric from each address to the next
    #[arg(long, value_name = "N", default_value = "1", value_parser = whole)]
    pub(crate) increase: i64,
    /// Announce with this local preference [default: none]
    #[arg(long, value_name = "N", value_parser = preference)]
    pub(crate) local_preference: Option<Preference>,
    /// Announce with these communities: 64512:100 or "64512:100 no-export"
    #[arg(long, value_name = "LIST", value_parser = communities)]
    pub(crate) community: Option<Communities>,
    /// Announce with these communities instead while the service is down or disabled
    #[arg(long, value_name = "LIST", value_parser = communities)]
    pub(crate) disabled_community: Option<Communities>,
    /// Announce with these extended communities: "target:64512:100 bandwidth:64512:125000000"
    #[arg(long, value_name = "LIST", value_parser = extended_communities)]
    pub(crate) extended_community: Option<ExtendedCommunities>,
    /// Announce with these large communities: 64512:1:100
    #[arg(long, value_name = "LIST", value_parser = large_communities)]
    pub(crate) large_community: Option<LargeCommunities>,
    /// Announce with this AS path: "64512 64512"
    #[arg(long, value_name = "PATH", value_parser = as_path)]
    pub(crate) as_path: Option<AsPath>,
    /// Announce with this AS path instead while the service is up
    #[arg(long, value_name = "PATH", value_parser = as_path)]
    pub(crate) up_as_path: Option<AsPath>,
    /// Announce with this AS path instead while the service is down
    #[arg(long, value_name = "PATH", value_parser = as_path)]
    pub(crate) down_as_path: Option<AsPath>,
    /// Announce with this AS path instead while the service is disabled
    #[arg(long, value_name = "PATH", value_parser = as_path)]
    pub(crate) disabled_as_path: Option<AsPath>,
    /// Announce and withdraw with this path identifier, 0 for none [default: none]
    #[arg(long, value_name = "N", value_parser = path_id)]
    pub(crate) path_id: Option<PathId>,
}

/// Commands to run when the state changes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Hooks")]
pub(crate) struct Hooks {
    /// Run CMD in a shell at every change of state, with the state in $STATE; may be repeated
    #[arg(long, value_name = "CMD")]
    pub(crate) execute: Vec<String>,
    /// Run CMD before --execute when the service comes up; may be repeated
    #[arg(long, value_name = "CMD")]
    pub(crate) up_execute: Vec<String>,
    /// Run CMD before --execute when the service goes down; may be repeated
    #[arg(long, value_name = "CMD")]
    pub(crate) down_execute: Vec<String>,
    /// Run CMD before --execute when the service is disabled; may be repeated
    #[arg(long, value_name = "CMD")]
    pub(crate) disabled_execute: Vec<String>,
}

/// Options that the original does not have.
#[derive(Args, Debug)]
#[command(next_help_heading = OURS)]
pub(crate) struct Ours {
    /// Use a DNS query such as 'localhost. A' as the check, instead of --command
    #[arg(long, value_name = "QUERY")]
    pub(crate) dns: Option<Query>,
    /// Send the query to this server, with a port other than 53 if given; if repeated, all must answer [default:
    /// 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) dns_server: Vec<Server>,
    /// Response codes that count as success, separated by commas [default: NOERROR]
    #[arg(long, value_name = "CODES", value_parser = expected)]
    pub(crate) dns_expect: Option<Rcodes>,
    /// API version of ExaBGP: auto, 4 (to 4.2.21), 5 (from 4.2.22), 6, or a version such as 4.2.22
    #[arg(long, value_name = "VERSION", default_value = "auto")]
    pub(crate) api: Api,
    /// Print an equivalent configuration file for `dnsherald run`, and exit
    #[arg(long)]
    pub(crate) print_config: bool,
    /// Exit at once after an error, instead of waiting 15 seconds so that ExaBGP keeps restarting the process
    #[arg(long)]
    pub(crate) no_wait: bool,
}
