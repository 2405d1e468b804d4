//! The thread that waits for processes to end.
//!
//! All pidfds are polled together, with one end of a pair of sockets at whose other end somebody asks for attention.
//! The thread does nothing else, so that nothing comes between an end and its being told.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::handle::ProcessHandle;
use crate::handoff::lock;

/// Where the system refuses to wait for us, we look again after this.
const RECOVERY: Duration = Duration::from_millis(20);

/// Attends processes until they end. When it is dropped, the thread ends, and nobody is told anything more.
#[derive(Debug)]
pub(crate) struct Deaths {
    coming: Arc<Mutex<Vec<Attended>>>,
    attention: UnixStream,
}

/// Who is told of an end, on the thread that has seen it.
type Tell = dyn FnOnce(&Arc<ProcessHandle>) + Send;

struct Attended {
    held: Arc<ProcessHandle>,
    tell: Box<Tell>,
}

impl fmt::Debug for Attended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.held.fmt(f)
    }
}

impl Deaths {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread or descriptor left.
    pub(crate) fn start() -> io::Result<Self> {
        let (attention, asked) = UnixStream::pair()?;
        attention.set_nonblocking(true)?;
        asked.set_nonblocking(true)?;
        let coming = Arc::<Mutex<Vec<Attended>>>::default();
        let taken = Arc::clone(&coming);
        thread::Builder::new().name("processes".into()).spawn(move || attend(asked, &taken))?;
        Ok(Self { coming, attention })
    }

    /// Calls `tell` on the thread as soon as the process has ended, also if that was before; unless by then nobody
    /// else holds on to it.
    pub(crate) fn attend(
        &self,
        held: Arc<ProcessHandle>,
        tell: impl FnOnce(&Arc<ProcessHandle>) + Send + 'static,
    ) {
        lock(&self.coming).push(Attended { held, tell: Box::new(tell) });
        self.look_up();
    }

    /// Lets go of what nobody else holds on to any more.
    pub(crate) fn look_up(&self) {
        // No room means that it has not even looked up for the last one.
        let _ = (&self.attention).write(&[0]);
    }
}

fn attend(mut asked: UnixStream, coming: &Mutex<Vec<Attended>>) {
    let mut attended: Vec<Attended> = vec![];
    loop {
        let (looks_up, ended) = {
            let fds = attended.iter().map(|attended| PollFd::new(&attended.held, PollFlags::IN));
            let mut fds: Vec<_> = [PollFd::new(&asked, PollFlags::IN)].into_iter().chain(fds).collect();
            match poll(&mut fds, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(_) => thread::sleep(RECOVERY),
            }
            let ready: Vec<_> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            (ready[0], ready[1..].to_vec())
        };
        let mut ended = ended.into_iter();
        let (gone, left) = attended.into_iter().partition(|_| ended.next() == Some(true));
        attended = left;
        let gone: Vec<Attended> = gone;
        for Attended { held, tell } in gone {
            tell(&held);
        }
        if looks_up {
            match asked.read(&mut [0; 64]) {
                Ok(0) => return,
                Err(error) if !is_passing(&error) => return,
                _ => {}
            }
            attended.append(&mut lock(coming));
            attended.retain(|attended| Arc::strong_count(&attended.held) > 1);
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

    use super::super::sleeper::Sleeper;
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);

    fn sleeper() -> (Sleeper, Arc<ProcessHandle>) {
        let child = Sleeper::start();
        let held = Arc::new(ProcessHandle::open(child.pid()).unwrap());
        (child, held)
    }

    fn attend(deaths: &Deaths, held: &Arc<ProcessHandle>) -> Receiver<i32> {
        let (told, hears) = channel();
        deaths.attend(Arc::clone(held), move |held| told.send(held.pid()).unwrap());
        hears
    }

    #[test]
    fn each_end_is_told_once() {
        let deaths = Deaths::start().unwrap();
        let mut all: Vec<_> = (0..3).map(|_| sleeper()).collect();
        let hears: Vec<_> = all.iter().map(|(_, held)| attend(&deaths, held)).collect();
        for place in [1, 0, 2] {
            all[place].0.kill();
            assert_eq!(hears[place].recv_timeout(DEADLINE), Ok(all[place].1.pid()));
            let more = hears[place].recv_timeout(DEADLINE);
            assert_eq!(more, Err(RecvTimeoutError::Disconnected), "told, and over");
        }
        let late = attend(&deaths, &all[1].1);
        assert_eq!(late.recv_timeout(DEADLINE), Ok(all[1].1.pid()), "it had ended before");
    }

    #[test]
    fn what_nobody_holds_on_to_is_let_go() {
        let deaths = Deaths::start().unwrap();
        let (_child, held) = sleeper();
        let hears = attend(&deaths, &held);
        drop(held);
        deaths.look_up();
        let told = hears.recv_timeout(DEADLINE);
        assert_eq!(told, Err(RecvTimeoutError::Disconnected), "nobody is left to tell it");
    }
}
