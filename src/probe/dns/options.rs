//! The options of a question: the bits of its header, EDNS, a cookie, and what follows a truncated answer.

use std::fmt;
use std::num::NonZeroU16;

/// Octets offered with EDNS by default: what fits into one packet of IPv6's smallest MTU.
pub(super) const PAYLOAD: u16 = 1232;

/// Octets of a response over UDP without EDNS, at most (RFC 1035 §4.2.1).
pub(crate) const PLAIN_PAYLOAD: u16 = 512;

/// Whether the question has EDNS (RFC 6891).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum EdnsUse {
    /// Only where something needs it: DO, a cookie, NSID.
    #[default]
    AsNeeded,
    /// With this many octets offered for a response over UDP.
    Offer(NonZeroU16),
    /// Without, as the oldest clients ask.
    Never,
}

impl EdnsUse {
    /// The octets to offer in EDNS, or `None` for a question without. `needed`: something else needs EDNS.
    pub(super) fn offer(self, needed: bool) -> Option<u16> {
        match self {
            Self::Offer(octets) => Some(octets.get()),
            Self::AsNeeded if needed => Some(PAYLOAD),
            Self::AsNeeded | Self::Never => None,
        }
    }
}

/// The options of a question. By default only RD is set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Options {
    /// RD: requests recursion.
    pub(crate) recursion_desired: bool,
    /// CD: a validating resolver answers even if validation fails (RFC 4035 §3.2.2).
    pub(crate) checking_disabled: bool,
    /// AD: the client understands that bit in the answer (RFC 6840 §5.7).
    pub(crate) authentic_data: bool,
    /// DO: the client wants signatures (RFC 3225).
    pub(crate) dnssec_ok: bool,
    /// EDNS and its payload size.
    pub(crate) edns: EdnsUse,
    /// Whether a cookie is sent (RFC 7873).
    pub(crate) cookie: bool,
    /// Whether a truncated answer over UDP is replaced by the answer over TCP.
    pub(crate) follow_truncation: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            recursion_desired: true,
            checking_disabled: false,
            authentic_data: false,
            dnssec_ok: false,
            edns: EdnsUse::default(),
            cookie: false,
            follow_truncation: false,
        }
    }
}

/// The options besides RD that differ from the default: "cd, do, cookie, edns 1232"; empty if none does.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            (self.checking_disabled, "cd"),
            (self.authentic_data, "ad"),
            (self.dnssec_ok, "do"),
            (self.cookie, "cookie"),
            (self.follow_truncation, "follow-truncation"),
        ];
        let mut all: Vec<_> =
            words.iter().filter(|(is_set, _)| *is_set).map(|(_, word)| (*word).to_owned()).collect();
        match self.edns {
            EdnsUse::AsNeeded => {}
            EdnsUse::Offer(octets) => all.push(format!("edns {octets}")),
            EdnsUse::Never => all.push("no edns".to_owned()),
        }
        f.write_str(&all.join(", "))
    }
}
