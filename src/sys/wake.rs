//! Wakes a thread that sleeps until a time, or until a descriptor is readable.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

/// The sleep if the system refuses to wait.
const PAUSE: Duration = Duration::from_millis(10);

/// Wakes the thread.
#[derive(Debug)]
pub(crate) struct Waker(UnixStream);

/// Lets the thread sleep.
#[derive(Debug)]
pub(crate) struct Sleeper(UnixStream);

/// Both ends.
///
/// # Errors
/// When the system has no descriptor left.
pub(crate) fn pair() -> io::Result<(Waker, Sleeper)> {
    let (waker, sleeper) = UnixStream::pair()?;
    waker.set_nonblocking(true)?;
    sleeper.set_nonblocking(true)?;
    Ok((Waker(waker), Sleeper(sleeper)))
}

impl Waker {
    /// Wakes the thread, at once or as soon as it sleeps again.
    pub(crate) fn wake(&self) {
        // A full channel means that the thread has not yet handled the previous request.
        let _ = (&self.0).write(&[0]);
    }
}

impl Sleeper {
    /// Sleeps for at most `limit`, or until `other` is readable. Returns whether the thread was woken.
    ///
    /// # Errors
    /// If the waker was dropped: the thread is to end.
    pub(crate) fn sleep(&self, other: Option<BorrowedFd<'_>>, limit: Duration) -> io::Result<bool> {
        let readable = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let mut fds: Vec<_> =
            [PollFd::new(&self.0, PollFlags::IN)].into_iter().chain(other.map(readable)).collect();
        if poll(&mut fds, Timespec::try_from(limit).ok().as_ref()).is_err() {
            thread::sleep(PAUSE);
        }
        match (&self.0).read(&mut [0; 64]) {
            Ok(0) => Err(ErrorKind::BrokenPipe.into()),
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
