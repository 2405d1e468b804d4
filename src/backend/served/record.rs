//! The zones that a server served at an earlier time, for those for which it does not answer now.

use std::collections::{BTreeMap, BTreeSet};

use crate::backend::answers::Zone;
use crate::text::ordered;

/// Replaces the zones for which no address of the record has answered. Returns whether there is one.
///
/// If one of its addresses answers, the others stay as they are: the server need not listen there any more. An answer at
/// an address without a recorded zone may be of another server.
pub(super) fn fill<'a>(zones: impl Iterator<Item = &'a mut Zone>, record: &[Zone]) -> bool {
    let zones: Vec<_> = zones.collect();
    let at: BTreeMap<_, _> = ordered(record.iter().map(|zone| ((zone.zone.as_str(), zone.server), zone)));
    let of_name: BTreeMap<_, _> = ordered(record.iter().map(|zone| (zone.zone.as_str(), zone)));
    let addresses: BTreeSet<_> = ordered(record.iter().map(|zone| zone.server));
    // If all addresses have changed since then, the record counts for each of the present ones.
    let have_changed = !zones.iter().any(|zone| addresses.contains(&zone.server));
    let recorded = |zone: &Zone| {
        let changed = || of_name.get(zone.zone.as_str()).filter(|_| have_changed);
        let earlier = at.get(&(zone.zone.as_str(), zone.server)).or_else(changed)?;
        Some(Zone { server: zone.server, is_service: zone.is_service, ..(*earlier).clone() })
    };
    let recorded: Vec<_> =
        zones.into_iter().filter_map(|zone| recorded(zone).map(|earlier| (zone, earlier))).collect();
    let answered = recorded.iter().filter(|(zone, _)| !zone.is_unanswered());
    let answered: BTreeSet<_> = ordered(answered.map(|(zone, _)| zone.zone.clone()));
    let mut is_filled = false;
    for (zone, earlier) in recorded.into_iter().filter(|(zone, _)| !answered.contains(&zone.zone)) {
        *zone = earlier;
        is_filled = true;
    }
    is_filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Cause;

    fn served(server: &str, serial: u32) -> Zone {
        let (zone, server) = ("a.".to_owned(), server.parse().unwrap());
        Zone { zone, server, is_service: false, serial: Some(serial), trouble: None, cause: None }
    }

    fn silent(server: &str) -> Zone {
        Zone { serial: None, cause: Some(Cause::Timeout), ..served(server, 0) }
    }

    fn refused(server: &str) -> Zone {
        Zone { serial: None, trouble: Some("answered REFUSED".to_owned()), ..served(server, 0) }
    }

    fn filled<const N: usize>(mut zones: [Zone; N], record: &[Zone]) -> (bool, [Option<u32>; N]) {
        (fill(zones.iter_mut(), record), zones.map(|zone| zone.serial))
    }

    #[test]
    fn a_zone_counts_as_recorded_if_no_address_of_the_record_answers() {
        let (first, second, third) = ("10.1.0.2:53", "192.0.2.53:53", "192.0.2.54:53");
        let record = [served(first, 7), served(second, 8)];
        assert_eq!(filled([silent(first), silent(second)], &record), (true, [Some(7), Some(8)]));
        assert_eq!(filled([silent(first), served(second, 1)], &record), (false, [None, Some(1)]));
        assert_eq!(filled([silent(first), refused(second)], &record), (false, [None, None]));
        assert_eq!(filled([silent(first)], &[]), (false, [None]));
        // The address has changed since then.
        assert!(filled([silent(third)], &record).0);
        // Another server answers at the management address.
        assert_eq!(filled([refused(first), silent(second)], &record[1..]), (true, [None, Some(8)]));
    }
}
