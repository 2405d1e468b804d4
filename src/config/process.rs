//! The `process` table of a check.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;

use super::file;
use super::resolve::{Resolver, Result};
use crate::engine::check::{OnFail, Severity};
use crate::probe::Cause;
use crate::probe::process::Probe;
use crate::process::Whereabouts;

impl Resolver<'_> {
    /// The process that a check called `check` watches.
    pub(super) fn process(
        &self,
        written: &Spanned<file::Process>,
        check: &str,
        timeout: Duration,
    ) -> Result<Probe> {
        let process = written.get_ref();
        let pid_file = self.absolute(&process.pid_file)?;
        let unit = process.unit.as_ref().map(|unit| self.unit(unit)).transpose()?;
        let whereabouts = Whereabouts::new(pid_file, unit).map_err(|neither| {
            let message = format!("the process of check `{check}` {neither}, expected one of them or both");
            self.error(&written.span(), message)
        })?;
        Ok(Probe { whereabouts, timeout })
    }

    /// A unit that can have a process of its own, by the whole name: systemd names the cgroup after it.
    fn unit(&self, written: &Spanned<String>) -> Result<String> {
        let unit = written.get_ref();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
        let name = unit.strip_suffix(".service").unwrap_or_default();
        if !name.is_empty() && !name.starts_with(['-', '.']) && !name.ends_with('@') && name.bytes().all(fits)
        {
            return Ok(unit.clone());
        }
        let shown = unit.escape_debug();
        let message = format!(
            "`{shown}` is no unit with a process, expected the whole name of one, such as \"unbound.service\" or \
             \"kresd@1.service\""
        );
        Err(self.error(&written.span(), message))
    }
}

/// What a failure does unless `on-fail` is written: what says nothing certain moves no route.
pub(super) fn on_fail() -> OnFail {
    OnFail {
        otherwise: Severity::Down,
        by_cause: BTreeMap::from([(Cause::ProcessUnknown, Severity::Ignore)]),
    }
}
