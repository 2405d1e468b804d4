//! Writes the drop-in to the directory for the administrator's drop-ins.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::sys::files::{read_text, replace};

/// Where the drop-ins of the administrator are (systemd.unit(5)).
const UNITS: &str = "/etc/systemd/system";

/// The line that identifies a drop-in of ours.
pub(super) const MARK: &str = "# Made by `dnsherald backend hooks ";

/// Maximum size of a drop-in of ours, in octets.
const LONGEST: u64 = 64 * 1024;

/// The change to the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Installed {
    /// The file was created.
    New,
    /// An older drop-in of ours was replaced.
    Replaced,
    /// The file already had this text.
    Same,
}

/// The path of the drop-in of this unit.
pub(crate) fn place_of(unit: &str) -> PathBuf {
    Path::new(UNITS).join(format!("{unit}.d")).join("dnsherald.conf")
}

/// Writes the drop-in to this path atomically. Keeps a file that `backend hooks` has not written.
///
/// # Errors
/// Returns the obstacle and its remedy.
pub(crate) fn install(text: &str, place: &Path) -> Result<Installed, String> {
    let installed = match read_text(place, LONGEST) {
        Err(error) if error.kind() == ErrorKind::NotFound => Installed::New,
        Err(error) => return Err(refused(place, &error.to_string())),
        Ok(found) if found == text => return Ok(Installed::Same),
        Ok(found) if found.lines().any(|line| line.starts_with(MARK)) => Installed::Replaced,
        Ok(_) => return Err(refused(place, "`dnsherald backend hooks` has not made it")),
    };
    write(text, place).map_err(|error| {
        format!(
            "cannot write {}: {error}; run it as root, or print the drop-in without --install",
            place.display()
        )
    })?;
    Ok(installed)
}

fn refused(place: &Path, why: &str) -> String {
    format!(
        "{} is there and is not overwritten: {why}; move it away, or add the lines by hand",
        place.display()
    )
}

fn write(text: &str, place: &Path) -> io::Result<()> {
    let directory = place.parent().ok_or(ErrorKind::InvalidInput)?;
    fs::create_dir_all(directory)?;
    // systemd reads only names that end in `.conf`.
    replace(place, place.with_extension("conf.new"), 0o644, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use super::*;
    use crate::backend::hooks::{StopTime, drop_in};

    #[test]
    fn only_a_drop_in_of_ours_is_overwritten() {
        let directory = std::env::temp_dir().join(format!("dnsherald-install-{}", std::process::id()));
        let place = directory.join("a.service.d/dnsherald.conf");
        let text = |seconds| {
            let drains = Duration::from_secs(seconds);
            drop_in("a.service", &["dnsherald".to_owned()], &[], drains, StopTime::DEFAULT)
        };
        assert_eq!(install(&text(10), &place), Ok(Installed::New));
        assert_eq!(install(&text(10), &place), Ok(Installed::Same));
        assert_eq!(install(&text(500), &place), Ok(Installed::Replaced));
        assert_eq!(fs::read_to_string(&place).unwrap(), text(500));
        fs::write(&place, "[Service]\nTimeoutStopSec=1\n").unwrap();
        let why = install(&text(10), &place).unwrap_err();
        assert!(why.contains("is not overwritten: `dnsherald backend hooks` has not made it"), "{why}");
        fs::remove_file(&place).unwrap();
        fs::write(directory.join("other"), text(10)).unwrap();
        symlink(directory.join("other"), &place).unwrap();
        assert!(install(&text(500), &place).unwrap_err().contains("is not overwritten"));
        assert_eq!(fs::read_to_string(directory.join("other")).unwrap(), text(10));
        assert_eq!(fs::read_dir(place.parent().unwrap()).unwrap().count(), 1, "no draft is left");
        fs::remove_dir_all(directory).unwrap();
        assert_eq!(place_of("a.service"), Path::new("/etc/systemd/system/a.service.d/dnsherald.conf"));
    }
}
