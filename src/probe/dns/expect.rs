//! The expectations of an answer, parsed once and compared as values, not as text.

use std::time::Duration;

use hickory_resolver::proto::rr::RData;

use super::{Flag, Rcode, Rcodes};

mod bounds;
mod data;
mod pattern;

pub(crate) use self::bounds::Bounds;
pub(crate) use self::data::record_data;
pub(crate) use self::pattern::Pattern;

/// The conditions for a response to pass. By default only the response code NOERROR.
#[derive(Clone, Debug, PartialEq)]
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

impl Default for Expectation {
    fn default() -> Self {
        Self {
            rcodes: Rcodes::one_of([Rcode::NOERROR]),
            flags: Vec::new(),
            not_empty: false,
            min_answers: 0,
            max_answers: None,
            authority: Bounds::default(),
            additional: Bounds::default(),
            all_of: Vec::new(),
            any_of: Vec::new(),
            exactly: None,
            matches: None,
            no_cname: false,
            ttl: Bounds::default(),
            size: Bounds::default(),
            signature_left: None,
            nsid: None,
            max_latency: None,
        }
    }
}

impl Expectation {
    /// Any response passes.
    #[must_use]
    pub(crate) fn anything() -> Self {
        Self { rcodes: Rcodes::any_but([]), ..Self::default() }
    }
}
