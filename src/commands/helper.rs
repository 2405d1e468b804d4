//! Finds the running helper, whether the configuration file can be used or not: it may be broken just when the helper
//! is needed.
//!
//! ```text
//!   --control DIR ─► the file ─► what is legible of it ─► the last good one ─► the default ─► every helper that listens
//! ```
//!
//! Each place but the first two may belong to the helper of another file: there the helper is asked which file it was
//! started with.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{complain, host_name};
use crate::cli::Helper as Options;
use crate::config::cite::ConfigError;
use crate::config::salvage::Salvage;
use crate::config::{Config, absolute};
use crate::control::client::Client;
use crate::control::{DEFAULT_DIRECTORY, status_socket};
use crate::daemon::last_good::LastGood;
use crate::status::Document;

/// The sockets that are open on this host, also those of other network namespaces' processes that share the file system.
const SOCKETS: &str = "/proc/net/unix";

/// No more of them are asked.
const MOST: usize = 64;

/// The running helper, as far as it is found, and what its file says.
#[derive(Debug)]
pub(super) struct Helper {
    pub(super) client: Client,
    /// The file, or why it cannot be used.
    pub(super) file: Result<Config, ConfigError>,
    path: PathBuf,
    /// The file of the helper that is found in its place.
    stranger: Option<PathBuf>,
}

impl Helper {
    /// The helper that these options mean. Where none is found, the client says so when it is asked.
    pub(super) fn find(options: &Options) -> Self {
        let path = &options.configuration.config;
        let file = Config::load_file(path, &host_name());
        let mut stranger = None;
        let client = match (&options.control, &file) {
            (Some(directory), _) => Client::new(directory),
            (None, Ok(config)) => {
                let client = Client::new(&config.control);
                if client.is_there() { client } else { elsewhere(path).unwrap_or(client) }
            }
            (None, Err(error)) => elsewhere(path).unwrap_or_else(|| {
                let client = Client::new(&Salvage::from_file(path).control);
                // Without a file, as where none is named, any helper is meant.
                stranger = if error.is_gone() { None } else { client.status().ok() };
                client
            }),
        };
        let stranger = stranger.map(|document| document.configuration);
        Self { client, file, path: path.clone(), stranger }
    }

    /// The helper to be asked.
    ///
    /// # Errors
    /// When only that of another file is found.
    pub(super) fn client(&self) -> anyhow::Result<&Client> {
        match &self.stranger {
            None => Ok(&self.client),
            Some(other) => anyhow::bail!(
                "no helper of {} is found: the one in its place was started with {}; name the directory of the \
                 sockets with --control",
                self.path.display(),
                other.display()
            ),
        }
    }

    /// Says what is wrong with the file, beside the result. What this user may not read is no fault of the file.
    pub(super) fn complain(&self) {
        if let Err(error) = &self.file
            && !error.is_denied()
        {
            complain(&anyhow::anyhow!("note: the configuration cannot be used: {error}"));
        }
    }

    /// The same, unless the helper has said so itself.
    pub(super) fn complain_beside(&self, document: &Document) {
        let is_known =
            |error: &ConfigError| document.trouble.as_ref().is_some_and(|known| *known == error.summary());
        if !self.file.as_ref().is_err_and(is_known) {
            self.complain();
        }
    }

    /// What the file says, or else what the last good one does, which runs in its place. Of that one the commands may
    /// be run only where nobody but this user and root could have written them.
    ///
    /// # Errors
    /// Why neither can be used.
    pub(super) fn into_config(self) -> anyhow::Result<Config> {
        let error = match self.file {
            Ok(config) => return Ok(config),
            Err(error) => error,
        };
        for place in LastGood::places(None, &self.path) {
            let file = place.file().display();
            match place.load(&host_name()) {
                Ok(Some(kept)) => {
                    if let Err(why) = place.is_trusted() {
                        anyhow::bail!(
                            "{error}\nthe last good configuration in {file} is not used, for it names commands, and \
                             others than this user and root can write to it: {why}"
                        );
                    }
                    complain(&anyhow::anyhow!(
                        "{error}\nusing the last good configuration in {file} instead"
                    ));
                    return Ok(kept.config);
                }
                Ok(None) => {}
                Err(why) => anyhow::bail!("{error}\n{why}"),
            }
        }
        anyhow::bail!("{error}")
    }
}

/// The helper of this file, at any place but the one that the file names.
fn elsewhere(path: &Path) -> Option<Client> {
    let salvage = Salvage::from_file(path);
    let kept = LastGood::places(None, path).into_iter().filter_map(|place| place.control());
    let known = [salvage.control].into_iter().chain(kept).chain([DEFAULT_DIRECTORY.into()]);
    let clients = known.map(|directory| Client::new(&directory));
    let listening = || listening(&salvage.state).into_iter().map(|directory| Client::new(&directory));
    let mut clients = clients.chain(std::iter::once_with(listening).flatten());
    clients.find(|client| client.is_there() && client.status().is_ok_and(|document| is_of(&document, path)))
}

/// Whether a helper was started with this file.
fn is_of(document: &Document, path: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    let (its, ours) = (document.configuration.as_path(), absolute(path));
    its == ours || real(its).is_some_and(|its| Some(its) == real(&ours))
}

/// The directories with a socket of a helper of ours, of root's, or of whoever owns one of our directories. Another
/// user's could say anything.
fn listening(state: &Path) -> Vec<PathBuf> {
    let owner = |path: &Path| fs::symlink_metadata(path).map(|found| found.uid()).ok();
    let own =
        [Some(0), Some(rustix::process::geteuid().as_raw()), owner(DEFAULT_DIRECTORY.as_ref()), owner(state)];
    let is_ours = |directory: &PathBuf| {
        [directory.clone(), status_socket(directory)].iter().all(|path| {
            let owner = owner(path);
            owner.is_some() && own.contains(&owner)
        })
    };
    let text = fs::read(SOCKETS).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut found: Vec<_> = text.lines().filter_map(directory).filter(is_ours).collect();
    found.sort();
    found.dedup();
    found.truncate(MOST);
    found
}

/// The directory of a status socket, which was bound beside its place and then renamed.
fn directory(line: &str) -> Option<PathBuf> {
    let at = line.find(" /")?;
    let path = Path::new(&line[at + 1..]);
    path.file_name()?.to_str()?.starts_with("status.").then(|| path.parent().map(Path::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_of_a_socket_is_what_the_kernel_says() {
        let line = |path: &str| format!("0000000000000000: 00000002 00000000 00010000 0001 01 18405 {path}");
        assert_eq!(directory(&line("/run/x y/status.17.new")), Some(PathBuf::from("/run/x y")));
        for other in ["/run/x/control.17.new", "@/run/x/status.17.new", "/run/dbus/socket", ""] {
            assert_eq!(directory(&line(other)), None, "{other}");
        }
    }
}
