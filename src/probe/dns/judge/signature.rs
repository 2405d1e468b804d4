//! The validity periods of signatures (RFC 4034 §3.1.5). The signatures themselves are not verified: a validating resolver
//! does that, and shows it by AD.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hickory_resolver::proto::rr::{RData, Record, RecordType};

use super::super::record_type::type_word;
use super::super::response::Response;
use super::super::text::printable;
use super::Expectation;
use crate::outcome::{Cause, Failure};
use crate::text::period::{Period, Shown};

/// Owner in lower case, and type.
type Set = (String, RecordType);

/// From when to when a signature is valid, in seconds since 1970 modulo 2^32.
#[derive(Clone, Copy)]
struct Window {
    inception: u32,
    expiration: u32,
}

/// Each RRset of the answer, or of the authority section if there is no answer, must have a signature that is valid at the
/// time of the response and for `signature_left` after it. Times are compared as serial numbers (RFC 1982).
pub(super) fn judge(expect: &Expectation, response: &Response) -> Result<(), Failure> {
    let Some(least) = expect.signature_left else { return Ok(()) };
    let refuse = |what: String| {
        Err(Failure::new(
            Cause::Signature,
            format!("{what}, expected a signature for at least {}", Period(least)),
        ))
    };
    let now = seconds(response.at);
    let (sets, windows) = sorted(response);
    if sets.is_empty() {
        return refuse("answered no record that has a signature".to_owned());
    }
    for set in sets {
        let shown = || format!("{} {}", printable(&set.0), type_word(set.1));
        // Of several signatures, as during a change of keys, the best counts.
        let left = |window: &Window| distance(now, window.expiration);
        let since = |window: &Window| distance(window.inception, now);
        let own = windows.get(&set).map_or(&[][..], Vec::as_slice);
        let Some(best) = own.iter().max_by_key(|window| (since(window) >= 0, left(window))) else {
            return refuse(format!("{} has no signature", shown()));
        };
        let period = |seconds: i32| Shown(Duration::from_secs(seconds.unsigned_abs().into()));
        if since(best) < 0 {
            return refuse(format!("the signature of {} begins in {}", shown(), period(since(best))));
        }
        if left(best) < 0 {
            return refuse(format!("the signature of {} expired {} ago", shown(), period(left(best))));
        }
        if Duration::from_secs(left(best).unsigned_abs().into()) < least {
            return refuse(format!("the signature of {} expires in {}", shown(), period(left(best))));
        }
    }
    Ok(())
}

/// The RRsets that a signer signs, and the windows of the signatures of each.
fn sorted(response: &Response) -> (Vec<Set>, BTreeMap<Set, Vec<Window>>) {
    let is_negative = response.answers.is_empty();
    let section = if is_negative { &response.authorities } else { &response.answers };
    // A DNAME is signed; the CNAME made of it is not (RFC 6672 §5.3.1). Nor is the NS of a delegation.
    let has_dname = section.iter().any(|record| record.record_type() == RecordType::DNAME);
    let is_signed = |record: &&Record| match record.record_type() {
        RecordType::RRSIG => false,
        RecordType::CNAME => !has_dname,
        RecordType::NS => !is_negative,
        _ => true,
    };
    let owner = |record: &Record| record.name.to_string().to_ascii_lowercase();
    let mut windows: BTreeMap<Set, Vec<Window>> = BTreeMap::new();
    for record in section {
        if let Some((covered, window)) = signature(&record.data) {
            windows.entry((owner(record), covered)).or_default().push(window);
        }
    }
    let mut sets: Vec<_> =
        section.iter().filter(is_signed).map(|record| (owner(record), record.record_type())).collect();
    sets.dedup();
    (sets, windows)
}

/// The type that an RRSIG covers, and its window (RFC 4034 §3.1).
fn signature(data: &RData) -> Option<(RecordType, Window)> {
    let RData::Unknown { code: RecordType::RRSIG, rdata } = data else { return None };
    let octets = rdata.anything.first_chunk::<18>()?;
    let number = |at: usize| u32::from_be_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]]);
    let covered = u16::from_be_bytes([octets[0], octets[1]]).into();
    Some((covered, Window { expiration: number(8), inception: number(12) }))
}

/// From one time to the other, at most 68 years either way.
const fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

fn seconds(at: SystemTime) -> u32 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // Modulo 2^32, as signers count.
    since as u32
}
