//! `[backend.NAME]`: combines the known facts about a kind of server with the keys of the file.

use std::ffi::OsStr;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;

use super::bounds::Bound;
use super::file::{self, Placed};
use super::resolve::{Refused, Resolver, Result};
use crate::backend::rate_limit;
use crate::backend::targets::Target;
use crate::backend::{Ask, Backend, Heal, Kind, Quiet, Reload, Request, Restart, Step, Words};
use crate::config::defaults::backend as default;
use crate::program::Program;
use crate::text::period::Period;

const TENTH: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);

const TIMEOUT: Bound = Bound::least("timeout", TENTH, "a control program can need that long on a busy host");
const CHECK_TIMEOUT: Bound =
    Bound::least("config-check-timeout", SECOND, "a server may have many zones to load");
const QUIET_FOR: Bound = Bound::least("quiet-for", TENTH, "counters do not change in a shorter time");
const MAX_WAIT: Bound = Bound::least("max-wait", TENTH, "routers need that long to apply a withdraw");
const START_TIMEOUT: Bound =
    Bound::least("start-timeout", SECOND, "a server can need that long to start on a busy host");
const AFTER: Bound = Bound::least("after", SECOND, "systemd restarts a dead unit itself and must act first");
const PER: Bound = Bound::least("per", SECOND, "a server that never comes up would be restarted endlessly");

impl Resolver<'_> {
    /// Finds the backend of this name.
    pub(super) fn backend_called(&self, name: &Spanned<String>) -> Result<Arc<Backend>> {
        let was_read = !self.survey.has_invalid(&["backend", name.get_ref()]);
        if self.refused_backends.contains(name.get_ref()) || !was_read {
            return Err(Refused);
        }
        let found = self.backends.iter().find(|backend| backend.name == *name.get_ref());
        found.cloned().ok_or_else(|| {
            let known = self.backends.iter().map(|backend| &backend.name).chain(&self.refused_backends);
            let known: Vec<_> = known.map(|name| format!("`{name}`")).collect();
            let expected = match known.as_slice() {
                [] => format!("expected a table [backend.{}]", name.get_ref()),
                known => format!("expected {}, or another table [backend.…]", known.join(" or ")),
            };
            self.value_error(&name.span(), format!("there is no backend `{}`, {expected}", name.get_ref()))
        })
    }

    pub(super) fn backend(
        &self,
        name: &Spanned<String>,
        written: &Spanned<file::Backend>,
        targets: &[Target],
    ) -> Result<Backend> {
        let holder = self.holder_of_backend(name);
        let (place, written) = (written.span(), written.get_ref());
        let kind = self.backend_kind(name, written);
        // Values of the file replace the known facts about the kind of server. Without its kind they are read as well,
        // so that all errors are reported.
        let facts = kind.unwrap_or(Kind::Generic).facts();
        let known_unit = || Ok(facts.unit.map(str::to_owned));
        let unit = written.unit.as_ref().map_or_else(known_unit, |unit| self.unit(unit).map(Some));
        let restart = self.restart(name.get_ref(), &place, written, unit.clone(), kind.is_ok());
        let or = |file: Option<PathBuf>, known: Option<&str>| file.or_else(|| known.map(Into::into));
        let config_file = self.absolute(&written.config_file).map(|file| or(file, facts.config_file));
        let pid_file = self.absolute(&written.pid_file).map(|file| or(file, facts.pid_file));
        // Read every command before failing, so that all errors are reported.
        let [config_check, reload, status, version, counters, zone_list] = [
            &written.config_check,
            &written.reload,
            &written.status,
            &written.version,
            &written.counters,
            &written.zone_list,
        ]
        .map(|written| self.program(written));
        let timeouts = self.timeouts(written);
        let quiet = self.quiet(written);
        let heal = written.heal.as_ref().map(|heal| self.heal(heal.get_ref())).transpose();
        let (holder, kind, unit, config_file) = (holder?, kind?, unit?, config_file?);
        // Fill the placeholders in the commands of the driver.
        let (file, unit_name) = (config_file.as_deref(), unit.as_deref());
        let known = Known { config_file: file, unit: unit_name, control: facts.control, targets };
        let [timeout, config_check_timeout, start_timeout] = timeouts?;
        Ok(Backend {
            name: name.get_ref().clone(),
            holder,
            kind,
            config_check: config_check?.or_else(|| known.program(facts.check)),
            reload: known.reload(reload?, facts.reload),
            restart: restart?,
            status: known.request(status?, facts.status),
            version: known.request(version?, facts.version),
            counters: known.request(counters?, facts.counters),
            zone_list: known.request(zone_list?, facts.zone_list),
            rate_limit_commands: known.rate_limit_commands(facts.rate_limit),
            timeout,
            config_check_timeout,
            quiet: quiet?,
            start_timeout,
            heal: heal?,
            unit,
            pid_file: pid_file?,
            config_file,
        })
    }

    /// The kind of server: that of the key `kind`, otherwise the name of the backend.
    fn backend_kind(&self, name: &Spanned<String>, written: &file::Backend) -> Result<Kind> {
        if let Some(kind) = &written.kind {
            return Ok(kind.get_ref().0);
        }
        name.get_ref().parse().map_err(|why| {
            let message = format!("{why}; a backend with another name needs `kind = \"…\"`");
            self.rule_error(&["kind"], &name.span(), message)
        })
    }

    /// How to restart the server: the command of the file, else its unit. Without a valid kind its unit may not be known.
    fn restart(
        &self,
        name: &str,
        place: &Range<usize>,
        written: &file::Backend,
        unit: Result<Option<String>>,
        has_kind: bool,
    ) -> Result<Restart> {
        match (self.program(&written.restart)?, unit?) {
            (Some(program), _) => Ok(Restart::Program(program)),
            (None, Some(unit)) => Ok(Restart::Unit(unit)),
            (None, None) if !has_kind => Err(Refused),
            (None, None) => {
                let message = format!(
                    "backend `{name}` has no unit and no restart command, expected `unit = \"…\"` or `restart = [\"…\"]`"
                );
                Err(self.rule_error(&["kind", "unit", "restart"], place, message))
            }
        }
    }

    /// The timeouts of control commands, of the check of the configuration, and of a start.
    fn timeouts(&self, written: &file::Backend) -> Result<[Duration; 3]> {
        let timeout = self.period(&written.timeout, TIMEOUT, default::TIMEOUT);
        let check = self.period(&written.config_check_timeout, CHECK_TIMEOUT, default::CHECK_TIMEOUT);
        let start = self.period(&written.start_timeout, START_TIMEOUT, default::START_TIMEOUT);
        Ok([timeout?, check?, start?])
    }

    fn quiet(&self, written: &file::Backend) -> Result<Quiet> {
        let lasting = self.period(&written.quiet_for, QUIET_FOR, default::QUIET_FOR);
        let max_wait = self.period(&written.max_wait, MAX_WAIT, default::MAX_WAIT);
        let quiet = Quiet {
            below: file::value(&written.quiet_below).unwrap_or(default::QUIET_BELOW),
            lasting: lasting?,
            max_wait: max_wait?,
            settle: file::value(&written.settle).map_or(default::SETTLE, |settle| settle.0),
        };
        if quiet.lasting > quiet.max_wait {
            let place = file::place(&written.quiet_for).or_else(|| file::place(&written.max_wait));
            let message = format!(
                "quiet-for {} is longer than max-wait {}, expected at most max-wait: the drain would always reach its limit",
                Period(quiet.lasting),
                Period(quiet.max_wait)
            );
            return Err(self.rule_error(&["quiet-for", "max-wait"], &place.unwrap_or(0..0), message));
        }
        Ok(quiet)
    }

    fn heal(&self, written: &file::Heal) -> Result<Heal> {
        let after = self.period(&written.after, AFTER, default::HEAL_AFTER);
        let per = self.period(&written.per, PER, default::HEAL_PER);
        let at_most = written.at_most.unwrap_or(default::HEAL_AT_MOST);
        Ok(Heal { after: after?, at_most, per: per? })
    }

    /// Reads a program: an absolute path, or a bare name that is looked up.
    fn program(&self, written: &Placed<Vec<String>>) -> Result<Option<Program>> {
        let program = |written: &Spanned<Vec<String>>| self.program_of(&written.span(), written.get_ref());
        written.as_ref().map(program).transpose()
    }

    /// The same for the words at this place.
    pub(super) fn program_of(&self, place: &Range<usize>, words: &[String]) -> Result<Program> {
        let refuse = |what: &str| {
            let expected = "expected a program and its arguments, such as [\"unbound-control\", \"status\"]";
            Err(self.value_error(place, format!("{what}, {expected}")))
        };
        self.without_nul(place, words)?;
        match Program::from_words(words) {
            None => refuse("found no program"),
            Some(program) if program.name.contains('/') && !program.name.starts_with('/') => {
                refuse(&format!("`{}` is a relative path, and ExaBGP starts its helpers in /", program.name))
            }
            Some(program) if program.name.contains(char::is_whitespace) && words.len() == 1 => {
                refuse(&format!("`{}` contains spaces, and no shell splits it", program.name))
            }
            Some(program) => Ok(program),
        }
    }
}

/// Values that replace placeholders in the commands of a driver.
struct Known<'a> {
    config_file: Option<&'a Path>,
    unit: Option<&'a str>,
    control: Words,
    targets: &'a [Target],
}

impl Known<'_> {
    fn filled(&self, word: &str) -> String {
        let file = self.config_file.unwrap_or(Path::new(""));
        let directory = file.parent().unwrap_or(Path::new(""));
        // As in pdns-second.conf.
        let stem = file.file_stem().and_then(OsStr::to_str).unwrap_or_default();
        let name = stem.split_once('-').map_or("", |(_, name)| name);
        // As in kresd@1.service.
        let instance = self.unit.and_then(|unit| unit.split_once('@')).map_or("", |(_, rest)| rest);
        let instance = instance.strip_suffix(".service").unwrap_or(instance);
        word.replace("{config-file}", &file.display().to_string())
            .replace("{config-directory}", &directory.display().to_string())
            .replace("{config-name}", name)
            .replace("{instance}", instance)
    }

    fn program(&self, words: &[&str]) -> Option<Program> {
        Program::from_words(&words.iter().map(|word| self.filled(word)).collect::<Vec<_>>())
    }

    /// The control program with these arguments; `None` without arguments.
    fn control(&self, words: Words) -> Option<Program> {
        let words = [self.control, words].concat();
        if words.len() > self.control.len() { self.program(&words) } else { None }
    }

    /// The command of the file, else those of the driver.
    fn reload(&self, written: Option<Program>, known: &[Reload]) -> Vec<Step> {
        let step = |reload: &Reload| {
            Some(Step { first: self.control(reload.first)?, otherwise: self.control(reload.otherwise) })
        };
        match written {
            Some(first) => vec![Step { first, otherwise: None }],
            None => known.iter().filter_map(step).collect(),
        }
    }

    fn rate_limit_commands(&self, source: rate_limit::Source) -> rate_limit::Commands {
        let (commands, for_zone) = match source {
            rate_limit::Source::Tools { commands, for_zone } => (commands, for_zone),
            _ => (&[][..], &[][..]),
        };
        rate_limit::Commands {
            all: commands.iter().filter_map(|words| self.program(words)).collect(),
            for_zone: self.program(for_zone),
        }
    }

    /// The command of the file, else what the driver asks.
    fn request(&self, written: Option<Program>, ask: Ask) -> Option<Request> {
        if let Some(program) = written {
            return Some(Request::Program(program));
        }
        match ask {
            Ask::Nothing => None,
            Ask::Control(words) => self.control(words).map(Request::Program),
            Ask::Socket { path, line } => {
                Some(Request::Socket { path: self.filled(path).into(), line: line.to_owned() })
            }
            Ask::Http { server, path } => {
                Some(Request::Http { server: server.parse::<SocketAddr>().ok()?, path: path.to_owned() })
            }
            Ask::Chaos(names) => Some(Request::Chaos {
                targets: self.targets.to_vec(),
                names: names.iter().map(|&name| name.to_owned()).collect(),
            }),
        }
    }
}

/// Describes a backend with all its commands.
pub(super) fn describe(f: &mut fmt::Formatter<'_>, backend: &Backend) -> fmt::Result {
    let facts = backend.kind.facts();
    writeln!(f, "backend {}: {}", backend.name, facts.name)?;
    if let Some(unit) = &backend.unit {
        writeln!(f, "  unit {unit}")?;
    }
    for (key, file) in [("config-file", &backend.config_file), ("pid-file", &backend.pid_file)] {
        if let Some(file) = file {
            writeln!(f, "  {key} {}", file.display())?;
        }
    }
    describe_commands(f, backend)?;
    let Quiet { below, lasting, max_wait, settle } = backend.quiet;
    let (lasting, max_wait, settle) = (Period(lasting), Period(max_wait), Period(settle));
    match &backend.counters {
        Some(_) => writeln!(
            f,
            "  drained when below {below} queries per second for {lasting}, at most {max_wait} after the withdraw; \
             after {settle} if the counters cannot be read"
        )?,
        None => writeln!(f, "  drained {settle} after the withdraw")?,
    }
    writeln!(
        f,
        "  a restart succeeds if the server answers within {} and the checks pass right after that",
        Period(backend.start_timeout)
    )?;
    match backend.heal {
        Some(Heal { after, at_most, per }) => writeln!(
            f,
            "  heal: restart after {} down or hung, at most {at_most} times in {}",
            Period(after),
            Period(per)
        ),
        None => writeln!(f, "  heal off"),
    }
}

fn describe_commands(f: &mut fmt::Formatter<'_>, backend: &Backend) -> fmt::Result {
    let facts = backend.kind.facts();
    match &backend.config_check {
        Some(program) => {
            writeln!(f, "  config-check {program}, within {}", Period(backend.config_check_timeout))?;
            if !facts.unseen.is_empty() {
                writeln!(f, "    does not detect: {}", facts.unseen)?;
            }
        }
        None => writeln!(f, "  config-check none; not detected: {}", facts.unseen)?,
    }
    match backend.reload.as_slice() {
        [] => writeln!(f, "  reload none: {}", facts.no_reload)?,
        steps => {
            for step in steps {
                write!(f, "  reload {}", step.first)?;
                match &step.otherwise {
                    Some(otherwise) => writeln!(f, "; if the server does not know it: {otherwise}")?,
                    None => writeln!(f)?,
                }
            }
        }
    }
    match &backend.restart {
        Restart::Unit(unit) => {
            let program = crate::backend::systemd::restart_program(unit);
            writeln!(f, "  restart {program}, after reset-failed")?;
        }
        Restart::Program(program) => writeln!(f, "  restart {program}")?,
    }
    for (what, request) in [
        ("status", &backend.status),
        ("version", &backend.version),
        ("counters", &backend.counters),
        ("zone-list", &backend.zone_list),
    ] {
        match request {
            Some(request) => writeln!(f, "  {what} {request}")?,
            None => writeln!(f, "  {what} none")?,
        }
    }
    writeln!(f, "  timeout of these commands {}", Period(backend.timeout))
}
