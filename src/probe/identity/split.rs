//! How the flows to one address split over nodes.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Serialize;

use super::{Asking, FlowOutcome};
use crate::netlink::sockets::Protocol;
use crate::probe::dns::flow::UdpFlow;
use crate::probe::set::{Flight, Pace};

/// Flows of one transport, counted by the node that answered.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub(crate) struct Split {
    /// Flows of each node.
    pub(crate) nodes: BTreeMap<String, usize>,
    /// Flows with answers that name no node.
    pub(crate) unnamed: usize,
    /// Flows without an answer.
    pub(crate) unanswered: usize,
    /// TCP connections that were established and carried no answer, or not all answers.
    pub(crate) broken: usize,
    /// Why, of the first flow without an answer.
    #[serde(skip)]
    pub(crate) why: Option<String>,
}

impl Split {
    /// All flows.
    pub(crate) fn flows(&self) -> usize {
        self.nodes.values().sum::<usize>() + self.unnamed + self.unanswered
    }

    fn count(&mut self, name: Option<String>) {
        match name {
            Some(name) => *self.nodes.entry(name).or_default() += 1,
            None => self.unnamed += 1,
        }
    }

    fn count_unanswered(&mut self, why: &str) {
        self.unanswered += 1;
        self.why.get_or_insert_with(|| why.to_owned());
    }

    /// Adds a TCP connection.
    fn count_connection(&mut self, heard: &FlowOutcome) {
        match heard {
            FlowOutcome::Node { end, .. } => {
                self.broken += usize::from(end.is_some());
                self.count(heard.name().map(ToOwned::to_owned));
            }
            FlowOutcome::Silent(failure) => {
                self.broken += 1;
                self.count_unanswered(&failure.to_string());
            }
            FlowOutcome::Unreachable(failure) => self.count_unanswered(&failure.to_string()),
        }
    }
}

impl Asking {
    /// Asks on `flows` flows of this protocol, each with its own port, at most [`Pace::MAX_IN_FLIGHT`] at once.
    /// Calls `on_answer` for each flow that is done.
    pub(crate) async fn split(self, protocol: Protocol, flows: NonZeroUsize, on_answer: impl Fn()) -> Split {
        let all = vec![(); flows.get()];
        let mut flight = Flight::new(&all, Pace { spread: Duration::ZERO, ..Pace::BURST });
        let mut split = Split::default();
        let start = |_: &()| async move {
            match protocol {
                Protocol::Udp => Err(match UdpFlow::open(self.server, self.source) {
                    Ok(flow) => self.name_on(&flow).await,
                    Err(failure) => Err(failure),
                }),
                Protocol::Tcp => Ok(self.tcp().await),
            }
        };
        while let Some((_, done)) = flight.next(start).await {
            on_answer();
            match done {
                Ok(heard) => split.count_connection(&heard),
                Err(Ok(name)) => split.count(name),
                Err(Err(failure)) => split.count_unanswered(&failure.to_string()),
            }
        }
        split
    }
}
