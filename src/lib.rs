//! dnsherald keeps an anycast prefix truthful.
//!
//! It runs beside a stock DNS server on every host of an anycast service. ExaBGP starts it as a process; it probes
//! the server over the host's own management address, decides whether this host should attract traffic, and says
//! `announce` or `withdraw` on standard output. Two sentences decide every doubt: *never attract traffic that is not
//! answered, and never leave the clients without any server*; and *standard output is ExaBGP's*.
//!
//! # The way data flows
//!
//! ```text
//!  timers ─► probes ─┐                                ┌─► link ─► stdout (announce, withdraw)
//!  pidfds ───────────┤                                ├─► probe again
//!  stdin ─► link ────┤  Event   ┌────────┐   Action   │
//!  control, files ───┼────────► │ Engine │ ─────────► ├─► log, status
//!  signals ──────────┘  (now)   └────────┘            ├─► what survives a restart
//!                             pure, no clock          └─► next deadline
//! ```
//!
//! In this order one reads the code:
//!
//! * [`config`]: a file becomes what is meant, or an error at its place. Nothing behind it needs to validate.
//! * [`outcome`]: what a probe found: pass, fail or unknown, and the cause.
//! * [`probe`]: a question to one address over one transport, and the verdict on its answer. Here are the sockets.
//! * [`systemd`]: what systemd says of a unit, and whether it runs this host.
//! * [`process`]: the main process of the DNS server, found, held by its pidfd, and noticed to be gone at once.
//! * [`netlink`]: whether an address is on this host, which sockets listen there, and when that may have changed.
//! * [`engine`]: events in, actions out; checks, services, dampening. No clock, no socket, no file.
//! * [`exabgp`]: what ExaBGP is told, in the dialect of the version at hand, and the conversation about it.
//! * [`backend`]: the stock DNS servers of this host: checked, asked how they are, and restarted as a
//!   transaction that loses no query.
//! * [`control`], [`status`]: what an operator asks of a running helper, over two sockets.
//! * [`daemon`]: the loop that joins them to the world, the dead-man that watches the loop, and systemd that watches both.
//! * `directory`: makes the directories of the sockets, the state and the rollback.
//! * [`sys`]: signals that do not end a command, what it needs of the host, and files without links to follow.
//! * [`umask`]: under which the programs are run.
//! * [`text`]: foreign text made safe to show, and the two outputs of a command.
//! * `fnv`: a number from a name.
//! * [`handoff`]: how the loop leaves work that may block to threads.
//! * [`period`]: periods as people write them.
//! * [`trace`], [`simulate`], [`timeline`]: the same engine in virtual time, from text, for tests and for people.
//! * [`healthcheck`]: the same for those who come from `exabgp healthcheck`, with the options of that program.
//! * [`commands`], [`cli`], [`logging`], [`exit`]: what an operator touches. [`responder`] serves `demo` and the tests.
//!
//! # What always holds
//!
//! * The engine is told the time and never asks for it: the same events lead to the same lines.
//! * What is not known moves no route: an outcome that says nothing about the server is neither a pass nor a failure.
//! * After `fall` failures in a row of a check that brings down, its service says what its ladder has for `down`,
//!   which is to withdraw unless configured otherwise; so does a suppressed service, whatever its checks say. Every
//!   prefix is stated, one way or the other, once the first verdict is in.
//! * One command to ExaBGP is in flight at a time, and no answer, or a wrong one, ever stops the probing.
//! * Nothing but the link writes to standard output of `run`, and standard input is always drained.
//! * However the process ends while ExaBGP is there, it tries to withdraw first; only SIGKILL and a bad command line
//!   leave that to the successor. It never ends because of a bad probe or, unless asked to, a bad file.
//! * The loop writes to nothing that can hold it up, neither log nor state nor recording: each has a thread for that.

pub mod backend;
pub mod cli;
pub mod commands;
pub mod config;
pub mod control;
pub mod daemon;
mod directory;
pub mod engine;
pub mod exabgp;
pub mod exit;
mod fnv;
pub mod handoff;
pub mod healthcheck;
pub mod logging;
pub mod netlink;
pub mod outcome;
pub mod period;
pub mod probe;
pub mod process;
pub mod responder;
pub mod simulate;
pub mod status;
pub mod sys;
pub mod systemd;
pub mod text;
pub mod timeline;
pub mod trace;
pub mod umask;
