//! Every option of `healthcheck`, with its help. No behaviour: how they are read stands in [`super::reading`], and what
//! they mean together in [`super::meaning`].

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser};

use super::attribute::{AsPath, Communities, ExtendedCommunities, LargeCommunities};
use super::dns::Expected;
use super::facility::Facility;
use super::network::{Binding, Neighbor, Network};
use super::number::{Count, Limit, PathId, Preference, Seconds, Whole};
use crate::config::value::Api;
use crate::config::value::{Address, Server};
use crate::probe::dns::Query;

/// What an operator calls the program.
pub(super) const NAME: &str = "dnsherald healthcheck";

/// What the original does not have, and what is not abbreviated for that reason.
pub(super) const OURS: &str = "Beyond exabgp healthcheck";

const EXPLAINED: &str = "\
ExaBGP starts it as a process. It checks a service again and again, and tells ExaBGP on standard
output to announce or withdraw the service's addresses. Whatever was written for exabgp healthcheck
can be written here, and means the same.

Options may be abbreviated, but for those that exabgp healthcheck does not have. A configuration
file has one of them in each line, without its dashes: `interval = 10`, `withdraw-on-down`. Lines
that start with # are comments.

In exabgp.conf:
  process resolver {
      run /usr/bin/dnsherald healthcheck --ip 192.0.2.53 --withdraw-on-down --dns 'localhost. A';
      encoder text;
  }";

/// Announces addresses while a check succeeds; takes the options of exabgp healthcheck.
#[derive(Debug, Parser)]
#[command(name = NAME, bin_name = NAME, after_help = EXPLAINED, max_term_width = 100)]
#[command(args_override_self = true, disable_help_flag = true)]
pub(crate) struct Arguments {
    /// Read options from FILE, as if they stood in front of the command line
    #[arg(short = 'F', long, value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,
    /// What this check is called in the log
    #[arg(short, long)]
    pub(crate) name: Option<String>,
    /// Write the process id to FILE
    #[arg(short, long, value_name = "FILE")]
    pub(crate) pid: Option<PathBuf>,
    /// Be USER once the addresses are set up
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Be of GROUP once the addresses are set up
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// Do not wait for ExaBGP's answers (exabgp.api.ack=false, ExaBGP 3.4)
    #[arg(short = 'a', long)]
    pub(crate) no_ack: bool,
    /// Print this help
    #[arg(short, long, action = ArgAction::HelpShort)]
    pub(crate) help: Option<bool>,
    /// Where the log goes.
    #[command(flatten)]
    pub(crate) logging: Logging,
    /// What is checked, and when.
    #[command(flatten)]
    pub(crate) checking: Checking,
    /// What is advertised, and set up.
    #[command(flatten)]
    pub(crate) addresses: Addresses,
    /// How it is advertised.
    #[command(flatten)]
    pub(crate) advertising: Advertising,
    /// What is run when a state changes.
    #[command(flatten)]
    pub(crate) hooks: Hooks,
    /// What the original does not have.
    #[command(flatten)]
    pub(crate) ours: Ours,
}

/// Where the log goes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Logging")]
pub(crate) struct Logging {
    /// Log nothing to standard error
    #[arg(short, long)]
    pub(crate) silent: bool,
    /// Log to this facility of syslog, daemon by default; in short: -sF
    #[arg(long, value_name = "FACILITY")]
    pub(crate) syslog_facility: Option<Option<Facility>>,
    /// Log nothing to syslog
    #[arg(long)]
    pub(crate) no_syslog: bool,
    /// Log more, and nothing to syslog
    #[arg(short, long)]
    pub(crate) debug: bool,
}

/// What is checked, and when.
#[derive(Args, Debug)]
#[command(next_help_heading = "Checking")]
pub(crate) struct Checking {
    /// The check: a command for the shell, which succeeds with exit status 0; without one, all is well
    #[arg(short, long, visible_alias = "cmd", value_name = "CMD")]
    pub(crate) command: Option<String>,
    /// Seconds from one check to the next; 0 ends the program after its first decision
    #[arg(short, long, value_name = "SECONDS", default_value = "5")]
    pub(crate) interval: Seconds,
    /// The same while a change is impending
    #[arg(short, long, value_name = "SECONDS", default_value = "1")]
    pub(crate) fast_interval: Seconds,
    /// Seconds until a check has failed, 0 for as long as it takes
    #[arg(short, long, value_name = "SECONDS", default_value = "5")]
    pub(crate) timeout: Limit,
    /// Successes in a row until the service is up
    #[arg(long, value_name = "N", default_value = "3")]
    pub(crate) rise: Count,
    /// Failures in a row until the service is down
    #[arg(long, value_name = "N", default_value = "3")]
    pub(crate) fall: Count,
    /// Consider the service disabled as long as FILE exists, and check nothing
    #[arg(long, value_name = "FILE")]
    pub(crate) disable: Option<String>,
}

/// What is advertised, and set up.
#[derive(Args, Debug)]
#[command(next_help_heading = "Addresses")]
pub(crate) struct Addresses {
    /// Advertise this address or network; may be repeated [default: the addresses of lo]
    #[arg(long, value_name = "IP")]
    pub(crate) ip: Vec<Network>,
    /// Set up this address, which --ip names too, on that interface instead of lo; may be repeated
    #[arg(long, value_name = "IP%INTERFACE")]
    pub(crate) ip_ifname: Vec<Binding>,
    /// Advertise every single address of a network
    #[arg(long)]
    pub(crate) deaggregate_networks: bool,
    /// Begin with the address at place N, counted from 0; those in front of it come last
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) start_ip: Whole,
    /// Take the addresses of lo whose label starts with LABEL, behind `lo:`; label those added so
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// Take only those whose label is LABEL
    #[arg(long)]
    pub(crate) label_exact_match: bool,
    /// Do not add addresses that the interface lacks
    #[arg(long)]
    pub(crate) no_ip_setup: bool,
    /// Remove addresses from the interface when the service is down or disabled, add them when it is up
    #[arg(long)]
    pub(crate) dynamic_ip_setup: bool,
    /// Add and remove addresses by way of sudo
    #[arg(long)]
    pub(crate) sudo: bool,
}

/// How it is advertised.
#[derive(Args, Debug)]
#[command(next_help_heading = "Advertising")]
pub(crate) struct Advertising {
    /// Withdraw when the service is down or disabled, rather than announce with another metric
    #[arg(long)]
    pub(crate) withdraw_on_down: bool,
    /// Speak when the state changes, not after every check
    #[arg(long)]
    pub(crate) debounce: bool,
    /// Tell only this neighbor, * for all; may be repeated [default: *]
    #[arg(long, value_name = "IP")]
    pub(crate) neighbor: Vec<Neighbor>,
    /// The next hop [default: self]
    #[arg(short = 'N', long, value_name = "IP")]
    pub(crate) next_hop: Option<Address>,
    /// Metric (MED) of the first address while the service is up
    #[arg(long, value_name = "METRIC", default_value = "100")]
    pub(crate) up_metric: Whole,
    /// The same while it is down
    #[arg(long, value_name = "METRIC", default_value = "1000")]
    pub(crate) down_metric: Whole,
    /// The same while it is disabled
    #[arg(long, value_name = "METRIC", default_value = "500")]
    pub(crate) disabled_metric: Whole,
    /// How much the metric grows from each address to the next
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) increase: Whole,
    /// Announce with this local preference [default: none]
    #[arg(long, value_name = "N")]
    pub(crate) local_preference: Option<Preference>,
    /// Announce with these communities: 64512:100 or "64512:100 no-export"
    #[arg(long, value_name = "LIST")]
    pub(crate) community: Option<Communities>,
    /// Announce with these communities instead while the service is down or disabled
    #[arg(long, value_name = "LIST")]
    pub(crate) disabled_community: Option<Communities>,
    /// Announce with these extended communities: "target:64512:100 bandwidth:64512:125000000"
    #[arg(long, value_name = "LIST")]
    pub(crate) extended_community: Option<ExtendedCommunities>,
    /// Announce with these large communities: 64512:1:100
    #[arg(long, value_name = "LIST")]
    pub(crate) large_community: Option<LargeCommunities>,
    /// Announce with this path: "64512 64512"
    #[arg(long, value_name = "PATH")]
    pub(crate) as_path: Option<AsPath>,
    /// Announce with this path instead while the service is up
    #[arg(long, value_name = "PATH")]
    pub(crate) up_as_path: Option<AsPath>,
    /// The same while it is down
    #[arg(long, value_name = "PATH")]
    pub(crate) down_as_path: Option<AsPath>,
    /// The same while it is disabled
    #[arg(long, value_name = "PATH")]
    pub(crate) disabled_as_path: Option<AsPath>,
    /// Announce and withdraw with this path identifier, 0 for none [default: none]
    #[arg(long, value_name = "N")]
    pub(crate) path_id: Option<PathId>,
}

/// What is run when a state changes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Hooks")]
pub(crate) struct Hooks {
    /// Run CMD in a shell at every change of state, which it finds in $STATE; may be repeated
    #[arg(long, value_name = "CMD")]
    pub(crate) execute: Vec<String>,
    /// Run CMD before those, when the service comes up; may be repeated
    #[arg(long, value_name = "CMD")]
    pub(crate) up_execute: Vec<String>,
    /// The same when it goes down
    #[arg(long, value_name = "CMD")]
    pub(crate) down_execute: Vec<String>,
    /// The same when it is disabled
    #[arg(long, value_name = "CMD")]
    pub(crate) disabled_execute: Vec<String>,
}

/// What the original does not have.
#[derive(Args, Debug)]
#[command(next_help_heading = OURS)]
pub(crate) struct Ours {
    /// The check: a question such as 'localhost. A', in place of --command
    #[arg(long, value_name = "QUERY")]
    pub(crate) dns: Option<Query>,
    /// Ask this server, with its port if that is not 53; repeated, all have to answer [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) dns_server: Vec<Server>,
    /// The response codes that are well, separated by commas [default: NOERROR]
    #[arg(long, value_name = "CODES")]
    pub(crate) dns_expect: Option<Expected>,
    /// The version of ExaBGP's commands: auto, 4 (to 4.2.21), 5 (from 4.2.22), 6, or a version such as 4.2.22
    #[arg(long, value_name = "VERSION", default_value = "auto")]
    pub(crate) api: Api,
    /// Print a configuration file for `dnsherald run` that does the same, and exit
    #[arg(long)]
    pub(crate) print_config: bool,
    /// Do not wait 15 seconds before exiting after an error, by which ExaBGP is kept from giving up
    #[arg(long)]
    pub(crate) no_wait: bool,
}
