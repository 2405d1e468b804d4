//! Finds the running helper, even if the configuration file is broken.
//!
//! ```text
//!   --control DIR ─► the file ─► its readable parts ─► the last good one ─► the default ─► every listening helper
//! ```
//!
//! All places except the first two may belong to the helper of another file, so the command asks that helper for its file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use super::trouble_ahead::TroubleAhead;
use super::{complain, host_name};
use crate::cli::Helper as Options;
use crate::config::cite::ConfigError;
use crate::config::salvage::Salvage;
use crate::config::{Config, absolute};
use crate::control::client::Client;
use crate::control::{CLIENT_TIMEOUT, DEFAULT_DIRECTORY, Request, status_socket};
use crate::daemon::last_good::LastGood;
use crate::status::Document;

/// The open Unix sockets of this network namespace. That of a helper in another one is not listed, but can be connected to.
const SOCKETS: &str = "/proc/net/unix";

/// Maximum number of helpers to ask.
const MAX_ASKED: usize = 64;

/// The running helper, if found, and its configuration.
#[derive(Debug)]
pub(super) struct Helper {
    pub(super) client: Client,
    /// The configuration, or its error.
    pub(super) file: Result<Config, ConfigError>,
    path: PathBuf,
    /// The file of a helper that was found but runs with another file.
    other_file: Option<PathBuf>,
}

impl Helper {
    /// Finds the helper of these options. If there is none, requests to the client fail.
    pub(super) fn find(options: &Options) -> Self {
        let path = &options.configuration.config;
        let file = Config::load_file(path, &host_name());
        let mut other_file = None;
        let client = match (&options.control, &file) {
            (Some(directory), _) => Client::new(directory),
            (None, Ok(config)) => find_at(&config.control, path),
            (None, Err(error)) => find_elsewhere(path).unwrap_or_else(|| {
                let client = Client::new(&Salvage::from_file(path).control);
                // Without a file, any helper counts.
                other_file = if error.is_gone() { None } else { client.status().ok() };
                client
            }),
        };
        let other_file = other_file.map(|document| document.configuration);
        Self { client, file, path: path.clone(), other_file }
    }

    /// The client of the helper.
    ///
    /// # Errors
    /// Returns an error if only a helper with another file is found.
    pub(super) fn client(&self) -> anyhow::Result<&Client> {
        match &self.other_file {
            None => Ok(&self.client),
            Some(other) => anyhow::bail!(
                "no helper of {} found: the helper at its sockets was started with {}; name the directory of the \
                 sockets with --control",
                self.path.display(),
                other.display()
            ),
        }
    }

    /// The status of the helper.
    ///
    /// # Errors
    /// Returns an error if no helper with this file answers.
    pub(super) fn status(&self) -> anyhow::Result<Document> {
        self.client()?.status()
    }

    /// Prints the error of the file as a note. Skips a missing permission, which is no error of the file.
    pub(super) fn print_file_error(&self) {
        self.print_error_of_file("");
    }

    /// Prints the error of the file, and what follows from it.
    fn print_error_of_file(&self, then: &str) {
        if let Err(error) = &self.file
            && !error.is_denied()
        {
            complain(&anyhow::anyhow!(
                "note: the configuration cannot be used: {}; {then}`dnsherald check-config` shows every error",
                error.summary()
            ));
        }
    }

    /// Prints the error of the file, and what a restart of the helper would do, unless the helper has reported it.
    pub(super) fn print_file_error_unless_known(&self, document: &Document) {
        let is_known =
            |error: &ConfigError| document.trouble.as_ref().is_some_and(|known| *known == error.summary());
        match (&self.file, self.trouble_ahead(document)) {
            (Err(error), _) if is_known(error) => {}
            (Err(error), ahead) if !error.is_denied() => {
                self.print_error_of_file(
                    &ahead.map_or_else(String::new, |ahead| format!("{}; ", ahead.then)),
                );
            }
            (_, Some(ahead)) => complain(&anyhow::anyhow!("note: {ahead}")),
            (_, None) => {}
        }
    }

    /// What a restart of a helper that runs with what it has read before would do, and why; `None` if it would read the
    /// file, or is known to have another configuration in force.
    pub(super) fn trouble_ahead(&self, document: &Document) -> Option<TroubleAhead> {
        if document.trouble.is_some() || !uses_file(document, &self.path) {
            return None;
        }
        match &self.file {
            Err(error) if !error.is_denied() => Some(TroubleAhead::from_error(document, &self.path, error)),
            // That this user may read the file, or may not, says nothing about the user of the helper.
            Ok(_) | Err(_) => TroubleAhead::from_denied(document),
        }
    }

    /// Returns the configuration, or the last good one, which the helper uses instead. Refuses one that other users can
    /// write, because it names commands.
    ///
    /// # Errors
    /// Returns an error if neither can be used.
    pub(super) fn into_config(self) -> anyhow::Result<Config> {
        match self.file {
            Ok(config) => Ok(config),
            Err(ref error) => self.last_good(error),
        }
    }

    /// The last good configuration instead of a file with this error.
    ///
    /// # Errors
    /// Returns an error if none can be used.
    pub(super) fn last_good(&self, error: &ConfigError) -> anyhow::Result<Config> {
        for place in LastGood::places(None, &self.path) {
            let file = place.file().display();
            match place.load(&host_name()) {
                Ok(Some(kept)) => {
                    // Its remedy, another owner of the directory, would take the state from the helper.
                    if place.check_trusted().is_err() {
                        anyhow::bail!(
                            "{error}\nthe last good configuration in {file} is not used, because users other than this one and root can \
                             write it, and it may name commands: correct the configuration file first (`dnsherald check-config`)"
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

    /// Prints the error of the file as a note, and sends the request. Returns the client and the answer.
    ///
    /// # Errors
    /// Returns an error if no helper answers, or if it refuses the request.
    pub(super) fn ask(self, request: &Request) -> anyhow::Result<(Client, Vec<String>)> {
        self.print_file_error();
        let answer = self.client()?.ask(request)?;
        Ok((self.client, answer))
    }
}

/// Finds the helper, then as [`Helper::ask`].
///
/// # Errors
/// As [`Helper::ask`].
pub(super) fn ask(options: &Options, request: &Request) -> anyhow::Result<(Client, Vec<String>)> {
    Helper::find(options).ask(request)
}

/// What a restart of the helper of this valid file would do because it may not read it.
pub(super) fn trouble_of_permission(config: &Config, path: &Path) -> Option<TroubleAhead> {
    let document = status_of(config, path).filter(|document| document.trouble.is_none())?;
    TroubleAhead::from_denied(&document)
}

/// The status of the helper of this file; `None` if none with it answers in time, or this user may not ask it.
pub(super) fn status_of(config: &Config, path: &Path) -> Option<Document> {
    let (asked, answer) = mpsc::channel();
    let (control, path) = (config.control.clone(), path.to_owned());
    // A helper that is stopped must not delay the command for long.
    let ask = move || {
        let document = find_at(&control, &path).status().ok();
        drop(asked.send(document.filter(|document| uses_file(document, &path))));
    };
    thread::Builder::new().name("ask".into()).spawn(ask).ok()?;
    answer.recv_timeout(CLIENT_TIMEOUT).ok()?
}

/// The helper of this file with its sockets in this directory, or elsewhere if none listens there.
fn find_at(control: &Path, path: &Path) -> Client {
    let client = Client::new(control);
    if client.is_there() { client } else { find_elsewhere(path).unwrap_or(client) }
}

/// Finds the helper of this file without its configuration: where its readable parts say, and at every later place.
fn find_elsewhere(path: &Path) -> Option<Client> {
    let salvage = Salvage::from_file(path);
    let kept = LastGood::places(None, path).into_iter().filter_map(|place| place.control());
    let known = [salvage.control].into_iter().chain(kept).chain([DEFAULT_DIRECTORY.into()]);
    let clients = known.map(|directory| Client::new(&directory));
    let listening = || listening(&salvage.state).into_iter().map(|directory| Client::new(&directory));
    let mut clients = clients.chain(std::iter::once_with(listening).flatten());
    clients
        .find(|client| client.is_there() && client.status().is_ok_and(|document| uses_file(&document, path)))
}

/// Whether a helper was started with this file.
fn uses_file(document: &Document, path: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    let (its, ours) = (document.configuration.as_path(), absolute(path));
    its == ours || real(its).is_some_and(|its| Some(its) == real(&ours))
}

/// The directories with sockets of helpers that belong to this user, root, or the owner of one of our directories.
/// Sockets of other users are not trusted.
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
    found.sort_unstable();
    found.dedup();
    found.truncate(MAX_ASKED);
    found
}

/// The directory of a status socket in a line of the kernel. The name is the temporary one, because the socket was
/// renamed.
fn directory(line: &str) -> Option<PathBuf> {
    let at = line.find(" /")?;
    let path = Path::new(&line[at + 1..]);
    path.file_name()?.to_str()?.starts_with("status.").then(|| path.parent().map(Path::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_directory_of_a_socket() {
        let line = |path: &str| format!("0000000000000000: 00000002 00000000 00010000 0001 01 18405 {path}");
        assert_eq!(directory(&line("/run/x y/status.17.new")), Some(PathBuf::from("/run/x y")));
        for other in ["/run/x/control.17.new", "@/run/x/status.17.new", "/run/dbus/socket", ""] {
            assert_eq!(directory(&line(other)), None, "{other}");
        }
    }
}
