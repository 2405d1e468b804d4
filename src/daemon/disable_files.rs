//! Disable-files: an operator's files whose presence drains a service.

use std::path::PathBuf;

use crate::engine::event::{Event, ServiceId};

/// When to look, beside the start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Look {
    /// At every turn of the loop.
    EachTurn,
    /// Right before a round starts, and before what is said of a disabled service is repeated: what `exabgp
    /// healthcheck` does.
    BeforeRounds,
}

/// The disable-files of all services.
#[derive(Debug)]
pub struct DisableFiles {
    /// When to look for them.
    pub look: Look,
    files: Vec<DisableFile>,
}

#[derive(Debug)]
struct DisableFile {
    service: ServiceId,
    name: String,
    path: PathBuf,
    present: bool,
    /// It could not be looked for the last time.
    complained: bool,
}

impl DisableFiles {
    /// None yet.
    #[must_use]
    pub const fn new(look: Look) -> Self {
        Self { look, files: vec![] }
    }

    /// One more, of the service called `name`; `present` is what the engine knows.
    pub fn add(&mut self, service: ServiceId, name: &str, path: PathBuf, present: bool) {
        self.files.push(DisableFile { service, name: name.to_owned(), path, present, complained: false });
    }

    /// Looks at each. What cannot be looked for is taken as it was last, with a warning.
    pub fn look(&mut self) -> Vec<Event> {
        self.files.iter_mut().filter_map(DisableFile::look).collect()
    }
}

impl DisableFile {
    fn look(&mut self) -> Option<Event> {
        let found = self.path.try_exists();
        if let Err(error) = &found
            && !self.complained
        {
            let taken = if self.present { "still there" } else { "absent" };
            log::warn!(
                "service {}: cannot look for the disable-file {}: {error}; taken as {taken}. Every directory above it \
                 must be one that the user whom exabgp runs helpers as can enter",
                self.name,
                self.path.display()
            );
        }
        self.complained = found.is_err();
        let present = found.unwrap_or(self.present);
        (present != std::mem::replace(&mut self.present, present))
            .then_some(Event::DisableFile(self.service, present))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_appears_and_goes_is_told_once_and_what_cannot_be_looked_for_stays() {
        let folder = std::env::temp_dir().join(format!("dnsherald-disable-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        let mut files = DisableFiles::new(Look::EachTurn);
        files.add(ServiceId(3), "resolver", folder.join("off"), false);
        assert_eq!(files.look(), []);
        fs::write(folder.join("off"), "").unwrap();
        assert_eq!(files.look(), [Event::DisableFile(ServiceId(3), true)]);
        assert_eq!(files.look(), []);
        // A file in the place of the directory: nobody, not even root, can look into it.
        fs::remove_dir_all(&folder).unwrap();
        fs::write(&folder, "").unwrap();
        assert_eq!(files.look(), []);
        assert!(files.files[0].complained);
        fs::remove_file(&folder).unwrap();
        assert_eq!(files.look(), [Event::DisableFile(ServiceId(3), false)]);
        assert!(!files.files[0].complained);
    }
}
