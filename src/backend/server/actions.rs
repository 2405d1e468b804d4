//! Operations on a backend: check its configuration, reload it, restart it.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use super::{Backend, Checked, Restart};
use crate::backend::channel::{install, is_denied, read};
use crate::backend::{Trouble, privilege, systemd};
use crate::program::{End, Ended, Program, run};

/// How many lines of a failed check are shown. The first is usually the cause of the others.
const SHOWN: usize = 12;

impl Backend {
    /// Checks the configuration on disk; the server is not touched.
    ///
    /// # Errors
    /// Returns the errors of the configuration, or why the check could not run.
    pub(crate) async fn check(&self) -> Result<Checked, Trouble> {
        self.judge_configuration().await?.map_err(Trouble::new)
    }

    /// The same. The inner error has the errors of the configuration.
    ///
    /// # Errors
    /// Why the check could not run.
    pub(crate) async fn judge_configuration(&self) -> Result<Result<Checked, String>, Trouble> {
        let Some(program) = &self.config_check else { return Ok(Ok(Checked::Unchecked)) };
        // Some programs accept a configuration that they cannot read.
        self.readable_for(program)?;
        let ended = run(program, self.config_check_timeout).await;
        let facts = self.facts();
        let why = || format!("cannot check the configuration: {program}: {ended}");
        match &ended.end {
            End::Exited(_) => match self.driver().read_check(&ended) {
                Ok(()) => Ok(Ok(Checked::Valid)),
                Err(_) if is_denied(&ended) => Err(Trouble::with(why(), privilege::configuration(facts))),
                Err(said) if said.is_empty() => {
                    Ok(Err(format!("the configuration is broken: {program}: {ended}")))
                }
                Err(said) => {
                    let said = shortened(&said);
                    Ok(Err(format!("the configuration is broken, says {program}:\n{said}")))
                }
            },
            End::TimedOut(..) => Err(Trouble::with(
                why(),
                "give it longer with `config-check-timeout`, if it loads many zones",
            )),
            End::Missing => Err(Trouble::with(why(), install(facts))),
            End::NotPermitted => Err(Trouble::with(why(), privilege::configuration(facts))),
            End::NotStarted(_) => Err(Trouble::new(why())),
        }
    }

    /// Checks that the main configuration file can be read, if the program gets it as an argument.
    pub(in crate::backend) fn readable_for(&self, program: &Program) -> Result<(), Trouble> {
        let Some(file) = self.config_file.as_deref().filter(|file| is_given(program, file)) else {
            return Ok(());
        };
        let Err(error) = File::open(file) else { return Ok(()) };
        let remedy = match error.kind() {
            ErrorKind::PermissionDenied => privilege::configuration(self.facts()),
            ErrorKind::NotFound => {
                format!("name the right one with `config-file` in [backend.{}]", self.name)
            }
            _ => String::new(),
        };
        Err(Trouble::with(format!("the configuration {} cannot be read: {error}", file.display()), remedy))
    }

    /// Makes the server read its configuration again, and returns the commands that ran. Check the configuration first:
    /// some servers exit if it is broken.
    ///
    /// # Errors
    /// If the server has no reload, or at the first step that fails.
    pub(crate) async fn reload(&self) -> Result<Vec<String>, Trouble> {
        if self.reload.is_empty() {
            let facts = self.facts();
            let why = format!("{} has no reload of its whole configuration: {}", facts.name, facts.no_reload);
            return Err(Trouble::with(why, "restart it, or say what reloads it with `reload`"));
        }
        let mut done = vec![];
        for step in &self.reload {
            let mut program = &step.first;
            let mut ended = run(program, self.timeout).await;
            if let Some(otherwise) = &step.otherwise
                && !ended.succeeded()
                && ended.prints("unknown command")
            {
                program = otherwise;
                ended = run(program, self.timeout).await;
            }
            if !self.driver().is_reloaded(&ended) {
                let mut trouble = read(program, &ended, self.facts())
                    .text()
                    .err()
                    .unwrap_or_else(|| Trouble::new(format!("{program}: {}", ended.lines().join("; "))));
                if ended.is_late() {
                    trouble.why.push_str("; the server may still read its configuration once it responds");
                }
                return Err(trouble);
            }
            done.push(format!("{program}: {}", output_or_ok(&ended)));
        }
        Ok(done)
    }

    /// Checks that this host has a way to restart it. Only an attempt shows whether it is permitted.
    ///
    /// # Errors
    /// If systemd would restart it, but systemd does not run this host.
    pub(crate) fn can_restart(&self) -> Result<(), Trouble> {
        match &self.restart {
            Restart::Unit(unit) => systemd::booted(unit),
            Restart::Program(_) => Ok(()),
        }
    }

    /// Restarts the server, and waits for it at most [`systemd::RESTART_LIMIT`]; questions to systemd before and after
    /// have limits of their own. A server that is up need not answer yet.
    ///
    /// # Errors
    /// Returns the reason, and the remedy if a privilege is missing.
    pub(crate) async fn restart(&self) -> Result<(), Trouble> {
        let program = match &self.restart {
            Restart::Unit(unit) => return systemd::restart(unit, systemd::RESTART_LIMIT).await,
            Restart::Program(program) => program,
        };
        let ended = run(program, systemd::RESTART_LIMIT).await;
        let trouble = || Trouble::new(format!("{program}: {ended}"));
        match ended.end {
            _ if ended.succeeded() => Ok(()),
            End::Missing | End::NotPermitted => Err(trouble().untouched()),
            _ => Err(trouble()),
        }
    }
}

/// Whether the file or its directory is among the arguments.
fn is_given(program: &Program, file: &Path) -> bool {
    let directory = file.parent().unwrap_or(file).display().to_string();
    program.arguments.iter().any(|argument| argument.contains(&directory))
}

/// The first lines of a longer text.
fn shortened(said: &str) -> String {
    let lines: Vec<_> = said.lines().collect();
    match lines.split_at_checked(SHOWN) {
        Some((shown, more)) if !more.is_empty() => {
            format!("{}\n… and {} lines more", shown.join("\n"), more.len())
        }
        _ => said.to_owned(),
    }
}

fn output_or_ok(ended: &Ended) -> String {
    let said = ended.last_output();
    if said.is_empty() { "ok".to_owned() } else { said }
}
