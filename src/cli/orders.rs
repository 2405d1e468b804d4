//! Options of the commands that operate: `drain`, `undrain`, `hold`, `unhold`, `undampen`.

use clap::Args;

use super::{Helper, above_zero};
use crate::engine::drain::Holder;
use crate::engine::hold::HoldTime;
use crate::text::period::Period;

fn drain_time(text: &str) -> Result<Period, String> {
    above_zero(text, "a drain of no time would end before it withdraws")
}

/// Options of `drain`.
#[derive(Args, Debug)]
pub(crate) struct Drain {
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// Only this service; default: all services, and those that a reload adds while the drain lasts
    pub(crate) service: Option<String>,
    /// End the drain after this time, such as 2h or 90s; default: it lasts until `undrain`
    #[arg(long = "for", value_name = "TIME", value_parser = drain_time)]
    pub(crate) lasts: Option<Period>,
    /// End the drain with the running helper, so that the next helper does not inherit it
    ///
    /// For units that drain before ExaBGP or the host stops: the services return at the next start without `undrain`.
    #[arg(long)]
    pub(crate) until_exit: bool,
    /// The reason, shown by `status`
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// The holder; only `undrain` with the same name, or with no name, ends the drain; default: the calling user ($SUDO_USER
    /// under sudo)
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) holder: Option<Holder>,
    /// Return when ExaBGP has acknowledged the withdraws and the backend of the service is quiet, or `max-wait` is over
    ///
    /// The command waits up to 30 seconds for ExaBGP, and for the backend as its `quiet-for` and `max-wait` say. It prints
    /// whether the backend became quiet; the exit status does not depend on it.
    #[arg(long)]
    pub(crate) wait: bool,
}

/// Options of `undrain`.
#[derive(Args, Debug)]
pub(crate) struct Undrain {
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// Only this service; this also removes it from a drain of all
    pub(crate) service: Option<String>,
    /// Only the drain of this holder
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) holder: Option<Holder>,
    /// Keep the drain until no check takes the service down, after all have begun anew; those that a hold overrode when the drains
    /// began do not count
    #[arg(long)]
    pub(crate) once_healthy: bool,
    /// Return when the services are announced and ExaBGP has acknowledged that
    ///
    /// The command waits up to 60 seconds. It fails at once if another drain, a disable-file or `enabled = false` keeps a
    /// service withdrawn.
    #[arg(long)]
    pub(crate) wait: bool,
    /// If there is no drain to end, print nothing and exit with 0
    #[arg(long)]
    pub(crate) quiet_if_none: bool,
}

/// Options of `hold`.
#[derive(Args, Debug)]
pub(crate) struct Hold {
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// The service
    pub(crate) service: String,
    /// End the hold after this time, such as 2h or 90s; at most 24h
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) lasts: HoldTime,
    /// The reason, shown by `status`
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// The holder; default: the calling user ($SUDO_USER under sudo)
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) holder: Option<Holder>,
    /// Return when the service is announced and ExaBGP has acknowledged that, after at most 60 seconds
    #[arg(long)]
    pub(crate) wait: bool,
}

/// Options of `unhold`.
#[derive(Args, Debug)]
pub(crate) struct Unhold {
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// Only this service
    pub(crate) service: Option<String>,
    /// Only the hold of this holder
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) holder: Option<Holder>,
    /// If there is no hold to end, print nothing and exit with 0
    #[arg(long)]
    pub(crate) quiet_if_none: bool,
}

/// Options of `undampen`.
#[derive(Args, Debug)]
pub(crate) struct Undampen {
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// Only this service
    pub(crate) service: Option<String>,
    /// If there is nothing to clear, print nothing and exit with 0
    #[arg(long)]
    pub(crate) quiet_if_none: bool,
}
