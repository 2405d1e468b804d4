//! The protocol of the control sockets of a running helper: two Unix sockets in one directory.
//!
//! ```text
//!   status.sock    every user may connect; the helper writes its status document, reads nothing, and closes
//!   control.sock   owner and group may connect; one request as a line of JSON, one reply as a line of JSON
//! ```
//!
//! [`client`] is the side of the commands, [`crate::daemon::control`] that of the helper. The helper answers an invalid
//! request with a refusal. It drops a client that is slow or half open after [`CLIENT_TIMEOUT`]; until then that client
//! occupies one of the connections that its user may have. A command gives up after [`CONVERSATION`]; the helper never
//! carries out a request that is older ([`Expiry`]).

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::drain::{FailedRestart, Holder, Lift, Order, Reason};
use crate::engine::hold::HoldOrder;
use crate::probe::own::Asked;
use crate::sys::clock::since_boot;
use crate::text::foreign;

pub mod client;

/// The default directory of the sockets.
pub(crate) const DEFAULT_DIRECTORY: &str = "/run/dnsherald";

/// How long the helper serves a client, from its connection to the last octet of the reply. A command also waits so long
/// for a connection when it asks only whether a helper is there.
pub(crate) const CLIENT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a command waits for the helper: to connect, to write and to read the whole reply. More than
/// [`CLIENT_TIMEOUT`], so that a helper that runs has answered, or has dropped the command, before.
pub(crate) const CONVERSATION: Duration = Duration::from_secs(4);

/// The time after which a request expires. The rest of [`CONVERSATION`] is for its execution and for the reply.
pub(crate) const VALID: Duration = Duration::from_millis(2500);

/// Maximum length of a request, in bytes. That of a failed reload names every zone that is lost, at every address.
pub(crate) const LONGEST_REQUEST: u64 = 4 << 20;

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

/// The requests.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Request {
    /// Drain a service, or all.
    Drain {
        /// Its name; `None` for all.
        service: Option<String>,
        /// The holder, the reason and the end.
        order: Order,
    },
    /// End drains of a service, or of all.
    Undrain {
        /// Its name; `None` for all.
        service: Option<String>,
        /// The holder, and when the drain ends.
        lift: Lift,
    },
    /// Announce a service against its checks.
    Hold {
        /// Its name.
        service: String,
        /// The holder, the reason and the end.
        order: HoldOrder,
    },
    /// End holds of a service, or of all.
    Unhold {
        /// Its name; `None` for all.
        service: Option<String>,
        /// The holder; `None` for all holders.
        holder: Option<Holder>,
    },
    /// Forget the falls of a service, or of all.
    Undampen {
        /// Its name; `None` for all.
        service: Option<String>,
    },
    /// Log the failure of a restart of a server; that of a reload is shown until a reload or a restart
    /// succeeds. Moves no route.
    RestartFailed {
        /// The name of a service of that server.
        service: String,
        /// The failure, and its consequence.
        failed: FailedRestart,
    },
    /// Log that a restart of a server is done. Moves no route.
    Restarted {
        /// The name of a service of that server.
        service: String,
        /// The operation, and the reason if one is given: "restart unbound (new version)".
        what: Reason,
        /// Whether it ran without an operator: then the warning of a failed reload stays.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unattended: bool,
        /// What could not be verified; `None` if every step was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unverified: Option<Reason>,
    },
    /// Count the questions of a command as those of the helper: no client has sent them. Changes nothing else.
    Asked(Asked),
    /// Read the configuration again.
    Reload,
    /// Tell the lines of the history file. Changes nothing.
    History,
    /// Tell what the flight recorder holds. Changes nothing.
    Dump,
}

impl Request {
    /// The service that it names; `None` if it concerns all, or none.
    pub(crate) fn service(&self) -> Option<&str> {
        match self {
            Self::Drain { service, .. }
            | Self::Undrain { service, .. }
            | Self::Unhold { service, .. }
            | Self::Undampen { service } => service.as_deref(),
            Self::Hold { service, .. }
            | Self::RestartFailed { service, .. }
            | Self::Restarted { service, .. } => Some(service),
            Self::Asked(_) | Self::Reload | Self::History | Self::Dump => None,
        }
    }
}

/// The command that sends it, for the log.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, holder) = match self {
            Self::Drain { order, .. } => ("drain", Some(&order.holder)),
            Self::Undrain { lift, .. } => {
                (if lift.once_healthy { "undrain --once-healthy" } else { "undrain" }, lift.holder.as_ref())
            }
            Self::Hold { order, .. } => ("hold", Some(&order.holder)),
            Self::Unhold { holder, .. } => ("unhold", holder.as_ref()),
            Self::Undampen { .. } => ("undampen", None),
            Self::RestartFailed { failed, .. } => ("log a failed restart of", Some(&failed.holder)),
            Self::Restarted { .. } => ("log the restart of", None),
            Self::Asked(_) => return f.write_str("count the questions of a command"),
            Self::Reload => return f.write_str("reload"),
            Self::History => return f.write_str("history"),
            Self::Dump => return f.write_str("dump"),
        };
        write!(f, "{verb} {}", self.service().map_or_else(|| "all services".to_owned(), foreign))?;
        holder.map_or(Ok(()), |holder| write!(f, " as {holder}"))
    }
}

/// A request on the wire.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Envelope {
    /// When the request expires. A helper that was stopped or overloaded must not carry out a request later whose
    /// command has reported a failure.
    pub(crate) expires: Expiry,
    pub(crate) request: Request,
}

/// A point in time after which a request has no effect: milliseconds since the boot of this host (CLOCK_BOOTTIME). Both
/// sides read the same clock; it continues while the host sleeps, and cannot be set.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Expiry(u64);

impl Expiry {
    /// [`VALID`] from now.
    pub(crate) fn soon() -> Self {
        Self::after(since_boot(), VALID)
    }

    fn after(now: Duration, valid: Duration) -> Self {
        Self(u64::try_from((now + valid).as_millis()).unwrap_or(u64::MAX))
    }

    /// For how long the request has been expired; `None` while it is valid. An expiry further away than [`VALID`]
    /// counts as expired.
    #[must_use]
    pub(crate) fn late_by(self) -> Option<Duration> {
        self.late_at(since_boot())
    }

    fn late_at(self, now: Duration) -> Option<Duration> {
        let at = Duration::from_millis(self.0);
        match now.checked_sub(at) {
            Some(late) => Some(late),
            None => (at - now > VALID).then_some(Duration::ZERO),
        }
    }
}

/// The result of a request.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    /// Done for these services. For [`Request::Undrain`] and [`Request::Unhold`] these are the ones that had such an
    /// order; for [`Request::Undampen`] the ones with something to clear, each with what was cleared. For
    /// [`Request::Reload`] these are the lines that the log has of it, or the services that are now configured. For
    /// [`Request::History`] these are the lines of the history, for [`Request::Dump`] the one text of the trace.
    Done(Vec<String>),
    /// Done for these services, but not written to disk: a helper that starts now would not know of it.
    Unsaved(Vec<String>),
    /// Not done, for this reason.
    Refused(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_names_the_command_with_the_option_that_changes_its_effect() {
        let undrain = |once_healthy| {
            let lift = Lift { holder: "maint".parse().ok(), once_healthy, checks: vec![] };
            Request::Undrain { service: None, lift }.to_string()
        };
        assert_eq!(undrain(false), "undrain all services as maint");
        assert_eq!(undrain(true), "undrain --once-healthy all services as maint");
    }

    #[test]
    fn a_request_counts_for_a_while_and_never_again() {
        let now = Duration::from_secs(1000);
        let expiry = Expiry::after(now, VALID);
        assert_eq!(expiry.late_at(now), None);
        assert_eq!(expiry.late_at(now + VALID - Duration::from_millis(1)), None);
        assert_eq!(expiry.late_at(now + VALID), Some(Duration::ZERO));
        assert_eq!(expiry.late_at(now + VALID + CLIENT_TIMEOUT), Some(CLIENT_TIMEOUT));
        assert_eq!(Expiry(u64::MAX).late_at(now), Some(Duration::ZERO), "no command asks for that long");
    }
}
