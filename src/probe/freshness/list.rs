//! Where the names of the zones come from: the configuration, a file, a catalog zone, or the server itself.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::ask::Server;
use super::catalog;
use super::ledger::MOST_ZONES;
use crate::probe::dns::Query;
use crate::text::foreign;
use crate::text::period::Period;

/// Maximum size of a file of zones, in octets.
const MOST_OCTETS: u64 = 64 * 1024 * 1024;

/// Longest time to read a list, from all its sources together.
const LIMIT: Duration = Duration::from_secs(10);

/// A server that lists its zones.
pub(crate) trait ZoneLister: fmt::Debug + Send + Sync {
    /// The names as the server prints them, or why there are none.
    fn list(&self) -> BoxFuture<'_, Result<Vec<String>, String>>;

    /// The name of the server in the configuration.
    fn name(&self) -> &str;
}

/// The source of the names.
#[derive(Clone, Debug)]
pub(crate) enum ZoneSource {
    /// The configuration: names in lower case, with their last dot.
    Named(Vec<String>),
    /// A file with a name in each line.
    File(PathBuf),
    /// A catalog zone (RFC 9432), transferred from the first reference that permits it.
    Catalog(String),
    /// The server's own list.
    Listed(Arc<dyn ZoneLister>),
}

impl PartialEq for ZoneSource {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Named(one), Self::Named(other)) => one == other,
            (Self::File(one), Self::File(other)) => one == other,
            (Self::Catalog(one), Self::Catalog(other)) => one == other,
            // Two listers are equal if their `Debug` output is.
            (Self::Listed(one), Self::Listed(other)) => format!("{one:?}") == format!("{other:?}"),
            _ => false,
        }
    }
}

impl fmt::Display for ZoneSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(names) => match names.as_slice() {
                [one] => write!(f, "zone {one}"),
                several => write!(f, "{} zones", several.len()),
            },
            Self::File(path) => write!(f, "zones in {}", path.display()),
            Self::Catalog(name) => write!(f, "members of catalog zone {name}"),
            Self::Listed(lister) => write!(f, "zones that backend {} lists", lister.name()),
        }
    }
}

/// A list of zones.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct List {
    /// In lower case, with their last dots; sorted, unless they are in the configuration.
    pub(super) names: Vec<String>,
    /// About entries that were left out.
    pub(super) complaint: Option<String>,
}

impl ZoneSource {
    /// Reads the list.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn read(&self, references: &[Server]) -> Result<List, String> {
        match timeout(LIMIT, self.read_now(references)).await {
            Ok(list) => list,
            Err(_) => Err(format!("{self}: not read within {}", Period(LIMIT))),
        }
    }

    async fn read_now(&self, references: &[Server]) -> Result<List, String> {
        match self {
            Self::Named(names) => Ok(List { names: names.clone(), complaint: None }),
            Self::File(path) => {
                let path = path.clone();
                // A slow disk must not hold up the loop.
                off_the_loop(move || from_file(&path)).await
            }
            Self::Catalog(name) => {
                let mut first = None;
                for server in references {
                    match catalog::members(server, name).await {
                        Ok(members) => return zone_names(members).await,
                        Err(why) => first = first.or(Some(why)),
                    }
                }
                Err(first.unwrap_or_else(|| "no reference to transfer the catalog zone from".to_owned()))
            }
            Self::Listed(lister) => zone_names(lister.list().await?).await,
        }
    }
}

/// Runs work that blocks, or takes long, on another thread.
async fn off_the_loop(work: impl FnOnce() -> Result<List, String> + Send + 'static) -> Result<List, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.to_string()))
}

/// The names among these. Half a million take a second.
async fn zone_names(texts: Vec<String>) -> Result<List, String> {
    off_the_loop(move || Ok(zone_names_of(texts.iter().map(String::as_str)))).await
}

/// A name in lower case, with its last dot; `None` if the text is no name of a zone.
pub(crate) fn zone_name(text: &str) -> Option<String> {
    let query: Query = format!("{text} SOA").parse().ok()?;
    let shown = query.to_string();
    Some(shown.strip_suffix(" SOA")?.to_ascii_lowercase())
}

/// The names among these; the others are counted, and the first of them is named.
fn zone_names_of<'a>(texts: impl Iterator<Item = &'a str>) -> List {
    let (mut list, mut odd, mut first) = (List::default(), 0, None);
    for text in texts {
        match zone_name(text) {
            Some(name) if list.names.len() < MOST_ZONES => list.names.push(name),
            _ => {
                odd += 1;
                first.get_or_insert_with(|| foreign(text));
            }
        }
    }
    // The loop then merges them in little time.
    list.names.sort_unstable();
    list.complaint = first.map(|first| {
        format!(
            "{odd} entries left out, the first is `{first}`, expected at most {MOST_ZONES} names of zones"
        )
    });
    list
}

fn from_file(path: &Path) -> Result<List, String> {
    let complain = |error: io::Error| format!("cannot read {}: {error}", path.display());
    // Opening a pipe without a writer blocks.
    if !std::fs::metadata(path).map_err(complain)?.is_file() {
        return Err(format!("{} is not a regular file", path.display()));
    }
    let mut text = String::new();
    let file = File::open(path).map_err(complain)?;
    let read = file.take(MOST_OCTETS + 1).read_to_string(&mut text).map_err(complain)?;
    if read as u64 > MOST_OCTETS {
        return Err(format!("{} has more than {} MiB", path.display(), MOST_OCTETS >> 20));
    }
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let mut list = zone_names_of(lines.filter(|line| !line.is_empty()));
    list.complaint = list.complaint.map(|complaint| format!("{}: {complaint}", path.display()));
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_name_in_each_line() {
        let directory = std::env::temp_dir().join(format!("dnsherald-zones-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("zones");
        std::fs::write(&path, "# ours\nExample.ORG\n\n example.net. # old\nbad..name\ntwo words\n").unwrap();
        let list = from_file(&path).unwrap();
        assert_eq!(list.names, ["example.net.", "example.org."]);
        let complaint = list.complaint.unwrap();
        assert!(complaint.contains("2 entries left out, the first is `bad..name`"), "{complaint}");
        assert!(from_file(&directory).unwrap_err().ends_with("is not a regular file"));
        std::fs::write(&path, b"\xff\xfe").unwrap();
        assert!(from_file(&path).unwrap_err().contains("valid UTF-8"));
        assert!(
            from_file(Path::new("/nowhere/zones")).unwrap_err().starts_with("cannot read /nowhere/zones")
        );
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_zone_has_one_name() {
        assert_eq!(zone_name("Example.org").as_deref(), Some("example.org."));
        assert_eq!(zone_name(".").as_deref(), Some("."));
        for none in ["", "a b", "a..b", "a\\032b", "é", "a SOA"] {
            assert_eq!(zone_name(none), None, "{none}");
        }
    }
}
