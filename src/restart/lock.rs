//! Allows one restart at a time for the directory of the sockets, and no reload beside it; reloads share the lock. A holder
//! writes its name into the file, and the kernel releases the lock when it exits.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use nix::unistd::{geteuid, getppid};
use rustix::fs::{major, minor};

use super::baseline::descends_from;
use crate::backend::Trouble;
use crate::sys::trusted_path::user;
use crate::text::{foreign, foreign_octets};

/// The mode of the file: a process that can open it can hold the lock, so only its owner and root may.
const MODE: u32 = 0o600;

/// What the holder does, in the file.
const RESTARTS: &str = "restarts";
const RELOADS: &str = "reloads";

/// The locks of all processes that this one can see.
const LOCKS: &str = "/proc/locks";

/// The lock, held until it is dropped or the process exits.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock in this directory for a restart, in the name of a backend.
    ///
    /// # Errors
    /// If another process holds it, or its directory cannot be used.
    pub(crate) fn acquire(directory: &Path, backend: &str) -> Result<Self, Trouble> {
        Self::take(directory, RESTARTS, backend)
            .map_err(|(Refused::Held(why) | Refused::Unusable(why))| Trouble::new(why))
    }

    /// Shares the same lock with other reloads. Without the directory of a helper there is no restart to exclude.
    ///
    /// # Errors
    /// If a restart holds it.
    pub(crate) fn for_reload(directory: &Path, backend: &str) -> Result<Option<Self>, Trouble> {
        match Self::take(directory, RELOADS, backend) {
            Ok(lock) => Ok(Some(lock)),
            Err(Refused::Held(why)) => Err(Trouble::new(why)),
            Err(Refused::Unusable(why)) => {
                if directory.exists() {
                    log::warn!("whether a restart is under way is not known: {why}");
                }
                Ok(None)
            }
        }
    }

    fn take(directory: &Path, does: &str, backend: &str) -> Result<Self, Refused> {
        let path = directory.join("restart.lock");
        let cannot = |error: io::Error| Refused::Unusable(format!("cannot lock {}: {error}", path.display()));
        let mut file = open(&path, directory).map_err(cannot)?;
        let locked = if does == RELOADS { file.try_lock_shared() } else { file.try_lock() };
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Refused::Held(held(&path, file))),
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        file.set_len(0).map_err(cannot)?;
        let _ = writeln!(file, "process {} {does} {backend}", std::process::id());
        Ok(Self { _file: file })
    }
}

/// Why the lock cannot be taken, in a sentence.
enum Refused {
    /// Another process holds it.
    Held(String),
    /// The file or its directory cannot be used.
    Unusable(String),
}

/// A process that holds the lock, in a sentence. The last restart or reload that took it has written its name; an earlier
/// reload beside it, and another program that has opened the file, are not named.
fn held(path: &Path, file: File) -> String {
    let holder = holder(&file);
    let mut note = String::new();
    let _ = file.take(200).read_to_string(&mut note);
    let note = foreign(note.trim());
    let what = if note.contains(&format!(" {RELOADS} ")) { "a reload" } else { "another restart" };
    let Some(holder) = holder else {
        return format!("{what} is under way: {note}: try again once it has ended");
    };
    let command = fs::read(format!("/proc/{holder}/cmdline")).unwrap_or_default();
    let command: Vec<_> = command.split(|octet| *octet == 0).filter(|word| !word.is_empty()).collect();
    let command = foreign(&foreign_octets(&command.join(&b' ')));
    if [RESTARTS, RELOADS].iter().any(|does| note.starts_with(&format!("process {holder} {does} "))) {
        // Such as a command that `backend restart --command` runs.
        if i32::try_from(holder).is_ok_and(|holder| descends_from(getppid().as_raw(), holder)) {
            return format!(
                "{what} is under way: {note}, and runs this command: call the server's own command here, or run `dnsherald \
                 backend restart --reload` in place of `--command`"
            );
        }
        format!("{what} is under way: {note} (`{command}`): try again once it has ended")
    } else {
        let or = if note.contains(&format!(" {RELOADS} ")) { "" } else { ", or end it" };
        format!(
            "process {holder} (`{command}`) holds {}, expected only a restart or a reload to do so: wait for that process{or}",
            path.display()
        )
    }
}

/// A process that holds the lock of this file, if this process can see it.
fn holder(file: &File) -> Option<u32> {
    let found = file.metadata().ok()?;
    let (device, inode) = (found.dev(), found.ino());
    let place = format!("{:02x}:{:02x}:{inode}", major(device), minor(device));
    let locks = fs::read_to_string(LOCKS).ok()?;
    holder_in(&locks, &place)
}

/// From lines such as `3: FLOCK  ADVISORY  WRITE 14522 fe:00:5506089 0 EOF`; one with `->` only waits.
fn holder_in(locks: &str, place: &str) -> Option<u32> {
    locks.lines().find_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [_, "FLOCK", _, _, process, at, ..] if at == place => process.parse().ok().filter(|pid| *pid != 0),
        _ => None,
    })
}

/// Opens the file of the lock. A new file gets the owner of the directory: root restarts, and so does the helper's user
/// later. That user may have put a link or another file there; root neither follows nor changes it.
fn open(path: &Path, directory: &Path) -> io::Result<File> {
    let owner = fs::metadata(directory)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(MODE).custom_flags(O_NOFOLLOW | O_NONBLOCK);
    let file = match options.clone().create_new(true).open(path) {
        Ok(file) => {
            // Only root can change the owner, and only for root it is needed.
            let _ = fchown(&file, Some(owner.uid()), Some(owner.gid()));
            file
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(path)?,
        Err(error) => return Err(error),
    };
    let found = file.metadata()?;
    let own = geteuid().as_raw();
    if !found.is_file() || found.nlink() != 1 {
        return Err(io::Error::other("expected a plain file with one name: remove it"));
    }
    if ![0, owner.uid(), own].contains(&found.uid()) {
        let (other, owner) = (user(found.uid()), user(owner.uid()));
        return Err(io::Error::other(format!("it belongs to {other}, expected {owner}: remove it")));
    }
    // A file of an earlier version, or of an administrator, may be open to a group.
    if found.mode() & 0o7777 != MODE && [0, found.uid()].contains(&own) {
        file.set_permissions(Permissions::from_mode(MODE))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    #[test]
    fn one_restart_at_a_time_and_no_reload_beside_it() {
        let directory = std::env::temp_dir().join(format!("dnsherald-lock-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let first = Lock::acquire(&directory, "unbound").unwrap();
        let refused = Lock::acquire(&directory, "named").unwrap_err().why;
        let expected =
            format!("another restart is under way: process {} restarts unbound (`", std::process::id());
        assert!(refused.starts_with(&expected), "{refused}");
        assert!(refused.contains("dnsherald-"), "its command: {refused}");
        let reload = Lock::for_reload(&directory, "unbound").unwrap_err().why;
        assert!(reload.starts_with(&expected), "{reload}");
        drop(first);
        let other = Lock::for_reload(&directory, "nsd").unwrap();
        let reload = Lock::for_reload(&directory, "unbound").unwrap();
        assert!(other.is_some() && reload.is_some(), "several servers are reloaded at the same time");
        let refused = Lock::acquire(&directory, "named").unwrap_err().why;
        let expected = format!("a reload is under way: process {} reloads unbound (`", std::process::id());
        assert!(refused.starts_with(&expected), "{refused}");
        drop((other, reload));
        assert!(Lock::acquire(&directory, "named").is_ok());
        fs::remove_dir_all(&directory).unwrap();
        assert!(Lock::acquire(&directory, "named").unwrap_err().why.starts_with("cannot lock "));
        assert!(Lock::for_reload(&directory, "named").unwrap().is_none(), "no helper, no restart");
    }

    #[test]
    fn the_owner_of_the_directory_can_take_the_lock_after_root() {
        let directory = std::env::temp_dir().join(format!("dnsherald-lock-owner-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        // If the test does not run as root, the test's user owns the directory and the lock.
        let _ = chown(&directory, Some(65534), Some(65534));
        let owner = |path: &Path| fs::metadata(path).unwrap().uid();
        let _lock = Lock::acquire(&directory, "unbound").unwrap();
        assert_eq!(owner(&directory.join("restart.lock")), owner(&directory));
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_link_is_not_followed() {
        let directory = std::env::temp_dir().join(format!("dnsherald-lock-link-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("precious"), "kept").unwrap();
        symlink(directory.join("precious"), directory.join("restart.lock")).unwrap();
        assert!(Lock::acquire(&directory, "unbound").unwrap_err().why.starts_with("cannot lock "));
        assert_eq!(fs::read_to_string(directory.join("precious")).unwrap(), "kept");
        fs::remove_dir_all(directory).unwrap();
    }

    /// As a member of the group with access to the sockets would.
    #[test]
    fn only_its_owner_can_hold_it() {
        let directory = std::env::temp_dir().join(format!("dnsherald-lock-mode-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("restart.lock");
        let mode = || fs::metadata(&path).unwrap().mode() & 0o7777;
        drop(Lock::acquire(&directory, "unbound").unwrap());
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, Permissions::from_mode(0o660)).unwrap();
        drop(Lock::acquire(&directory, "unbound").unwrap());
        assert_eq!(mode(), 0o600, "it was made by an earlier version");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn another_program_that_holds_it_is_named() {
        let directory = std::env::temp_dir().join(format!("dnsherald-lock-holder-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("restart.lock");
        drop(Lock::acquire(&directory, "unbound").unwrap());
        let mut other = std::process::Command::new("flock")
            .args([
                path.as_os_str(),
                "sh".as_ref(),
                "-c".as_ref(),
                "echo held; read end; # \u{1b}[2J".as_ref(),
            ])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut held = [0; 5];
        other.stdout.take().unwrap().read_exact(&mut held).unwrap();
        let why = Lock::acquire(&directory, "unbound").unwrap_err().why;
        drop(other.stdin.take());
        other.wait().unwrap();
        assert!(why.starts_with("process "), "{why}");
        assert!(
            why.contains("echo held; read end") && why.contains("restart.lock, expected only a"),
            "{why}"
        );
        assert!(!why.contains('\u{1b}'), "{why}");
        Lock::acquire(&directory, "unbound").unwrap();
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_path_that_is_not_a_regular_lock_file_is_refused() {
        let directory = std::env::temp_dir().join(format!("dnsherald-lock-file-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (precious, path) = (directory.join("precious"), directory.join("restart.lock"));
        fs::write(&precious, "kept").unwrap();
        fs::hard_link(&precious, &path).unwrap();
        let why = || Lock::acquire(&directory, "unbound").unwrap_err().why;
        assert!(why().ends_with("expected a plain file with one name: remove it"), "{}", why());
        assert_eq!(fs::read_to_string(&precious).unwrap(), "kept");
        fs::remove_file(&precious).unwrap();
        if geteuid().is_root() {
            chown(&path, Some(64_731), None).unwrap();
            assert!(why().ends_with("it belongs to user 64731, expected root: remove it"), "{}", why());
        }
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_holder_is_known_by_device_and_inode() {
        let locks = "1: -> FLOCK  ADVISORY  WRITE 7 fe:00:12 0 EOF\n2: POSIX  ADVISORY  WRITE 8 fe:00:12 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 9 fe:00:13 0 EOF\n4: FLOCK  ADVISORY  WRITE 10 fe:00:12 0 EOF\n";
        assert_eq!(holder_in(locks, "fe:00:12"), Some(10));
        assert_eq!(holder_in(locks, "fe:00:14"), None);
    }
}
