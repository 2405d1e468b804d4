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
use std::num::NonZeroUsize;

use anyhow::Context;
use futures_util::future::{join, join_all};

use self::fleet::Fleet;
use self::report::{Report, Splits};
use super::{print, progress, runtime};
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
const MOST_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(16).unwrap();

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
    let findings = findings::in_reports(&reports, fleet.as_ref());
    let text = if options.json {
        let document = report::document(&reports, &findings);
        text::json(serde_json::to_string_pretty(&document)? + "\n")
    } else {
        table::table(&reports, &findings)
    };
    print(&text).context("cannot print the nodes")?;
    Ok(if findings.iter().any(|finding| finding.is_fault) { Exit::Failure } else { Exit::Success })
}

/// The addresses, each once, in the order of the command line.
fn targets(options: &Identify) -> Vec<Asking> {
    let mut servers = vec![];
    for server in &options.servers {
        if !servers.contains(server) {
            servers.push(*server);
        }
    }
    let asking = |server| Asking { server, source: options.source, timeout: options.timeout.0 };
    servers.into_iter().map(asking).collect()
}

/// Asks all addresses at the same time.
async fn ask(options: &Identify, large: &Question) -> Vec<Report> {
    let targets = targets(options);
    let flows = options.flows.and_then(|flows| NonZeroUsize::new(flows.into()));
    let steps = 3 + flows.map_or(0, |flows| flows.get() + flows.min(MOST_CONNECTIONS).get());
    let (done, all) = (Cell::new(0), steps * targets.len());
    let asked = join_all(targets.iter().map(|asking| report(*asking, flows, large, &done)));
    progress::shown_while(asked, || format!("{} of {all} asked ", done.get())).await
}

async fn report(asking: Asking, flows: Option<NonZeroUsize>, large: &Question, done: &Cell<usize>) -> Report {
    let (udp, tcp) = join(counted(done, asking.udp()), counted(done, asking.tcp())).await;
    let answers = [&udp, &tcp].iter().any(|heard| matches!(heard, FlowOutcome::Node { .. }));
    let large = async { if answers { Some(asking.large(large).await) } else { None } };
    let large = counted(done, large).await;
    let splits = match flows {
        Some(flows) => {
            let one = || done.update(|done| done + 1);
            let udp = asking.split(Protocol::Udp, flows, one);
            let tcp = asking.split(Protocol::Tcp, flows.min(MOST_CONNECTIONS), one);
            let (udp, tcp) = join(udp, tcp).await;
            Some(Splits { udp, tcp })
        }
        None => None,
    };
    Report { server: asking.server, udp, tcp, large, splits }
}

/// Counts an answer once it is there.
async fn counted<T>(done: &Cell<usize>, answer: impl Future<Output = T>) -> T {
    let answer = answer.await;
    done.update(|done| done + 1);
    answer
}
