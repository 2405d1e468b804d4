//! Finds ExaBGP: its process, its files, its version.
//!
//! The files are those of the command line of the running ExaBGP, else the usual one. The settings are in `exabgp.env`
//! of its folder (4.2 and 5: `/etc/exabgp/exabgp.env`), and variables of its environment override them.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User, geteuid};

use crate::doctor::facts::{ConfFile, Known, UnitFact};
use crate::exabgp_conf::environment::Settings;
use crate::exabgp_conf::{Conf, MAX_SIZE};
use crate::process::cgroup::Membership;
use crate::program::{Program, run};
use crate::sys::files::read_text;
use crate::sys::procfs::all_pids;
use crate::sys::trusted_path::trusted;
use crate::systemd::LIMIT;
use crate::text::foreign;

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

/// A process of ExaBGP.
#[derive(Debug)]
struct Running {
    pid: i32,
    user: Uid,
    /// The program, unless it is a module of Python.
    program: Option<PathBuf>,
    files: Vec<PathBuf>,
    /// `--env`, `-e` or `--env-file`.
    env: Option<PathBuf>,
}

/// Reads a command line: the words of `python3 /usr/sbin/exabgp [server] FILE…`.
fn read(words: &[String]) -> Option<(Option<PathBuf>, &[String])> {
    let base = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let is_python = words.first().is_some_and(|word| base(word).starts_with("python"));
    match words {
        [_, module, name, rest @ ..] if is_python && module == "-m" && name == "exabgp" => Some((None, rest)),
        [_, program, rest @ ..] if is_python && base(program) == "exabgp" => {
            Some((Some(program.into()), rest))
        }
        [program, rest @ ..] if base(program) == "exabgp" => Some((Some(program.into()), rest)),
        _ => None,
    }
}

impl Running {
    fn of(pid: i32) -> Option<Self> {
        let user = Uid::from_raw(fs::metadata(format!("/proc/{pid}")).ok()?.uid());
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words: Vec<_> = line
            .split(|octet| *octet == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .filter(|word| !word.is_empty())
            .collect();
        let (program, arguments) = read(&words)?;
        let folder = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_else(|_| "/".into());
        let after = |options: &[&str]| {
            let place = arguments.iter().position(|word| options.contains(&word.as_str()))?;
            Some(folder.join(arguments.get(place + 1)?))
        };
        let env = after(&["-e", "--env", "--env-file"]);
        let files = arguments
            .iter()
            .filter(|word| !word.starts_with('-'))
            .map(|word| folder.join(word))
            .filter(|path| path.is_file() && Some(path) != env.as_ref())
            .collect();
        let found = Self { pid, user, program: program.map(|program| folder.join(program)), files, env };
        (!found.files.is_empty() && found.is_plausible()).then_some(found)
    }

    /// Whether it is not a process by which another user has this user read a file.
    fn is_plausible(&self) -> bool {
        let is_exabgp = || User::from_uid(self.user).ok().flatten().is_some_and(|user| user.name == "exabgp");
        self.user.is_root() || self.user == geteuid() || is_exabgp() || self.unit().is_some()
    }

    /// Its unit, if it is one of ExaBGP.
    fn unit(&self) -> Option<String> {
        let membership = Membership::of(self.pid);
        let mut parts = membership.shown().split('/');
        let unit = parts.find(|part| part.starts_with("exabgp") && part.ends_with(".service"));
        unit.map(str::to_owned)
    }

    fn variables(&self) -> Known<String> {
        let variables = fs::read(format!("/proc/{}/environ", self.pid));
        variables.map(|octets| String::from_utf8_lossy(&octets).into_owned()).map_err(|error| {
            format!(
                "the environment of ExaBGP (process {}) cannot be read: {error}; run this as root",
                self.pid
            )
        })
    }

    /// The folder of `exabgp.env`: that of the prefix where ExaBGP is installed.
    fn folder(&self) -> PathBuf {
        let prefix = self.program.as_deref().and_then(Path::parent).and_then(Path::parent);
        match prefix {
            Some(prefix) if prefix != Path::new("/usr") && prefix != Path::new("/") => {
                prefix.join("etc/exabgp")
            }
            _ => FOLDER.into(),
        }
    }
}

impl ExaBgp {
    /// Looks for processes with these files, or with any if there are none.
    pub(super) fn find(asked: &[PathBuf]) -> Self {
        let real = |path: &PathBuf| fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        let asked_for: Vec<_> = asked.iter().map(real).collect();
        let is_asked = |running: &Running| {
            asked.is_empty() || running.files.iter().any(|file| asked_for.contains(&real(file)))
        };
        let all = all_pids().into_iter().filter_map(|pid| Running::of(pid.as_raw()));
        Self { asked: asked.to_vec(), running: all.filter(is_asked).collect() }
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
        if paths.is_empty() && Path::new(USUAL).exists() {
            paths.push(USUAL.into());
        }
        paths.sort();
        paths.dedup();
        if paths.is_empty() {
            return Err(format!("no ExaBGP runs, and there is no {USUAL}; name its file with --exabgp-conf"));
        }
        Ok(paths.into_iter().map(|path| ConfFile { conf: conf(&path), path }).collect())
    }

    /// The user of the helper: that of the running ExaBGP, else of its unit.
    pub(super) fn user(&self, unit: Option<&UnitFact>) -> Known<(User, String)> {
        let groups = unit.map(|unit| unit.groups.clone()).unwrap_or_default();
        let running = self.running.first().map(|running| running.user);
        let user = match (running, unit) {
            (Some(user), _) => User::from_uid(user),
            (None, Some(unit)) if unit.load_state == "loaded" && unit.user.is_empty() => {
                User::from_uid(Uid::from_raw(0))
            }
            (None, Some(unit)) if unit.load_state == "loaded" => User::from_name(&unit.user),
            _ => {
                return Err(
                    "no running ExaBGP and no unit of it is found, so the user of the helper is not known"
                        .to_owned(),
                );
            }
        };
        match user {
            Ok(Some(user)) => Ok((user, groups)),
            _ => Err("the user of ExaBGP has no entry in passwd".to_owned()),
        }
    }

    /// The settings. `unit` has the variables of the unit, for an ExaBGP that does not run.
    pub(super) fn settings(&self, unit: &str) -> Known<Settings> {
        let running = self.running.first();
        let variables = running.map(Running::variables).transpose()?;
        let variable = |name: &str| {
            let words = variables.iter().flat_map(|text| text.split('\0'));
            words
                .filter_map(|word| word.split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
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
            Some(text) => settings.with_variables(text.split('\0').filter_map(|word| word.split_once('='))),
            None if self.asked.is_empty() => {
                settings.with_variables(unit.split_whitespace().filter_map(|word| word.split_once('=')))
            }
            None => settings,
        })
    }

    /// Asks the program of the running ExaBGP, else the one in the search path, for its version. A program that another
    /// user could change is not run.
    pub(super) async fn version(&self) -> Known<String> {
        let program = match self.running.iter().find_map(|running| running.program.as_ref()) {
            None => "exabgp".to_owned(),
            Some(program) => {
                let real = fs::canonicalize(program).unwrap_or_else(|_| program.clone());
                trusted(&real).map_err(|why| format!("the version of ExaBGP is not asked for: {why}"))?;
                program.display().to_string()
            }
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
    use super::*;

    #[test]
    fn a_command_line_of_exabgp_is_told_from_others() {
        let read_words = |line: &str| {
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            read(&words).map(|(program, rest)| (program, rest.to_vec()))
        };
        let rest = vec!["/etc/exabgp/exabgp.conf".to_owned()];
        let debian = Some((Some(PathBuf::from("/usr/sbin/exabgp")), rest.clone()));
        assert_eq!(read_words("/usr/bin/python3 /usr/sbin/exabgp /etc/exabgp/exabgp.conf"), debian);
        assert_eq!(read_words("/usr/sbin/exabgp /etc/exabgp/exabgp.conf"), debian);
        assert_eq!(read_words("python3.11 -m exabgp /etc/exabgp/exabgp.conf"), Some((None, rest)));
        for other in ["vi /etc/exabgp/exabgp.conf", "python3 -m http.server", "exabgpcli show", ""] {
            assert_eq!(read_words(other), None, "{other}");
        }
    }

    #[test]
    fn the_version_is_in_the_first_line() {
        assert_eq!(version_in("ExaBGP : 4.2.21\nPython : 3.11.2 (main)\n").as_deref(), Some("4.2.21"));
        assert_eq!(version_in("ExaBGP : 6.0.0-4460078e\n").as_deref(), Some("6.0.0-4460078e"));
        assert_eq!(version_in("usage: exabgp"), None);
    }
}
