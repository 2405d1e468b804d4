//! Whether ExaBGP has got the state of each service: for hooks, for the memory, and for the log.

use serde::{Deserialize, Serialize};

use super::Engine;
use super::action::Action;
use super::drain::{DecidedBy, FailedRestart, Reason, RestartEnd};
use super::event::ServiceId;
use super::moment::Moment;
use super::notice::prefixes::Prefixes;
use super::notice::until::Until;
use super::notice::{Notice, RouteState, Stated};
use super::service;
use crate::engine::api_session::Parent;
use crate::engine::api_session::route_entry::RouteEntry;

/// How it is known that ExaBGP has got the statement of a service.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum Confirmation {
    Acknowledged,
    /// ExaBGP answers no commands: everything was sent, and no more is known.
    Said,
}

impl Engine {
    /// Reports each service whose present state has reached ExaBGP for all its prefixes.
    pub(super) fn note_settled(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.note_removed(out);
        for place in 0..self.services.len() {
            let state = self.services[place].state();
            let Some(how) = self.confirmation(place) else {
                self.report_beside_refused(now, place, out);
                continue;
            };
            if state == service::ServiceState::Starting {
                self.report_without_verdict(now, place, how, out);
                continue;
            }
            // A state that was acknowledged once stays acknowledged.
            let news = match self.settled[place] {
                Some((before, _)) if before != state => true,
                Some((_, Confirmation::Said)) => how == Confirmation::Acknowledged,
                Some((_, Confirmation::Acknowledged)) => false,
                None => true,
            };
            let mut returns = false;
            if news {
                let before = self.settled[place].replace((state, how));
                returns = before.is_some_and(|(before, _)| state.returns_from(before));
            } else if !self.entries_of(place).any(RouteEntry::is_unreported) {
                continue;
            }
            // Without news ExaBGP may have carried out another statement meanwhile, and this one again.
            self.report(now, place, how, returns, out);
            let routes = self.routes_of(place);
            self.api_session.report(routes);
            if news {
                out.push(match how {
                    Confirmation::Acknowledged => Action::Settled(ServiceId(place)),
                    Confirmation::Said => Action::Said(ServiceId(place)),
                });
            }
        }
    }

    /// Logs the statement of a service that has no verdict yet, as with `start = "withdraw"`.
    fn report_without_verdict(
        &mut self,
        now: Moment,
        place: usize,
        how: Confirmation,
        out: &mut Vec<Action>,
    ) {
        if self.entries_of(place).any(RouteEntry::is_unreported) {
            self.report(now, place, how, false, out);
            let routes = self.routes_of(place);
            self.api_session.report(routes);
        }
    }

    /// Logs each withdraw of a route that is no longer configured, once ExaBGP has acknowledged it or is known to acknowledge
    /// nothing.
    fn note_removed(&mut self, out: &mut Vec<Action>) {
        for place in self.owners.len()..self.api_session.entries().len() {
            let (configured, stale) = self.api_session.entries().split_at(self.owners.len());
            let entry = &stale[place - configured.len()];
            let Some(how) =
                self.confirmation_of(std::slice::from_ref(entry)).filter(|_| entry.is_unreported())
            else {
                continue;
            };
            let mut what = entry.with_neighbors();
            let prefix = entry.route.prefix;
            if entry.route.neighbors.is_empty() && configured.iter().any(|entry| entry.route.prefix == prefix)
            {
                what += " to every neighbor";
            }
            let (route, silence) = (RouteState::Withdrawn, self.silence(how));
            self.api_session.report(place..place + 1);
            if self.parent == Parent::ExaBgp {
                out.push(Notice::StaleWithdrawn { what, route, silence }.into());
            }
        }
    }

    /// Logs the statement for the prefixes of a service, its reason, and its end.
    fn report(&self, now: Moment, place: usize, how: Confirmation, returns: bool, out: &mut Vec<Action>) {
        // On a terminal a person reads the commands themselves; there is no ExaBGP.
        if self.parent == Parent::Terminal {
            return;
        }
        let service = &self.services[place];
        let silence = self.silence(how);
        for route in [RouteState::Announced, RouteState::Withdrawn] {
            let is_known = |entry: &RouteEntry| how == Confirmation::Said || entry.is_settled();
            let said = |entry: &&RouteEntry| entry.route_state() == Some(route) && is_known(entry);
            let prefixes: Prefixes = self.entries_of(place).filter(said).map(RouteEntry::shown).collect();
            if prefixes.is_empty() {
                continue;
            }
            let stated = Stated {
                service: service.name().to_owned(),
                state: service.state(),
                route,
                prefixes,
                moved: self.entries_of(place).filter(said).any(RouteEntry::is_unreported),
                returns,
                silence: silence.clone(),
                why: service.reason(),
                until: if route == RouteState::Withdrawn { self.until(service, now) } else { Until::Open },
                planned: service.state() == service::ServiceState::Drained
                    && service.is_drained_for_restart(),
            };
            out.push(Notice::Stated(Box::new(stated)).into());
        }
    }

    /// Tells the log what stands for the routes that ExaBGP has acknowledged while it refuses the others of the service:
    /// those may stay refused for ever.
    fn report_beside_refused(&mut self, now: Moment, place: usize, out: &mut Vec<Action>) {
        let (mut any_refused, mut any_news) = (false, false);
        for entry in self.entries_of(place) {
            match (entry.is_settled(), entry.refused) {
                (true, _) => any_news |= entry.is_unreported(),
                (false, true) => any_refused = true,
                (false, false) => return,
            }
        }
        if !(any_refused && any_news) {
            return;
        }
        let state = self.services[place].state();
        let returns = self.settled[place].is_some_and(|(before, _)| state.returns_from(before));
        self.report(now, place, Confirmation::Acknowledged, returns, out);
        for route in self.routes_of(place) {
            if self.api_session.entries()[route].is_settled() {
                self.api_session.report(route..route + 1);
            }
        }
    }

    /// Logs the failed restart of this service's server. A failed reload is kept until a reload, a restart or a rollback
    /// of an operator succeeds.
    pub(crate) fn restart_failed(
        &mut self,
        now: Moment,
        id: ServiceId,
        failed: FailedRestart,
    ) -> Option<Notice> {
        let service = self.services.get_mut(id.0)?;
        match failed.end {
            RestartEnd::ReloadFailed => service.record_failed_reload(failed.clone()),
            // The server serves again with the configuration before.
            RestartEnd::RolledBack if !failed.unattended => service.forget_failed_reload(),
            RestartEnd::RolledBack | RestartEnd::LeftDrained => service.forget_refusal(),
        }
        let service = self.services.get(id.0)?;
        let is_withdrawn = |entry: &&RouteEntry| entry.route_state() == Some(RouteState::Withdrawn);
        let prefixes = self.entries_of(id.0).filter(is_withdrawn).map(RouteEntry::shown).collect();
        let decided_by = match service.state() {
            service::ServiceState::Drained => DecidedBy::Drain,
            _ if service.is_held() => DecidedBy::Hold,
            _ if service.dampening.keeps_withdrawn() => DecidedBy::Dampening,
            _ => DecidedBy::Checks,
        };
        let (service, until) = (service.name().to_owned(), service.until(now));
        Some(Notice::RestartFailed { service, prefixes, failed, decided_by, until })
    }

    /// Logs the restart or reload of this service's server, and what of it is `unverified`.
    pub(crate) fn restarted(
        &mut self,
        id: ServiceId,
        what: Reason,
        unattended: bool,
        unverified: Option<Reason>,
    ) -> Option<Notice> {
        let service = self.services.get_mut(id.0)?;
        if !unattended {
            service.forget_failed_reload();
        }
        let but = match service.state() {
            service::ServiceState::Starting | service::ServiceState::Up => String::new(),
            // The reason is that of the last results of its checks, which the reload may have repaired.
            service::ServiceState::Degraded => {
                format!("; by its last results it is degraded: {}", service.reason())
            }
            service::ServiceState::Down => {
                format!(
                    "; it is down{}",
                    service.undampen_remedy().unwrap_or_else(|| " until its checks pass".into())
                )
            }
            // The drain may be of an operator who still works on the host.
            service::ServiceState::Drained => "; it stays drained: see `dnsherald status`".to_owned(),
        };
        let unrepaired = match service.failed_reload {
            Some(_) => "; the warning of a failed reload stays, since no operator has repaired it",
            None => "",
        };
        Some(Notice::Restarted {
            service: service.name().to_owned(),
            what,
            unverified,
            but: format!("{unrepaired}{but}"),
        })
    }

    /// How it is known that ExaBGP has got the statement of the service at this place; `None` if it has not.
    pub(super) fn confirmation(&self, place: usize) -> Option<Confirmation> {
        self.confirmation_of(&self.api_session.entries()[self.routes_of(place)])
    }

    /// How it is known that ExaBGP has got what is desired for these routes; `None` if it has not.
    fn confirmation_of(&self, routes: &[RouteEntry]) -> Option<Confirmation> {
        if routes.iter().all(RouteEntry::is_settled) {
            return Some(Confirmation::Acknowledged);
        }
        let said = !self.api_session.answers && routes.iter().all(RouteEntry::is_sent);
        said.then_some(Confirmation::Said)
    }

    /// Why ExaBGP has not acknowledged a statement; `None` if it has.
    fn silence(&self, how: Confirmation) -> Option<String> {
        let silence = || self.api_session.silence().unwrap_or("ExaBGP answers no commands").to_owned();
        (how == Confirmation::Said).then(silence)
    }
}
