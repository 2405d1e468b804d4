//! Where programs are found.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::End;

/// Searched after `PATH`: a user other than root often does not have the directories of control programs there.
const SYSTEM: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The absolute directories of `PATH`, then those of the system.
pub(super) fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let mut directories: Vec<_> =
        std::env::split_paths(&path).filter(|directory| directory.is_absolute()).collect();
    for directory in SYSTEM.map(PathBuf::from) {
        if !directories.contains(&directory) {
            directories.push(directory);
        }
    }
    directories
}

/// The file of a program: `name` itself if it contains a `/`, otherwise the first executable one in the search path.
pub(super) fn find(name: &str, path: &[PathBuf]) -> Result<PathBuf, End> {
    if name.contains('/') {
        return Ok(name.into());
    }
    let is_program = |file: &PathBuf| {
        fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    path.iter().map(|directory| directory.join(name)).find(is_program).ok_or(End::Missing)
}
