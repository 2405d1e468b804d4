//! `doctor`: finds what is wrong on this host, and tells the remedy of each finding.
//!
//! ```text
//! files, processes, units, sockets, questions ─► gather ─► Facts ─► CHECKS ─► Report
//!                                                        (data)    (pure)
//! ```
//!
//! [`gather`] reads and asks; it writes nothing, and needs neither a helper nor root. Each check of [`CHECKS`] is a pure
//! function of the [`Facts`]. A fact that is not known gives no finding: the report says that the check was not made,
//! and why.

use serde::Serialize;

use self::facts::{Facts, Known};
use self::finding::{Examined, Finding, Severity};

pub(crate) mod facts;
pub(crate) mod finding;
pub(crate) mod gather;

mod conf;
mod host;
mod neighbors;
mod running;
mod server;
mod sharing;
mod units;

#[cfg(test)]
mod tests;

/// A check: its name, and its function, which fails with the reason why the check cannot be made.
type Check = (&'static str, fn(&Facts) -> Known<Examined>);

/// Every check, in the order of the report.
const CHECKS: &[Check] = &[
    ("configuration", conf::configuration),
    ("ExaBGP version", conf::version),
    ("acknowledgments", conf::acks),
    ("helper process", conf::process),
    ("respawn", conf::respawn),
    ("ExaBGP and helper", running::helper),
    ("BGP sessions", running::sessions),
    ("processes of neighbors", neighbors::listed),
    ("address families", neighbors::families),
    ("next hop", neighbors::next_hop),
    ("graceful restart", neighbors::graceful_restart),
    ("hold time", neighbors::hold_time),
    ("kept routes", neighbors::adj_rib_out),
    ("permissions", host::access),
    ("addresses", host::addresses),
    ("configuration of the server", server::configuration),
    ("listeners", server::listeners),
    ("servers of a port", sharing::servers),
    ("answers", server::answers),
    ("rate limit", server::rate_limit),
    ("way back", host::ways),
    ("reverse path filter", host::reverse_path),
    ("exabgp.service", units::exabgp),
    ("hooks of backends", units::backends),
    ("clock", host::clock),
];

/// The result of all checks, as the JSON document has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Report {
    /// The findings, worst first.
    pub(crate) findings: Vec<Finding>,
    /// The checks that could not be made, or not in full.
    pub(crate) not_checked: Vec<NotChecked>,
    /// The number of checks that were made in full.
    pub(crate) checked: usize,
    /// The number of all checks.
    pub(crate) checks: usize,
}

/// A check that could not be made, or not in full.
#[derive(Debug, Eq, PartialEq, Serialize)]
pub(crate) struct NotChecked {
    /// Its name.
    pub(crate) check: &'static str,
    /// The reason.
    pub(crate) why: String,
}

impl Report {
    /// Makes every check.
    pub(crate) fn from_facts(facts: &Facts) -> Self {
        let (mut findings, mut not_checked, mut checked) = (vec![], vec![], 0);
        for (check, examine) in CHECKS {
            let examined = examine(facts);
            let examined =
                examined.unwrap_or_else(|why| Examined { unknown: vec![why], ..Examined::default() });
            checked += usize::from(examined.unknown.is_empty());
            findings.extend(examined.findings);
            not_checked.extend(examined.unknown.into_iter().map(|why| NotChecked { check, why }));
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        Self { findings, not_checked, checked, checks: CHECKS.len() }
    }

    /// The severity of the worst finding.
    pub(crate) fn worst(&self) -> Option<Severity> {
        self.findings.first().map(|finding| finding.severity)
    }
}
