//! The descriptors and threads that a helper needs.
//!
//! `run` under ExaBGP checks at its start whether there are enough, before it opens anything; `run` on a terminal and
//! `healthcheck` do not check. Each helper raises its soft limit of descriptors and starts threads for work that may block: if
//! no further thread can be started, that work waits for one of these.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};

/// The number of free descriptors that a helper needs: for its event loop, signals, sockets and a few probes.
const DESCRIPTORS: usize = 32;

/// The number of threads that a helper needs.
const THREADS: usize = 8;

/// The number of threads that the runtime keeps for work that may block.
const WORKERS: usize = 2;

/// The highest soft limit to set: more is of no use, and some programs that inherit it loop over all descriptors.
const HIGHEST_LIMIT: u64 = 524_288;

/// A shortage that keeps a helper from starting.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Missing {
    /// Only so many descriptors are free.
    Descriptors(usize),
    /// Only so many threads can be started.
    Threads(usize),
}

impl Missing {
    /// Returns the present shortage, or `None` if a helper can start.
    pub(crate) fn look() -> Option<Self> {
        let free = free_descriptors();
        if free < DESCRIPTORS {
            return Some(Self::Descriptors(free));
        }
        let started = startable_threads();
        (started < THREADS).then_some(Self::Threads(started))
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Descriptors(free) => {
                let limit = getrlimit(Resource::Nofile).current;
                let limit = limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
                write!(
                    f,
                    "{free} descriptors are free, expected at least {DESCRIPTORS}; the limit of this process is {limit}: raise \
                     LimitNOFILE= of exabgp.service, or fs.file-max of the host"
                )
            }
            Self::Threads(started) => write!(
                f,
                "{started} threads can be started, expected at least {THREADS}: raise TasksMax= of exabgp.service or the \
                 user's limit of processes (ulimit -u), or end what has used them up"
            ),
        }
    }
}

/// Raises the soft limit of descriptors to the hard one, at most to 524,288. Programs that are started inherit it.
pub(crate) fn raise_descriptor_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(HIGHEST_LIMIT, |maximum| maximum.min(HIGHEST_LIMIT));
    if current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
    {
        log::warn!("cannot raise the limit of descriptors to {wanted}: {error}");
    }
}

/// Builds the runtime of a helper: one thread that decides, and a few, started now, for work that may block.
///
/// # Errors
/// If the system has no descriptor or thread left.
pub(crate) fn runtime_with_workers() -> io::Result<Runtime> {
    // A runtime without any thread for such work panics if it cannot start one.
    if startable_threads() < WORKERS {
        return Err(io::Error::new(io::ErrorKind::WouldBlock, "no thread can be started"));
    }
    let ten_years = Duration::from_secs(10 * 365 * 24 * 3600);
    let runtime = Builder::new_current_thread().enable_all().thread_keep_alive(ten_years).build()?;
    // Each piece of work waits until all of them have started, so that each gets its own thread.
    let (releases, waiting): (Vec<_>, Vec<_>) = (0..WORKERS)
        .map(|_| {
            let (release, wait) = mpsc::channel::<()>();
            (release, runtime.spawn_blocking(move || wait.recv().is_ok()))
        })
        .unzip();
    drop(releases);
    for worker in waiting {
        runtime.block_on(worker).map_err(io::Error::other)?;
    }
    Ok(runtime)
}

/// How many descriptors can be opened now; counts no further than the number needed.
fn free_descriptors() -> usize {
    let Ok(file) = File::open("/dev/null") else { return 0 };
    let copies: Vec<OwnedFd> =
        (1..DESCRIPTORS).map_while(|_| file.try_clone().ok()).map(OwnedFd::from).collect();
    copies.len() + 1
}

/// How many threads can be started now; counts no further than the number needed. All have ended on return.
fn startable_threads() -> usize {
    let started: Vec<_> = (0..THREADS)
        .map_while(|_| {
            let (release, wait) = mpsc::channel::<()>();
            let thread = thread::Builder::new().name("spare".into()).stack_size(64 * 1024);
            thread.spawn(move || wait.recv().is_ok()).ok().map(|thread| (release, thread))
        })
        .collect();
    let count = started.len();
    for (release, thread) in started {
        drop(release);
        let _ = thread.join();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_with_enough_lacks_nothing() {
        assert_eq!(Missing::look(), None);
        assert_eq!((free_descriptors(), startable_threads()), (DESCRIPTORS, THREADS));
    }

    #[test]
    fn work_that_may_block_finds_threads_that_stay() {
        let runtime = runtime_with_workers().unwrap();
        let worker = || tokio::task::spawn_blocking(|| thread::current().id());
        let ids = runtime.block_on(async { [worker().await.unwrap(), worker().await.unwrap()] });
        assert!(!ids.contains(&thread::current().id()), "the thread that decides must not block");
    }

    #[test]
    fn a_message_names_what_was_found_and_what_to_do() {
        let text = Missing::Descriptors(3).to_string();
        assert!(text.starts_with("3 descriptors are free, expected at least 32; the limit"), "{text}");
        assert!(Missing::Threads(1).to_string().contains("TasksMax="));
    }
}
