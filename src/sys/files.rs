//! Opens, creates and replaces files without following a symlink that another user may have created.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK, O_PATH};

/// Opens a plain file for reading. Follows no symlink and does not block on a FIFO.
///
/// # Errors
/// If it cannot be opened or is no plain file.
pub(crate) fn open_plain(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no plain file")),
    }
}

/// The text of a plain file.
///
/// # Errors
/// As [`open_plain`] and [`text_of`].
pub(crate) fn read_text(path: &Path, most: u64) -> io::Result<String> {
    text_of(open_plain(path)?, most)
}

/// The content of an opened file.
///
/// # Errors
/// If it cannot be read or has more than `most` octets.
pub(crate) fn content_of(file: File, most: u64) -> io::Result<Vec<u8>> {
    let mut content = vec![];
    match file.take(most + 1).read_to_end(&mut content)? as u64 > most {
        true => Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {most} octets"))),
        false => Ok(content),
    }
}

/// The text of an opened file.
///
/// # Errors
/// As [`content_of`], and if it is not UTF-8.
pub(crate) fn text_of(file: File, most: u64) -> io::Result<String> {
    String::from_utf8(content_of(file, most)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8"))
}

/// Creates a new file with this mode, regardless of the umask.
///
/// # Errors
/// If the path exists, even as a symlink, or the file cannot be created.
pub(crate) fn create(path: &Path, mode: u32) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode & 0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(file)
}

/// Sets the mode of the file at a path if `is_meant` accepts it. Follows no symlink.
///
/// # Errors
/// If it is another kind of file, or its mode cannot be set.
pub(crate) fn set_mode(
    path: &Path,
    mode: u32,
    is_meant: impl FnOnce(&fs::Metadata) -> bool,
) -> io::Result<()> {
    let found = OpenOptions::new().read(true).custom_flags(O_PATH | O_NOFOLLOW).open(path)?;
    if !is_meant(&found.metadata()?) {
        return Err(io::Error::other(format!("{} was exchanged by another process", path.display())));
    }
    // The kernel refuses fchmod on an `O_PATH` descriptor, but follows its name in `/proc` to the opened file.
    fs::set_permissions(format!("/proc/self/fd/{}", found.as_raw_fd()), Permissions::from_mode(mode))
}

/// Replaces a file: writes `beside`, in the same directory, and renames it. When this returns, the content is on disk.
/// If it fails at any point, the previous file is still there.
///
/// # Errors
/// If the content cannot be written or synced, or the file cannot be renamed.
pub(crate) fn replace(path: &Path, beside: PathBuf, mode: u32, content: &[u8]) -> io::Result<()> {
    let (mut draft, mut file) = Draft::create(beside, mode)?;
    file.write_all(content)?;
    file.sync_all()?;
    draft.replaces(path)?;
    sync_directory_of(path)
}

/// Syncs the directory of a file, so that a rename in it is on disk.
///
/// # Errors
/// If the directory cannot be synced, on a file system that supports it.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    match path.parent().map(|directory| File::open(directory)?.sync_all()) {
        Some(Err(error)) if error.kind() != io::ErrorKind::InvalidInput => Err(error),
        _ => Ok(()),
    }
}

/// Removes the temporary files `FILE.PID.new` of processes that were killed before they replaced this file.
pub(crate) fn remove_leftovers(path: &Path) {
    let Some((directory, name)) = path.parent().zip(path.file_name()) else { return };
    let prefix = format!("{}.", name.to_string_lossy());
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let found = entry.file_name();
        let found = found.to_string_lossy();
        let pid = found.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".new"));
        if pid.is_some_and(|pid| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A temporary file that replaces another one once it is complete. If dropped before that, it is removed.
#[derive(Debug)]
pub(crate) struct Draft {
    path: PathBuf,
    is_placed: bool,
}

impl Draft {
    /// Creates an empty file with this name and mode, and returns it opened for writing. Replaces one that a killed
    /// process has left.
    ///
    /// # Errors
    /// If it cannot be created.
    pub(crate) fn create(path: PathBuf, mode: u32) -> io::Result<(Self, File)> {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = create(&path, mode)?;
        Ok((Self { path, is_placed: false }, file))
    }

    /// Renames it to replace this file.
    ///
    /// # Errors
    /// If the rename fails.
    pub(crate) fn replaces(&mut self, other: &Path) -> io::Result<()> {
        fs::rename(&self.path, other)?;
        self.is_placed = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_placed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("dnsherald-files-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn only_a_plain_file_is_read() {
        let directory = directory("read");
        let [plain, link, pipe] = ["plain", "link", "pipe"].map(|name| directory.join(name));
        fs::write(&plain, "text").unwrap();
        symlink(&plain, &link).unwrap();
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(read_text(&plain, 4).unwrap(), "text");
        assert!(read_text(&plain, 3).unwrap_err().to_string().contains("more than 3 octets"));
        for other in [&link, &pipe, &directory] {
            assert!(read_text(other, 4).is_err(), "{}", other.display());
        }
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_link_in_the_place_of_a_draft_is_replaced_and_not_followed() {
        let directory = directory("draft");
        let [precious, beside, file] = ["precious", "file.new", "file"].map(|name| directory.join(name));
        fs::write(&precious, "kept").unwrap();
        fs::set_permissions(&precious, Permissions::from_mode(0o600)).unwrap();
        symlink(&precious, &beside).unwrap();
        assert!(create(&beside, 0o640).is_err());
        let (mut draft, mut written) = Draft::create(beside.clone(), 0o640).unwrap();
        written.write_all(b"new").unwrap();
        draft.replaces(&file).unwrap();
        drop(draft);
        assert_eq!((fs::read_to_string(&file).unwrap().as_str(), mode(&file)), ("new", 0o640));
        assert_eq!((fs::read_to_string(&precious).unwrap().as_str(), mode(&precious)), ("kept", 0o600));

        let (mut draft, _) = Draft::create(beside.clone(), 0o640).unwrap();
        assert!(draft.replaces(&directory).is_err());
        drop(draft);
        assert!(!beside.exists(), "it has come to nothing");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_mode_is_set_on_the_file_and_never_through_a_link() {
        let directory = directory("mode");
        let [precious, link] = ["precious", "link"].map(|name| directory.join(name));
        fs::write(&precious, "").unwrap();
        fs::set_permissions(&precious, Permissions::from_mode(0o600)).unwrap();
        symlink(&precious, &link).unwrap();
        assert!(set_mode(&link, 0o666, fs::Metadata::is_file).is_err());
        assert!(set_mode(&precious, 0o666, fs::Metadata::is_dir).is_err());
        assert_eq!(mode(&precious), 0o600);
        set_mode(&precious, 0o640, fs::Metadata::is_file).unwrap();
        assert_eq!(mode(&precious), 0o640);
        fs::remove_dir_all(directory).unwrap();
    }
}
