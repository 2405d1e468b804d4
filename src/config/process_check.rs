//! The `process` table of a check.

use toml::Spanned;

use super::resolve::{CheckScope, Refused, Resolver, Result};
use super::{Check, file};
use crate::backend::Backend;
use crate::engine::check::{OnFail, Severity, Timing};
use crate::probe::Probe;
use crate::probe::process::ProcessProbe;
use crate::process::ProcessSource;

impl Resolver<'_> {
    /// Builds the probe of a `process` table.
    pub(super) fn process(
        &self,
        written: &Spanned<file::Process>,
        check: &CheckScope<'_>,
    ) -> Result<ProcessProbe> {
        let (process, of) = (written.get_ref(), check.of);
        let pid_file = self.absolute(&process.pid_file);
        let unit = process.unit.as_ref().map(|unit| self.unit(unit)).transpose();
        let (pid_file, unit) = (pid_file?, unit?);
        let is_named = pid_file.is_some() || unit.is_some();
        if !is_named && of.backend.is_none() && of.service.backend.is_some() {
            // The backend is refused, and would name its process.
            return Err(Refused);
        }
        let of_backend = of.backend.filter(|_| !is_named).and_then(Backend::process_source);
        let source = of_backend.map_or_else(|| ProcessSource::new(pid_file, unit), Ok);
        let source = source.map_err(|neither| {
            let message = format!(
                "the process of check `{}` {neither}, and its service has no backend with one, expected pid-file or unit \
                 or both",
                check.name
            );
            self.rule_error(&["pid-file", "unit", "process", "backend", "name"], &written.span(), message)
        })?;
        Ok(ProcessProbe { source, timeout: check.timing.timeout })
    }

    /// Reads the full name of a service unit. systemd names the cgroup after it, and polkit rules match it.
    pub(super) fn unit(&self, written: &Spanned<String>) -> Result<String> {
        let unit = written.get_ref();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
        let name = unit.strip_suffix(".service").unwrap_or_default();
        if !name.is_empty() && !name.starts_with(['-', '.']) && !name.ends_with('@') && name.bytes().all(fits)
        {
            return Ok(unit.clone());
        }
        let shown = unit.escape_debug();
        let message = format!(
            "`{shown}` is not a service unit, expected a full unit name such as \"unbound.service\" or \
             \"kresd@1.service\""
        );
        Err(self.value_error(&written.span(), message))
    }
}

/// The check of the backend's main process, if the backend says how to find it.
pub(super) fn main_process_check(backend: &Backend, timing: Timing) -> Option<Check> {
    let source = backend.process_source()?;
    let probe = Probe::Process(ProcessProbe { source, timeout: timing.timeout });
    let why = "the main process of the backend; an exit is detected at once";
    Some(Check::supplied("process", why, timing.without_window(), OnFail::always(Severity::Down), probe))
}
