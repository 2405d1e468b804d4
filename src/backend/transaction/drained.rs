//! What is waited for once a service is drained: the acknowledgement of ExaBGP, and a server that is quiet.

use std::fmt;
use std::time::{Duration, Instant};

use crate::backend::quiet::{Hush, Quieting};
use crate::backend::{Backend, Trouble};
use crate::config::Config;
use crate::control::client::{ABSENT, Client};
use crate::period::Shown;
use crate::probe::inquiry::Inquiry;
use crate::status::Service;
use crate::text::foreign;

/// How long ExaBGP is waited for.
const ACKNOWLEDGE_LIMIT: Duration = Duration::from_secs(30);

/// Where ExaBGP answers no commands, it is given as long to have carried out what it was told.
const SETTLE_TIME: Duration = Duration::from_secs(2);

/// Between two looks at the status, at processes and at sockets.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// Between two looks at counters, each of which runs a program.
pub(super) const COUNT: Duration = Duration::from_millis(250);

/// Waits until the server is quiet, or for as long as that is worth waiting for, and says what was found.
pub async fn quiet(config: &Config, backend: &Backend) -> String {
    let own: f64 = config
        .services_of(backend)
        .flat_map(|service| &service.checks)
        .filter_map(|check| match &check.inquiry {
            Inquiry::Dns(round) => Some(round.probes().len() as f64 / check.timing.interval.as_secs_f64()),
            _ => None,
        })
        .sum();
    let mut quieting = Quieting::new(backend.quiet, own);
    let began = Instant::now();
    let per_second = |rate: Option<f64>| {
        rate.map_or("no rate known".to_owned(), |rate| format!("{rate:.1} queries per second"))
    };
    loop {
        let total = match backend.queries().await {
            Ok(total) => total,
            Err(trouble) => {
                tokio::time::sleep(backend.quiet.settle.saturating_sub(began.elapsed())).await;
                return format!(
                    "waited {}, since nothing is counted: {}",
                    Shown(began.elapsed()),
                    trouble.why
                );
            }
        };
        match quieting.look(began.elapsed(), total) {
            Hush::Quiet(rate) => return per_second(Some(rate)),
            Hush::TooLong(rate) => {
                return format!("not quiet after {}: {}", Shown(began.elapsed()), per_second(rate));
            }
            Hush::NotYet(_) => tokio::time::sleep(COUNT).await,
        }
    }
}

/// What is known of withdraws that were waited for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Withdrawn {
    /// ExaBGP has acknowledged them, within this time.
    Acknowledged(Duration),
    /// It answers no commands, for this reason: they were said, and a settle time was waited instead.
    Unknown(String),
}

impl fmt::Display for Withdrawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acknowledged(took) => write!(f, "acknowledged within {}", Shown(*took)),
            Self::Unknown(why) => {
                write!(f, "said, not acknowledged: {why}; waited {} instead", Shown(SETTLE_TIME))
            }
        }
    }
}

/// Waits until ExaBGP has acknowledged what these drained services say; where it answers no commands, for
/// a settle time.
///
/// # Errors
/// When it has not in time, one of them is no longer drained, or the helper is gone.
pub async fn wait_until_acknowledged(helper: &Client, names: &[String]) -> Result<Withdrawn, Trouble> {
    let began = Instant::now();
    let mut seen = began;
    loop {
        let document = match helper.look().await {
            Ok(document) => document,
            Err(error) if seen.elapsed() >= ABSENT => return Err(Trouble::new(format!("{error:#}"))),
            Err(_) => {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        seen = Instant::now();
        let of = |name: &String| document.services.iter().find(|service| service.name == *name);
        let is_drained = |name: &&String| of(name).is_some_and(Service::is_held);
        if let Some(name) = names.iter().find(|name| !is_drained(name)) {
            return Err(Trouble::new(format!(
                "{} is no longer drained: somebody has ended the drain, or its time is over",
                foreign(name)
            )));
        }
        let ours = names.iter().filter_map(of);
        let missing: Vec<_> = ours
            .flat_map(|service| &service.prefixes)
            .filter(|prefix| !prefix.is_settled())
            .map(|prefix| foreign(&prefix.prefix))
            .collect();
        if missing.is_empty() {
            return Ok(Withdrawn::Acknowledged(began.elapsed()));
        }
        if !document.exabgp.answers && began.elapsed() >= SETTLE_TIME {
            let why = document.exabgp.silence.unwrap_or_else(|| "exabgp answers no commands".to_owned());
            return Ok(Withdrawn::Unknown(why));
        }
        if began.elapsed() >= ACKNOWLEDGE_LIMIT {
            return Err(Trouble::new(format!(
                "exabgp has not acknowledged the withdraw of {} within {}: it may still be announced",
                missing.join(", "),
                Shown(ACKNOWLEDGE_LIMIT)
            )));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
