//! A start without the descriptors or threads that a helper needs: it withdraws, and waits until they are there.
//!
//! A helper that cannot start cannot see the server fail either. So what an earlier one may have announced is withdrawn,
//! in each dialect, since there is no loop to ask ExaBGP for its version.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::cli::Run;
use crate::config::salvage::Salvage;
use crate::daemon::store::Store;
use crate::exabgp::command::GREETING;
use crate::exabgp::{Advertisement, Dialect, Route};
use crate::logging::counted;
use crate::sys::resources::Missing;
use crate::text;

/// How often the helper looks whether it can start now.
const LOOK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// The reason is logged again after this time.
const REMINDER: Duration = Duration::from_secs(300);

/// How a start that lacked something goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Start {
    /// Nothing was missing.
    Normal,
    /// Everything was withdrawn before.
    Withdrawn,
    /// ExaBGP is gone.
    ExaBgpGone,
}

/// Returns once the host has what a helper needs. Standard input is read meanwhile.
///
/// # Errors
/// When standard output cannot be written to.
pub(super) fn wait_for_resources(options: &Run) -> io::Result<Start> {
    let Some(mut missing) = Missing::look() else { return Ok(Start::Normal) };
    let mut withdrawn = withdraw(&announced(options))?;
    let mut told = Instant::now();
    log::error!("cannot start: {missing}; withdrew {}, waiting", counted(withdrawn, "prefix"));
    loop {
        if is_input_closed()? {
            log::info!("exabgp is gone (standard input closed): exiting");
            return Ok(Start::ExaBgpGone);
        }
        // Without a descriptor the state could not be read.
        if withdrawn == 0 && has_readable_state(options) {
            withdrawn = withdraw(&announced(options))?;
            if withdrawn > 0 {
                log::error!("withdrew {}", counted(withdrawn, "prefix"));
            }
        }
        match Missing::look() {
            None => break,
            Some(now) if now != missing || told.elapsed() >= REMINDER => {
                log::error!("still cannot start: {now}");
                (missing, told) = (now, Instant::now());
            }
            Some(_) => {}
        }
    }
    log::info!("descriptors and threads are there now: starting");
    Ok(Start::Withdrawn)
}

/// What an earlier helper may have announced, by its state file.
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

/// Writes the withdraws, one `write` each, and says for how many routes.
fn withdraw(routes: &[Route]) -> io::Result<usize> {
    let mut out = text::stdout();
    let mut say = |line: &str| out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
    say(GREETING)?;
    for route in routes {
        for dialect in [Dialect::Plain, Dialect::Peer] {
            say(&dialect.advertise(route, &Advertisement::Withdraw))?;
        }
    }
    Ok(routes.len())
}

/// Lets [`LOOK`] pass, or reads what ExaBGP says, and tells whether it is gone.
fn is_input_closed() -> io::Result<bool> {
    let stdin = io::stdin();
    let mut polled = [PollFd::new(&stdin, PollFlags::IN)];
    match poll(&mut polled, Some(&LOOK)) {
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
