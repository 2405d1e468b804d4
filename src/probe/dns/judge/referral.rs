//! Referrals: the servers of another zone in place of an answer (RFC 1034 §4.3.1).

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::RecordType;

use super::super::text::printable;

/// "an upward referral to the root servers", or the zone of other servers; `None` for another response.
pub(super) fn phrase(response: &Message) -> Option<String> {
    let is_answer = response.authoritative || !response.answers.is_empty();
    if is_answer || response.response_code != ResponseCode::NoError {
        return None;
    }
    // Beside an SOA, NS records belong to the answer that there is no record (RFC 2308 §2.2).
    if response.authorities.iter().any(|record| record.record_type() == RecordType::SOA) {
        return None;
    }
    let zone = &response.authorities.iter().find(|record| record.record_type() == RecordType::NS)?.name;
    if zone.is_root() {
        return Some("an upward referral to the root servers".to_owned());
    }
    Some(format!("a referral to the servers of {}", printable(&zone.to_string())))
}
