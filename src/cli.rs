//! The command line: commands, options and help texts. [`crate::commands`] carries the commands out.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use log::LevelFilter;

use crate::config::DEFAULT_PATH;
use crate::logging::Way;
use crate::logging::form::LogFormat;
use crate::text::period::Period;

pub(crate) use self::backend::{Backend, BackendRestart, Hooks, OneBackend, UnitHooks};
pub(crate) use self::doctor::Doctor;
pub(crate) use self::history::{HistoryOptions, Point};
pub(crate) use self::identify::Identify;
pub(crate) use self::orders::{Drain, Hold, Undampen, Undrain, Unhold};
pub(crate) use self::simulate::{Demo, Simulate};

mod backend;
mod doctor;
mod history;
mod identify;
mod orders;
mod simulate;

const EXAMPLES: &str = "\
Examples:
  dnsherald demo                                   needs neither ExaBGP nor a DNS server
  dnsherald check-config /etc/dnsherald/dnsherald.toml
  dnsherald check                                  probe once and show a table
  dnsherald run -c /etc/dnsherald/dnsherald.toml   on a terminal: show the lines for ExaBGP
  dnsherald simulate --trace incident.trace        replay a trace
  dnsherald simulate -c new.toml --mtbf 1h --for 30days --summary

In exabgp.conf:
  process dnsherald { run /usr/bin/dnsherald run -c /etc/dnsherald/dnsherald.toml; encoder text; }";

/// Announces an anycast DNS prefix only while this host's DNS server answers.
///
/// ExaBGP starts `dnsherald run` as a process. The helper probes this host's DNS server from the host's management address,
/// decides with hysteresis and dampening whether this PoP should attract traffic, and tells ExaBGP to announce or withdraw.
#[derive(Debug, Parser)]
#[command(name = "dnsherald", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Probe, decide, and tell ExaBGP to announce or withdraw; ExaBGP starts this as a process
    ///
    /// Standard output carries commands for ExaBGP and nothing else. The log goes to standard error; RUST_LOG sets its
    /// level. On a terminal the helper shows the lines that ExaBGP would get, and waits for no replies.
    Run(Run),
    /// Probe once and show the result
    ///
    /// A check that counts only after a pass (`once-up`, `once-seen`) counts if the running helper has seen that pass.
    /// Without a helper that answers, its failure is `not counted`.
    ///
    /// Exit status: 0 ok; 1 degraded; 2 down; 3 unknown: a dns, command, freshness or counters check has no result, the
    /// result cannot be shown, or usage or configuration is bad.
    Check(Check),
    /// Show the errors of a configuration, or what it means
    ///
    /// Shows every effective value, the lines that ExaBGP would get, and the worst-case times to detect a fault and to
    /// return. Exit status: 0, or 78 if the configuration is refused.
    CheckConfig(CheckConfig),
    /// Print every key of the configuration as JSON Schema, for editors
    ///
    /// With `#:schema FILE` as the first line of the configuration, editors that use taplo, such as VS Code with Even Better
    /// TOML, complete keys and mark wrong ones. It needs neither a configuration nor a helper.
    ConfigSchema(ConfigSchema),
    /// Show the state of the running helper: services, prefixes, checks, drains, ExaBGP
    ///
    /// Exit status: 0, or 1 if no helper runs; with `--plugin` or `--exit-code` that of monitoring plugins.
    Status(Status),
    /// Show why a service is announced or withdrawn: the chain from its probes to its routes
    ///
    /// Shows the questions and answers, the counters, the rule that decided, the commands to ExaBGP and its answers, and the
    /// possible changes with their earliest time. Exit status: 0, or 1 if there is no such service or no helper runs.
    Explain(Explain),
    /// Show what happened: transitions, drains, holds, reloads, starts, BGP session changes, with their times
    ///
    /// The helper keeps up to 1000 entries over restarts. Without a helper the command reads the file in the state directory.
    /// Exit status: 0, or 1 if the history cannot be read.
    History(HistoryOptions),
    /// Print the metrics of the running helper in the text format of Prometheus
    ///
    /// Counters start anew with the helper. Exit status: 0, or 1 if no helper runs.
    Metrics(Helper),
    /// Withdraw a service, or all, for maintenance
    ///
    /// A drain has a holder and a reason, survives a restart of the helper, and ends by itself after the time of
    /// `--for`. Exit status: 0 done; 1 failed, or with `--wait` ExaBGP did not acknowledge the withdraws in time; 5
    /// with `--wait` if ExaBGP answers no commands (`exabgp.api.ack` is off), so that it is unknown whether it carried
    /// out the withdraws.
    Drain(Drain),
    /// End drains
    ///
    /// A service returns once its checks have passed anew, or at once if a hold announces it. Shows what still keeps a
    /// service withdrawn. Exit status: 0 done; 1 if there was no drain to end (0 with
    /// `--quiet-if-none`), or with `--wait` a service was not announced and acknowledged in time; 5 with `--wait` if
    /// ExaBGP answers no commands, so that it is unknown whether it carried out the announcements.
    Undrain(Undrain),
    /// Keep a service announced against its checks, for the operator who knows that a check is wrong
    ///
    /// A drain, or a service address that is missing on this host, overrides a hold. A hold has a holder, a reason and an
    /// end within 24 hours, and survives a restart of the helper. Exit status: 0 done; 1 failed, or with `--wait` the
    /// service was not announced and acknowledged in time; 5 with `--wait` if ExaBGP answers no commands.
    Hold(Hold),
    /// End holds, so that the checks decide again
    ///
    /// Exit status: 0, or 1 if there was no hold to end (0 with `--quiet-if-none`), no such service, or no helper.
    Unhold(Unhold),
    /// Clear the effects of repeated falls on a service, or on all: penalty, suppression, longer time to return
    ///
    /// A service whose checks pass returns at once. Shows what it cleared. Exit status: 0, or 1 if there was nothing to
    /// clear (0 with `--quiet-if-none`), no such service, or no helper.
    Undampen(Undampen),
    /// Make the running helper read its configuration again
    ///
    /// The helper checks the whole file first; on any error it changes nothing. Services with an unchanged configuration
    /// keep their state and counters. Prefixes that are no longer configured are withdrawn. The helper reads the file that
    /// it was started with. Exit status: 0, or 1 if the helper refused the file or no helper runs.
    Reload(Helper),
    /// Show which node answers at an address, and how flows split over nodes
    ///
    /// Asks NSID, id.server, hostname.bind and version.server over UDP and TCP, from any machine, without a configuration or
    /// a helper. Exit status: 0; 1 if an address does not answer over UDP, or over TCP, several nodes answer on one UDP flow, a
    /// TCP connection breaks, a large answer reaches no client, or a node is not in the file of `--expect` or gives no name to
    /// compare with it.
    Identify(Identify),
    /// Find what is wrong on this host, each finding with its remedy
    ///
    /// Reads the configurations of dnsherald and ExaBGP, and looks at addresses, sockets, units, permissions and the answers
    /// of the server. Needs no helper, writes nothing. What this user may not see is not checked; run it as root to see all.
    /// Exit status: 0 without a finding, 1 if the worst is a warning, 2 if it is an error.
    Doctor(Doctor),
    /// Run the engine in virtual time over a written, recorded or generated trace
    ///
    /// Prints each line that ExaBGP would get and each transition with its reason and time, then a timeline and a
    /// summary.
    Simulate(Simulate),
    /// Replace `exabgp healthcheck`, with all its options
    #[command(disable_help_flag = true)]
    Healthcheck {
        /// See `dnsherald healthcheck --help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
        words: Vec<OsString>,
    },
    /// Manage the stock DNS server of this host: state, configuration check, reload, restart
    #[command(subcommand)]
    Backend(Backend),
    /// Print the completions of commands and options for a shell
    ///
    /// The Debian package installs them. Without it, install them as the manual of the shell says, such as
    /// `dnsherald completions bash > /etc/bash_completion.d/dnsherald`.
    Completions {
        /// The shell
        shell: CompletedShell,
    },
    /// Print names that the completions offer
    #[command(hide = true)]
    CompleteNames(CompleteNames),
    /// Show failover in twenty seconds: an embedded DNS server with scripted faults, real probes, real decisions
    Demo(Demo),
}

impl Command {
    /// The default log level, how lines reach standard error, and their form.
    pub(crate) const fn logging(&self) -> (LevelFilter, Way, LogFormat) {
        match self {
            Self::Run(options) => (LevelFilter::Info, Way::Aside, options.log_format),
            Self::Backend(_) => (LevelFilter::Warn, Way::Directly, LogFormat::Auto),
            _ => (LevelFilter::Off, Way::Directly, LogFormat::Auto),
        }
    }

    /// Whether the command must ignore stray signals: ExaBGP starts it, or it waits for a server or a helper.
    pub(crate) const fn ignores_stray_signals(&self) -> bool {
        matches!(
            self,
            Self::Run(_)
                | Self::Healthcheck { .. }
                | Self::Backend(_)
                | Self::Drain(_)
                | Self::Undrain(_)
                | Self::Hold(_)
                | Self::Reload(_)
        )
    }
}

/// A shell whose completions are shipped.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum CompletedShell {
    /// GNU Bash
    Bash,
    /// Z shell
    Zsh,
    /// Fish
    Fish,
}

/// Options of `complete-names`.
#[derive(Args, Debug)]
pub(crate) struct CompleteNames {
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// What is named
    pub(crate) kind: NameKind,
}

/// What the completions name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum NameKind {
    /// Services
    Services,
    /// Holders of drains and holds
    Holders,
    /// Backends of services
    Backends,
}

/// The path of the configuration.
#[derive(Args, Clone, Debug)]
pub(crate) struct Configuration {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_PATH)]
    pub(crate) config: PathBuf,
}

/// How to find the running helper.
#[derive(Args, Clone, Debug)]
pub(crate) struct Helper {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// The directory of the helper's sockets; default: find the helper of the configuration file
    #[arg(long, value_name = "DIR")]
    pub(crate) control: Option<PathBuf>,
}

/// Options of `run`.
#[derive(Args, Debug)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// Keep the state that survives a restart in DIR, whatever the configuration says
    ///
    /// With this option the helper finds the state even if it cannot read the configuration. It can then run the last
    /// good configuration, or withdraw earlier announcements.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Write every event of the engine to FILE, as a trace for `simulate`
    ///
    /// An existing file is kept: the helper writes FILE.1, FILE.2 and so on up to FILE.99, and logs the name. The
    /// recording ends at 1 GiB, at a reload, or when the disk cannot keep up. A failed recording affects nothing else.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Exit with status 78 if the configuration is bad at start, instead of waiting for a good one
    ///
    /// The helper does not use the last good configuration. It withdraws the prefixes that the file names and those that
    /// were announced before, and exits after 15 seconds, or at a signal. It waits because ExaBGP gives up on helpers that
    /// exit quickly. If the file is valid by then, it starts with that.
    #[arg(long)]
    pub(crate) exit_on_bad_config: bool,
    /// The form of the log
    #[arg(long, value_name = "FORM", value_enum, default_value_t, hide_default_value = true)]
    pub(crate) log_format: LogFormat,
}

/// Options of `status`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Print one line as monitoring plugins do: whether every service attracts traffic
    ///
    /// Exit status:
    ///
    /// 0 ok.
    ///
    /// 1 warning: a service is degraded, kept announced by a hold, starting, or drained within its time; the last reload of its
    /// server failed, or an unattended restart has left it degraded; the last good configuration is in force, or a restart
    /// of the helper could not use the file; the state or the last good configuration is not on disk; a check is unknown for 30 seconds, or observed and down (a
    /// `once-up` check that has not been up yet is no finding); a BGP session is down for 30 seconds; a prefix
    /// that is no longer configured is not yet withdrawn.
    ///
    /// 2 critical: a service is down, suppressed, drained past its end, by a failed restart or until its failing checks pass,
    /// or starting for 30 seconds without an announcement; no usable configuration, or no service in it; a route is refused
    /// or not acknowledged for 30 seconds; ExaBGP answers no commands; every BGP session that ExaBGP has reported is down for 30 seconds, also the one that went down last.
    ///
    /// 3 unknown: no helper runs.
    #[arg(long, conflicts_with_all = ["json", "watch"])]
    pub(crate) plugin: bool,
    /// Exit by the state, with the status of `--plugin`: 0 ok, 1 warning, 2 critical, 3 no helper runs
    #[arg(long, conflicts_with_all = ["plugin", "watch"])]
    pub(crate) exit_code: bool,
    /// Show the status again every second, until `q`
    ///
    /// On a terminal the status is drawn in place. Elsewhere, and with `--json`, each status follows the previous one,
    /// until interrupted.
    #[arg(short, long)]
    pub(crate) watch: bool,
}

/// Options of `explain`.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// Only this service
    pub(crate) service: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `check`.
#[derive(Args, Debug)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// Only this service
    pub(crate) service: Option<String>,
    /// Print JSON
    #[arg(long, conflicts_with = "plugin")]
    pub(crate) json: bool,
    /// Print one line as monitoring plugins do: the result of the probes, whatever the helper announces; alert on
    /// `status --plugin` instead
    #[arg(long)]
    pub(crate) plugin: bool,
}

/// Parses a period above zero; `why` says what is wrong with none.
fn above_zero(text: &str, why: &str) -> Result<Period, String> {
    let period: Period = text.parse()?;
    if period.0.is_zero() { Err(format!("{why}, expected more than 0s")) } else { Ok(period) }
}

/// Options of `check-config`.
#[derive(Args, Debug)]
pub(crate) struct CheckConfig {
    /// The configuration file
    #[arg(value_name = "FILE", default_value = DEFAULT_PATH)]
    pub(crate) file: PathBuf,
    /// The configuration file, as an option like that of the other commands
    #[arg(short, long, value_name = "FILE", conflicts_with = "file")]
    pub(crate) config: Option<PathBuf>,
    /// Print nothing if the configuration is valid
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Options of `config-schema`.
#[derive(Args, Debug)]
pub(crate) struct ConfigSchema {
    /// Print tables of Markdown instead, as in the documentation
    #[arg(long)]
    pub(crate) markdown: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(line: &str) -> Command {
        Cli::try_parse_from(line.split(' ')).unwrap().command
    }

    #[test]
    fn commands_that_wait_for_a_server_or_a_helper_ignore_stray_signals() {
        let hold = "dnsherald hold dns --for 1h --reason test --wait";
        for line in ["dnsherald run", "dnsherald drain", "dnsherald undrain", hold, "dnsherald reload"] {
            assert!(command(line).ignores_stray_signals(), "{line}");
        }
        assert!(command("dnsherald backend restart").ignores_stray_signals());
        for line in ["dnsherald status", "dnsherald unhold dns", "dnsherald check"] {
            assert!(!command(line).ignores_stray_signals(), "{line}");
        }
    }
}
