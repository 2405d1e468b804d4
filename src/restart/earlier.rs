//! The drains of this backend from before a transaction, which a harmless end restores.

use std::time::{Duration, Instant};

use super::Transaction;
use super::drained::watch;
use crate::backend::Trouble;
use crate::control::Request;
use crate::engine::drain::Lasts;
use crate::status::{Document, Drain};
use crate::text::period::Period;

/// Timeout for restoring all drains of a transaction that was given up.
const RESTORE_TIMEOUT: Duration = Duration::from_secs(5);

/// The drains of earlier transactions, each with the name of its service.
pub(super) type EarlierDrains = Vec<(String, EarlierDrain)>;

/// A drain of an earlier transaction that failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct EarlierDrain {
    reason: String,
    /// When it began; a renewal does not change that. `None` if the clock does not go back so far.
    began: Option<Instant>,
    /// When it ends by itself; `None` if it does not.
    ends: Option<Instant>,
    until_exit: bool,
    /// It ends once the checks pass.
    returning: bool,
    /// The checks that must then pass, too.
    needs: Vec<String>,
}

impl EarlierDrain {
    fn new(drain: &Drain, now: Instant) -> Self {
        let duration = |seconds| Duration::try_from_secs_f64(seconds).ok();
        let rest = drain.expires_in_seconds.and_then(duration);
        Self {
            reason: drain.reason.clone(),
            began: duration(drain.for_seconds).and_then(|age| now.checked_sub(age)),
            ends: rest.and_then(|rest| now.checked_add(rest)),
            until_exit: drain.until_exit,
            returning: drain.returning,
            needs: drain.needs.clone(),
        }
    }

    /// When it ends from `now` on; `None` if it is over.
    fn lasts(&self, now: Instant) -> Option<Lasts> {
        let rest = self.ends.map(|ends| ends.saturating_duration_since(now));
        match (rest, self.until_exit) {
            (Some(Duration::ZERO), _) => None,
            (Some(rest), false) => Some(Lasts::For(rest)),
            (Some(rest), true) => Some(Lasts::ForUntilExit(rest)),
            (None, false) => Some(Lasts::UntilLifted),
            (None, true) => Some(Lasts::UntilExit),
        }
    }
}

/// The services whose drain may be renewed: a renewal cancels a return that an operator has asked for.
pub(super) fn renewable(drains: EarlierDrains) -> impl Iterator<Item = String> {
    drains.into_iter().filter(|(_, drain)| !drain.returning).map(|(service, _)| service)
}

/// The time since the first attempt that has left one of these drains; `None` if there is none.
pub(super) fn since_first_attempt(drains: &EarlierDrains) -> Option<Duration> {
    drains.iter().map(|(_, drain)| drain.began.map_or(Duration::MAX, |began| began.elapsed())).max()
}

/// The services with their reasons.
pub(super) fn reasons(drains: &EarlierDrains) -> Vec<(String, String)> {
    drains.iter().map(|(service, drain)| (service.clone(), drain.reason.clone())).collect()
}

fn drain_of<'a>(drains: &'a EarlierDrains, service: &str) -> Option<&'a EarlierDrain> {
    drains.iter().find(|(name, _)| name == service).map(|(_, drain)| drain)
}

impl Transaction<'_> {
    /// The present drains that the holder of this backend has.
    pub(super) fn drains_in(&self, document: &Document) -> EarlierDrains {
        let (holder, now) = (self.backend.holder.to_string(), Instant::now());
        let of = |drains: &[Drain]| {
            drains.iter().find(|drain| drain.holder == holder).map(|drain| EarlierDrain::new(drain, now))
        };
        let services = document.services.iter();
        services.filter_map(|service| Some((service.name.clone(), of(&service.drains)?))).collect()
    }

    /// The services whose drain waits for an operator: unattended, it stays as it is.
    pub(super) fn kept_by_operator(&self, document: &Document) -> Vec<String> {
        let drains = self.drains_in(document).into_iter().filter(|_| self.unattended);
        let is_endless = |drain: &EarlierDrain| drain.ends.is_none() && !drain.returning;
        drains.filter(|(_, drain)| is_endless(drain)).map(|(service, _)| service).collect()
    }

    /// The services that this transaction drains and lets return: all but those that an operator keeps drained.
    pub(super) async fn names_to_drain(&self) -> Result<Vec<String>, Trouble> {
        let mut names = self.names();
        if self.unattended {
            let look = |document: &Document, _| Some(Ok(self.kept_by_operator(document)));
            let kept = watch(self.helper, look).await?;
            names.retain(|name| !kept.contains(name));
        }
        Ok(names)
    }

    /// Restores the drains from before the transaction, which has not touched the server.
    pub(super) async fn restore_drains(&self, earlier: &EarlierDrains) {
        let restored = async {
            let present = watch(self.helper, |document, _| Some(Ok(self.drains_in(document)))).await.ok();
            for name in self.names() {
                let is_held = present.as_ref().is_none_or(|present| drain_of(present, &name).is_some());
                for request in self.requests_to_restore(name, earlier, is_held) {
                    if let Err(trouble) = self.ask(&request).await {
                        log::error!("{trouble}");
                    }
                }
            }
        };
        if tokio::time::timeout(RESTORE_TIMEOUT, restored).await.is_err() {
            log::error!(
                "the helper did not restore every drain within {}; when it responds, see `dnsherald status`; to end them: \
                 dnsherald undrain --as {}",
                Period(RESTORE_TIMEOUT),
                self.backend.holder
            );
        }
    }

    /// The requests that restore the drain of a service. One that an operator has ended meanwhile stays ended.
    fn requests_to_restore(&self, name: String, earlier: &EarlierDrains, is_held: bool) -> Vec<Request> {
        let Some(drain) = drain_of(earlier, &name) else { return vec![self.undrain_request(name, false)] };
        if !is_held {
            return vec![];
        }
        let Some(lasts) = drain.lasts(Instant::now()) else { return vec![self.undrain_request(name, false)] };
        let mut requests = vec![self.drain_lasting(lasts, name.clone(), &drain.reason)];
        if drain.returning {
            requests.push(self.return_request(name, drain.needs.clone()));
        }
        requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(now: Instant, rest: &str, until_exit: bool, returning: bool) -> EarlierDrain {
        let json = format!(
            "{{\"holder\": \"backend/unbound\", \"reason\": \"restart\", \"for-seconds\": 1.0, \
             \"expires-in-seconds\": {rest}, \"returning\": {returning}, \"until-exit\": {until_exit}, \
             \"needs\": [\"recursion\"]}}"
        );
        EarlierDrain::new(&serde_json::from_str(&json).unwrap(), now)
    }

    /// `undrain --once-healthy` during a long command is not taken back.
    #[test]
    fn a_drain_that_an_operator_lets_return_is_not_renewed() {
        let drain = |returning| drain(Instant::now(), "60.0", false, returning);
        let drains = [("kept", drain(false)), ("returns", drain(true))];
        let drains = drains.into_iter().map(|(name, drain)| (name.to_owned(), drain)).collect();
        assert_eq!(renewable(drains).collect::<Vec<_>>(), ["kept"]);
    }

    #[test]
    fn a_drain_keeps_its_end() {
        let now = Instant::now();
        let drain = |rest, until_exit| drain(now, rest, until_exit, false);
        let later = now + Duration::from_secs(20);
        assert_eq!(drain("null", false).lasts(later), Some(Lasts::UntilLifted));
        assert_eq!(drain("null", true).lasts(later), Some(Lasts::UntilExit));
        assert_eq!(drain("null", true).needs, ["recursion"], "and the checks that its return needs");
        let rest = Duration::from_secs(40);
        assert_eq!(drain("60.0", false).lasts(later), Some(Lasts::For(rest)));
        assert_eq!(drain("60.0", true).lasts(later), Some(Lasts::ForUntilExit(rest)));
        assert_eq!(drain("10.0", false).lasts(later), None, "it is over meanwhile");
    }
}
