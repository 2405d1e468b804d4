//! `identify`: which node answers at an address, and how flows split over nodes.
//!
//! ```text
//! address ─► identity over UDP and TCP ─┐
//!         ├► a large answer ────────────┤
//!         └► flows, each with its port ─┴► Report ─► findings ─► table or JSON, exit status
//! ```
//!
//! It needs no configuration and no helper, so it runs on any machine.

use std::cell::Cell;
use std::io::{IsTerminal, Write, stderr};
use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::Context;
use futures_util::future::{join, join_all, select};
use tokio::time::{interval, sleep};

use self::fleet::Fleet;
use self::report::{Report, Splits};
use super::runtime;
use crate::cli::Identify;
use crate::exit::Exit;
use crate::netlink::sockets::Protocol;
use crate::probe::dns::Question;
use crate::probe::identity::{self, Asking, FlowOutcome};
use crate::text;

mod findings;
mod fleet;
mod report;
mod table;
mod watch;

/// TCP connections beside the flows over UDP, at most.
const MOST_CONNECTIONS: usize = 16;

/// The time without output after which a terminal shows progress.
const PROGRESS_AFTER: Duration = Duration::from_secs(1);

/// The time between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Asks the addresses and shows which nodes answered.
///
/// Exit status: 0 if each address answers over UDP and TCP, and each node is expected; else 1.
///
/// # Errors
/// If the file of node names cannot be read, or the output not be written.
pub(crate) fn run(options: &Identify) -> anyhow::Result<Exit> {
    let fleet = options.expect.as_deref().map(Fleet::read).transpose()?;
    let runtime = runtime()?;
    if options.watch {
        return runtime.block_on(watch::run(options));
    }
    let large = identity::question(options.large.clone()).map_err(anyhow::Error::msg)?;
    let reports = runtime.block_on(ask(options, &large));
    let findings = findings::of(&reports, fleet.as_ref());
    let text = if options.json {
        let document = report::document(&reports, &findings);
        text::json(serde_json::to_string_pretty(&document)? + "\n")
    } else {
        table::table(&reports, &findings)
    };
    let mut out = text::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot print the nodes")?;
    Ok(if findings.iter().any(|finding| finding.is_fault) { Exit::Failure } else { Exit::Success })
}

/// The addresses, each once, in the order of the command line.
fn targets(options: &Identify) -> Vec<Asking> {
    let mut servers = vec![];
    for target in &options.servers {
        if !servers.contains(&target.0) {
            servers.push(target.0);
        }
    }
    let asking = |server| Asking { server, source: options.source, timeout: options.timeout.0 };
    servers.into_iter().map(asking).collect()
}

/// Asks all addresses at the same time.
async fn ask(options: &Identify, large: &Question) -> Vec<Report> {
    let targets = targets(options);
    let flows = options.flows.and_then(|flows| NonZeroUsize::new(flows.into()));
    let steps = 3 + flows.map_or(0, |flows| flows.get() + connections(flows).get());
    let progress = Progress { done: Cell::new(0), all: steps * targets.len() };
    let asked = join_all(targets.iter().map(|asking| report(*asking, flows, large, &progress)));
    let shown = Box::pin(progress.show());
    match select(asked, shown).await {
        futures_util::future::Either::Left((reports, _)) => {
            progress.clear();
            reports
        }
        futures_util::future::Either::Right((never, _)) => match never {},
    }
}

const fn connections(flows: NonZeroUsize) -> NonZeroUsize {
    match NonZeroUsize::new(MOST_CONNECTIONS) {
        Some(most) if flows.get() > most.get() => most,
        _ => flows,
    }
}

async fn report(
    asking: Asking,
    flows: Option<NonZeroUsize>,
    large: &Question,
    progress: &Progress,
) -> Report {
    let (udp, tcp) = join(progress.step(asking.udp()), progress.step(asking.tcp())).await;
    let answers = [&udp, &tcp].iter().any(|heard| matches!(heard, FlowOutcome::Node { .. }));
    let large = async { if answers { Some(asking.large(large).await) } else { None } };
    let large = progress.step(large).await;
    let splits = match flows {
        Some(flows) => {
            let one = || progress.count();
            let udp = asking.split(Protocol::Udp, flows, one);
            let tcp = asking.split(Protocol::Tcp, connections(flows), one);
            let (udp, tcp) = join(udp, tcp).await;
            Some(Splits { udp, tcp })
        }
        None => None,
    };
    Report { server: asking.server, udp, tcp, large, splits }
}

/// The progress line, for a terminal on standard error.
struct Progress {
    done: Cell<usize>,
    all: usize,
}

impl Progress {
    fn count(&self) {
        self.done.set(self.done.get() + 1);
    }

    async fn step<T>(&self, step: impl Future<Output = T>) -> T {
        let value = step.await;
        self.count();
        value
    }

    /// Shows the progress until dropped. Shows nothing if standard error is no terminal.
    async fn show(&self) -> std::convert::Infallible {
        sleep(PROGRESS_AFTER).await;
        let mut ticks = interval(PROGRESS_EVERY);
        loop {
            ticks.tick().await;
            if stderr().is_terminal() {
                let _ = write!(stderr(), "\r{} of {} asked ", self.done.get(), self.all);
            }
        }
    }

    /// Clears the line of progress.
    fn clear(&self) {
        if stderr().is_terminal() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
