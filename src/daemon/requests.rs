//! Carries out requests from the control sockets, between two events.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::control::ControlEvent;
use super::disable_files::DisableFiles;
use super::flight::Flight;
use super::probes::keep_memory;
use super::report::sentence;
use super::store::Store;
use super::{Daemon, Ending, Supervisor, probes, warm_ups};
use crate::config::Config;
use crate::control::{Reply, Request};
use crate::engine::action::Action;
use crate::engine::drain::Holder;
use crate::engine::event::{Event, ServiceId};
use crate::engine::notice::Notice;
use crate::engine::order::Kind;
use crate::engine::reload::Reloaded;

/// How long the helper waits for the disk before it answers that a change is not saved. The rest of
/// [`CLIENT_TIMEOUT`](crate::control::CLIENT_TIMEOUT) is for the reply.
const WRITING: Duration = Duration::from_secs(1);

/// Maximum number of holders of drains, and of holds, per service.
const HOLDERS: usize = 16;

/// The services of a request, and the channel for its answer.
pub(super) type PendingReply = (Vec<String>, oneshot::Sender<Reply>);

/// Replies to requests once their changes are on disk, so that they survive a SIGKILL, or after [`WRITING`] with
/// [`Reply::Unsaved`]. The loop does not wait for that.
pub(super) fn answer_once_written(pending_replies: Vec<PendingReply>, store: &Store) {
    for (names, answer) in pending_replies {
        let waiter = store.write_waiter();
        tokio::task::spawn_blocking(move || {
            let reply = if waiter.wait_written(WRITING) { Reply::Done } else { Reply::Unsaved };
            let _ = answer.send(reply(names));
        });
    }
}

/// The events of a request for these services. A drain of all also concerns services that are added later.
fn events(request: Request, concerned: &[(ServiceId, String)]) -> Vec<Event> {
    let ids = concerned.iter().map(|(id, _)| *id);
    match request {
        Request::Drain { service: None, order } => vec![Event::DrainAll(order)],
        Request::Drain { order, .. } => ids.map(|id| Event::Drain(id, order.clone())).collect(),
        Request::Undrain { service: None, lift } => vec![Event::UndrainAll(lift)],
        Request::Undrain { lift, .. } => ids.map(|id| Event::Undrain(id, lift.clone())).collect(),
        Request::Hold { order, .. } => ids.map(|id| Event::Hold(id, order.clone())).collect(),
        Request::Unhold { holder, .. } => ids.map(|id| Event::Unhold(id, holder.clone())).collect(),
        Request::Undampen { .. } => ids.map(Event::Undampen).collect(),
        // The loop logs restarts, receives a reload with its configuration ([`ControlEvent::Reload`]), answers a dump, and
        // is not asked for the others.
        Request::RestartFailed { .. }
        | Request::Restarted { .. }
        | Request::Asked(_)
        | Request::Reload
        | Request::History
        | Request::Dump => vec![],
    }
}

impl Daemon<'_> {
    /// Answers a question from the sockets; returns how the loop ends if it does. An expired request is refused.
    pub(super) fn answer(&mut self, asked: ControlEvent, supervisor: &mut dyn Supervisor) -> Option<Ending> {
        match asked {
            ControlEvent::Request(request, caller) => {
                self.carry_out_request(request, caller.in_time()?, supervisor)
            }
            ControlEvent::Reload(config, caller) => {
                self.carry_out_reload(&config, caller.in_time()?, supervisor)
            }
            ControlEvent::ReloadRefused(why) => {
                let refused = [Notice::ReloadRefused { why }.into()];
                self.carry_out(self.now(), &refused, supervisor).then_some(Ending::Exit)
            }
            ControlEvent::Status(answer) => {
                if let Some(control) = &mut self.control {
                    control.request_document(answer);
                }
                self.send_documents(supervisor);
                None
            }
            ControlEvent::DocumentDue => {
                self.send_documents(supervisor);
                None
            }
        }
    }

    fn send_documents(&mut self, supervisor: &dyn Supervisor) {
        if let Some(mut control) = self.control.take() {
            control.set_unwritten(self.store.as_ref().and_then(Store::unwritten));
            control.send_document(|| self.document(supervisor));
            self.control = Some(control);
        }
    }

    /// Carries out a request for services. The client may have disconnected, which changes nothing.
    fn carry_out_request(
        &mut self,
        request: Request,
        reply: oneshot::Sender<Reply>,
        supervisor: &mut dyn Supervisor,
    ) -> Option<Ending> {
        if request == Request::Dump {
            self.dump(reply);
            return None;
        }
        let concerned = match self.concerned(&request) {
            Ok(concerned) => concerned,
            Err(why) => {
                let _ = reply.send(Reply::Refused(why));
                return None;
            }
        };
        let names = self.names(&concerned, &request);
        let mut over = self.log_restart(&concerned, &request, supervisor);
        for event in events(request, &concerned) {
            over |= self.handle(event, supervisor);
        }
        if self.unsaved {
            self.pending_replies.push((names, reply));
        } else {
            let _ = reply.send(Reply::Done(names));
        }
        over.then_some(Ending::Exit)
    }

    /// Replies with what the flight recorder holds.
    fn dump(&self, reply: oneshot::Sender<Reply>) {
        let why = match self.flight.as_ref().map(Flight::excerpt) {
            // The text of a full recorder takes a while.
            Some(Some(excerpt)) => {
                return drop(tokio::task::spawn_blocking(move || {
                    reply.send(Reply::Done(vec![excerpt.text()]))
                }));
            }
            Some(None) => {
                "the flight recorder has no event since the start or the last reload, where it begins anew; ask again in \
                 a second"
            }
            None => "the flight recorder is off: control.recorder is 0",
        };
        let _ = reply.send(Reply::Refused(why.to_owned()));
    }

    /// Logs a restart, if the request reports one, and saves how it ended. Returns true if the loop must end.
    fn log_restart(
        &mut self,
        concerned: &[(ServiceId, String)],
        request: &Request,
        supervisor: &mut dyn Supervisor,
    ) -> bool {
        let now = self.now();
        let engine = &mut self.engine;
        let notice = |(id, _): &(ServiceId, String)| match request {
            Request::RestartFailed { failed, .. } => engine.restart_failed(now, *id, failed.clone()),
            Request::Restarted { what, unattended, unverified, .. } => {
                engine.restarted(*id, what.clone(), *unattended, unverified.clone())
            }
            _ => None,
        };
        let mut actions: Vec<Action> = concerned.iter().filter_map(notice).map(Action::from).collect();
        if actions.is_empty() {
            return false;
        }
        actions.push(Action::Save);
        self.carry_out(now, &actions, supervisor)
    }

    fn carry_out_reload(
        &mut self,
        config: &Config,
        reply: oneshot::Sender<Reply>,
        supervisor: &mut dyn Supervisor,
    ) -> Option<Ending> {
        let mut changes = vec![];
        let ending = self.replace_config(config, supervisor, &mut changes);
        if changes.is_empty() {
            changes.extend(config.services.iter().map(|service| service.name.clone()));
        }
        let _ = reply.send(Reply::Done(changes));
        ending
    }

    /// Puts this configuration into effect, unless the supervisor ends the loop, since none was in force: then the caller of
    /// the loop reads the file again, and begins with that. Adds to `changes` what the log says of it.
    pub(super) fn replace_config(
        &mut self,
        config: &Config,
        supervisor: &mut dyn Supervisor,
        changes: &mut Vec<String>,
    ) -> Option<Ending> {
        if supervisor.before_reload(config).is_break() {
            return Some(Ending::Stopped);
        }
        self.reload(config, supervisor, changes).then_some(Ending::Exit)
    }

    /// The names in the reply to a request: the services that it changes, or what it clears of each.
    fn names(&self, concerned: &[(ServiceId, String)], request: &Request) -> Vec<String> {
        let now = self.now();
        let named = |(id, name): &(ServiceId, String)| {
            let service = self.engine.services().get(id.0)?;
            let changes = match request {
                Request::Unhold { holder, .. } => service.holds.has(holder.as_ref()),
                Request::Undrain { lift, .. } => service.drains.has(lift.holder.as_ref()),
                Request::Undampen { .. } => {
                    return service.dampening.record(now).map(|record| format!("{name}: {record}"));
                }
                _ => true,
            };
            changes.then(|| name.clone())
        };
        let removed = match request {
            Request::Undrain { service: None, lift } => Some(lift.holder.as_ref()),
            _ => None,
        };
        let removed = removed.into_iter().flat_map(|whose| self.engine.removed_services().drained_by(whose));
        concerned.iter().filter_map(named).chain(removed.cloned()).collect()
    }

    /// The services of a request, or why it is refused.
    fn concerned(&self, request: &Request) -> Result<Vec<(ServiceId, String)>, String> {
        // A helper with sockets and without a store has no valid configuration: it only withdraws what may be announced.
        if self.store.is_none() {
            return Err("there is no valid configuration: every prefix that is known to be announced is withdrawn, and no service is known".to_owned());
        }
        let names = self.engine.services().iter().map(|service| service.name().to_owned());
        let mut services: Vec<_> = (0..).map(ServiceId).zip(names).collect();
        if let Some(wanted) = request.service() {
            let known: Vec<_> = services.iter().map(|(_, name)| name.clone()).collect();
            services.retain(|(_, name)| name == wanted);
            if services.is_empty() {
                let mut drained = self.engine.removed_services().drained_by(None);
                let undrain = match drained.any(|name| name == wanted) {
                    true => "; `dnsherald undrain` ends its drain, with all others",
                    false => "",
                };
                return Err(format!("no service `{wanted}`, expected one of {}{undrain}", known.join(", ")));
            }
        }
        let (kind, holder, done, undo) = match request {
            Request::Drain { order, .. } => (Kind::Drain, &order.holder, "drained", "undrain"),
            Request::Hold { order, .. } => (Kind::Hold, &order.holder, "held", "unhold"),
            _ => return Ok(services),
        };
        match services.iter().find(|(id, _)| self.has_too_many(*id, kind, holder)) {
            Some((_, name)) => Err(format!(
                "{name} is {done} by {HOLDERS} holders already; `dnsherald {undo} {name}` ends all of them"
            )),
            None => Ok(services),
        }
    }

    fn has_too_many(&self, service: ServiceId, kind: Kind, one_more: &Holder) -> bool {
        let Some(service) = self.engine.services().get(service.0) else { return false };
        let mut holders = service.orders(kind).iter().map(|(holder, _)| holder);
        holders.clone().count() >= HOLDERS && holders.all(|holder| holder != one_more)
    }

    /// Puts this configuration into effect, and adds to `changes` what the log says of it. Returns true if the loop must end.
    fn reload(
        &mut self,
        config: &Config,
        supervisor: &mut dyn Supervisor,
        changes: &mut Vec<String>,
    ) -> bool {
        // Let the watchers report exits, addresses and sockets to a new queue, for the new configuration.
        let (mut probes, events) = (probes(config), mpsc::unbounded_channel());
        self.processes.assign(&probes, &events.0);
        self.addresses.assign(&probes, &events.0);
        self.listeners.assign(&probes, &self.processes, &events.0);
        // Handle the events of the old queue under the old configuration: they are reported only once.
        let mut over = false;
        while let Ok(event) = self.events.1.try_recv() {
            over |= self.handle(event, supervisor);
        }
        // Give the engine its new plan. Rounds under way and what probes remember move to the checks that continue.
        let now = self.now();
        let Reloaded { actions, kept, same_probes } = self.engine.reload(now, &config.plan());
        changes.extend(actions.iter().filter_map(|action| match action {
            Action::Log(notice) => Some(sentence(notice)),
            _ => None,
        }));
        self.rounds.reassign(&kept);
        keep_memory(&self.probes, &mut probes, &same_probes);
        // Begin a new recording: a trace has only one configuration.
        if let Some(incidents) = &mut self.incidents {
            incidents.keep_pending(self.flight.as_ref());
        }
        self.flight = Flight::new(config, self.io.parent);
        // Replace what the loop keeps of the old configuration.
        supervisor.after_reload(config);
        self.probes = probes;
        self.warm_ups = warm_ups(config);
        self.tally.retain(&self.engine);
        self.subject.becomes(config);
        if let Some(control) = &mut self.control {
            control.forget_document();
        }
        let before = std::mem::replace(&mut self.disable_files, DisableFiles::new(config, &self.engine));
        self.disable_files.continue_after(before);
        if let Some(exporter) = &mut self.exporter {
            exporter.assign(&config.metrics);
        }
        self.healers = self.healers.take().map(|healers| healers.with_config(config));
        // Carry out the actions with the new probes and queue, then look for disable-files.
        self.events = events;
        over |= self.carry_out(now, &actions, supervisor);
        self.disable_files.start_scan();
        over
    }
}
