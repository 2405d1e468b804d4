//! The `dns` table of a check: questions, transport and expectations.

use std::num::NonZeroUsize;

use serde::Deserialize;

use super::Placed;
use crate::config::value::{OneOrMany, Server, Text, Unscoped, WrittenEdns};
use crate::probe::dns::{Flag, Pattern, Pin, Query, Transport};
use crate::text::period::Period;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::config) struct Dns {
    pub(in crate::config) query: Placed<Text<Query>>,
    #[serde(default)]
    pub(in crate::config) queries: Vec<Text<Query>>,
    pub(in crate::config) validates: Placed<Validates>,
    pub(in crate::config) server: Placed<OneOrMany<Server>>,
    pub(in crate::config) source: Placed<OneOrMany<Unscoped>>,
    #[serde(default)]
    pub(in crate::config) each_source: bool,
    pub(in crate::config) transport: Placed<OneOrMany<Transport>>,
    pub(in crate::config) pass: Placed<usize>,
    pub(in crate::config) max_in_flight: Option<NonZeroUsize>,
    #[serde(default)]
    pub(in crate::config) partial: bool,
    #[serde(default)]
    pub(in crate::config) once_seen: bool,
    #[serde(default = "yes")]
    pub(in crate::config) recursion_desired: bool,
    #[serde(default)]
    pub(in crate::config) checking_disabled: bool,
    #[serde(default)]
    pub(in crate::config) authentic_data: bool,
    #[serde(default)]
    pub(in crate::config) dnssec_ok: bool,
    #[serde(default)]
    pub(in crate::config) edns: WrittenEdns,
    #[serde(default)]
    pub(in crate::config) cookie: bool,
    pub(in crate::config) follow_truncation: Placed<bool>,
    pub(in crate::config) tls: Placed<Tls>,
    #[serde(default)]
    pub(in crate::config) expect: Expect,
}

const fn yes() -> bool {
    true
}

/// The expectations of a certificate, and the path of DNS over HTTPS.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::config) struct Tls {
    pub(in crate::config) name: Placed<String>,
    pub(in crate::config) pin: OneOrMany<Pin>,
    pub(in crate::config) certificate_left: Placed<Period>,
    pub(in crate::config) path: Placed<String>,
}

/// A name whose signatures are valid, and one whose signatures are not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::config) struct Validates {
    pub(in crate::config) good: Text<Query>,
    pub(in crate::config) bogus: Text<Query>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::config) struct Expect {
    pub(in crate::config) rcode: Placed<OneOrMany<String>>,
    pub(in crate::config) flags: Placed<OneOrMany<Flag>>,
    pub(in crate::config) not_empty: Placed<bool>,
    pub(in crate::config) min_answers: Placed<usize>,
    pub(in crate::config) max_answers: Placed<usize>,
    pub(in crate::config) min_authority: Placed<usize>,
    pub(in crate::config) max_authority: Placed<usize>,
    pub(in crate::config) min_additional: Placed<usize>,
    pub(in crate::config) max_additional: Placed<usize>,
    pub(in crate::config) all_of: Placed<OneOrMany<String>>,
    pub(in crate::config) any_of: Placed<OneOrMany<String>>,
    pub(in crate::config) exactly: Placed<OneOrMany<String>>,
    pub(in crate::config) matches: Placed<Text<Pattern>>,
    pub(in crate::config) no_cname: Placed<bool>,
    pub(in crate::config) min_ttl: Placed<Period>,
    pub(in crate::config) max_ttl: Placed<Period>,
    pub(in crate::config) min_size: Placed<usize>,
    pub(in crate::config) max_size: Placed<usize>,
    pub(in crate::config) signature_left: Placed<Period>,
    pub(in crate::config) nsid: Option<String>,
    pub(in crate::config) max_latency: Placed<Period>,
}
