//! Options of `history`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::SystemTime;

use clap::Args;

use super::Helper;
use crate::text::period::Period;

/// Options of `history`.
#[derive(Args, Debug)]
pub(crate) struct HistoryOptions {
    /// How to find the running helper.
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// Only this service, and what concerns all
    pub(crate) service: Option<String>,
    /// Only from this time on: a period such as 2h ago, or a time in UTC such as 2026-11-26T22:04:31Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Since>,
    /// Print one line of JSON for each entry
    #[arg(long)]
    pub(crate) json: bool,
    /// Write what the flight recorder of the running helper holds to a new file, as a trace for `simulate`
    ///
    /// It holds the last events since the start or the last reload: more than an hour of a service with six checks at
    /// defaults, more or less with `control.recorder`. The minute before a service went down is kept in a file anyway,
    /// which `history` names.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["service", "since", "json"])]
    pub(crate) dump: Option<PathBuf>,
}

/// A point in time: a period ago, or a time of day with its date.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since(pub(crate) SystemTime);

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ago = text.parse().ok().and_then(|Period(ago)| SystemTime::now().checked_sub(ago));
        ago.or_else(|| humantime::parse_rfc3339_weak(text).ok()).map(Self).ok_or_else(|| {
            format!(
                "`{text}` is no time, expected a period such as 2h, or a time such as 2026-11-26T22:04:31Z"
            )
        })
    }
}
