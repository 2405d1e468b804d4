//! Compares the zones that the server serves before and after an operation: the zones of the services, and those that
//! the server lists.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::Backend;
use super::answers::{Zone, zone, zones};
use super::targets::{Target, Targets};
use crate::outcome::Cause;
use crate::probe::dns::Query;
use crate::probe::freshness::serial::is_newer;
use crate::text::ordered;

mod lost;
mod record;

pub(crate) use self::lost::{Complaint, lost_by, remedy, serials_before, still_lost};

/// Maximum number of listed zones to query: those of the record first, then in the order of the list.
const MOST_LISTED: usize = 1000;

/// Number of zones queried at once.
const AT_A_TIME: usize = 32;

/// How the zones are known that a server serves.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Source {
    /// It listed them, or its kind has no list, and it answered at one address at least, or there are none.
    Server,
    /// It did not list them. It answered for those of the services, if there are any.
    #[default]
    Unlisted,
    /// It answered at no address, or what it answers does not tell what it served before.
    Silent,
    /// It did not list them. A record named them, and it answered; or by the record there are none, and it was not asked.
    Named,
    /// It did not answer for some, or for any, and a record stands for these.
    Recorded,
}

/// The zones that a server serves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Served {
    /// The zones of each service at every management address and at its own addresses, served or not.
    pub(crate) configured: Vec<Zone>,
    /// The other listed zones that were served at the first query, at the first management address and every service
    /// address.
    pub(crate) listed: Vec<Zone>,
    pub(crate) source: Source,
}

impl Served {
    /// Queries the zones of the services and those that the server lists now. Skips listed zones in `removed`. The `record`
    /// has zones that the server served before: it names them if the server does not, and stands for those without an answer.
    pub(crate) async fn now(
        targets: &Targets,
        backend: &Backend,
        removed: &[String],
        record: Option<&[Zone]>,
    ) -> Self {
        let list = async {
            match backend.zone_list {
                Some(_) => backend.listed_zones().await,
                None => Ok(vec![]),
            }
        };
        let removed: Vec<_> = removed.iter().filter_map(|name| query(name)).collect();
        let to_ask = |name: &String| query(name).filter(|query| !removed.contains(query));
        // Asks for the recorded zones at the same time: a server that hangs lets each question time out.
        let recorded: BTreeSet<_> = ordered(record.into_iter().flatten().map(|zone| &zone.zone));
        let recorded: Vec<_> = recorded.into_iter().filter_map(to_ask).collect();
        let (configured, names, mut listed) = tokio::join!(
            zones(targets, backend.timeout),
            list,
            asked(of_listed(targets), &recorded, backend.timeout)
        );
        let is_listed = names.is_ok();
        if let Ok(names) = names {
            let others =
                keep_listed(&mut listed, &recorded, &names.iter().filter_map(to_ask).collect::<Vec<_>>());
            listed.extend(asked(of_listed(targets), &others, backend.timeout).await);
        }
        let is_configured = |one: &Zone| configured.iter().any(|zone| zone.zone == one.zone);
        listed.retain(|zone| !is_configured(zone));
        Self::from_answers(configured, listed, is_listed, record)
    }

    /// The zones by the answers of the server, and by the `record` where it has none.
    fn from_answers(
        mut configured: Vec<Zone>,
        mut listed: Vec<Zone>,
        is_listed: bool,
        record: Option<&[Zone]>,
    ) -> Self {
        let mut all = configured.iter().chain(&listed).peekable();
        let is_silent = all.peek().is_some() && all.all(Zone::is_unanswered);
        let is_recorded = record::fill(configured.iter_mut().chain(&mut listed), record.unwrap_or_default());
        let source = match (is_silent, is_listed) {
            _ if is_recorded => Source::Recorded,
            (true, _) => Source::Silent,
            (false, true) => Source::Server,
            // The record has named the listed zones, or that there are none.
            (false, false) if !listed.is_empty() || (configured.is_empty() && record.is_some()) => {
                Source::Named
            }
            (false, false) => Source::Unlisted,
        };
        listed.retain(Zone::is_served);
        Self { configured, listed, source }
    }

    /// Has these zones count as served before, except those in `removed` and those whose present version is newer.
    pub(crate) fn expect(&mut self, zones: impl IntoIterator<Item = Zone>, removed: &[String]) {
        for before in zones {
            let is_newer = |now: u32| before.serial.is_some_and(|serial| is_newer(now, serial));
            let mut all = self.configured.iter_mut().chain(&mut self.listed);
            match all.find(|present| present.is_of(&before)) {
                _ if is_among(removed, &before.zone) => {}
                // The server has got a newer version meanwhile.
                Some(present) if present.is_served() && present.serial.is_some_and(is_newer) => {}
                Some(present) => *present = before,
                None => self.listed.push(before),
            }
        }
    }

    /// Queries the same zones again.
    pub(crate) async fn again(&self, targets: &Targets, timeout: Duration) -> Self {
        let names: BTreeSet<_> = ordered(self.listed.iter().map(|zone| &zone.zone));
        let queries: Vec<_> = names.into_iter().filter_map(|name| query(name)).collect();
        let (configured, listed) =
            tokio::join!(zones(targets, timeout), asked(of_listed(targets), &queries, timeout));
        Self { configured, listed, source: self.source }
    }

    /// Every zone.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Zone> {
        self.configured.iter().chain(&self.listed)
    }

    /// The zones that are worse than `before`: pairs of the earlier and the present result. A record may be older than a
    /// change of the addresses: one that does not answer is then no worse, if the zone is served at another one.
    pub(crate) fn worse_than<'a>(&'a self, before: &'a Self) -> Vec<(&'a Zone, &'a Zone)> {
        let pairs =
            before.all().filter_map(|earlier| Some((earlier, self.all().find(|now| now.is_of(earlier))?)));
        let is_served_elsewhere = |zone: &Zone| {
            let mut others = self.all().filter(|other| other.zone == zone.zone);
            others.any(Zone::is_served)
        };
        let is_excused =
            |now: &Zone| before.source == Source::Recorded && now.is_unanswered() && is_served_elsewhere(now);
        pairs.filter(|(earlier, now)| !now.is_no_worse_than(earlier) && !is_excused(now)).collect()
    }

    /// Describes the zones that are worse than `before`, and the zones of the services that are not served, whether or
    /// not they were served before, unless that is [excused](Self::is_excused).
    pub(crate) fn complaints(&self, before: &Self) -> Vec<Complaint> {
        let worse = self.worse_than(before);
        let is_worse = |zone: &&Zone| worse.iter().any(|(_, now)| std::ptr::eq(*now, *zone));
        let lost = self.configured.iter().filter(|zone| !zone.is_served() && !self.is_excused(zone));
        let lost = lost.filter(|zone| !is_worse(zone)).map(|zone| Complaint::not_served(zone, ""));
        worse.iter().map(|(earlier, now)| Complaint::worse(earlier, now)).chain(lost).collect()
    }

    /// Whether it is no fault that a zone is not served at this address.
    ///
    /// * A service address that is missing or has no listener is reported by the checks of the service.
    /// * The server need not answer at the management address if it serves the zone at every service address that exists
    ///   and has a listener, and there is at least one.
    fn is_excused(&self, zone: &Zone) -> bool {
        let is_silent = |zone: &Zone| matches!(zone.cause, Some(Cause::AddressMissing | Cause::PortClosed));
        if zone.is_service {
            return is_silent(zone);
        }
        let at_services = self.configured.iter().filter(|other| other.zone == zone.zone && other.is_service);
        let mut reachable = at_services.filter(|other| !is_silent(other)).peekable();
        reachable.peek().is_some() && reachable.all(Zone::is_served)
    }
}

/// Whether a zone is among these names, in any case and with or without the final dot.
pub(crate) fn is_among(names: &[String], zone: &str) -> bool {
    query(zone).is_some_and(|zone| names.iter().filter_map(|name| query(name)).any(|name| name == zone))
}

/// Removes the zones that the server does not list, by the queries for those that it does. Returns the queries that are not
/// among the `recorded`, as many as may be asked beside these.
fn keep_listed(zones: &mut Vec<Zone>, recorded: &[Query], listed: &[Query]) -> Vec<Query> {
    let names: BTreeSet<_> = ordered(listed.iter().map(Query::name));
    zones.retain(|zone| names.contains(zone.zone.as_str()));
    let kept: BTreeSet<_> = ordered(recorded.iter().map(Query::name).filter(|name| names.contains(name)));
    let room = MOST_LISTED.saturating_sub(kept.len());
    let is_other = |query: &&Query| !kept.contains(query.name());
    listed.iter().filter(is_other).take(room).cloned().collect()
}

/// The SOA query for a zone; `None` if the text is no name.
fn query(zone: &str) -> Option<Query> {
    format!("{} SOA", zone.to_ascii_lowercase()).parse().ok()
}

/// Where listed zones are queried: at the first management address and every service address.
fn of_listed(targets: &Targets) -> Vec<&Target> {
    let first = targets.management.first();
    targets.all().into_iter().filter(|target| target.is_service || first == Some(*target)).collect()
}

/// Queries these zones at these addresses. Once an address has answered no query of a batch in time, the remaining zones
/// count as not served there, without a query.
async fn asked(targets: Vec<&Target>, queries: &[Query], timeout: Duration) -> Vec<Zone> {
    let each = targets.into_iter().map(async |target| {
        let mut zones: Vec<Zone> = vec![];
        for batch in queries.chunks(AT_A_TIME) {
            let answers = join_all(batch.iter().map(|query| zone(query.clone(), target, timeout))).await;
            let is_mute = answers.iter().all(|zone| zone.cause == Some(Cause::Timeout));
            zones.extend(answers);
            if is_mute {
                let unasked = queries.iter().skip(zones.len());
                zones.extend(unasked.map(|query| unasked_zone(query, target)).collect::<Vec<_>>());
                break;
            }
        }
        zones
    });
    join_all(each).await.concat()
}

fn unasked_zone(query: &Query, target: &Target) -> Zone {
    Zone {
        zone: query.name().to_owned(),
        server: target.server,
        is_service: target.is_service,
        serial: None,
        trouble: Some("not asked, since it answered none of the queries just before in time".to_owned()),
        cause: Some(Cause::Timeout),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Kind;

    fn texts(complaints: Vec<Complaint>) -> Vec<String> {
        complaints.into_iter().map(|complaint| complaint.text).collect()
    }

    fn zone(name: &str, serial: Option<u32>, trouble: Option<&str>) -> Zone {
        at("127.0.0.1:53", false, name, serial, trouble)
    }

    fn at(server: &str, is_service: bool, name: &str, serial: Option<u32>, trouble: Option<&str>) -> Zone {
        let (zone, server, trouble) = (name.to_owned(), server.parse().unwrap(), trouble.map(str::to_owned));
        Zone { zone, server, is_service, serial, trouble, cause: None }
    }

    #[test]
    fn a_zone_of_a_service_has_to_be_served_and_one_of_the_list_as_it_was() {
        let (a, b) = (zone("a.", Some(1), None), zone("b.", Some(5), None));
        let gone = |name| zone(name, None, Some("answered REFUSED without a SOA"));
        let served = |configured, listed| Served { configured, listed, source: Source::Server };
        let before = served(vec![a.clone(), gone("never.")], vec![b.clone()]);
        let well = served(vec![a.clone(), zone("never.", Some(1), None)], vec![b.clone()]);
        assert_eq!(texts(well.complaints(&before)), [""; 0]);
        let lost = served(vec![gone("a."), gone("never.")], vec![gone("b.")]);
        assert_eq!(
            texts(lost.complaints(&before)),
            [
                "zone a. at 127.0.0.1:53: serial none, before 1, answered REFUSED without a SOA",
                "zone b. at 127.0.0.1:53: serial none, before 5, answered REFUSED without a SOA",
                "zone never. is not served at 127.0.0.1:53, answered REFUSED without a SOA",
            ]
        );
        assert_eq!(lost.worse_than(&before).len(), 2, "what was not served before is no worse");
    }

    #[test]
    fn the_source_of_the_zones_is_known() {
        let zone = |serial, cause| Zone { cause, ..at("10.1.0.2:53", false, "a.", serial, None) };
        let (here, silent) = (zone(Some(1), None), zone(None, Some(Cause::Timeout)));
        let record = [zone(Some(7), None)];
        let found = |configured: &[&Zone], listed: &[&Zone], is_listed, record: Option<&[Zone]>| {
            let zones = |zones: &[&Zone]| zones.iter().map(|&zone| zone.clone()).collect();
            let served = Served::from_answers(zones(configured), zones(listed), is_listed, record);
            (served.source, served.all().map(|zone| zone.serial).collect::<Vec<_>>())
        };
        assert_eq!(found(&[], &[&silent], true, None), (Source::Silent, vec![]));
        assert_eq!(found(&[&silent], &[], false, None), (Source::Silent, vec![None]));
        assert_eq!(found(&[], &[&silent], true, Some(&record)), (Source::Recorded, vec![Some(7)]));
        assert_eq!(found(&[&silent], &[], false, Some(&record)), (Source::Recorded, vec![Some(7)]));
        assert_eq!(found(&[], &[&here], true, Some(&record)), (Source::Server, vec![Some(1)]));
        assert_eq!(found(&[], &[&here], false, Some(&record)), (Source::Named, vec![Some(1)]));
        assert_eq!(found(&[], &[], false, Some(&[])), (Source::Named, vec![]), "it had none");
        assert_eq!(found(&[&here], &[], false, None), (Source::Unlisted, vec![Some(1)]));
        assert_eq!(found(&[], &[], false, None), (Source::Unlisted, vec![]));
        assert_eq!(found(&[], &[], true, None), (Source::Server, vec![]));
    }

    /// The record may be older than a change of the addresses.
    #[test]
    fn an_address_that_no_longer_answers_is_no_worse_than_a_record() {
        let zone = |server, serial| at(server, false, "a.", serial, None);
        let silent = |server| Zone { cause: Some(Cause::PortClosed), ..zone(server, None) };
        let (first, second) = ("10.1.0.2:53", "192.0.2.53:53");
        let served =
            |listed: [Zone; 2], source| Served { listed: listed.to_vec(), source, ..Served::default() };
        let before = |source| served([zone(first, Some(7)), zone(second, Some(7))], source);
        let worse = |listed: [Zone; 2], source| served(listed, source).worse_than(&before(source)).len();
        assert_eq!(worse([silent(first), zone(second, Some(7))], Source::Recorded), 0);
        assert_eq!(worse([silent(first), zone(second, Some(7))], Source::Server), 1);
        assert_eq!(
            worse([silent(first), zone(second, None)], Source::Recorded),
            2,
            "it serves the zone nowhere"
        );
        assert_eq!(worse([silent(first), silent(second)], Source::Recorded), 2, "it has not started yet");
    }

    /// The first zones of the list may be new, and a recorded one may be behind them.
    #[test]
    fn a_recorded_zone_is_compared_wherever_it_is_in_the_list() {
        let queries = |names: &[String]| names.iter().filter_map(|name| query(name)).collect::<Vec<_>>();
        let names: Vec<_> = (0..MOST_LISTED).map(|place| format!("z{place}.")).collect();
        let zones = || names.iter().map(|name| zone(name, Some(1), None)).collect::<Vec<_>>();
        let mut kept = zones();
        let list = [&["new.".to_owned()], &*names].concat();
        assert_eq!(keep_listed(&mut kept, &queries(&names), &queries(&list)), [], "there is no room");
        assert_eq!(kept.len(), MOST_LISTED);
        // One has left the list, and without a record all are new.
        assert_eq!(
            keep_listed(&mut kept, &queries(&names), &queries(&list[..MOST_LISTED])),
            queries(&list[..1])
        );
        assert_eq!(kept.len(), MOST_LISTED - 1);
        assert_eq!(keep_listed(&mut vec![], &[], &queries(&list)), queries(&list[..MOST_LISTED]));
    }

    /// Only an authoritative answer is a version.
    #[test]
    fn a_newer_serial_without_authority_does_not_replace_what_was_served() {
        let before = [zone("a.", Some(7), None)];
        let expected = |present| {
            let mut served = Served { configured: vec![present], ..Served::default() };
            served.expect(before.clone(), &[]);
            served.configured[0].serial
        };
        assert_eq!(expected(zone("a.", Some(8), None)), Some(8));
        assert_eq!(expected(zone("a.", Some(8), Some("answered without authority"))), Some(7));
        assert_eq!(expected(zone("a.", Some(6), None)), Some(7));
    }

    #[test]
    fn a_zone_that_ends_at_the_service_address_is_a_finding() {
        let refused = Some("answered REFUSED without a SOA");
        let served = |serial| Served {
            configured: vec![
                at("10.1.0.2:53", false, "a.", Some(1), None),
                at("192.0.2.53:53", true, "a.", serial, if serial.is_some() { None } else { refused }),
            ],
            ..Served::default()
        };
        assert_eq!(
            texts(served(None).complaints(&served(Some(1)))),
            ["zone a. at 192.0.2.53:53: serial none, before 1, answered REFUSED without a SOA"]
        );
        assert_eq!(served(None).worse_than(&served(Some(1))).len(), 1);
        assert_eq!(
            texts(served(None).complaints(&served(None))),
            ["zone a. is not served at 192.0.2.53:53, answered REFUSED without a SOA"]
        );
    }

    #[test]
    fn a_server_need_not_listen_at_the_management_address() {
        let refused = Some("connection refused");
        let management =
            |serial| at("10.1.0.2:53", false, "a.", serial, if serial.is_some() { None } else { refused });
        let service = at("192.0.2.53:53", true, "a.", Some(1), None);
        let served = |configured: &[&Zone]| Served {
            configured: configured.iter().map(|&zone| zone.clone()).collect(),
            ..Served::default()
        };
        let well = served(&[&management(None), &service]);
        assert_eq!(texts(well.complaints(&well)), [""; 0]);
        let ended = texts(well.complaints(&served(&[&management(Some(1)), &service])));
        assert_eq!(ended, ["zone a. at 10.1.0.2:53: serial none, before 1, connection refused"]);
        // If the service address is not on this host, the management address counts.
        let missing = Zone {
            serial: None,
            trouble: Some("not on this host".to_owned()),
            cause: Some(Cause::AddressMissing),
            ..service
        };
        let missed = served(&[&management(None), &missing]);
        assert_eq!(
            texts(missed.complaints(&missed)),
            ["zone a. is not served at 10.1.0.2:53, connection refused"]
        );
        let drained = served(&[&management(Some(1)), &missing]);
        assert_eq!(texts(drained.complaints(&drained)), [""; 0]);
    }

    #[test]
    fn the_lists_of_the_servers_are_read() {
        let read = |kind: &str, text: &str| kind.parse::<Kind>().unwrap().driver().read_zones(text);
        let nsd = "zone:\ta.example\n\tstate: primary\nzone:\tb.example\n\tstate: ok\n\tserved-serial: \"1 since x\"\n";
        assert_eq!(read("nsd", nsd), ["a.example", "b.example"]);
        let knot = "[a.example.] role: master | serial: 1\n[b.example.] role: slave | serial: -\n";
        assert_eq!(read("knot", knot), ["a.example.", "b.example."]);
        assert_eq!(
            read("powerdns", "a.example.\nb.example.\nAll zonecount: 2\n"),
            ["a.example.", "b.example."]
        );
        assert_eq!(read("unbound", "a.example.\t1 primary\n"), ["a.example."]);
        let bind = r#"{"views":{"_default":{"zones":[{"name":"a.example","class":"IN","type":"primary"},
            {"name":"10.in-addr.arpa","class":"IN","type":"builtin"}]},"_bind":{}}}"#;
        assert_eq!(read("bind", bind), ["a.example"]);
        assert_eq!(read("bind", "no JSON"), [""; 0]);
        assert_eq!(read("generic", "a.example\n\nb.example 7\n"), ["a.example", "b.example"]);
    }
}
