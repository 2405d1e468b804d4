//! Processes that a program leaves behind become our children, and we reap them when they exit.
//!
//! Otherwise they go to init, which reaps them; but ExaBGP is process 1 of many a container, and reaps none. We reap
//! orphans only: a child that we started is reaped by tokio, or by the code that started it. An orphan is a child in a
//! process group other than ours that is not on the list of those that we started in a group of their own. Hence every
//! child that gets a group of its own is started here.

use std::collections::BTreeSet;
use std::io;
use std::sync::Mutex;

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, getpgid, getpgrp};
use signal_hook::consts::SIGCHLD;
use tokio::process::{Child, Command};

use crate::sys::lock;
use crate::sys::procfs::{our_children, our_zombies};
use crate::sys::signal_stream::SignalStream;
use crate::text::ordered;

/// Looks at our children before giving up: under a load of many that start and exit, two rarely are equal.
const LOOKS: u32 = 100;

/// The children that we started and that are not reaped yet.
static STARTED: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// From now on the orphans of programs become our children, and are reaped when they exit. Call this once, on the tokio
/// runtime that is to reap them.
///
/// # Errors
/// When the system has no descriptor left.
pub(crate) fn adopt_orphans() -> io::Result<()> {
    let mut exits = SignalStream::catch(&[SIGCHLD])?;
    set_child_subreaper(true)?;
    tokio::spawn(async move {
        loop {
            exits.received().await;
            reap(&lock(&STARTED));
        }
    });
    Ok(())
}

/// Starts a child in a group of its own, and notes that it is no orphan.
pub(super) fn spawn(command: &mut Command) -> io::Result<(Child, Pid)> {
    // Locked before the child exists: it may exit before it is on the list.
    let mut started = lock(&STARTED);
    let child = command.process_group(0).spawn()?;
    let number = child.id().and_then(|number| i32::try_from(number).ok());
    let pid = Pid::from_raw(number.ok_or(io::ErrorKind::NotFound)?);
    started.push(pid);
    Ok((child, pid))
}

/// Our children that we did not start, dead or alive; `None` if that cannot be seen.
pub(super) fn adopted() -> Option<Vec<Pid>> {
    // Locked before the look: a child that is started meanwhile would be taken for an orphan.
    let started = lock(&STARTED);
    let mut children = all_children()?;
    children.retain(|pid| !started.contains(pid));
    Some(children.into_iter().collect())
}

/// Our children, none missing; `None` if that cannot be seen.
///
/// One look can miss a child: if the kernel has just listed one that is reaped, it goes on by position and skips one.
/// It also hands the children of an ending thread to a thread that may have been looked at before. Either way the next
/// look differs. So two equal looks are complete.
fn all_children() -> Option<BTreeSet<Pid>> {
    let look = || Some(ordered::<BTreeSet<_>, _>(our_children()?));
    let mut seen = look()?;
    for _ in 0..LOOKS {
        let again = look()?;
        if again == seen {
            return Some(seen);
        }
        seen = again;
    }
    None
}

/// Takes a child off the list once it is reaped or given up, and reaps the dead orphans that it may have hidden. On the
/// list, its number would hide an orphan that gets the same one later.
pub(super) fn forget(pid: Pid) {
    let mut started = lock(&STARTED);
    if let Some(place) = started.iter().position(|other| *other == pid) {
        started.swap_remove(place);
    }
    reap(&started);
}

/// Reaps all dead orphans. The kernel shows one dead child at a time: if it shows one that we started, the orphans behind
/// it are reaped after that child is. `/proc` is read only if the kernel shows another child that is not ours to reap.
fn reap(started: &[Pid]) {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    let is_orphan =
        |pid: &Pid| !started.contains(pid) && getpgid(Some(*pid)).is_ok_and(|group| group != getpgrp());
    let hidden = || our_zombies().find(is_orphan);
    loop {
        let first = match waitid(Id::All, look) {
            Ok(status) => status.pid(),
            // It died of a real-time signal, which nix cannot name, so it returns no number either.
            Err(Errno::EINVAL) => hidden(),
            Err(_) => None,
        };
        let orphan = match first {
            Some(pid) if is_orphan(&pid) => Some(pid),
            Some(pid) if !started.contains(&pid) => hidden(),
            _ => None,
        };
        let Some(orphan) = orphan else { return };
        let _ = waitid(Id::Pid(orphan), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG);
    }
}
