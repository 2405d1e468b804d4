//! The expectations of an answer, parsed once and compared as values, not as text.

use std::time::Duration;

use hickory_resolver::proto::rr::RData;

use super::{Flag, Rcodes};

mod bounds;
mod data;
mod pattern;

pub(crate) use self::bounds::Bounds;
pub(crate) use self::data::record_data;
pub(crate) use self::pattern::Pattern;

/// The conditions for a response to pass. By default only the response code NOERROR.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Expectation {
    /// The response codes that pass.
    pub(crate) rcodes: Rcodes,
    /// The expected flags; all must hold.
    pub(crate) flags: Vec<Flag>,
    /// Whether NOERROR needs a record of any type in the answer section.
    pub(crate) not_empty: bool,
    /// The minimum number of answer records of the queried type.
    pub(crate) min_answers: usize,
    /// The maximum number of answer records of the queried type.
    pub(crate) max_answers: Option<usize>,
    /// The number of records of the authority section.
    pub(crate) authority: Bounds<usize>,
    /// The number of records of the additional section, without OPT.
    pub(crate) additional: Bounds<usize>,
    /// Records that must all be among the answers, see [`record_data`].
    pub(crate) all_of: Vec<RData>,
    /// Records of which one must be among the answers; empty for no condition.
    pub(crate) any_of: Vec<RData>,
    /// The answers of the type asked must be these and no others, in any order.
    pub(crate) exactly: Option<Vec<RData>>,
    /// The data of one answer must match it, as [`Display`](std::fmt::Display) shows that data.
    pub(crate) matches: Option<Pattern>,
    /// Whether the answer must be without CNAME.
    pub(crate) no_cname: bool,
    /// The time to live of each record of the answer section, in seconds.
    pub(crate) ttl: Bounds<u32>,
    /// The length of the response in octets.
    pub(crate) size: Bounds<usize>,
    /// Each RRset of the answer must have an RRSIG that is valid now and for so long.
    pub(crate) signature_left: Option<Duration>,
    /// The name server identifier (RFC 5001) in the notation of [`Finding::nsid`](super::Finding::nsid). The query asks
    /// for it if it is expected.
    pub(crate) nsid: Option<String>,
    /// A later answer is too slow.
    pub(crate) max_latency: Option<Duration>,
}

impl Expectation {
    /// Any response passes.
    pub(crate) fn anything() -> Self {
        Self { rcodes: Rcodes::any_but([]), ..Self::default() }
    }
}
