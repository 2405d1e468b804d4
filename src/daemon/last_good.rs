//! Stores the last good configuration, for a start at which the file cannot be used.
//!
//! ```text
//!   first verdicts ──► <state>/<file name without extension>-<hash of its path>.last-good.toml ──► start with a broken file
//! ```
//!
//! The stored file is the text of the configuration after two comment lines. The second line binds it to the absolute
//! path of the configuration and to the machine-id: a copy on another host must not announce the prefixes of this one.
//! It is used completely or not at all, and only if its checksum matches.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::store;
use super::timestamp::Timestamp;
use crate::config::cite::Source;
use crate::config::salvage::Salvage;
use crate::config::{Config, DEFAULT_STATE, Origin, absolute};
use crate::sys::trusted_path::{is_trusted_directory, trusted_entry};
use crate::text::fnv::fnv64;

pub(crate) use self::saver::Saver;

mod saver;

/// The format, to recognize foreign and newer files.
const FORMAT: &str = "# dnsherald last good configuration 1";

/// Files with the machine-id; the second on hosts without systemd.
const MACHINE_IDS: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/// The binding of a stored file to a host and a configuration, and its checksum.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Binding {
    configuration: PathBuf,
    machine_id: String,
    version: String,
    /// FNV-1a of the text, in 64 bits.
    checksum: u64,
    #[serde(flatten)]
    timestamp: Timestamp,
}

/// The stored configuration of a configuration file on this host.
#[derive(Clone, Debug, PartialEq)]
pub struct LastGood {
    file: PathBuf,
    configuration: PathBuf,
    machine_id: Option<String>,
}

/// A last good configuration.
#[derive(Debug)]
pub(crate) struct SavedConfig {
    pub(crate) config: Config,
    pub(crate) file: PathBuf,
    /// Its age; `None` if the clock was set back since.
    pub(crate) age: Option<Duration>,
}

impl LastGood {
    /// The stored configuration of a file, in a state directory.
    #[must_use]
    pub fn new(state: &Path, configuration: &Path) -> Self {
        let configuration = absolute(configuration);
        let file = store::file_of(state, &configuration, "last-good.toml");
        Self { file, configuration, machine_id: machine_id() }
    }

    /// All candidates for a file that cannot be used: in the given state directory, else in the one that the file names
    /// and in the default one.
    pub(crate) fn places(given: Option<&Path>, configuration: &Path) -> Vec<Self> {
        let state = Salvage::from_file(configuration).state;
        let mut states =
            given.map_or_else(|| vec![state.as_path(), DEFAULT_STATE.as_ref()], |state| vec![state]);
        states.dedup();
        states.into_iter().map(|state| Self::new(state, configuration)).collect()
    }

    /// The path of the stored file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Loads the stored configuration for the host of this name. Returns `None` if there is none.
    ///
    /// # Errors
    /// Returns an error that says why it cannot be used.
    pub(crate) fn load(&self, host: &str) -> Result<Option<SavedConfig>, String> {
        match store::read(&self.file) {
            Ok(text) => self.resolve(&text, host).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
        .map_err(|why| {
            format!("the last good configuration in {} cannot be used: {why}", self.file.display())
        })
    }

    /// Checks that only root and this user can write the file. Otherwise its commands must not be run.
    ///
    /// # Errors
    /// Returns an error with the path that another user can change.
    pub(crate) fn check_trusted(&self) -> io::Result<()> {
        self.file.parent().map_or(Ok(()), is_trusted_directory)?;
        trusted_entry(&self.file, false).map(drop)
    }

    /// The socket directory that it names, even if the configuration is invalid.
    pub(crate) fn control(&self) -> Option<PathBuf> {
        store::read(&self.file).ok().map(|text| Salvage::from_text(&text).control)
    }

    fn resolve(&self, text: &str, host: &str) -> Result<SavedConfig, String> {
        let mut parts = text.splitn(3, '\n');
        let (format, binding, body) = (parts.next(), parts.next(), parts.next());
        if format != Some(FORMAT) {
            return Err(format!("it has another format, expected `{FORMAT}`"));
        }
        let binding: Binding = serde_json::from_str(binding.unwrap_or_default().trim_start_matches("# "))
            .map_err(|error| format!("its second line is invalid: {error}"))?;
        let body = body.unwrap_or_default();
        if binding.checksum != fnv64(body.as_bytes()) {
            return Err("it is incomplete or was edited: its checksum does not match".to_owned());
        }
        if binding.configuration != self.configuration {
            return Err(format!("it belongs to the configuration {}", binding.configuration.display()));
        }
        if self.machine_id.as_ref() != Some(&binding.machine_id) {
            return Err("it comes from another machine: the machine-id differs".to_owned());
        }
        // Parse it with the two lines, so that errors have the line numbers of the stored file.
        let config = Config::resolve(Source { path: &self.file, text }, host).map_err(|error| {
            format!("version {} accepted it, this version does not: {error}", binding.version)
        })?;
        let origin = Origin { file: self.configuration.clone(), text: body.to_owned() };
        let config = Config { origin: Some(Arc::new(origin)), ..config };
        Ok(SavedConfig { config, file: self.file.clone(), age: binding.timestamp.age().ok() })
    }

    /// Stores a text.
    ///
    /// # Errors
    /// Returns an error if this host has no machine-id or the file cannot be written.
    pub(crate) fn save(&self, text: &str) -> io::Result<()> {
        let Some(machine_id) = self.machine_id.clone() else {
            let [first, second] = MACHINE_IDS;
            return Err(io::Error::other(format!("this host has no machine-id in {first} or {second}")));
        };
        let binding = Binding {
            configuration: self.configuration.clone(),
            machine_id,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            checksum: fnv64(text.as_bytes()),
            timestamp: Timestamp::now(),
        };
        store::write(&self.file, &format!("{FORMAT}\n# {}\n{text}", serde_json::to_string(&binding)?))
    }

    pub(crate) fn remove(&self) {
        let _ = fs::remove_file(&self.file);
    }
}

fn machine_id() -> Option<String> {
    let read = |path| fs::read_to_string(path).ok().map(|text: String| text.trim().to_owned());
    // During the first boot systemd stores `uninitialized` there.
    let is_one = |id: &String| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    MACHINE_IDS.into_iter().filter_map(read).find(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "[node]\nmanagement = [\"10.1.0.2\"]\n[[service]]\nname = \"r\"\nprefixes = [\"192.0.2.53/32\"]\n";

    fn last_good(name: &str) -> (PathBuf, LastGood) {
        let state = std::env::temp_dir().join(format!("dnsherald-last-good-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&state);
        let machine_id = Some("0123456789abcdef0123456789abcdef".to_owned());
        let last_good = LastGood { machine_id, ..LastGood::new(&state, Path::new("/etc/x/pop.toml")) };
        (state, last_good)
    }

    #[test]
    fn loads_a_stored_configuration() {
        let (state, last_good) = last_good("kept");
        assert!(last_good.load("host").unwrap().is_none());
        last_good.save(TEXT).unwrap();
        let kept = last_good.load("host").unwrap().unwrap();
        assert_eq!(kept.config.services[0].name, "r");
        let origin = kept.config.origin.unwrap();
        assert_eq!((origin.file.as_path(), origin.text.as_str()), (Path::new("/etc/x/pop.toml"), TEXT));
        assert!(kept.age.is_some_and(|age| age < Duration::from_secs(60)));
        fs::remove_dir_all(state).unwrap();
    }

    #[test]
    fn refuses_foreign_and_incomplete_files() {
        let (state, last_good) = last_good("bound");
        last_good.save(TEXT).unwrap();
        let refusal = |last_good: &LastGood| last_good.load("host").unwrap_err();
        let elsewhere = LastGood { machine_id: Some("f".repeat(32)), ..last_good.clone() };
        assert!(refusal(&elsewhere).contains("another machine"));
        assert!(refusal(&LastGood { machine_id: None, ..last_good.clone() }).contains("another machine"));
        let other = LastGood { configuration: "/etc/y.toml".into(), ..last_good.clone() };
        assert!(refusal(&other).contains("belongs to the configuration /etc/x/pop.toml"));
        let whole = fs::read_to_string(&last_good.file).unwrap();
        for (text, why) in [
            (whole[..whole.len() - 9].to_owned(), "incomplete"),
            (whole.replace("10.1.0.2", "10.1.0.3"), "incomplete"),
            (whole.replace("configuration 1", "configuration 2"), "another format"),
            (String::new(), "another format"),
            (format!("{FORMAT}\n# nonsense\n"), "second line"),
        ] {
            fs::write(&last_good.file, text).unwrap();
            assert!(refusal(&last_good).contains(why), "{}", refusal(&last_good));
        }
        // Written by a newer version.
        last_good.save(&format!("{TEXT}quantum = true\n")).unwrap();
        let why = refusal(&last_good);
        assert!(why.contains(".last-good.toml:8:1: unknown key `quantum`"), "{why}");
        fs::remove_dir_all(state).unwrap();
    }

    #[test]
    fn stores_nothing_without_a_machine_id() {
        let (state, last_good) = last_good("no-machine");
        let error = LastGood { machine_id: None, ..last_good }.save(TEXT).unwrap_err();
        assert!(error.to_string().contains("no machine-id"), "{error}");
        assert!(!state.exists());
    }

    #[test]
    fn does_not_trust_a_file_that_others_can_write() {
        use std::os::unix::fs::PermissionsExt;
        let (state, last_good) = last_good("trusted");
        assert!(last_good.check_trusted().is_err());
        last_good.save(TEXT).unwrap();
        assert!(last_good.check_trusted().is_ok());
        fs::set_permissions(&state, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(last_good.check_trusted().is_err());
        fs::remove_dir_all(state).unwrap();
    }
}
