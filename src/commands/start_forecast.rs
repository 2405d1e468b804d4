//! What `run` would do now with a valid configuration: a remembered drain, a disable-file or a suppression keeps a
//! service withdrawn even if its checks pass.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use crate::config::Config;
use crate::daemon::store::Store;
use crate::engine::Engine;
use crate::engine::api_session::Parent;
use crate::engine::event::{Event, ServiceId};
use crate::engine::moment::Moment;
use crate::engine::service::{Service, ServiceState};
use crate::text::period::Shown;

/// The state of each service right after a start.
#[derive(Debug)]
pub(super) struct StartForecast {
    /// For each service, its state and reason if it does not depend on the checks.
    services: Vec<Option<String>>,
    /// Why the remembered state is unknown, if it is.
    unknown: Option<String>,
}

impl StartForecast {
    /// Computes it for the configuration of the file at `path`. Reads the state and the disable-files; changes nothing.
    pub(super) fn new(config: &Config, path: &Path) -> Self {
        let mut store = Store::new(&config.state, path);
        let denied =
            |file: &Path| File::open(file).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
        let unknown = denied(store.file()).then(|| {
            format!(
                "remembered drains and penalties are unknown: this user lacks permission to read {}",
                store.file().display()
            )
        });
        let (memory, age) = if unknown.is_some() { Default::default() } else { store.load() };
        let mut engine = Engine::new(&config.plan(), Parent::Terminal, memory, age);
        for (place, plan) in config.services.iter().enumerate() {
            if let Some(file) = &plan.disable_file {
                engine.handle(Moment::START, Event::DisableFile(ServiceId(place), file.exists()));
            }
        }
        engine.handle(Moment::START, Event::Start);
        Self { services: engine.services().iter().map(expectation).collect(), unknown }
    }

    /// The state and reason of the service at this index.
    pub(super) fn of_service(&self, place: usize) -> Option<&str> {
        self.services.get(place)?.as_deref()
    }

    /// A line for each service that does not follow its checks, and for unknown state.
    pub(super) fn lines(&self, config: &Config) -> String {
        let named = config.services.iter().zip(&self.services);
        let services = named
            .filter_map(|(plan, what)| Some(format!("now: {} would be {}\n", plan.name, what.as_ref()?)));
        let unknown = self.unknown.iter().map(|why| format!("now: {why}\n"));
        services.chain(unknown).collect()
    }
}

/// The state of a service after a start, if it does not depend on the checks.
fn expectation(service: &Service) -> Option<String> {
    let dampening = &service.dampening;
    match service.state() {
        ServiceState::Drained => Some(format!("drained: {}", service.explain())),
        _ if !service.holds.is_empty() => {
            Some(format!("announced, independent of its checks: {}", service.explain_holds()))
        }
        _ => dampening.reused_at().filter(|_| dampening.enforced()).map(|at| {
            format!("withdrawn: suppressed by dampening for {} more", Shown(at.since(Moment::START)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::memory::Memory;

    /// What a start with `enforce` makes of this memory of mode `observe`, in which the penalty has crossed `suppress`.
    fn after(memory: &str) -> Option<String> {
        let toml = "[node]\nmanagement = \"10.1.0.2\"\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.1/32\"]\n\
                    dampening = { mode = \"enforce\" }\n[[service.check]]\nname = \"b\"\n\
                    dns = { query = \"localhost. A\" }\n";
        let config = Config::parse(Path::new("a.toml"), toml, "host").unwrap();
        let memory: Memory = serde_json::from_str(&format!(
            "{{\"a\":{{\"penalty\":1882.0,\"suppressed\":true,\"announced\":[],{memory}}}}}"
        ))
        .unwrap();
        let engine = Engine::new(&config.plan(), Parent::Terminal, memory, Duration::ZERO);
        expectation(&engine.services()[0])
    }

    #[test]
    fn only_a_service_that_did_not_serve_is_expected_to_be_suppressed() {
        assert_eq!(after("\"served-since\":true,\"acknowledged\":\"up\""), None);
        assert_eq!(after("\"acknowledged\":\"up\""), None, "a memory of version 0.1");
        let down = after("\"served-since\":false,\"acknowledged\":\"down\"").unwrap();
        assert!(down.starts_with("withdrawn: suppressed by dampening for 19m 5"), "{down}");
    }
}
