//! Finds ExaBGP: its process, its files, its version.
//!
//! The files are those of the command line of the running ExaBGP, else the usual one. An ExaBGP in this network
//! namespace is preferred: others run for other hosts, unless it is the only one and the usual file does not exist. The
//! settings are in `exabgp.env` of its folder (4.2 and 5: `/etc/exabgp/exabgp.env`), and variables of its environment override them.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nix::unistd::{Pid, Uid, User};

use self::running::Running;
use super::access::HelperUser;
use crate::doctor::facts::{ConfFile, Known, UnitFact};
use crate::exabgp_conf::environment::Settings;
use crate::exabgp_conf::{Conf, MAX_SIZE};
use crate::program::{Program, run};
use crate::sys::files::read_text;
use crate::sys::procfs::{ProcStat, all_pids, is_in_our_network};
use crate::sys::trusted_path::trusted;
use crate::systemd::LIMIT;
use crate::text::foreign;

mod running;

/// The usual file (ExaBGP 4.2 and 5, as packaged).
const USUAL: &str = "/etc/exabgp/exabgp.conf";

/// The folder of `exabgp.env`, unless ExaBGP has a prefix of its own.
const FOLDER: &str = "/etc/exabgp";

/// The unit, unless the process has another one.
const UNIT: &str = "exabgp.service";

/// ExaBGP on this host.
#[derive(Debug)]
pub(super) struct ExaBgp {
    /// The files on the command line of `doctor`.
    asked: Vec<PathBuf>,
    /// The processes that have one of these files, if there are any.
    running: Vec<Running>,
}

impl ExaBgp {
    /// Looks for processes with these files, or with any if there are none.
    pub(super) fn find(asked: &[PathBuf]) -> Self {
        let all = all_pids().into_iter().filter_map(Running::from_pid);
        let running = if asked.is_empty() {
            let is_here = |running: &Running| is_in_our_network(running.pid).unwrap_or(true);
            running::chosen(all.partition(is_here), Path::new(USUAL).exists())
        } else {
            running::with_files(all.collect(), asked)
        };
        Self { asked: asked.to_vec(), running }
    }

    /// Whether a process is found.
    pub(super) fn is_running(&self) -> bool {
        !self.running.is_empty()
    }

    /// Two processes in this network namespace with one file, as the beginning of a sentence. A process that another one has
    /// just started may still have its command line, so a child does not count.
    pub(super) fn twice(&self) -> Option<String> {
        let is_here = |one: &&Running| is_in_our_network(one.pid).unwrap_or(false);
        let here: Vec<_> = self.running.iter().filter(is_here).collect();
        let is_child = |child: Pid, parent: Pid| ProcStat::read(child).is_some_and(|it| it.parent == parent);
        here.iter().enumerate().find_map(|(place, one)| {
            let other = here[..place].iter().find(|other| {
                one.shares_a_file(other) && !is_child(one.pid, other.pid) && !is_child(other.pid, one.pid)
            })?;
            let file = one.files.first().map(|file| file.display().to_string()).unwrap_or_default();
            Some(format!("processes {} and {} are two ExaBGPs with {}", other.pid, one.pid, foreign(&file)))
        })
    }

    /// The numbers of the processes.
    pub(super) fn pids(&self) -> Vec<Pid> {
        self.running.iter().map(|running| running.pid).collect()
    }

    /// The unit of the running ExaBGP, else the usual one.
    pub(super) fn unit(&self) -> String {
        self.running.iter().find_map(Running::unit).unwrap_or_else(|| UNIT.to_owned())
    }

    /// Reads the files.
    pub(super) fn confs(&self) -> Known<Vec<ConfFile>> {
        let mut paths = self.asked.clone();
        if paths.is_empty() {
            paths = self.running.iter().flat_map(|running| running.files.clone()).collect();
        }
        if paths.is_empty() {
            // An unknown file must not pass for the usual one.
            if let Some(why) = self.running.iter().find_map(Running::why_no_file) {
                return Err(why);
            }
            if Path::new(USUAL).exists() {
                paths.push(USUAL.into());
            }
        }
        paths.sort_unstable();
        paths.dedup();
        if paths.is_empty() {
            return Err(format!(
                "no ExaBGP runs in this network namespace, and there is no {USUAL}; name its file with --exabgp-conf"
            ));
        }
        Ok(paths.into_iter().map(|path| ConfFile { conf: conf(&path), path }).collect())
    }

    /// The user of the helper: that of the running ExaBGP, else of its unit.
    pub(super) fn user(&self, unit: Option<&UnitFact>) -> Known<HelperUser> {
        let groups = unit.map(|unit| unit.groups.clone()).unwrap_or_default();
        let running = self.running.first();
        let user = match (running, unit.filter(|unit| unit.load_state == "loaded")) {
            (Some(running), _) => User::from_uid(running.user),
            (None, Some(unit)) if unit.user.is_empty() => User::from_uid(Uid::from_raw(0)),
            (None, Some(unit)) => User::from_name(&unit.user),
            (None, None) => {
                return Err(
                    "no running ExaBGP and no unit of it is found, so the user of the helper is not known"
                        .to_owned(),
                );
            }
        };
        match user {
            Ok(Some(user)) => Ok(HelperUser { user, groups, running: running.and_then(Running::groups) }),
            _ => Err("the user of ExaBGP has no entry in passwd".to_owned()),
        }
    }

    /// The settings. `unit` has the variables of the unit, for an ExaBGP that does not run.
    pub(super) fn settings(&self, unit: &str) -> Known<Settings> {
        let running = self.running.first();
        let variables = running.map(Running::variables).transpose()?;
        let variable = |name: &str| {
            let mut variables = variables.iter().flat_map(|text| assigned(text.split('\0')));
            variables.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        // The file.
        let beside = |path: &PathBuf| path.parent().map(|folder| folder.join("exabgp.env"));
        let named = running.and_then(|running| running.env.clone());
        let asked = self.asked.first().and_then(beside).filter(|path| running.is_none() || path.is_file());
        let file = named
            .or_else(|| variable("EXABGP_ENVFILE").map(PathBuf::from))
            .or(asked)
            .unwrap_or_else(|| running.map_or_else(|| FOLDER.into(), Running::folder).join("exabgp.env"));
        let settings = match text(&file) {
            Ok(text) => Settings::read(&text),
            Err((ErrorKind::NotFound, _)) => Settings::default(),
            Err((_, why)) => return Err(why),
        };
        // The variables.
        Ok(match &variables {
            Some(text) => settings.with_variables(assigned(text.split('\0'))),
            None if self.asked.is_empty() => settings.with_variables(assigned(unit.split_whitespace())),
            None => settings,
        })
    }

    /// Asks the program of the running ExaBGP, else the one in the search path, for its version.
    pub(super) async fn version(&self) -> Known<String> {
        let program = match self.running.iter().find_map(|running| running.program.as_ref()) {
            None => "exabgp".to_owned(),
            Some(program) => trusted_program(program)?.display().to_string(),
        };
        let mut why = String::new();
        for words in VERSION_COMMANDS {
            let program = Program::new(&program, &[words]);
            let ended = run(&program, LIMIT).await;
            if let Some(version) = version_in(&ended.out) {
                return Ok(version);
            }
            why = match ended.succeeded() {
                true => format!("{program} prints no version: {}", foreign(ended.out.trim())),
                false => format!("{program}: {ended}"),
            };
        }
        Err(why)
    }
}

/// The variables in words such as `NAME=value`.
fn assigned<'a>(words: impl Iterator<Item = &'a str>) -> impl Iterator<Item = (&'a str, &'a str)> {
    words.filter_map(|word| word.split_once('='))
}

/// The path without links of a program that only root and our own user can change. The words of a process, and links of
/// its user, choose neither another program nor one to exchange after the look.
fn trusted_program(program: &Path) -> Known<PathBuf> {
    let shown = program.display();
    let real = fs::canonicalize(program)
        .map_err(|error| format!("{shown} cannot be asked for its version: {error}"))?;
    // /usr/sbin/exabgp of Debian is a link to python3-exabgp.
    let is_exabgp =
        |name: &OsStr| name.to_string_lossy().trim_start_matches("python3-").starts_with("exabgp");
    if !real.file_name().is_some_and(is_exabgp) {
        let real = real.display();
        return Err(format!(
            "{shown} is not asked for its version: it is a link to {real}, expected a program named `exabgp`; see what started it"
        ));
    }
    match trusted(&real) {
        Ok(_) => Ok(real),
        Err(why) => Err(format!(
            "{shown} is not asked for its version: {why}, expected a path that only root and this user can change; correct \
             owner and mode"
        )),
    }
}

/// Prints the version of ExaBGP: the option up to 4.2, the command from 5.0 on, where the option is a usage error.
const VERSION_COMMANDS: [&str; 2] = ["--version", "version"];

/// The version in `ExaBGP : 4.2.21`.
fn version_in(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.to_ascii_lowercase().starts_with("exabgp"))?;
    let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
    line.split_whitespace().find(is_version).map(str::to_owned)
}

fn conf(path: &Path) -> Known<Conf> {
    text(path).map(|text| Conf::read(&text)).map_err(|(_, why)| why)
}

/// The text of a file that may be a link.
fn text(path: &Path) -> Result<String, (ErrorKind, String)> {
    let text = fs::canonicalize(path).and_then(|path| read_text(&path, MAX_SIZE));
    text.map_err(|error| (error.kind(), format!("{} cannot be read: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::sys::directory::make;

    #[test]
    fn the_program_that_was_looked_at_is_run_and_no_other_one() {
        let folder = std::env::temp_dir().join(format!("dnsherald-exabgp-{}", std::process::id()));
        make(&folder.join("theirs"), 0o755).unwrap();
        let folder = fs::canonicalize(folder).unwrap();
        let link = folder.join("theirs/exabgp");
        for name in ["exabgp", "python3-exabgp"] {
            fs::write(folder.join(name), "").unwrap();
            symlink(folder.join(name), &link).unwrap();
            assert_eq!(trusted_program(&link), Ok(folder.join(name)), "the link may change now");
            fs::remove_file(&link).unwrap();
        }
        fs::write(folder.join("useradd"), "").unwrap();
        symlink(folder.join("useradd"), &link).unwrap();
        let why = trusted_program(&link).unwrap_err();
        assert!(why.contains("/useradd, expected a program named `exabgp`"), "{why}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_version_is_in_the_first_line() {
        assert_eq!(version_in("ExaBGP : 4.2.21\nPython : 3.11.2 (main)\n").as_deref(), Some("4.2.21"));
        assert_eq!(version_in("ExaBGP : 6.0.0-4460078e\n").as_deref(), Some("6.0.0-4460078e"));
        assert_eq!(version_in("usage: exabgp"), None);
    }
}
