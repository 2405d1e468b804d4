//! The traits through which a command observes the loop and controls it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::config::Config;
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::event::Event;
use crate::engine::moment::Moment;
use crate::engine::service::ServiceState;
use crate::status::Trouble;

/// Observes events and actions: records, runs hooks, sets up addresses.
pub(crate) trait Observer {
    /// Called before the engine handles an event.
    fn before_event(&mut self, _at: Moment, _event: &Event) {}
    /// Called after the loop has carried out the actions of an event, of a reload, or of a request that reports how
    /// `backend restart` or `backend reload` ended. No [`before_event`](Self::before_event) precedes the last two.
    fn after_actions(&mut self, _at: Moment, _actions: &[Action], _engine: &Engine) {}
    /// Called when a service enters the state with this hook name, before its commands go to ExaBGP.
    fn on_state(&mut self, _service: &str, _state: &str, _reason: &str) {}
    /// Called when ExaBGP has acknowledged the commands of a state for all prefixes of a service; if it answers no
    /// commands, when they were sent.
    fn on_settled(&mut self, _service: &str, _state: ServiceState) {}
}

/// Observes the loop, and decides about its configuration and its end.
pub(crate) trait Supervisor: Observer {
    /// Called before a new configuration takes effect. `Break` ends the loop with [`Ending::Stopped`] instead.
    ///
    /// [`Ending::Stopped`]: super::Ending::Stopped
    fn before_reload(&mut self, _config: &Config) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    /// Called when the engine has the new configuration, before the actions of the reload are carried out.
    fn after_reload(&mut self, _config: &Config) {}
    /// Returns a configuration that is to take effect without a request. Called once per turn of the loop.
    fn next_config(&mut self) -> Option<Config> {
        None
    }
    /// The error of the configuration file, if it cannot be used.
    fn config_trouble(&self) -> Option<&Trouble> {
        None
    }
    /// Why a configuration that has led to verdicts is not stored as the last good one, if it is not.
    fn unwritten_config(&self) -> Option<String> {
        None
    }
    /// How many hooks ended with each result.
    fn hook_counts(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }
    /// Called once per turn of the loop. `Break` ends the loop with [`Ending::Stopped`].
    ///
    /// [`Ending::Stopped`]: super::Ending::Stopped
    fn on_turn(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
