//! The conversation with a helper that runs: two Unix sockets in one directory.
//!
//! ```text
//!   status.sock    anybody may connect; the helper writes its status document, reads nothing, and closes
//!   control.sock   owner and group may connect; one request as a line of JSON, one reply as a line of JSON
//! ```
//!
//! [`client`] is the side of the commands, [`crate::daemon::control`] that of the helper. A client that is slow, half
//! open or talks nonsense is dropped after [`PATIENCE`]; it holds up nobody but those who wait for a turn.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::drain::{Lift, Order};

pub mod client;

/// Where the sockets are unless the configuration says otherwise.
pub const DEFAULT_DIRECTORY: &str = "/run/dnsherald";

/// How long either side waits for the other.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// No request is longer, in bytes.
pub const LONGEST_REQUEST: u64 = 4096;

/// The socket of the status document.
#[must_use]
pub fn status_socket(directory: &Path) -> PathBuf {
    directory.join("status.sock")
}

/// The socket for requests.
#[must_use]
pub fn control_socket(directory: &Path) -> PathBuf {
    directory.join("control.sock")
}

/// What a helper can be asked to do.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Request {
    /// Drain a service, or all.
    Drain {
        /// Its name; `None` for all.
        service: Option<String>,
        /// Whose wish, why, and for how long.
        order: Order,
    },
    /// End drains of a service, or of all.
    Undrain {
        /// Its name; `None` for all.
        service: Option<String>,
        /// Whose, and when.
        lift: Lift,
    },
    /// Forget the falls of a service, or of all.
    Undampen {
        /// Its name; `None` for all.
        service: Option<String>,
    },
    /// Read the configuration again.
    Reload,
}

/// What became of a request.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It is done, for these services; of [`Request::Undampen`], what was cleared of each that had anything.
    Done(Vec<String>),
    /// It is done, for these services, but it is not written down: a helper that starts now would not know of it.
    Unsaved(Vec<String>),
    /// It is not, and why.
    Refused(String),
}
