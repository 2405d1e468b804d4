//! Complaints about zones, and the zones that an earlier operation has lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::{asked, query};
use crate::backend::answers::Zone;
use crate::backend::targets::Targets;
use crate::engine::drain::ZoneAt;
use crate::probe::freshness::serial::is_newer;
use crate::text::{joined, ordered};

/// The remedy for a complaint about a zone that the operator removed.
const IF_REMOVED: &str = "name a zone that was removed on purpose with --removed ZONE, once no service of dnsherald's file names it";

/// The remedy for a complaint about a zone that the operator put back to an older version: secondaries would keep the newer one.
const IF_OLDER: &str = "raise the serial of a zone that is older on purpose";

/// A zone that is worse than before, or is not served, at one address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Complaint {
    pub(crate) zone: ZoneAt,
    pub(crate) text: String,
    /// Whether it is not served, and not merely older.
    is_lost: bool,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Complaint {
    /// Describes a zone that is worse than before.
    pub(crate) fn worse(earlier: &Zone, now: &Zone) -> Self {
        Self::with_serials(now, earlier.serial, "")
    }

    /// Describes a zone by its serials now and before, with these words before the cause.
    fn with_serials(now: &Zone, before: Option<u32>, words: &str) -> Self {
        let shown = |serial: Option<u32>| serial.map_or("none".to_owned(), |serial| serial.to_string());
        let (is, was) = (shown(now.serial), shown(before));
        let text =
            format!("zone {} at {}: serial {is}, before {was}{words}{}", now.zone, now.server, why(now));
        Self { zone: place(now), text, is_lost: !now.is_served() }
    }

    /// Describes a zone that is not served, with these words before the cause.
    pub(super) fn not_served(zone: &Zone, words: &str) -> Self {
        let text = format!("zone {} is not served at {}{words}{}", zone.zone, zone.server, why(zone));
        Self { zone: place(zone), text, is_lost: true }
    }
}

/// What to do about these complaints if the operator has removed a zone, or put it back; `None` if there are none.
pub(crate) fn remedy(complaints: &[Complaint]) -> Option<String> {
    let of = |is_lost, remedy| complaints.iter().any(|one| one.is_lost == is_lost).then_some(remedy);
    let remedies: Vec<_> = [of(true, IF_REMOVED), of(false, IF_OLDER)].into_iter().flatten().collect();
    (!remedies.is_empty()).then(|| joined(remedies, "; "))
}

fn place(zone: &Zone) -> ZoneAt {
    (zone.zone.to_ascii_lowercase(), zone.server)
}

fn why(zone: &Zone) -> String {
    zone.trouble.as_ref().map(|trouble| format!(", {trouble}")).unwrap_or_default()
}

/// The zones that the [complaints](Complaint) in this text are about. The text may be cut.
pub(crate) fn lost_by(text: &str) -> impl Iterator<Item = ZoneAt> {
    text.split("zone ").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once(' ')?;
        let rest = rest.strip_prefix("is not served ").unwrap_or(rest).strip_prefix("at ")?;
        let server = rest.split(' ').next()?.trim_end_matches([':', ',', ';']);
        Some((name.to_ascii_lowercase(), server.parse().ok()?))
    })
}

/// The serials before the operation that the [complaints](Complaint) in this text name. The text may be cut.
pub(crate) fn serials_before(text: &str) -> impl Iterator<Item = (ZoneAt, u32)> {
    text.split("zone ").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once(" at ")?;
        let (server, rest) = rest.split_once(": serial ")?;
        let serial = rest.split_once(", before ")?.1.split([',', ';']).next()?;
        Some(((name.to_ascii_lowercase(), server.parse().ok()?), serial.parse().ok()?))
    })
}

/// The zones that an earlier operation has `lost` and that are still not served, or older than by the serials `before` it,
/// except those that are `known` or `removed`.
pub(crate) async fn still_lost(
    lost: &BTreeSet<ZoneAt>,
    before: &BTreeMap<ZoneAt, u32>,
    known: &[Complaint],
    targets: &Targets,
    timeout: Duration,
    removed: &[String],
) -> Vec<Complaint> {
    let removed: Vec<_> = removed.iter().filter_map(|name| query(name)).collect();
    let names: BTreeSet<_> = ordered(lost.iter().map(|(name, _)| name));
    let queries: Vec<_> =
        names.into_iter().filter_map(|name| query(name)).filter(|zone| !removed.contains(zone)).collect();
    let known: BTreeSet<_> = ordered(known.iter().map(|complaint| &complaint.zone));
    let mut places = targets.all();
    places.retain(|target| lost.iter().any(|(_, server)| *server == target.server));
    let zones = asked(places, &queries, timeout).await;
    let words = ", as after the failed operation before";
    let complaint = |zone: &Zone| {
        let place = place(zone);
        if !lost.contains(&place) || known.contains(&place) {
            return None;
        }
        match zone.serial {
            Some(serial) if zone.is_served() => {
                let older = before.get(&place).filter(|before| is_newer(**before, serial))?;
                Some(Complaint::with_serials(zone, Some(*older), words))
            }
            _ => Some(Complaint::not_served(zone, words)),
        }
    };
    zones.iter().filter_map(complaint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::targets::Target;
    use crate::responder::{Fault, Responder};

    /// A second reload compares with a server that has lost the zone already.
    #[tokio::test]
    async fn a_zone_that_an_earlier_reload_lost_is_a_finding() {
        let responder = Responder::bind([127, 0, 0, 1].into()).await.unwrap();
        responder.set(Fault::Refuse).await;
        let address = responder.address();
        let target = Target { server: address, ..Target::management([127, 0, 0, 1].into()) };
        // A second management address counts as well.
        let first = Target::management([127, 0, 0, 2].into());
        let targets = Targets { management: vec![first, target], services: vec![] };
        let still = async |lost: &BTreeSet<ZoneAt>, known: &[Complaint], removed: &[&str]| {
            let removed: Vec<_> = removed.iter().map(|zone| (*zone).to_owned()).collect();
            still_lost(lost, &BTreeMap::new(), known, &targets, Duration::from_secs(5), &removed).await
        };
        let lost = |text: &str| ordered(lost_by(text));
        let was =
            lost(&format!("reload srv done, but zone example.net. at {address}: serial none, before 1"));
        let complaint =
            format!("zone example.net. is not served at {address}, as after the failed operation before");
        let found = still(&was, &[], &[]).await;
        assert!(found.len() == 1 && found[0].text.starts_with(&complaint), "{found:?}");
        assert_eq!(lost(&found[0].text), was, "nor does a third one end it");
        assert_eq!(BTreeSet::from([found[0].zone.clone()]), was);
        assert_eq!(still(&was, &[], &["example.net"]).await, []);
        assert_eq!(still(&was, &found, &[]).await, []);
        // The zone may be written with capitals in the configuration.
        let query = "Example.NET. SOA".parse().unwrap();
        let target = &targets.management[1];
        let written = crate::backend::answers::zone(query, target, Duration::from_secs(5)).await;
        let worse = Complaint::worse(&written, &written);
        assert_eq!(still(&lost(&worse.text), &[], &[]).await, found);
        for other in ["reload srv failed: the zone is bad.", "zone example.net. at 192.0.2.1:53: serial none"]
        {
            assert_eq!(still(&lost(other), &[], &[]).await, [], "{other}");
        }
    }

    /// A text that is cut names fewer, and a zone without a serial before none.
    #[test]
    fn the_serials_before_are_read_from_a_failure() {
        let at = |zone: &str| (zone.to_owned(), "192.0.2.53:53".parse().unwrap());
        let text = "reload srv done, but zone A.example. at 192.0.2.53:53: serial 1, before 2, answered REFUSED; zone b.example. at \
                    192.0.2.53:53: serial none, before 7; zone c.example. at 192.0.2.53:53: serial 3, bef…";
        let found: Vec<_> = serials_before(text).collect();
        assert_eq!(found, [(at("a.example."), 2), (at("b.example."), 7)]);
        assert_eq!(serials_before("zone d.example. is not served at 192.0.2.53:53").count(), 0);
    }

    #[test]
    fn a_zone_that_is_older_on_purpose_has_a_remedy_of_its_own() {
        let zone = |serial, zone: &str| Zone {
            zone: zone.to_owned(),
            server: "192.0.2.53:53".parse().unwrap(),
            is_service: true,
            serial,
            trouble: None,
            cause: None,
        };
        let older = Complaint::worse(&zone(Some(2), "a."), &zone(Some(1), "a."));
        let lost = Complaint::worse(&zone(Some(2), "b."), &zone(None, "b."));
        let of = |complaints: &[&Complaint]| {
            remedy(&complaints.iter().map(|one| (*one).clone()).collect::<Vec<_>>())
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[&older]).as_deref(), Some(IF_OLDER));
        assert_eq!(of(&[&lost]).as_deref(), Some(IF_REMOVED));
        assert_eq!(of(&[&lost, &older]), Some(format!("{IF_REMOVED}; {IF_OLDER}")));
    }

    /// The address of a server that does not answer is not asked for every zone, and every zone is lost there.
    #[tokio::test]
    async fn a_server_that_answers_nothing_still_lacks_every_zone() {
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = silent.local_addr().unwrap();
        let target = Target { server, ..Target::management([127, 0, 0, 1].into()) };
        let targets = Targets { management: vec![target], services: vec![] };
        let lost = ordered((0..70).map(|zone| (format!("z{zone}."), server)));
        let found = still_lost(&lost, &BTreeMap::new(), &[], &targets, Duration::from_millis(100), &[]).await;
        assert_eq!(found.len(), 70);
        assert!(found[69].text.contains("not asked, since "), "{}", found[69].text);
    }
}
