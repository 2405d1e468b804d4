//! The command line. No behaviour: what each command does stands in [`crate::commands`].

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use log::LevelFilter;

use crate::config::DEFAULT_PATH;
use crate::logging::Way;

pub(crate) use self::backend::{Backend, BackendRestart, Hooks, OneBackend, UnitHooks};
pub(crate) use self::orders::{Drain, Hold, Undampen, Undrain, Unhold};

mod backend;
mod orders;

const EXAMPLES: &str = "\
Examples:
  dnsherald demo                                   see it work, without ExaBGP or a DNS server
  dnsherald check-config /etc/dnsherald/dnsherald.toml
  dnsherald check                                  probe once, show a table
  dnsherald run -c /etc/dnsherald/dnsherald.toml   on a terminal: show what ExaBGP would be told
  dnsherald simulate --trace incident.trace        replay a recording

In exabgp.conf:
  process dnsherald { run /usr/bin/dnsherald run -c /etc/dnsherald/dnsherald.toml; encoder text; }";

/// Announces an anycast DNS prefix only while this host's DNS server answers.
///
/// ExaBGP starts `dnsherald run` as a process; it probes this host's DNS server over its management address, decides
/// with hysteresis and dampening whether this PoP should attract traffic, and tells ExaBGP to announce or withdraw.
#[derive(Debug, Parser)]
#[command(name = "dnsherald", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Probe, decide, and tell ExaBGP; what ExaBGP starts as a process
    ///
    /// Standard output carries commands for ExaBGP and nothing else; the log goes to standard error (RUST_LOG chooses
    /// how much). On a terminal nothing is asked or awaited: it shows what ExaBGP would be told.
    Run(Run),
    /// Probe once and show what was found
    ///
    /// Exit status: 0 all well, 1 degraded, 2 down, 3 bad usage or configuration.
    Check(Check),
    /// Say what is wrong with a configuration, or what it means
    ///
    /// Shows every effective value, the lines that ExaBGP would be told, and the worst-case times to detect a fault
    /// and to return. Exit status: 0, or 78 if the configuration is refused.
    CheckConfig(CheckConfig),
    /// Show what the running helper knows: services, prefixes, checks, drains, ExaBGP
    ///
    /// Exit status: 0, or 1 if there is no helper to ask; with `--plugin` that of monitoring plugins.
    Status(Status),
    /// Withdraw a service, or all, for maintenance
    ///
    /// A drain has a holder and a reason, survives a restart of the helper, and ends by itself where it is given a time.
    /// Exit status: 0, 1 if it could not be done, or was not acknowledged while waited for, 5 with `--wait` if ExaBGP
    /// answers no commands (`exabgp.api.ack` is off), so that nothing can be known of the withdraws.
    Drain(Drain),
    /// End drains
    ///
    /// Says what still keeps a service withdrawn. Exit status: 0, 1 if there was no drain to end (0 with
    /// `--quiet-if-none`), or a service was not announced and acknowledged while waited for, 5 with `--wait` if ExaBGP
    /// answers no commands, so that nothing can be known of the announcements.
    Undrain(Undrain),
    /// Keep a service announced against its checks, for the operator who knows that a check is wrong
    ///
    /// Not against a drain, and not while a service address is missing on this host. A hold has a holder, a reason and an
    /// end within 24 hours; it survives a restart of the helper. Exit status: 0, 1 if it could not be done, or the service
    /// was not announced and acknowledged while waited for, 5 with `--wait` if ExaBGP answers no commands.
    Hold(Hold),
    /// End holds: the checks decide again
    ///
    /// Exit status: 0, or 1 if there was no hold to end (0 with `--quiet-if-none`), no such service, or no helper.
    Unhold(Unhold),
    /// Clear the penalty, the suppression and the longer return of a service, or of all
    ///
    /// A service whose checks pass returns at once. Says what it cleared. Exit status: 0, or 1 if there was nothing to
    /// clear, no such service, or no helper.
    Undampen(Undampen),
    /// Have the running helper read its configuration again
    ///
    /// The file is checked as a whole; if anything is wrong nothing is changed. Services that are configured as before
    /// keep their state and their counters, and what is no longer configured is withdrawn. The helper reads the file
    /// that it was started with. Exit status: 0, or 1 if it was refused or there is no helper.
    Reload(Helper),
    /// Run the engine in virtual time over a written or recorded trace
    ///
    /// Prints each line that ExaBGP would be told and each transition with its reason and time, then a timeline.
    Simulate(Simulate),
    /// Take the place of `exabgp healthcheck`, with all its options
    #[command(disable_help_flag = true)]
    Healthcheck {
        /// See `dnsherald healthcheck --help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
        words: Vec<OsString>,
    },
    /// The stock DNS server of this host: how it is, whether its configuration is in order, reload, restart
    #[command(subcommand)]
    Backend(Backend),
    /// Print what makes a shell complete commands and options
    ///
    /// The Debian package brings them; else see the manual of the shell, such as
    /// `dnsherald completions bash > /etc/bash_completion.d/dnsherald`.
    Completions {
        /// For which shell
        shell: CompletedShell,
    },
    /// Show the main job in twenty seconds: an embedded DNS server with scripted faults, real probes, real decisions
    Demo,
}

impl Command {
    /// The default log level, and how lines reach standard error.
    #[must_use]
    pub const fn logging(&self) -> (LevelFilter, Way) {
        match self {
            Self::Run(_) => (LevelFilter::Info, Way::Aside),
            Self::Backend(_) => (LevelFilter::Warn, Way::Directly),
            _ => (LevelFilter::Off, Way::Directly),
        }
    }

    /// Whether a stray signal may reach the command: ExaBGP starts it, or it waits for a server or a helper.
    #[must_use]
    pub const fn is_long_lived(&self) -> bool {
        matches!(
            self,
            Self::Run(_)
                | Self::Healthcheck { .. }
                | Self::Backend(_)
                | Self::Drain(_)
                | Self::Undrain(_)
                | Self::Reload(_)
        )
    }
}

/// The shells whose completions are shipped.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum CompletedShell {
    /// GNU Bash
    Bash,
    /// Z shell
    Zsh,
    /// Fish
    Fish,
}

/// Where the configuration is.
#[derive(Args, Clone, Debug)]
pub(crate) struct Configuration {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_PATH)]
    pub(crate) config: PathBuf,
}

/// Which running helper.
#[derive(Args, Clone, Debug)]
pub struct Helper {
    /// Where the configuration is.
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// The directory of the helper's sockets; else the helper of the configuration file is looked for
    #[arg(long, value_name = "DIR")]
    pub(crate) control: Option<PathBuf>,
}

/// Options of `run`.
#[derive(Args, Debug)]
pub struct Run {
    /// Where the configuration is.
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// Keep what survives a restart in DIR, whatever the configuration says
    ///
    /// Named here, it is found even when the configuration cannot be read: the last good configuration can be used, and
    /// what was announced can be withdrawn.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Write all that reaches the engine to FILE, as a trace for `simulate`
    ///
    /// What is there is kept: if FILE exists, it is FILE.1, FILE.2 and so on up to FILE.99; the log says which. The
    /// recording ends at 1 GiB, or when the disk cannot keep up. A recording that fails stops nothing else.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Exit with status 78 if the configuration is bad at start, instead of waiting for a good one
    ///
    /// The last good configuration is not used: what the file names, and what was announced before, is withdrawn first. It exits after 15 seconds, since ExaBGP gives
    /// up on helpers that end quickly; or when told to end.
    #[arg(long)]
    pub(crate) exit_on_bad_config: bool,
}

/// Options of `status`.
#[derive(Args, Clone, Debug)]
pub struct Status {
    /// Which running helper.
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Print one line as monitoring plugins do: whether every service attracts traffic
    ///
    /// Exit status: 0 ok; 1 degraded, held, drained within its time, the last good configuration in force, the state not on
    /// disk, a check unknown for 30 seconds or observed and down, a BGP session down for 30 seconds; 2 down, suppressed,
    /// drained past its end, refused or not acknowledged for 30 seconds, acknowledgement unknown, every BGP session down;
    /// 3 no helper to ask.
    #[arg(long, conflicts_with_all = ["json", "watch"])]
    pub(crate) plugin: bool,
    /// Show it again every second, until `q`
    ///
    /// On a terminal it is drawn in place. Elsewhere, and with `--json`, one follows the other, until interrupted.
    #[arg(short, long)]
    pub(crate) watch: bool,
}

/// Options of `check`.
#[derive(Args, Debug)]
pub struct Check {
    /// Where the configuration is.
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// Only this service
    pub(crate) service: Option<String>,
    /// Print JSON
    #[arg(long, conflicts_with = "plugin")]
    pub(crate) json: bool,
    /// Print one line as monitoring plugins do: what the probes find, whatever the helper announces; the alert is
    /// `status --plugin`
    #[arg(long)]
    pub(crate) plugin: bool,
}

/// Options of `check-config`.
#[derive(Args, Debug)]
pub struct CheckConfig {
    /// The configuration file
    #[arg(value_name = "FILE", default_value = DEFAULT_PATH)]
    pub(crate) file: PathBuf,
    /// The same, as the other commands take it
    #[arg(short, long, value_name = "FILE", conflicts_with = "file")]
    pub(crate) config: Option<PathBuf>,
    /// Print nothing if all is well
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Options of `simulate`.
#[derive(Args, Debug)]
pub struct Simulate {
    /// The configuration file, if not the one that the trace carries
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The trace; `-` for standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) trace: PathBuf,
    /// Print the trace itself, with what came of each line beneath it
    #[arg(long, conflicts_with = "json")]
    pub(crate) annotate: bool,
    /// Print every action of the engine as a line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}
