//! Children that are not ours by birth: what a command left behind, once its own parent is gone.
//!
//! They go to init, which reaps them when they die; but ExaBGP is process 1 of many a container, and reaps nothing.
//! So we [adopt](adopt_orphans) and reap them ourselves, and nobody else's: a child that we started is tokio's to
//! reap, or of whoever started it. An orphan is known by its process group, which is not ours, while it is not on the
//! list of those that we started in a group of their own. Hence every child that gets such a group is started here.

use std::collections::HashSet;
use std::io;
use std::os::unix::net;
use std::sync::{Mutex, MutexGuard};

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, getpgid, getpgrp};
use signal_hook::consts::SIGCHLD;
use signal_hook::low_level::pipe;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use super::process::Process;
use crate::handoff::lock;

/// Those that we started and that are not reaped yet.
static STARTED: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

fn started() -> MutexGuard<'static, Vec<Pid>> {
    lock(&STARTED)
}

/// From now on what commands leave behind becomes our child, and is reaped when it dies. To be called once, on the
/// tokio runtime that is to do it.
///
/// # Errors
/// When the system has no descriptor left.
pub(crate) fn adopt_orphans() -> io::Result<()> {
    let (reader, writer) = net::UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    let reader = UnixStream::from_std(reader)?;
    pipe::register(SIGCHLD, writer)?;
    set_child_subreaper(true)?;
    tokio::spawn(async move {
        while reader.readable().await.is_ok() {
            let _ = reader.try_read(&mut [0; 64]);
            reap(&started());
        }
    });
    Ok(())
}

/// Starts a child in a group of its own, which is not to be taken for an orphan.
pub(super) fn start(command: &mut Command) -> io::Result<(Child, Pid)> {
    // Locked before it exists: it may be dead before it is on the list.
    let mut started = started();
    let child = command.process_group(0).spawn()?;
    let number = child.id().and_then(|number| i32::try_from(number).ok());
    let pid = Pid::from_raw(number.ok_or(io::ErrorKind::NotFound)?);
    started.push(pid);
    Ok((child, pid))
}

/// Our children that we did not start, dead or alive; nothing where that is not to be seen.
pub(super) fn adopted() -> Option<Vec<Pid>> {
    // Locked before the look: what is started meanwhile would be taken for an orphan.
    let started = started();
    // One look can miss a child: the kernel skips some while another one exits, and hands those of an ending thread to one
    // that was looked at before.
    let mut children: HashSet<_> = Process::our_children()?.into_iter().collect();
    loop {
        let before = children.len();
        children.extend(Process::our_children()?);
        if children.len() == before {
            break;
        }
    }
    children.retain(|pid| !started.contains(pid));
    Some(children.into_iter().collect())
}

/// What was started has been reaped. Of the orphans that died, it may have hidden some.
pub(super) fn reaped(pid: Pid) {
    let mut started = started();
    if let Some(place) = started.iter().position(|other| *other == pid) {
        started.swap_remove(place);
    }
    reap(&started);
}

/// Reaps all orphans that are dead, unless one of those that we started died before them: what that one hides is
/// reaped after it. `/proc` is read only where the kernel shows but somebody else's child.
fn reap(started: &[Pid]) {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    let is_orphan =
        |pid: &Pid| !started.contains(pid) && getpgid(Some(*pid)).is_ok_and(|group| group != getpgrp());
    let hidden = || Process::our_dead().find(is_orphan);
    loop {
        let first = match waitid(Id::All, look) {
            Ok(status) => status.pid(),
            // It died of a real-time signal, of which nix knows no name, and so we learn no number.
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
