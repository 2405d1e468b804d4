//! Waits after a drain: for the acknowledgment of ExaBGP, and for a server that is quiet.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::backend::quiet::{ProbeRates, QuietDetector, Quietness, Sample};
use crate::backend::targets::Targets;
use crate::backend::{Backend, Trouble};
use crate::config::Config;
use crate::control::client::{ABSENT, Client};
use crate::engine::service::ServiceState;
use crate::probe::Probe;
use crate::status::{Document, ExaBgp, Service};
use crate::text::period::Shown;
use crate::text::{foreign, sentence};

/// Timeout for the acknowledgment of a withdraw.
const WITHDRAW_TIMEOUT: Duration = Duration::from_secs(30);

/// Timeout for an announcement: the checks have to pass anew first.
const ANNOUNCE_TIMEOUT: Duration = Duration::from_secs(60);

/// The wait in place of an acknowledgment if ExaBGP answers no commands.
const SETTLE_TIME: Duration = Duration::from_secs(2);

/// The interval at which the status, processes and sockets are polled.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The interval at which counters and zones are polled: a poll may run a program.
pub(super) const COUNTER_INTERVAL: Duration = Duration::from_millis(250);

/// Waits until the server is quiet, at most for [`Quiet::longest`](crate::backend::Quiet::longest) and one question more,
/// and returns a sentence with the result.
pub(crate) async fn wait_until_quiet(config: &Config, backend: &Backend, helper: &Client) -> String {
    let servers = addresses(config, backend);
    let mut detector = QuietDetector::new(backend.quiet, probe_rates(config, backend, &servers));
    let began = Instant::now();
    let per_second = |rate: Option<f64>| {
        rate.map_or("no rate known".to_owned(), |rate| format!("{rate:.1} queries per second"))
    };
    let mut answers = true;
    loop {
        let before = asked(helper, &servers, &mut answers).await;
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
        let at = began.elapsed();
        let after = asked(helper, &servers, &mut answers).await;
        match detector.observe(Sample { at, total, asked: before.zip(after) }) {
            Quietness::Quiet(rate) => return per_second(Some(rate)),
            Quietness::TimedOut(rate) => {
                return format!("not quiet after {}: {}", Shown(began.elapsed()), per_second(rate));
            }
            Quietness::NotYet(_) => tokio::time::sleep(COUNTER_INTERVAL).await,
        }
    }
}

/// How many queries the helper has sent to these servers; `None` if it has not said. One that does not answer is not asked
/// again: it would delay each sample.
async fn asked(helper: &Client, servers: &[IpAddr], answers: &mut bool) -> Option<u64> {
    let document = if *answers { helper.look().await.ok() } else { None };
    *answers = document.is_some();
    let questions = document?.totals.questions;
    (!questions.is_empty()).then(|| servers.iter().filter_map(|server| questions.get(server)).sum())
}

/// The addresses at which only this server answers. A management address may be that of another one.
fn addresses(config: &Config, backend: &Backend) -> Vec<IpAddr> {
    let Targets { management, services } = config.targets_of(backend);
    let management = management.into_iter().filter(|_| config.backends.len() == 1);
    let services = services.into_iter().flat_map(|service| service.addresses);
    let addresses: BTreeSet<_> = management.chain(services).map(|target| target.server.ip()).collect();
    addresses.into_iter().collect()
}

/// How often the probes ask this server per second while they pass, and of that, at other addresses than `counted`. A query to
/// another server is none of a client, but this one does not count it.
fn probe_rates(config: &Config, backend: &Backend, counted: &[IpAddr]) -> ProbeRates {
    let mut rates = ProbeRates::default();
    let targets = config.targets_of(backend);
    let is_alone = config.backends.len() == 1;
    let asks_it = |server: &IpAddr| {
        (is_alone && server.is_loopback()) || targets.all().iter().any(|target| target.server.ip() == *server)
    };
    for check in config.services_of(backend).flat_map(|service| &service.checks) {
        match &check.probe {
            Probe::Dns(set) => {
                let servers = set.probes().iter().map(|probe| probe.server.ip());
                let asked: Vec<_> = servers.filter(asks_it).collect();
                let uncounted = asked.iter().filter(|server| !counted.contains(server)).count();
                let seconds = check.timing.interval.as_secs_f64();
                rates.all += asked.len() as f64 / seconds;
                rates.uncounted += uncounted as f64 / seconds;
            }
            Probe::Freshness(freshness) => rates.all += freshness.rate(),
            _ => {}
        }
    }
    rates
}

/// The confirmation of withdraws or announcements.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Confirmed {
    /// ExaBGP has acknowledged them, within this time.
    Acknowledged(Duration),
    /// ExaBGP answers no commands, for this reason: they were sent, and then a settle time has passed instead.
    Unknown(String),
}

impl fmt::Display for Confirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acknowledged(took) => write!(f, "acknowledged within {}", Shown(*took)),
            Self::Unknown(why) => {
                write!(f, "sent, not acknowledged: {why}; waited {} instead", Shown(SETTLE_TIME))
            }
        }
    }
}

/// Announcements, with their confirmation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Announced {
    pub(crate) how: Confirmed,
    /// A sentence for each service that is announced as degraded.
    degraded: Vec<String>,
}

impl fmt::Display for Announced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.how)?;
        self.degraded.iter().try_for_each(|service| write!(f, "; {service}"))
    }
}

impl Announced {
    fn new(how: Confirmed, services: &[&Service]) -> Self {
        let degraded = services.iter().filter(|service| service.state == ServiceState::Degraded);
        let told = |service: &&Service| {
            format!("{} as degraded: {}", foreign(&service.name), sentence(&service.reason))
        };
        Self { how, degraded: degraded.map(told).collect() }
    }
}

/// Waits until ExaBGP has acknowledged the withdraws of these drained services; if ExaBGP answers no commands, for
/// a settle time.
///
/// # Errors
/// If it has not in time, one of them is no longer drained, or the helper is gone.
pub(crate) async fn wait_until_acknowledged(helper: &Client, names: &[String]) -> Result<Confirmed, Trouble> {
    let mut confirmation = Confirmation::default();
    watch(helper, |document, waited| {
        if let Err(trouble) = all_drained(document, names, Service::is_drained) {
            return Some(Err(trouble));
        }
        let of = |name: &String| document.services.iter().find(|service| service.name == *name);
        let missing = unsettled(names.iter().filter_map(of));
        match confirmation.observe(&document.exabgp, missing.is_empty(), true, waited) {
            Progress::Confirmed(how) => Some(Ok(how)),
            Progress::Settling => None,
            Progress::Pending => (waited >= WITHDRAW_TIMEOUT).then(|| {
                let (missing, limit) = (missing.join(", "), Shown(WITHDRAW_TIMEOUT));
                let late = "ExaBGP has not acknowledged the withdraw of";
                Err(Trouble::new(format!("{late} {missing} within {limit}: it may still be announced")))
            }),
        }
    })
    .await
}

/// Makes sure that these services stay drained, even if their checks pass. An operator may have ended the drain since its
/// withdraw was acknowledged. Returns all services.
///
/// # Errors
/// If one of them is not, or the helper is gone.
pub(super) async fn ensure_drained(helper: &Client, names: &[String]) -> Result<Vec<Service>, Trouble> {
    watch(helper, |document, _| {
        let drained = all_drained(document, names, Service::is_drained_for_good);
        Some(drained.map(|()| document.services.clone()))
    })
    .await
}

/// Fails with the first of these services that is not drained.
fn all_drained(
    document: &Document,
    names: &[String],
    is_drained: impl Fn(&Service) -> bool,
) -> Result<(), Trouble> {
    let of = |name: &String| document.services.iter().find(|service| service.name == *name);
    match names.iter().find(|name| !of(name).is_some_and(&is_drained)) {
        None => Ok(()),
        Some(name) => Err(Trouble::new(format!(
            "{} is no longer drained: the drain was lifted, or its time is over",
            foreign(name)
        ))),
    }
}

/// Waits until these services attract traffic, if only as degraded, and ExaBGP has acknowledged their announcements; if
/// ExaBGP answers no commands, for a settle time. For `hold`, waits no longer than the holds last.
///
/// # Errors
/// If they are not in time, a drain other than one that ends once the checks pass keeps one of them withdrawn, a hold is
/// over before, or the helper is gone.
pub(crate) async fn wait_until_announced(
    helper: &Client,
    names: &[String],
    by: AnnouncedBy,
) -> Result<Announced, Trouble> {
    let mut confirmation = Confirmation::default();
    watch(helper, |document, waited| {
        let ours: Vec<_> = document.services.iter().filter(|service| names.contains(&service.name)).collect();
        let why =
            |service: &Service| service.why_not_announced().unwrap_or_else(|| sentence(&service.reason));
        let is_over = |service: &&&Service| service.holds.is_empty() && !service.is_announced();
        if by == AnnouncedBy::Hold
            && let Some(service) = ours.iter().find(is_over)
        {
            let (name, why) = (foreign(&service.name), why(service));
            return Some(Err(Trouble::new(format!("the hold of {name} is over, and {name} {why}"))));
        }
        if let Some(service) = ours.iter().find(|service| service.is_drained_for_good()) {
            return Some(Err(Trouble::new(format!("{} {}", foreign(&service.name), why(service)))));
        }
        let withdrawn = ours.iter().find(|service| !service.is_announced());
        let missing = unsettled(ours.iter().copied());
        let is_sent = withdrawn.is_none();
        let is_acknowledged = is_sent && missing.is_empty();
        let late = || {
            let limit = Shown(ANNOUNCE_TIMEOUT);
            match withdrawn {
                Some(service) => {
                    let why = service.why_not_announced();
                    let why =
                        why.unwrap_or_else(|| format!("is {}: {}", service.state, sentence(&service.reason)));
                    format!("{} is not announced after {limit}: it {why}", foreign(&service.name))
                }
                None => format!("ExaBGP has not acknowledged {} within {limit}", missing.join(", ")),
            }
        };
        match confirmation.observe(&document.exabgp, is_acknowledged, is_sent, waited) {
            Progress::Confirmed(how) => Some(Ok(Announced::new(how, &ours))),
            Progress::Settling => None,
            Progress::Pending => (waited >= ANNOUNCE_TIMEOUT).then(|| Err(Trouble::new(late()))),
        }
    })
    .await
}

/// The reason for which a service is to be announced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AnnouncedBy {
    /// Its checks.
    Checks,
    /// A hold.
    Hold,
}

/// The prefixes of these services whose desired state ExaBGP has not acknowledged.
fn unsettled<'a>(services: impl Iterator<Item = &'a Service>) -> Vec<String> {
    let prefixes = services.flat_map(|service| &service.prefixes);
    prefixes.filter(|prefix| !prefix.is_settled()).map(|prefix| foreign(&prefix.prefix)).collect()
}

/// Where a wait for a confirmation stands.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Progress {
    Pending,
    /// ExaBGP answers no commands; everything is sent, and the settle time passes.
    Settling,
    Confirmed(Confirmed),
}

/// Recognizes the confirmation in a series of status documents.
#[derive(Debug, Default)]
struct Confirmation {
    /// When everything was sent, as the time since the wait began.
    sent_at: Option<Duration>,
}

impl Confirmation {
    /// Takes in whether everything is `acknowledged`, and whether it is `sent`, after the time `waited`.
    fn observe(&mut self, exabgp: &ExaBgp, acknowledged: bool, sent: bool, waited: Duration) -> Progress {
        if acknowledged {
            return Progress::Confirmed(Confirmed::Acknowledged(waited));
        }
        self.sent_at = sent.then(|| self.sent_at.unwrap_or(waited));
        match self.sent_at {
            Some(at) if !exabgp.answers && waited.saturating_sub(at) < SETTLE_TIME => Progress::Settling,
            Some(_) if !exabgp.answers => {
                let silence = exabgp.silence.clone();
                let why = silence.unwrap_or_else(|| "ExaBGP answers no commands".to_owned());
                Progress::Confirmed(Confirmed::Unknown(why))
            }
            _ => Progress::Pending,
        }
    }
}

/// Polls the status until there is a result. A helper may be absent for a moment while it is replaced.
pub(super) async fn watch<T>(
    helper: &Client,
    mut look: impl FnMut(&Document, Duration) -> Option<Result<T, Trouble>>,
) -> Result<T, Trouble> {
    let began = Instant::now();
    let mut seen = began;
    loop {
        match helper.look().await {
            Ok(document) => {
                seen = Instant::now();
                if let Some(result) = look(&document, began.elapsed()) {
                    return result;
                }
            }
            Err(error) if seen.elapsed() >= ABSENT => return Err(Trouble::new(format!("{error:#}"))),
            Err(_) => {}
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exabgp(answers: bool) -> ExaBgp {
        let json = format!(
            "{{\"version\": null, \"dialect\": \"neighbor\", \"answers\": {answers}, \"silence\": \"ack is off\", \
             \"latency-seconds\": null, \"refused\": 0, \"unanswered\": 0}}"
        );
        serde_json::from_str(&json).unwrap()
    }

    /// A check of another server sends this one nothing that could be taken for clients.
    #[test]
    fn only_probes_that_may_ask_this_server_are_its_own_queries() {
        let check = |name: &str, server: &str| {
            format!(
                "[[service.check]]\nname = \"{name}\"\ninterval = \"1s\"\ndns = {{ query = \"localhost. A\"{server} }}\n"
            )
        };
        let toml = [
            "[node]\nmanagement = \"10.1.0.2\"\n[backend.srv]\nkind = \"generic\"\nunit = \"srv.service\"\n[[service]]\nname = \"a\"\nbackend = \"srv\"\n\
             prefixes = [\"192.0.2.1/32\"]\n",
            &check("service", ""),
            &check("management", ", server = \"10.1.0.2\""),
            &check("loopback", ", server = \"127.0.0.1\""),
            &check("elsewhere", ", server = \"203.0.113.9\""),
        ];
        let config = Config::parse(std::path::Path::new("a.toml"), &toml.concat(), "host").unwrap();
        let backend = &config.backends[0];
        let servers = addresses(&config, backend);
        let rates = probe_rates(&config, backend, &servers);
        assert_eq!((rates.all, rates.uncounted), (3.0, 1.0), "{servers:?}");
    }

    /// The checks may take longer than the settle time to pass.
    #[test]
    fn the_settle_time_counts_from_the_last_announcement() {
        let (mut confirmation, exabgp) = (Confirmation::default(), exabgp(false));
        let mut at = |millis, sent| confirmation.observe(&exabgp, false, sent, Duration::from_millis(millis));
        assert_eq!(at(0, false), Progress::Pending);
        assert_eq!(at(30_000, false), Progress::Pending);
        assert_eq!(at(30_100, true), Progress::Settling);
        assert_eq!(at(32_000, true), Progress::Settling);
        assert_eq!(at(32_050, false), Progress::Pending, "withdrawn again");
        assert_eq!(at(40_000, true), Progress::Settling);
        let confirmed = Progress::Confirmed(Confirmed::Unknown("ack is off".to_owned()));
        assert_eq!(at(42_000, true), confirmed);
    }

    #[test]
    fn an_acknowledgment_needs_no_settle_time() {
        let mut confirmation = Confirmation::default();
        let mut at = |acknowledged, seconds| {
            confirmation.observe(&exabgp(true), acknowledged, true, Duration::from_secs(seconds))
        };
        assert_eq!(at(false, 20), Progress::Pending, "it answers, so its answer counts");
        let confirmed = Progress::Confirmed(Confirmed::Acknowledged(Duration::from_secs(21)));
        assert_eq!(at(true, 21), confirmed);
    }
}
