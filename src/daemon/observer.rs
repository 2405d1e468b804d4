//! Who looks on while the loop turns: records, runs hooks, sets up addresses.

use crate::config::Config;
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::event::Event;
use crate::engine::moment::Moment;
use crate::engine::service::State;
use crate::status::Trouble;

/// Who is told of everything that reaches the engine, and of what it decides.
pub(crate) trait Observer {
    /// Before the engine sees it.
    fn before(&mut self, _at: Moment, _event: &Event) {}
    /// After the engine has decided.
    fn after(&mut self, _at: Moment, _actions: &[Action], _engine: &Engine) {}
    /// A service has come into the state that hooks know by this name; what it says of it is about to be said.
    fn enter(&mut self, _service: &str, _state: &str, _reason: &str) {}
    /// ExaBGP has acknowledged what the state of a service says, for all its prefixes.
    fn settled(&mut self, _service: &str, _state: State) {}
    /// The configuration has been read again, and is about to be put in force. False ends the loop instead.
    fn reloads(&mut self, _config: &Config) -> bool {
        true
    }
    /// It is in force: what [`Observer::after`] is told from here on follows from it.
    fn reloaded(&mut self, _config: &Config) {}
    /// A configuration to be put in force, as if it had been reloaded. Asked at every turn of the loop.
    fn next_configuration(&mut self) -> Option<Config> {
        None
    }
    /// What is wrong with the configuration file, if it cannot be used.
    fn trouble(&self) -> Option<&Trouble> {
        None
    }
    /// Every turn of the loop; false ends it.
    fn goes_on(&mut self) -> bool {
        true
    }
}
