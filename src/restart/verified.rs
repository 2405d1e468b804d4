//! The zones that the server served after the last operation whose steps were all verified, kept on disk.
//!
//! ```text
//!  restart, reload or rollback, every step verified ─► the zones that the server serves then, saved
//!  next operation, and the server does not answer before it ─► the saved zones count as those before
//! ```
//!
//! Without it nothing would be known of the zones of a server that has crashed or hangs.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::snapshot::Snapshot;
use crate::backend::Backend;
use crate::backend::answers::Zone;
use crate::backend::served::{Served, Source};
use crate::config::Config;
use crate::sys::local_time;
use crate::text::parse_json;

/// The name of the document.
const NAME: &str = "verified.json";

/// A zone as it was served: its name, the address that was queried, whether clients query it, and the serial.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct SavedZone(String, SocketAddr, bool, u32);

impl SavedZone {
    /// `None` for a zone that was not served.
    pub(super) fn from_served(zone: &Zone) -> Option<Self> {
        let serial = zone.serial.filter(|_| zone.is_served())?;
        Some(Self(zone.zone.clone(), zone.server, zone.is_service, serial))
    }
}

impl From<SavedZone> for Zone {
    fn from(SavedZone(zone, server, is_service, serial): SavedZone) -> Self {
        Self { zone, server, is_service, serial: Some(serial), trouble: None, cause: None }
    }
}

/// The zones of the last verified operation.
#[derive(Debug)]
pub(crate) struct Verified {
    at: SystemTime,
    pub(crate) zones: Vec<Zone>,
}

impl Verified {
    /// Those of this backend; `None` if none were saved, or they cannot be read, which is logged.
    pub(crate) fn load(config: &Config, backend: &Backend) -> Option<Self> {
        let document = match Snapshot::new(&config.state, backend).read_document(NAME) {
            Ok(document) => document,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => {
                log::warn!("cannot read the zones that the server served before: {error}");
                return None;
            }
        };
        let (at, zones): (_, Vec<SavedZone>) = parse_json(&document).ok()?;
        Some(Self { at, zones: zones.into_iter().map(Zone::from).collect() })
    }

    /// Saves the zones that are `served`, if the server lists its zones. If they cannot be saved, this is only logged.
    pub(crate) fn save(config: &Config, backend: &Backend, served: &Served) {
        if served.source != Source::Server {
            return;
        }
        let zones: Vec<_> = served.all().filter_map(SavedZone::from_served).collect();
        let snapshot = Snapshot::new(&config.state, backend);
        let saved = serde_json::to_vec(&(SystemTime::now(), zones))
            .map_err(Into::into)
            .and_then(|document| snapshot.write(NAME, &document));
        if let Err(error) = saved {
            let place = snapshot.directory.display();
            log::warn!(
                "cannot save the zones of the server in {place}, so a restart of a server that does not answer would not \
                 be compared with them: {error}"
            );
        }
    }

    /// What the operator reads where these zones count as those before.
    pub(crate) fn note(&self) -> String {
        let at = local_time::Zone::from_this_host().at(self.at);
        format!("the server did not say which zones it serves: those that it served at {at} count as before")
    }
}
