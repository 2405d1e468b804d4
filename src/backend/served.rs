//! Which zones the server serves, before something is done to it and afterwards: those of the services, and those that it
//! lists itself.

use std::time::Duration;

use super::Backend;
use super::answers::{Zone, zone, zones};
use crate::config::Config;
use crate::probe::dns::Query;

/// So many of the zones that the server lists are asked for, in the order of its list.
const MOST_LISTED: usize = 1000;

/// So many of them at a time.
const AT_A_TIME: usize = 32;

/// What was found of each zone.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// Those of the services, at every management address, served or not.
    pub configured: Vec<Zone>,
    /// Of the others that the server lists, those that it served when it was asked first, at the first management
    /// address.
    pub listed: Vec<Zone>,
}

impl Served {
    /// What is served now. Of the server's own list the zones in `removed` are left out: they may end.
    pub async fn of(config: &Config, backend: &Backend, removed: &[String]) -> Self {
        let (configured, names) = tokio::join!(zones(config, backend), backend.listed_zones());
        // A server that does not list its zones is looked at by those of the services.
        let queries = names.unwrap_or_default().into_iter().take(MOST_LISTED).filter_map(|name| query(&name));
        let removed: Vec<_> =
            removed.iter().filter_map(|name| query(name)).map(|query| shown(&query)).collect();
        let is_known =
            |name: &String| removed.contains(name) || configured.iter().any(|zone| zone.zone == *name);
        let others: Vec<_> = queries.filter(|query| !is_known(&shown(query))).collect();
        let mut listed = asked(config, &others, backend.timeout).await;
        listed.retain(|zone| zone.serial.is_some() && zone.trouble.is_none());
        Self { configured, listed }
    }

    /// The same zones, asked anew.
    pub async fn again(&self, config: &Config, backend: &Backend) -> Self {
        let queries: Vec<_> = self.listed.iter().filter_map(|zone| query(&zone.zone)).collect();
        let (configured, listed) =
            tokio::join!(zones(config, backend), asked(config, &queries, backend.timeout));
        Self { configured, listed }
    }

    /// Every zone.
    pub fn all(&self) -> impl Iterator<Item = &Zone> {
        self.configured.iter().chain(&self.listed)
    }

    /// What is worse than it was `before`, with how it was.
    #[must_use]
    pub fn worse_than<'a>(&'a self, before: &'a Self) -> Vec<(&'a Zone, &'a Zone)> {
        let pairs = before.all().filter_map(|earlier| {
            let is_the_same = |now: &&Zone| (&now.zone, now.server) == (&earlier.zone, earlier.server);
            Some((earlier, self.all().find(is_the_same)?))
        });
        pairs.filter(|(earlier, now)| !now.is_no_worse_than(earlier)).collect()
    }

    /// What is wrong, in words: zones that are worse than `before`, and zones of the services that are not served,
    /// whatever they were before.
    #[must_use]
    pub fn complaints(&self, before: &Self) -> Vec<String> {
        let worse = self.worse_than(before);
        let is_worse = |zone: &&Zone| worse.iter().any(|(_, now)| std::ptr::eq(*now, *zone));
        let not_served =
            self.configured.iter().filter(|zone| zone.serial.is_none() || zone.trouble.is_some());
        let not_served = not_served
            .filter(|zone| !is_worse(zone))
            .map(|zone| format!("zone {} is not served at {}{}", zone.zone, zone.server, why(zone)));
        worse.iter().map(|(earlier, now)| compared(earlier, now)).chain(not_served).collect()
    }
}

/// A zone that is worse than it was, in words.
#[must_use]
pub fn compared(earlier: &Zone, now: &Zone) -> String {
    let serial = |zone: &Zone| zone.serial.map_or("none".to_owned(), |serial| serial.to_string());
    let (is, was) = (serial(now), serial(earlier));
    format!("zone {} at {}: serial {is}, before {was}{}", now.zone, now.server, why(now))
}

fn why(zone: &Zone) -> String {
    zone.trouble.as_ref().map(|trouble| format!(", {trouble}")).unwrap_or_default()
}

/// None for what is no name of a zone.
fn query(zone: &str) -> Option<Query> {
    format!("{} SOA", zone.to_ascii_lowercase()).parse().ok()
}

fn shown(query: &Query) -> String {
    let text = query.to_string();
    text.strip_suffix(" SOA").unwrap_or(&text).to_owned()
}

/// Each of these at the first management address.
async fn asked(config: &Config, queries: &[Query], timeout: Duration) -> Vec<Zone> {
    let mut zones = vec![];
    let Some(address) = config.node.management.first().copied() else { return zones };
    for some in queries.chunks(AT_A_TIME) {
        let asked: Vec<_> =
            some.iter().map(|query| tokio::spawn(zone(query.clone(), address, timeout))).collect();
        for answer in asked {
            zones.extend(answer.await);
        }
    }
    zones
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Kind;

    fn zone(name: &str, serial: Option<u32>, trouble: Option<&str>) -> Zone {
        let server = "127.0.0.1:53".parse().unwrap();
        Zone { zone: name.to_owned(), server, serial, trouble: trouble.map(str::to_owned) }
    }

    #[test]
    fn a_zone_of_a_service_has_to_be_served_and_one_of_the_list_as_it_was() {
        let (a, b) = (zone("a.", Some(1), None), zone("b.", Some(5), None));
        let gone = |name| zone(name, None, Some("answered REFUSED without a SOA"));
        let before = Served { configured: vec![a.clone(), gone("never.")], listed: vec![b.clone()] };
        let now = |configured, listed| Served { configured, listed };
        let well = now(vec![a.clone(), zone("never.", Some(1), None)], vec![b.clone()]);
        assert_eq!(well.complaints(&before), [""; 0]);
        let lost = now(vec![gone("a."), gone("never.")], vec![gone("b.")]);
        assert_eq!(
            lost.complaints(&before),
            [
                "zone a. at 127.0.0.1:53: serial none, before 1, answered REFUSED without a SOA",
                "zone b. at 127.0.0.1:53: serial none, before 5, answered REFUSED without a SOA",
                "zone never. is not served at 127.0.0.1:53, answered REFUSED without a SOA",
            ]
        );
        assert_eq!(lost.worse_than(&before).len(), 2, "what was not served before is no worse");
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
