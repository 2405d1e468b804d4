//! Records events, runs hooks, and stores the last good configuration.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::time::Instant;

use super::broken::BrokenFile;
use crate::config::Config;
use crate::daemon::hooks::{Hook, Hooks};
use crate::daemon::last_good::Saver;
use crate::daemon::{Observer, Supervisor};
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::event::Event;
use crate::engine::moment::Moment;
use crate::status::Trouble;
use crate::trace::record::Recorder;

/// Records events, runs the hooks of the configuration, stores configurations that have led to verdicts, and puts a
/// broken file into effect once it is valid.
pub(super) struct RunObserver {
    recorder: Option<Recorder>,
    /// The hook of each service that has one.
    on_change: HashMap<String, Vec<String>>,
    hooks: Hooks,
    /// `None` on a terminal: a dry run neither stores a configuration nor runs a hook.
    saver: Option<Saver>,
    /// The broken configuration file, while the last good configuration is in force.
    broken: Option<BrokenFile>,
}

impl RunObserver {
    pub(super) fn new(
        config: &Config,
        recorder: Option<Recorder>,
        saver: Option<Saver>,
        broken: Option<BrokenFile>,
    ) -> Self {
        warn_if_idle(config);
        Self { recorder, on_change: on_change(config), hooks: Hooks::start(), saver, broken }
    }
}

fn on_change(config: &Config) -> HashMap<String, Vec<String>> {
    let services = config.services.iter().filter(|plan| !plan.on_change.is_empty());
    services.map(|plan| (plan.name.clone(), plan.on_change.clone())).collect()
}

/// Warns an operator who has forgotten to enable the services.
fn warn_if_idle(config: &Config) {
    if config.is_idle() {
        log::warn!(
            "no service is enabled: nothing is probed or announced; set `enabled = true` in a [[service]] and run \
             `dnsherald reload`"
        );
    }
}

impl Observer for RunObserver {
    fn before_event(&mut self, at: Moment, event: &Event) {
        if self.recorder.as_mut().is_some_and(|recorder| !recorder.record(at, event)) {
            self.recorder = None;
        }
    }

    fn after_actions(&mut self, _at: Moment, _actions: &[Action], engine: &Engine) {
        if let Some(saver) = &mut self.saver {
            saver.save_if_decided(engine);
        }
    }

    fn on_state(&mut self, service: &str, state: &str, reason: &str) {
        let Some(words) = self.on_change.get(service) else { return };
        if self.saver.is_some() {
            self.hooks.run(Hook::from_words(words, state, service, reason));
        } else {
            log::info!(
                "service {service}: on-change not run with STATE={state}: standard output is a terminal"
            );
        }
    }
}

impl Supervisor for RunObserver {
    fn before_reload(&mut self, config: &Config) -> ControlFlow<()> {
        warn_if_idle(config);
        if self.recorder.take().is_some() {
            log::warn!("the recording ends here: a trace contains only one configuration");
        }
        if self.broken.take().is_some() {
            log::info!("the configuration is valid now and replaces the last good one");
        }
        ControlFlow::Continue(())
    }

    fn after_reload(&mut self, config: &Config) {
        // The last events of the old configuration ran its hooks.
        self.on_change = on_change(config);
        if let Some(saver) = &mut self.saver {
            saver.set_config(config);
        }
    }

    fn next_config(&mut self) -> Option<Config> {
        self.broken.as_mut()?.poll(Instant::now())
    }

    fn hook_counts(&self) -> BTreeMap<String, u64> {
        self.hooks.counts()
    }

    fn unwritten_config(&self) -> Option<String> {
        self.saver.as_ref()?.unwritten()
    }

    fn config_trouble(&self) -> Option<&Trouble> {
        self.broken.as_ref().map(BrokenFile::trouble)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[tokio::test]
    async fn the_hooks_change_once_the_events_of_the_old_configuration_are_handled() {
        let config = |hook: &str| {
            let text = format!(
                "[node]\nmanagement = \"10.1.0.2\"\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.53/32\"]\n\
                 on-change = [\"{hook}\"]\n"
            );
            Config::parse(Path::new("a.toml"), &text, "host").unwrap()
        };
        let mut observer = RunObserver::new(&config("/bin/old"), None, None, None);
        let (hook, next) = (|observer: &RunObserver| observer.on_change["a"].clone(), config("/bin/new"));
        assert!(observer.before_reload(&next).is_continue());
        assert_eq!(hook(&observer), ["/bin/old"]);
        observer.after_reload(&next);
        assert_eq!(hook(&observer), ["/bin/new"]);
    }
}
