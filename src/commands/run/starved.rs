//! Handles a start without the descriptors or threads that a helper needs: withdraws and waits until they are
//! available.
//!
//! A helper that cannot start cannot detect a failed server. So it withdraws what an earlier helper may have announced.
//! It has no loop to ask ExaBGP for its version, so it writes each withdraw without a selector and with `peer`: every
//! version understands one of them.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::cli::Run;
use crate::config::salvage::Salvage;
use crate::daemon::store::Store;
use crate::exabgp::command::GREETING;
use crate::exabgp::{Advertisement, Dialect, Route};
use crate::sys::resources::Missing;
use crate::text;
use crate::text::counted;

/// How often to check whether the start is possible.
const RETRY_INTERVAL: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Interval at which the reason is logged again.
const REMINDER: Duration = Duration::from_secs(300);

/// How to continue after the wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Start {
    /// Nothing was missing.
    Normal,
    /// All prefixes have been withdrawn.
    Withdrawn,
    /// ExaBGP has exited.
    ExaBgpExited,
}

/// Waits until the host has the resources. Reads standard input meanwhile.
///
/// # Errors
/// Returns an error if standard output cannot be written.
pub(super) fn wait_for_resources(options: &Run) -> io::Result<Start> {
    let Some(mut missing) = Missing::look() else { return Ok(Start::Normal) };
    let mut withdrawn = withdraw(&announced(options))?;
    let mut logged = Instant::now();
    log::error!("cannot start: {missing}; withdrew {}, waiting", counted(withdrawn, "prefix"));
    loop {
        if is_input_closed()? {
            log::info!("ExaBGP has exited (standard input closed): exiting");
            return Ok(Start::ExaBgpExited);
        }
        // Without a descriptor the state could not be read before.
        if withdrawn == 0 && has_readable_state(options) {
            withdrawn = withdraw(&announced(options))?;
            if withdrawn > 0 {
                log::error!("withdrew {}", counted(withdrawn, "prefix"));
            }
        }
        match Missing::look() {
            None => break,
            Some(now) if now != missing || logged.elapsed() >= REMINDER => {
                log::error!("still cannot start: {now}");
                (missing, logged) = (now, Instant::now());
            }
            Some(_) => {}
        }
    }
    log::info!("descriptors and threads are available now: starting");
    Ok(Start::Withdrawn)
}

/// The routes that an earlier helper may have announced, from the state file.
fn announced(options: &Run) -> Vec<Route> {
    let (memory, _) = store(options).load();
    memory.announced().cloned().collect()
}

fn has_readable_state(options: &Run) -> bool {
    std::fs::metadata(store(options).file()).is_ok_and(|metadata| metadata.is_file())
        && std::fs::File::open("/dev/null").is_ok()
}

fn store(options: &Run) -> Store {
    let path = &options.configuration.config;
    let state = options.state.clone().unwrap_or_else(|| Salvage::from_file(path).state);
    Store::new(&state, path)
}

/// Writes the withdraws, one `write` each. Returns the number of routes.
fn withdraw(routes: &[Route]) -> io::Result<usize> {
    let mut out = text::stdout();
    let mut write_line =
        |line: &str| out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
    write_line(GREETING)?;
    for route in routes {
        for dialect in [Dialect::Plain, Dialect::Peer] {
            write_line(&dialect.advertise(route, &Advertisement::Withdraw))?;
        }
    }
    Ok(routes.len())
}

/// Waits for [`RETRY_INTERVAL`] or reads input. Returns whether ExaBGP has exited.
fn is_input_closed() -> io::Result<bool> {
    let stdin = io::stdin();
    let mut polled = [PollFd::new(&stdin, PollFlags::IN)];
    match poll(&mut polled, Some(&RETRY_INTERVAL)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(false),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    match rustix::io::read(stdin.as_fd(), &mut [0; 4096]) {
        Ok(0) => Ok(true),
        Ok(_) | Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Ok(false),
        Err(_) => Ok(true),
    }
}
