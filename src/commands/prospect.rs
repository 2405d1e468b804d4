//! What `run` would do now with a configuration that is in order: a drain that is remembered, a disable-file or a
//! suppression keep a service withdrawn however well its checks are.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use crate::config::Config;
use crate::daemon::store::Store;
use crate::engine::Engine;
use crate::engine::api_session::Parent;
use crate::engine::event::{Event, ServiceId};
use crate::engine::moment::Moment;
use crate::engine::service::{Service, State};
use crate::period::Shown;

/// What a helper that starts now would do.
#[derive(Debug)]
pub(super) struct Prospect {
    /// For each service of the configuration, what it would be whatever its checks say, and why.
    services: Vec<Option<String>>,
    /// Why what is remembered is not known, if it is not.
    blind: Option<String>,
}

impl Prospect {
    /// Of the configuration in the file at `path`. Reads its state and looks for its disable-files; changes nothing.
    #[must_use]
    pub(super) fn of(config: &Config, path: &Path) -> Self {
        let mut store = Store::new(&config.state, path);
        let denied =
            |file: &Path| File::open(file).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
        let blind = denied(store.file()).then(|| {
            format!(
                "drains and penalties that the helper remembers are not known: this user may not read {}",
                store.file().display()
            )
        });
        let (memory, age) = if blind.is_some() { Default::default() } else { store.load() };
        let mut engine = Engine::new(&config.plan(), Parent::Terminal, memory, age);
        for (place, plan) in config.services.iter().enumerate() {
            if let Some(file) = &plan.disable_file {
                engine.handle(Moment::START, Event::DisableFile(ServiceId(place), file.exists()));
            }
        }
        engine.handle(Moment::START, Event::Start);
        Self { services: engine.services().iter().map(expectation).collect(), blind }
    }

    /// The sentence about the service at this place.
    #[must_use]
    pub(super) fn of_service(&self, place: usize) -> Option<&str> {
        self.services.get(place)?.as_deref()
    }

    /// A line for each service that would not follow its checks, and for what is not known.
    pub(super) fn lines(&self, config: &Config) -> String {
        let named = config.services.iter().zip(&self.services);
        let services = named
            .filter_map(|(plan, what)| Some(format!("now: {} would be {}\n", plan.name, what.as_ref()?)));
        let blind = self.blind.iter().map(|why| format!("now: {why}\n"));
        services.chain(blind).collect()
    }
}

/// What a service is from the start on, whatever its checks say.
fn expectation(service: &Service) -> Option<String> {
    let dampening = service.dampening();
    match service.state() {
        State::Drained => Some(format!("drained: {}", service.explain())),
        _ if !service.holds().orders().is_empty() => {
            Some(format!("announced, whatever its checks say: {}", service.explain_holds()))
        }
        _ => dampening.reused_at().filter(|_| dampening.enforced()).map(|at| {
            format!("withdrawn: suppressed by dampening for {} more", Shown(at.since(Moment::START)))
        }),
    }
}
