//! Carries out requests from the control sockets, between two events.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::control::{Asked, Wish};
use super::disable_files::DisableFiles;
use super::store::Store;
use super::{Daemon, Ending, Supervisor, probes};
use crate::config::Config;
use crate::control::Reply;
use crate::engine::drain::Holder;
use crate::engine::event::{Event, ServiceId};
use crate::engine::hold::lift;
use crate::engine::moment::Moment;
use crate::engine::order::Kind;
use crate::engine::reload::Reloaded;
use crate::text::period::Shown;

/// How long a request waits for the disk before it is answered without it. Shorter than the timeout of a client.
const WRITING: Duration = Duration::from_secs(1);

/// Maximum number of holders of drains, and of holds, per service.
const HOLDERS: usize = 16;

/// The services of a request, and the channel for its answer.
pub(super) type Promised = (Vec<String>, oneshot::Sender<Reply>);

/// Answers requests once their changes are on disk, so that they survive a SIGKILL. The loop does not wait for that.
pub(super) fn answer_once_written(promised: Vec<Promised>, store: &Store) {
    for (names, answer) in promised {
        let waiter = store.write_waiter();
        tokio::task::spawn_blocking(move || {
            let reply = if waiter.wait_written(WRITING) { Reply::Done } else { Reply::Unsaved };
            let _ = answer.send(reply(names));
        });
    }
}

impl Wish {
    /// As the engine is told of it: of one service, or of all.
    fn of(self, service: Option<ServiceId>, concerned: &[(ServiceId, String)]) -> Vec<Event> {
        match (self, service) {
            (Self::Drain(order), Some(service)) => vec![Event::Drain(service, order)],
            (Self::Drain(order), None) => vec![Event::DrainAll(order)],
            (Self::Undrain(lift), Some(service)) => vec![Event::Undrain(service, lift)],
            (Self::Undrain(lift), None) => vec![Event::UndrainAll(lift)],
            (Self::Hold(order), _) => {
                concerned.iter().map(|(id, _)| Event::Hold(*id, order.clone())).collect()
            }
            (Self::Unhold(whose), _) => {
                concerned.iter().map(|(id, _)| Event::Unhold(*id, whose.clone())).collect()
            }
            (Self::Undampen, _) => concerned.iter().map(|(id, _)| Event::Undampen(*id)).collect(),
        }
    }
}

impl Daemon<'_> {
    /// What came in through the sockets.
    pub(super) fn answer(&mut self, asked: Asked, supervisor: &mut dyn Supervisor) -> Option<Ending> {
        // The client may have disconnected, which changes nothing.
        match asked {
            Asked::Within(expires, asked) => match expires.late_by() {
                None => self.answer(*asked, supervisor),
                Some(late) => {
                    asked.refuse(format!(
                        "the request came to its turn {} too late: the helper was stopped or overloaded; nothing is \
                         changed, ask again",
                        Shown(late)
                    ));
                    None
                }
            },
            Asked::Status(answer) => {
                if let Some(control) = &mut self.control {
                    control.wants_document(answer);
                }
                self.answer(Asked::Turn, supervisor)
            }
            Asked::Turn => {
                let now = Moment::after_start(self.began.elapsed());
                if let Some(control) = &mut self.control {
                    control.is_unwritten(self.store.as_ref().and_then(Store::unwritten));
                    control.hand_out(&self.engine, now, supervisor.config_trouble());
                }
                None
            }
            Asked::Obey(wanted, wish, answer) => match self.concerned(wanted.as_deref(), &wish) {
                Err(why) => {
                    let _ = answer.send(Reply::Refused(why));
                    None
                }
                Ok(concerned) => {
                    let only = wanted.and_then(|_| concerned.first()).map(|(id, _)| *id);
                    let names = self.names(&concerned, &wish);
                    let mut over = false;
                    for event in wish.of(only, &concerned) {
                        over |= self.handle(event, supervisor);
                    }
                    if self.unsaved {
                        self.promised.push((names, answer));
                    } else {
                        let _ = answer.send(Reply::Done(names));
                    }
                    over.then_some(Ending::Exit)
                }
            },
            Asked::Reload(config, answer) => {
                if supervisor.before_reload(&config).is_break() {
                    let _ = answer.send(Reply::Done(
                        config.services.iter().map(|service| service.name.clone()).collect(),
                    ));
                    return Some(Ending::Stopped);
                }
                let over = self.reload(&config, supervisor);
                let names = self.engine.services().iter().map(|service| service.name().to_owned());
                let _ = answer.send(Reply::Done(names.collect()));
                over.then_some(Ending::Exit)
            }
        }
    }

    /// The names in the reply to a request: the services that it changes, or what it clears of each.
    fn names(&self, concerned: &[(ServiceId, String)], wish: &Wish) -> Vec<String> {
        let now = Moment::after_start(self.began.elapsed());
        let named = |(id, name): &(ServiceId, String)| {
            let service = self.engine.services().get(id.0)?;
            match wish {
                Wish::Drain(_) | Wish::Hold(_) => Some(name.clone()),
                Wish::Unhold(whose) => {
                    service.holds().orders().has(&lift(whose.as_ref())).then(|| name.clone())
                }
                Wish::Undrain(lift) => service.drains().has(lift).then(|| name.clone()),
                Wish::Undampen => service.dampening().record(now).map(|record| format!("{name}: {record}")),
            }
        };
        concerned.iter().filter_map(named).collect()
    }

    /// The services that a wish is about, or why it is refused.
    fn concerned(&self, wanted: Option<&str>, wish: &Wish) -> Result<Vec<(ServiceId, String)>, String> {
        if self.store.is_none() {
            return Err("there is no valid configuration, so all prefixes are withdrawn".to_owned());
        }
        let names = self.engine.services().iter().map(|service| service.name().to_owned());
        let mut services: Vec<_> = (0..).map(ServiceId).zip(names).collect();
        if let Some(wanted) = wanted {
            let known: Vec<_> = services.iter().map(|(_, name)| name.clone()).collect();
            services.retain(|(_, name)| name == wanted);
            if services.is_empty() {
                return Err(format!("no service `{wanted}`, expected one of {}", known.join(", ")));
            }
        }
        let one_more = match wish {
            Wish::Drain(order) => Some((Kind::Drain, &order.holder)),
            Wish::Hold(order) => Some((Kind::Hold, &order.holder)),
            Wish::Undrain(_) | Wish::Unhold(_) | Wish::Undampen => None,
        };
        if let Some((kind, holder)) = one_more
            && let Some((_, name)) = services.iter().find(|(id, _)| self.has_too_many(*id, kind, holder))
        {
            let (done, undo) = match kind {
                Kind::Drain => ("drained", "undrain"),
                Kind::Hold => ("held", "unhold"),
            };
            return Err(format!("{name} is {done} by {HOLDERS} already; `dnsherald {undo}` ends them all"));
        }
        Ok(services)
    }

    fn has_too_many(&self, service: ServiceId, kind: Kind, one_more: &Holder) -> bool {
        let Some(service) = self.engine.services().get(service.0) else { return false };
        let mut holders = service.orders(kind).iter().map(|(holder, _)| holder);
        holders.clone().count() >= HOLDERS && holders.all(|holder| holder != one_more)
    }

    /// Puts this configuration into effect. Returns true if the loop must end.
    pub(super) fn reload(&mut self, config: &Config, supervisor: &mut dyn Supervisor) -> bool {
        let (probes, events) = (probes(config), mpsc::unbounded_channel());
        // From here on exits of processes are reported for the new configuration. Events that are already queued are
        // reported only once and must not be lost.
        self.processes.assign(&probes, &events.0);
        self.addresses.assign(&probes, &events.0);
        let mut over = false;
        while let Ok(event) = self.events.1.try_recv() {
            over |= self.handle(event, supervisor);
        }
        let now = Moment::after_start(self.began.elapsed());
        let Reloaded { actions, kept } = self.engine.reload(now, &config.plan());
        self.rounds.reassign(&kept);
        supervisor.after_reload(config);
        self.probes = probes;
        if let Some(control) = &mut self.control {
            control.becomes(config);
        }
        let before = std::mem::replace(&mut self.disable_files, DisableFiles::new(config, &self.engine));
        self.disable_files.continue_after(before);
        self.healers = self.healers.take().map(|healers| healers.with_config(config));
        self.events = events;
        over |= self.carry_out(now, &actions, supervisor);
        self.disable_files.start_scan();
        over
    }
}
