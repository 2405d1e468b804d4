//! Queries of a backend: state, process, version, counters, zones.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::Backend;
use crate::backend::channel::{Reply, Request, enable};
use crate::backend::{State, Status, Trouble, systemd};
use crate::probe::counters::{CounterSource, Read};
use crate::probe::freshness::list::ZoneLister;
use crate::process::Missing;
use crate::process::find::Finder;
use crate::process::handle::ProcessHandle;
use crate::program::KEPT_OUTPUT;
use crate::systemd::Unit;
use crate::text::excerpt::beginning;

/// Octets of a list of zones that are kept: some 300,000 zones, as NSD shows them.
const LISTED: usize = 32 * 1024 * 1024;

impl Backend {
    /// Its state: from its control channel, else from systemd or the pid file.
    pub(crate) async fn status(&self) -> Status {
        let Some(request) = &self.status else {
            return self.status_without(Trouble::new("it has no status to ask")).await;
        };
        let of = |state, why| Status { state, why, answers: state == State::Running, remedy: None };
        match self.asked(request, KEPT_OUTPUT).await {
            Reply::Text(_) => of(State::Running, format!("{request}: answered")),
            // A control channel may be closed although the server runs; then the process counts.
            Reply::Stopped(why) => match self.status_without(Trouble::new(why.clone())).await {
                Status { state: State::Unknown, .. } => of(State::Stopped, why),
                seen => seen,
            },
            Reply::Hung(why) => of(State::Hung, why),
            Reply::Unknown(trouble) => self.status_without(trouble).await,
        }
    }

    /// The state by systemd or the process, since the control channel gives none for the reason in `trouble`.
    async fn status_without(&self, trouble: Trouble) -> Status {
        let (state, seen) = match self.unit().await.and_then(Result::ok) {
            Some(unit) if unit.load_state == "not-found" => {
                (State::Unknown, "its unit is not found".to_owned())
            }
            Some(unit) => {
                let state = match () {
                    () if unit.is_active() => State::Running,
                    () if unit.is_down() => State::Stopped,
                    () => State::Unknown,
                };
                (state, format!("systemd: {}", unit.words()))
            }
            None => match self.process().await {
                Some(Ok(held)) if held.is_stopped() => {
                    (State::Hung, format!("{held} is stopped by a signal"))
                }
                Some(Ok(held)) => (State::Running, format!("{held} is there")),
                Some(Err(Missing::Surely(why))) => (State::Stopped, why),
                Some(Err(Missing::Perhaps(why))) => (State::Unknown, why),
                None => (State::Unknown, String::new()),
            },
        };
        let why = if seen.is_empty() { trouble.why } else { format!("{seen}; {}", trouble.why) };
        Status { state, why, answers: false, remedy: trouble.remedy }
    }

    /// Its unit, if it has one.
    pub(crate) async fn unit(&self) -> Option<Result<Unit, Trouble>> {
        match &self.unit {
            Some(unit) => Some(systemd::show(unit).await),
            None => None,
        }
    }

    /// Its main process, if its place is known.
    pub(crate) async fn process(&self) -> Option<Result<ProcessHandle, Missing>> {
        self.found_by(self.finder().as_ref()).await
    }

    /// The same for one look of many: keep the [`finder`](Self::finder), which spares systemd.
    pub(crate) async fn found_by(&self, finder: Option<&Finder>) -> Option<Result<ProcessHandle, Missing>> {
        Some(finder?.find(self.timeout).await)
    }

    /// Searches for its main process; `None` if its place is not known.
    pub(crate) fn finder(&self) -> Option<Finder> {
        self.process_source().map(Finder::new)
    }

    /// The version of the server that runs.
    ///
    /// # Errors
    /// If the server does not answer.
    pub(crate) async fn version(&self) -> Result<String, Trouble> {
        let text = self.ask(self.version.as_ref(), "version", KEPT_OUTPUT).await?;
        self.driver().read_version(&text).ok_or_else(|| unread(self.version.as_ref(), &text, "a version"))
    }

    /// The number of queries since its start. A lower number than before means that it was restarted or reloaded
    /// meanwhile: Unbound resets it with each reload.
    ///
    /// # Errors
    /// If the server does not answer.
    pub(crate) async fn queries(&self) -> Result<u64, Trouble> {
        let text = self.ask(self.counters.as_ref(), "counters", KEPT_OUTPUT).await;
        let text = text.map_err(|trouble| match trouble.remedy {
            // If the rest of the control channel answers, the counters are only switched off.
            None => Trouble::with(trouble.why, self.facts().no_counters),
            Some(_) => trouble,
        })?;
        // The operator's own command may print only the number.
        let number = self.driver().read_queries(&text).or_else(|| text.trim().parse().ok());
        number.ok_or_else(|| {
            let trouble = unread(self.counters.as_ref(), &text, "a number of queries");
            Trouble::with(trouble.why, self.facts().no_counters)
        })
    }

    /// The configured zones, as it prints them. It may not serve all of them.
    ///
    /// # Errors
    /// If the server does not answer.
    pub(crate) async fn listed_zones(&self) -> Result<Vec<String>, Trouble> {
        let text = self.ask(self.zone_list.as_ref(), "zone-list", LISTED).await?;
        Ok(self.driver().read_zones(&text))
    }

    /// The answer to a request, at most `kept` octets of it; `what` is the key that configures the request.
    async fn ask(&self, request: Option<&Request>, what: &str, kept: usize) -> Result<String, Trouble> {
        match request {
            Some(request) => self.asked(request, kept).await.text(),
            None => Err(Trouble::with(
                format!("{} has no {what} to ask for", self.facts().name),
                format!("say what prints them with `{what}` in [backend.{}]", self.name),
            )),
        }
    }

    /// Sends a request, and keeps at most `kept` octets of the answer. Rejects the output of a control program that
    /// could not read the server's configuration.
    async fn asked(&self, request: &Request, kept: usize) -> Reply {
        let reply = request.ask(kept, self.facts(), self.timeout).await;
        let Request::Program(program) = request else { return reply };
        let why = match &reply {
            Reply::Text(text) => match self.driver().refusal(text) {
                Some(refusal) => format!("{program}: {}", beginning(&refusal)),
                None => return reply,
            },
            Reply::Stopped(why) | Reply::Unknown(Trouble { why, remedy: None, .. }) => why.clone(),
            Reply::Hung(_) | Reply::Unknown(_) => return reply,
        };
        match (self.readable_for(program), &reply) {
            (Err(Trouble { why: unreadable, remedy, .. }), _) => {
                Reply::Unknown(Trouble::with(format!("{why}; {unreadable}"), remedy.unwrap_or_default()))
            }
            (Ok(()), Reply::Text(_)) => Reply::Unknown(Trouble::with(why, enable(self.facts()))),
            (Ok(()), _) => reply,
        }
    }
}

fn unread(request: Option<&Request>, text: &str, what: &str) -> Trouble {
    let request = request.map(ToString::to_string).unwrap_or_default();
    Trouble::new(format!("{request}: found `{}`, expected {what}", beginning(text)))
}

impl ZoneLister for Backend {
    fn list(&self) -> BoxFuture<'_, Result<Vec<String>, String>> {
        Box::pin(async { self.listed_zones().await.map_err(|trouble| trouble.to_string()) })
    }

    fn name(&self) -> &str {
        &self.name
    }
}

impl CounterSource for Backend {
    fn read(&self) -> BoxFuture<'_, Read> {
        Box::pin(async {
            let Some(request) = &self.counters else {
                return Read::Unknown(format!("{} has no counters", self.facts().name));
            };
            match self.asked(request, KEPT_OUTPUT).await {
                Reply::Text(text) => match self.driver().read_counters(&text) {
                    Some(reading) => Read::Counted(reading),
                    None => {
                        let trouble = unread(Some(request), &text, "counters");
                        Read::Unknown(Trouble::with(trouble.why, self.facts().no_counters).to_string())
                    }
                },
                Reply::Hung(why) => Read::Hung(why),
                Reply::Stopped(why) => Read::Unknown(why),
                Reply::Unknown(trouble) => Read::Unknown(trouble.to_string()),
            }
        })
    }

    fn pause(&self) -> BoxFuture<'_, Duration> {
        Box::pin(async {
            let longest = self.driver().counters_pause(None);
            if longest.is_zero() {
                return longest;
            }
            self.driver().counters_pause(self.version().await.ok().as_deref())
        })
    }

    fn name(&self) -> &str {
        &self.name
    }
}
