//! Describes one probe: server, question, transport and expectations.

use std::fmt;

use crate::probe::dns::{DnsProbe, Expectation, Transport};
use crate::text::joined;
use crate::text::period::Period;

pub(super) struct ProbeShown<'a>(pub(super) &'a DnsProbe);

impl fmt::Display for ProbeShown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (probe, expect) = (self.0, self.0.question.expect());
        write!(f, "{probe}")?;
        if let Some(source) = probe.source {
            write!(f, " from {source}")?;
        }
        let options = probe.question.options().to_string();
        if !options.is_empty() {
            write!(f, " ({options})")?;
        }
        write!(f, ": {}", expect.rcodes)?;
        for flag in &expect.flags {
            write!(f, ", {flag}")?;
        }
        records(f, expect)?;
        measures(f, expect)?;
        if probe.transport.is_encrypted() { certificate(f, probe) } else { Ok(()) }
    }
}

/// The expectations of the certificate.
fn certificate(f: &mut fmt::Formatter<'_>, probe: &DnsProbe) -> fmt::Result {
    let tls = probe.question.tls();
    if probe.transport == Transport::Https {
        write!(f, ", at {}", tls.path)?;
    }
    match &tls.name {
        Some(name) => write!(f, ", certificate for {}", name.to_str())?,
        None => write!(f, ", certificate for any name")?,
    }
    if !tls.pins.is_empty() {
        write!(f, ", key {}", joined(&tls.pins, " or "))?;
    }
    match tls.left {
        Some(left) => write!(f, ", valid for at least {}", Period(left)),
        None => Ok(()),
    }
}

/// The expectations of the records.
fn records(f: &mut fmt::Formatter<'_>, expect: &Expectation) -> fmt::Result {
    if expect.not_empty {
        write!(f, ", not empty")?;
    }
    if expect.min_answers > 0 {
        write!(f, ", at least {} answers", expect.min_answers)?;
    }
    if let Some(most) = expect.max_answers {
        write!(f, ", at most {most} answers")?;
    }
    for (section, bounds) in [("authority", expect.authority), ("additional", expect.additional)] {
        if !bounds.is_open() {
            write!(f, ", {bounds} in the {section} section")?;
        }
    }
    if expect.no_cname {
        write!(f, ", no CNAME")?;
    }
    for (relation, records) in [("all of", &expect.all_of), ("any of", &expect.any_of)] {
        if !records.is_empty() {
            write!(f, ", {relation} {}", joined(records, ", "))?;
        }
    }
    match &expect.exactly {
        Some(none) if none.is_empty() => write!(f, ", exactly none")?,
        Some(records) => write!(f, ", exactly {}", joined(records, ", "))?,
        None => {}
    }
    match &expect.matches {
        Some(pattern) => write!(f, ", one that matches `{pattern}`"),
        None => Ok(()),
    }
}

/// The expectations of times, sizes and the identifier.
fn measures(f: &mut fmt::Formatter<'_>, expect: &Expectation) -> fmt::Result {
    if !expect.ttl.is_open() {
        write!(f, ", TTL {} s", expect.ttl)?;
    }
    if let Some(left) = expect.signature_left {
        write!(f, ", signed for at least {}", Period(left))?;
    }
    if !expect.size.is_open() {
        write!(f, ", {} octets", expect.size)?;
    }
    if let Some(nsid) = &expect.nsid {
        write!(f, ", NSID {nsid}")?;
    }
    match expect.max_latency {
        Some(latency) => write!(f, ", within {}", Period(latency)),
        None => Ok(()),
    }
}
