//! The processes of ExaBGP, as `/proc` shows them.
//!
//! ExaBGP changes to the root directory at its start, and to the user in `exabgp.daemon.user`, `nobody` unless it is set
//! (4.2 to 5). A relative name on its command line counts from the directory in which it was started: `PWD` in its
//! environment, which only root and the user that started it may read.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Pid, Uid, User, geteuid};

use super::FOLDER;
use crate::doctor::facts::Known;
use crate::process::cgroup::Membership;
use crate::sys::credentials::Credentials;
use crate::sys::procfs::command_line;
use crate::text::foreign;

/// The users as which ExaBGP runs, besides root: that of Debian's package, and that of its own default.
const USERS: [&str; 2] = ["exabgp", "nobody"];

/// Commands of ExaBGP that are no server.
const OTHER_COMMANDS: [&str; 6] = ["healthcheck", "cli", "run", "env", "version", "--version"];

/// A process of ExaBGP.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) pid: Pid,
    pub(super) user: Uid,
    /// The program, unless it is a module of Python.
    pub(super) program: Option<PathBuf>,
    pub(super) files: Vec<PathBuf>,
    /// The names of files that are not found.
    lost: Vec<String>,
    /// `--env`, `-e` or `--env-file`.
    pub(super) env: Option<PathBuf>,
}

/// Reads a command line: the words of `python3 /usr/sbin/exabgp [server] FILE…`. `None` if it is none of a server.
fn read(words: &[String]) -> Option<(Option<PathBuf>, &[String])> {
    let base = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    if words.iter().any(|word| OTHER_COMMANDS.contains(&word.as_str())) {
        return None;
    }
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

/// Where a name is: in the first directory that has it, else in the first one.
fn place(folders: &[PathBuf], name: &str) -> PathBuf {
    let all = || folders.iter().map(|folder| folder.join(name));
    all().find(|path| path.is_file()).or_else(|| all().next()).unwrap_or_else(|| name.into())
}

/// The processes that have one of these files. One that may have a file counts only if none has it.
pub(super) fn with_files(all: Vec<Running>, files: &[PathBuf]) -> Vec<Running> {
    let real = |path: &PathBuf| fs::canonicalize(path).unwrap_or_else(|_| path.clone());
    let has = |running: &Running, file: &PathBuf| running.files.iter().any(|own| real(own) == *file);
    let (known, lost): (Vec<_>, Vec<_>) =
        files.iter().map(real).partition(|file| all.iter().any(|running| has(running, file)));
    let is_one = |running: &Running| {
        known.iter().any(|file| has(running, file)) || lost.iter().any(|file| running.may_have(file))
    };
    all.into_iter().filter(is_one).collect()
}

/// Those here, else the only one elsewhere, unless this host has the usual file.
pub(super) fn chosen((here, elsewhere): (Vec<Running>, Vec<Running>), has_usual_file: bool) -> Vec<Running> {
    let is_only_one = here.is_empty() && elsewhere.len() == 1 && !has_usual_file;
    if is_only_one { elsewhere } else { here }
}

impl Running {
    /// Whether both have a file in common.
    pub(super) fn shares_a_file(&self, other: &Self) -> bool {
        self.files.iter().any(|file| other.files.contains(file))
    }

    /// The process of this number, if it is a server of ExaBGP.
    pub(super) fn from_pid(pid: Pid) -> Option<Self> {
        let user = Uid::from_raw(fs::metadata(format!("/proc/{pid}")).ok()?.uid());
        let words = command_line(pid);
        let (program, arguments) = read(&words)?;
        let mut found = Self { pid, user, program: None, files: vec![], lost: vec![], env: None };
        let folders = found.folders();
        found.program = program.map(|program| place(&folders, &program.to_string_lossy()));
        let option = arguments.iter().position(|word| ["-e", "--env", "--env-file"].contains(&word.as_str()));
        let env = option.and_then(|option| arguments.get(option + 1));
        found.env = env.map(|word| place(&folders, word));
        for word in arguments.iter().filter(|word| !word.starts_with('-') && Some(*word) != env) {
            match place(&folders, word) {
                path if path.is_file() => found.files.push(path),
                // Other words are commands and values of options.
                _ if word.ends_with(".conf") => found.lost.push(word.clone()),
                _ => {}
            }
        }
        let has_file = !found.files.is_empty() || !found.lost.is_empty();
        (has_file && found.is_plausible()).then_some(found)
    }

    /// The directories from which its relative names may count, as far as this user sees them: else `/`.
    fn folders(&self) -> Vec<PathBuf> {
        let now = fs::read_link(format!("/proc/{}/cwd", self.pid)).unwrap_or_else(|_| "/".into());
        let variables = self.variables().unwrap_or_default();
        let started = variables.split('\0').find_map(|word| word.strip_prefix("PWD=")).map(PathBuf::from);
        [now].into_iter().chain(started).collect()
    }

    /// Whether this may be a file of it whose directory is not known.
    fn may_have(&self, file: &Path) -> bool {
        self.lost.iter().any(|name| file.ends_with(name.trim_start_matches("./")))
    }

    /// Why none of its files is known.
    pub(super) fn why_no_file(&self) -> Option<String> {
        let name = foreign(self.lost.first().filter(|_| self.files.is_empty())?);
        let pid = self.pid;
        if self.variables().is_err() || fs::read_link(format!("/proc/{pid}/cwd")).is_err() {
            return Some(format!(
                "ExaBGP (process {pid}) runs with `{name}`, and this user cannot see in which directory: run this as root, or \
                 name the file with --exabgp-conf"
            ));
        }
        Some(format!(
            "ExaBGP (process {pid}) runs with `{name}`, found neither in its working directory nor in that of its start; name \
             the file with --exabgp-conf"
        ))
    }

    /// Whether it is not a process by which another user has this user read a file.
    fn is_plausible(&self) -> bool {
        let is_usual = |user: User| USERS.contains(&user.name.as_str());
        let has_usual = || User::from_uid(self.user).ok().flatten().is_some_and(is_usual);
        self.user.is_root() || self.user == geteuid() || has_usual() || self.unit().is_some()
    }

    /// Its unit, if it is one of ExaBGP.
    pub(super) fn unit(&self) -> Option<String> {
        let membership = Membership::from_pid(self.pid.as_raw());
        membership.system_service().filter(|unit| unit.starts_with("exabgp")).map(str::to_owned)
    }

    /// The numbers of its groups, its own one first.
    pub(super) fn groups(&self) -> Option<Vec<u32>> {
        Credentials::from_process(self.pid).map(|credentials| credentials.gids)
    }

    pub(super) fn variables(&self) -> Known<String> {
        let variables = fs::read(format!("/proc/{}/environ", self.pid));
        variables.map(|octets| String::from_utf8_lossy(&octets).into_owned()).map_err(|error| {
            format!(
                "the environment of ExaBGP (process {}) cannot be read: {error}; run this as root",
                self.pid
            )
        })
    }

    /// The folder of `exabgp.env`: that of the prefix where ExaBGP is installed.
    pub(super) fn folder(&self) -> PathBuf {
        let prefix = self.program.as_deref().and_then(Path::parent).and_then(Path::parent);
        match prefix {
            Some(prefix) if prefix != Path::new("/usr") && prefix != Path::new("/") => {
                prefix.join("etc/exabgp")
            }
            _ => FOLDER.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, files: &[&str], lost: &[&str]) -> Running {
        Running {
            pid: Pid::from_raw(pid),
            user: Uid::from_raw(0),
            program: None,
            files: files.iter().map(PathBuf::from).collect(),
            lost: lost.iter().map(|name| (*name).to_owned()).collect(),
            env: None,
        }
    }

    #[test]
    fn processes_elsewhere_count_only_if_they_cannot_be_of_other_hosts() {
        let found = |here: &[i32], elsewhere: &[i32], has_usual_file| {
            let all = |pids: &[i32]| pids.iter().map(|pid| process(*pid, &["/no/a.conf"], &[])).collect();
            let chosen = chosen((all(here), all(elsewhere)), has_usual_file);
            chosen.iter().map(|running| running.pid.as_raw()).collect::<Vec<_>>()
        };
        assert_eq!(found(&[1, 2], &[3], false), [1, 2]);
        assert_eq!(found(&[], &[3], false), [3], "the only one of a container");
        assert_eq!(found(&[], &[3, 4], false), [0; 0], "each is of another host");
        assert_eq!(found(&[], &[3], true), [0; 0], "that of this host is stopped");
    }

    #[test]
    fn a_process_that_may_have_a_file_counts_only_if_none_has_it() {
        let found = |files: &[&str]| {
            let all = vec![
                process(1, &[], &["a.conf"]),
                process(2, &["/no/a.conf"], &[]),
                process(3, &[], &["b.conf"]),
            ];
            let files: Vec<_> = files.iter().map(PathBuf::from).collect();
            with_files(all, &files).iter().map(|running| running.pid.as_raw()).collect::<Vec<_>>()
        };
        assert_eq!(found(&["/no/a.conf"]), [2], "process 1 may have another a.conf");
        assert_eq!(found(&["/other/a.conf"]), [1]);
        assert_eq!(found(&["/no/a.conf", "/no/b.conf"]), [2, 3]);
        assert_eq!(found(&["/no/c.conf"]), [0; 0]);
        let own = std::process::id().cast_signed();
        let why = process(own, &[], &["a.conf"]).why_no_file().unwrap();
        assert!(why.contains("runs with `a.conf`, found neither in"), "{why}");
        let why = process(i32::MAX, &[], &["a.conf"]).why_no_file().unwrap();
        assert!(why.contains("runs with `a.conf`, and this user cannot see in which directory"), "{why}");
    }

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
        for other in [
            "vi /etc/exabgp/exabgp.conf",
            "python3 -m http.server",
            "exabgpcli show",
            "exabgp healthcheck --config hc.conf",
            "",
        ] {
            assert_eq!(read_words(other), None, "{other}");
        }
    }
}
