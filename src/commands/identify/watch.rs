//! `identify --watch`: a line when another node answers on a flow.

use std::io::Write;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use super::targets;
use crate::cli::Identify;
use crate::exit::Exit;
use crate::probe::dns::flow::UdpFlow;
use crate::probe::identity::Asking;
use crate::sys::local_time::Zone;
use crate::text;

/// The time between two questions on a flow.
const EVERY: Duration = Duration::from_secs(1);

/// A flow, and who answered on it last.
struct Watched {
    asking: Asking,
    flow: Option<UdpFlow>,
    last: Option<Answer>,
}

/// The node that answers on a flow.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Answer {
    Node(Option<String>),
    /// No answer, with the reason.
    Nothing(String),
}

impl Answer {
    fn shown(&self) -> &str {
        match self {
            Self::Node(Some(name)) => name,
            Self::Node(None) => "a node without a name",
            Self::Nothing(why) => why,
        }
    }

    /// Whether the operator would call them the same: reasons differ in their times.
    fn is_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nothing(_), Self::Nothing(_)) => true,
            _ => self == other,
        }
    }
}

/// A change, as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Change<'a> {
    at_seconds: f64,
    address: std::net::SocketAddr,
    port: u16,
    answered: bool,
    node: Option<&'a str>,
    detail: &'a str,
}

/// Asks every second on the same flows, and prints each change, for ever.
pub(super) async fn run(options: &Identify) -> anyhow::Result<Exit> {
    let flows = usize::from(options.flows.unwrap_or(1));
    let mut watched: Vec<_> = targets(options)
        .into_iter()
        .flat_map(|asking| (0..flows).map(move |_| Watched { asking, flow: None, last: None }))
        .collect();
    let zone = Zone::from_this_host();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let answers = join_all(watched.iter_mut().map(Watched::ask)).await;
        let now = SystemTime::now();
        let mut out = text::stdout();
        for (watched, answer) in watched.iter_mut().zip(answers) {
            if watched.last.as_ref().is_some_and(|last| last.is_as(&answer)) {
                continue;
            }
            if options.json {
                writeln!(out, "{}", text::json(watched.json(&answer, now)?))?;
            } else {
                writeln!(out, "{} {}", zone.at(now).time(), watched.line(&answer))?;
            }
            watched.last = Some(answer);
        }
        out.flush()?;
    }
}

impl Watched {
    async fn ask(&mut self) -> Answer {
        if self.flow.is_none() {
            match UdpFlow::open(self.asking.server, self.asking.source) {
                Ok(flow) => self.flow = Some(flow),
                Err(failure) => return Answer::Nothing(failure.to_string()),
            }
        }
        let Some(flow) = &self.flow else { return Answer::Node(None) };
        match self.asking.name_on(flow).await {
            Ok(name) => Answer::Node(name),
            Err(failure) => Answer::Nothing(failure.to_string()),
        }
    }

    fn port(&self) -> u16 {
        self.flow.as_ref().map_or(0, UdpFlow::port)
    }

    fn line(&self, answer: &Answer) -> String {
        let (server, port) = (self.asking.server, self.port());
        let before = self.last.as_ref().map_or_else(String::new, |last| format!("{} -> ", last.shown()));
        format!("{server} from port {port}: {before}{}", answer.shown())
    }

    fn json(&self, answer: &Answer, now: SystemTime) -> serde_json::Result<String> {
        let node = match answer {
            Answer::Node(name) => name.as_deref(),
            Answer::Nothing(_) => None,
        };
        serde_json::to_string(&Change {
            at_seconds: now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            address: self.asking.server,
            port: self.port(),
            answered: matches!(answer, Answer::Node(_)),
            node,
            detail: answer.shown(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_names_both_nodes_and_the_flow() {
        let asking = Asking {
            server: "192.0.2.53:53".parse().unwrap(),
            source: None,
            timeout: Duration::from_secs(2),
        };
        let name = |name: &str| Answer::Node(Some(name.to_owned()));
        let mut watched = Watched { asking, flow: None, last: None };
        assert_eq!(watched.line(&name("fra1")), "192.0.2.53:53 from port 0: fra1");
        watched.last = Some(name("fra1"));
        assert_eq!(watched.line(&name("ams1")), "192.0.2.53:53 from port 0: fra1 -> ams1");
        let silent = |why: &str| Answer::Nothing(why.to_owned());
        assert!(silent("no answer within 2s").is_as(&silent("port closed")));
        assert!(!name("fra1").is_as(&name("ams1")) && !name("fra1").is_as(&Answer::Node(None)));
    }
}
