//! dnsherald announces an anycast DNS prefix only while this host's DNS server answers.
//!
//! It runs on every host (point of presence, PoP) of an anycast service, beside a stock DNS server. ExaBGP starts it as a
//! process. It probes the server from the host's own management address, decides whether this host should attract
//! traffic, and writes `announce` and `withdraw` commands to standard output. Two rules settle every doubt:
//!
//! 1. Never attract traffic that is not answered. Never leave clients without any PoP.
//! 2. Standard output belongs to ExaBGP.
//!
//! # Data flow
//!
//! ```text
//!  timers ─► probes ──────┐            ┌─────────────────────┐            ┌─► stdout (announce, withdraw)
//!  process exits ─────────┤   Event    │ Engine: services,   │   Action   ├─► probe again
//!  stdin (replies) ───────┼──────────► │ API session         ├──────────► ┼─► log, status
//!  control, files ────────┤   (now)    └─────────────────────┘            ├─► state that survives a restart
//!  signals ───────────────┘               pure, no clock                  └─► next deadline
//! ```
//!
//! # Layers
//!
#![doc = include_str!("layers.md")]
//!
//! A module imports modules of lower rows, or of its own row without a cycle. A test reads the imports and fails on any
//! other. To learn the code, start with these:
//!
//! * [`outcome`]: the result of a probe: pass, fail or unknown, and the cause.
//! * [`engine`]: turns events into actions: checks, services, dampening, drains. It reads no clock, socket or file.
//! * [`exabgp`]: routes, attributes, and the commands in the dialect of the running ExaBGP.
//! * [`probe`]: the probes of each kind of check, such as DNS questions, commands, processes and listeners, and their outcomes.
//! * [`process`], [`systemd`], [`netlink`]: what the probes and `backend` need of the kernel and of systemd.
//! * [`backend`]: checks, queries, reloads and restarts the stock DNS servers.
//! * [`restart`]: the restart of such a server as a transaction that loses no query.
//! * [`config`]: turns the file into a checked configuration, or into errors at their place. Code behind it validates nothing.
//! * [`daemon`]: the loop that connects the engine to the world, its dead-man thread, and the systemd watchdog.
//! * [`control`], [`status`]: requests of an operator to the running helper, over two sockets.
//! * [`history`]: what happened, with wall-clock times, in a bounded file that survives a restart.
//! * [`metrics`]: the status document for Prometheus, and the counters in it.
//! * [`healthcheck`]: the options of `exabgp healthcheck`, turned into the same configuration.
//! * [`trace`], [`simulate`]: the same engine in virtual time, for tests and for operators; [`timeline`] keeps what it
//!   did, in text and as figures, and [`picture`] draws it as SVG.
//! * [`doctor`]: finds what is wrong on this host, with the files of ExaBGP that [`exabgp_conf`] reads.
//! * [`responder`]: a DNS server for `demo` and the tests.
//! * [`cli`], [`commands`]: the command line.
//!
//! # Invariants
//!
//! * The engine receives the time as an argument: the same events produce the same lines.
//! * What is not known moves no route before `unknown-after`: an unknown outcome is neither a pass nor a failure, unless the
//!   configuration gives it a severity (`on-unknown`, `on-fail`).
//! * After `fall` failures in a row whose severity (`on-fail`) is `down`, the service advertises what its configuration says
//!   for `down`, by default a withdraw, unless a drain or a hold overrides the checks. So does a service that dampening
//!   suppresses in mode `enforce`, whatever its checks say, with the same exceptions. Once the first verdict is in, every
//!   prefix is stated, announced or withdrawn.
//! * One command to ExaBGP is in flight at a time; only a withdraw overtakes it, after 200 ms at most. A missing or wrong
//!   reply never stops the probes.
//! * Only commands for ExaBGP go to standard output of `run`: the loop writes those of the API session. Withdraws are also
//!   written by the dead-man thread and the panic hook, as the session has prepared them, and before the loop by a start that
//!   waits for threads or descriptors. Standard input is always read.
//! * When the process ends while ExaBGP runs, it tries to withdraw first. Only SIGKILL, a crash (SIGSEGV, SIGBUS,
//!   SIGABRT …), a bad command line and a start that fails leave this to the next process; `healthcheck --interval 0` ends
//!   after its only statement, which stands. It does not end because of a bad probe or, without `--exit-on-bad-config`, a
//!   bad file.
//! * Under ExaBGP, the loop writes to nothing that can block it: the log, the state and recordings have a thread each, and
//!   the pipe to ExaBGP is in non-blocking mode.

pub(crate) mod backend;
pub mod cli;
pub mod commands;
pub mod config;
pub mod control;
pub mod daemon;
pub(crate) mod doctor;
pub mod engine;
pub(crate) mod exabgp;
pub(crate) mod exabgp_conf;
pub mod exit;
pub(crate) mod healthcheck;
pub(crate) mod history;
#[cfg(test)]
mod layers;
pub(crate) mod logging;
pub(crate) mod metrics;
pub(crate) mod netlink;
pub mod outcome;
pub(crate) mod picture;
pub mod probe;
pub(crate) mod process;
pub(crate) mod program;
pub mod responder;
pub(crate) mod restart;
pub(crate) mod simulate;
pub mod status;
pub mod sys;
pub(crate) mod systemd;
#[cfg(test)]
mod test_support;
pub mod text;
pub(crate) mod timeline;
pub mod trace;

#[cfg(test)]
#[path = "../tests/logic/main.rs"]
#[allow(clippy::unwrap_used, missing_docs)]
mod logic;
