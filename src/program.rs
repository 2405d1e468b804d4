//! Runs programs: control programs of DNS servers, `systemctl`, checks by command, hooks.
//!
//! ```text
//! Program: name, arguments ──► run: deadline, bounded output ──► Ended
//!                                │
//! shell text ────────────────► child: a process group of its own ──► exit status
//!                                │ deadline, or dropped      │ exited
//!                                ▼                           ▼
//!                              sweep: kills it and what    orphans: reaps what it left
//!                              descends from it            behind, once that is dead
//! ```
//!
//! No program reads from a terminal or from ExaBGP: standard input is `/dev/null`. Only the beginning or the end of an
//! output is kept ([`output`]). Nothing here blocks the caller except dropping a child that still runs; `/proc` is
//! read on another thread, and only after a deadline or if a program has left a process behind.
//!
//! # What a program leaves behind
//!
//! The sweep kills what belongs to a run, as far as that is possible without privileges. Any of three marks shows that
//! a process belongs to it: the process group, descent from the child (parents, in `/proc`), and the variable
//! `DNSHERALD_RUN` in the environment, whose value no other run has. A process that leaves the group or the session
//! keeps the variable; one that clears its environment keeps its parents.
//!
//! The sweep first stops every process that bears a mark, until a look at `/proc` finds all of them stopped: a stopped
//! process cannot fork. Then it kills them, and looks again until it finds none. The child is reaped after that, so
//! that neither its number nor that of its group can belong to another process. Limits:
//!
//! * A process bears no mark if it has left the group, *and* has cleared, overwritten or hidden its environment (by not
//!   being dumpable), *and* a parent between it and the child had exited before the sweep. It is left alone: it might
//!   be a daemon that a hook has started on purpose.
//! * A process with another user's rights (`sudo`) is found by descent but cannot be signaled; one that hangs in the
//!   kernel does not die. The error names both.
//! * A process that starts a successor and exits in less time than a look at `/proc` takes may escape. The youngest
//!   processes are looked at first, and looks are repeated while any process vanished before its turn: for a quarter of
//!   a second, or twenty looks if those take longer. While a process is in an exec, which hides its environment, they
//!   are repeated for five seconds.
//! * Processes that systemd, cron or a container engine start on behalf of the program are not part of the run.
//! * If SIGKILL or an abort ends this process, the program goes on. If a future is dropped, canceled or lost with the
//!   runtime, its program is swept as after a deadline.
//!
//! A cgroup for each run would hold all of these but the last two. That takes a delegated cgroup, which ExaBGP's is
//! not.

pub(crate) mod child;
mod command_line;
mod ended;
mod marks;
mod orphans;
pub(crate) mod output;
mod run;
mod search_path;
mod sweep;

pub(crate) use self::command_line::Program;
pub(crate) use self::ended::{End, Ended};
pub(crate) use self::orphans::adopt_orphans;
pub(crate) use self::run::{GRACE, KEPT_OUTPUT, Limit, command, run, run_within};
