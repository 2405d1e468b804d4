//! Options of the commands that operate: `drain`, `undrain`, `hold`, `unhold`, `undampen`.

use clap::Args;

use super::Helper;
use crate::engine::drain::Holder;
use crate::engine::hold::HoldTime;
use crate::text::period::Period;

/// Options of `drain`.
#[derive(Args, Debug)]
pub struct Drain {
    /// Which running helper.
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// Only this service; without it all, and whatever service is added until `undrain`
    pub(crate) service: Option<String>,
    /// End by itself after this time, such as 2h or 90s; else it lasts until `undrain`
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) lasts: Option<Period>,
    /// End with the running helper: the one that ExaBGP starts next knows nothing of it
    ///
    /// For units that drain before something stops: whatever is started anew then, nothing is left to be lifted.
    #[arg(long)]
    pub(crate) until_exit: bool,
    /// Why, for whoever looks at the status
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// In whose name, which only that name and `undrain` without one can end; by default the user who asks ($SUDO_USER
    /// under sudo)
    #[arg(long = "as", value_name = "NAME")]
    pub holder: Option<Holder>,
    /// Come back when ExaBGP has acknowledged the withdraws, and the service's backend is quiet
    ///
    /// ExaBGP is waited for up to 30 seconds, the backend as its `quiet-for` and `max-wait` say.
    #[arg(long)]
    pub(crate) wait: bool,
}

/// Options of `undrain`.
#[derive(Args, Debug)]
pub struct Undrain {
    /// Which running helper.
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// Only this service, which is taken out of a drain of all, too
    pub(crate) service: Option<String>,
    /// Only the drain in this name
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) holder: Option<Holder>,
    /// Not before the checks have found anew that the server is well
    #[arg(long)]
    pub(crate) once_healthy: bool,
    /// Come back when the services are announced and ExaBGP has acknowledged that
    ///
    /// Waits up to 60 seconds. Fails at once where another drain, a disable-file or `enabled = false` keeps a service
    /// withdrawn.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Where there is no drain to end, say nothing and exit with 0
    #[arg(long)]
    pub(crate) quiet_if_none: bool,
}

/// Options of `hold`.
#[derive(Args, Debug)]
pub struct Hold {
    /// Which running helper.
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// The service
    pub(crate) service: String,
    /// End by itself after this time, such as 2h or 90s; at most 24h
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) lasts: HoldTime,
    /// Why, for whoever looks at the status
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// In whose name; by default the user who asks ($SUDO_USER under sudo)
    #[arg(long = "as", value_name = "NAME")]
    pub holder: Option<Holder>,
    /// Come back when the service is announced and ExaBGP has acknowledged that, after 60 seconds at the latest
    #[arg(long)]
    pub(crate) wait: bool,
}

/// Options of `unhold`.
#[derive(Args, Debug)]
pub struct Unhold {
    /// Which running helper.
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// Only this service
    pub(crate) service: Option<String>,
    /// Only the hold in this name
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) holder: Option<Holder>,
    /// Where there is no hold to end, say nothing and exit with 0
    #[arg(long)]
    pub(crate) quiet_if_none: bool,
}

/// Options of `undampen`.
#[derive(Args, Debug)]
pub struct Undampen {
    /// Which running helper.
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// Only this service
    pub(crate) service: Option<String>,
    /// Where there is nothing to clear, say nothing and exit with 0
    #[arg(long)]
    pub(crate) quiet_if_none: bool,
}
