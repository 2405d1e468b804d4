//! What goes on beside the engine: the recording, the hooks, and what is kept for a start with a broken file.

use std::collections::HashMap;
use std::time::Instant;

use super::broken::BrokenFile;
use crate::config::Config;
use crate::daemon::Observer;
use crate::daemon::hooks::{Hook, Hooks};
use crate::daemon::last_good::Keeper;
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::event::Event;
use crate::engine::moment::Moment;
use crate::status::Trouble;
use crate::trace::record::Recorder;

/// Records until the file takes no more, runs what the configuration wants run at changes, keeps what has proved itself,
/// and puts a broken file in force once it is in order.
pub(super) struct Attendant {
    recorder: Option<Recorder>,
    /// The program and its arguments for each service that has one.
    on_change: HashMap<String, Vec<String>>,
    /// On a terminal nothing is run: it is a dry run.
    runs_hooks: bool,
    hooks: Hooks,
    /// Not on a terminal.
    keeper: Option<Keeper>,
    /// The configuration file, where the last good configuration is in force instead.
    broken: Option<BrokenFile>,
}

impl Attendant {
    pub(super) fn new(
        config: &Config,
        recorder: Option<Recorder>,
        keeper: Option<Keeper>,
        broken: Option<BrokenFile>,
    ) -> Self {
        warn_if_idle(config);
        // Where nothing is kept, nothing is run either.
        let runs_hooks = keeper.is_some();
        Self { recorder, on_change: on_change(config), runs_hooks, hooks: Hooks::start(), keeper, broken }
    }
}

fn on_change(config: &Config) -> HashMap<String, Vec<String>> {
    let services = config.services.iter().filter(|plan| !plan.on_change.is_empty());
    services.map(|plan| (plan.name.clone(), plan.on_change.clone())).collect()
}

/// Whoever has forgotten to enable the services is to find that in the log.
fn warn_if_idle(config: &Config) {
    if config.is_idle() {
        log::warn!(
            "no service is enabled: nothing is probed or announced until a [[service]] says `enabled = true` and \
             `dnsherald reload` is run"
        );
    }
}

impl Observer for Attendant {
    fn before(&mut self, at: Moment, event: &Event) {
        if self.recorder.as_mut().is_some_and(|recorder| !recorder.record(at, event)) {
            self.recorder = None;
        }
    }

    fn after(&mut self, _at: Moment, _actions: &[Action], engine: &Engine) {
        if let Some(keeper) = &mut self.keeper {
            keeper.look(engine);
        }
    }

    fn reloads(&mut self, config: &Config) -> bool {
        self.on_change = on_change(config);
        warn_if_idle(config);
        if self.recorder.take().is_some() {
            log::warn!("the recording ends here: a replay knows one configuration only");
        }
        if self.broken.take().is_some() {
            log::info!("the configuration is in order now, and takes the place of the last good one");
        }
        true
    }

    fn reloaded(&mut self, config: &Config) {
        if let Some(keeper) = &mut self.keeper {
            keeper.becomes(config);
        }
    }

    fn next_configuration(&mut self) -> Option<Config> {
        self.broken.as_mut()?.look(Instant::now())
    }

    fn trouble(&self) -> Option<&Trouble> {
        self.broken.as_ref().map(BrokenFile::trouble)
    }

    fn enter(&mut self, service: &str, state: &str, reason: &str) {
        let Some(words) = self.on_change.get(service) else { return };
        if self.runs_hooks {
            self.hooks.run(Hook::from_words(words, state, service, reason));
        } else {
            log::info!(
                "service {service}: on-change not run with STATE={state}: standard output is a terminal"
            );
        }
    }
}
