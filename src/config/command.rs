//! The keys `command` and `plugin` of a check.

use std::time::Duration;

use toml::Spanned;

use super::file::{self, Placed};
use super::resolve::{Resolver, Result};
use super::value::WrittenCommand;
use crate::probe::command::{CommandLine, CommandProbe, Leftovers, Statuses};

impl Resolver<'_> {
    /// Builds the probe of a command.
    pub(super) fn command(
        &self,
        command: &Spanned<WrittenCommand>,
        plugin: &Placed<bool>,
        timeout: Duration,
    ) -> Result<CommandProbe> {
        let line = match command.get_ref() {
            WrittenCommand::Shell(text) if text.trim().is_empty() => {
                let message = "empty command, expected one for the shell such as \"exit 0\"";
                return Err(self.value_error(&command.span(), message));
            }
            WrittenCommand::Shell(text) => {
                self.without_nul(&command.span(), [text])?;
                CommandLine::Shell(text.clone())
            }
            WrittenCommand::Words(words) => CommandLine::Program(self.program_of(&command.span(), words)?),
        };
        let statuses = match file::value(plugin) {
            Some(true) => Statuses::Plugin,
            _ => Statuses::ZeroPasses,
        };
        Ok(CommandProbe { line, statuses, timeout: Some(timeout), leftovers: Leftovers::Killed })
    }

    /// Refuses `plugin` in a check without a command.
    pub(super) fn plugin_fits(&self, check: &file::Check) -> Result<()> {
        match &check.plugin {
            Some(plugin) if check.command.is_none() => {
                let message = "plugin has no effect without a command, expected `command = [\"…\"]`";
                Err(self.rule_error(&["command"], &plugin.span(), message))
            }
            _ => Ok(()),
        }
    }
}
