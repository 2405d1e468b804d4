//! `[defaults] since`: the version of dnsherald that a configuration was written for.
//!
//! A check that a version after `since` supplies is only observed, so that an upgrade moves no route. It counts once the
//! operator raises `since`. A release that supplies another check adds a row to [`SUPPLIED`].

use std::fmt;
use std::str::FromStr;

use super::file;
use super::{Check, Service};
use crate::engine::check::{OnFail, Severity};

/// A version of dnsherald, MAJOR.MINOR. A patch release supplies no further checks.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Since {
    major: u32,
    minor: u32,
}

/// The first version.
const FIRST: Since = Since { major: 0, minor: 1 };
const SECOND: Since = Since { major: 0, minor: 2 };

impl Default for Since {
    /// The version of a file without the key: 0.2, which brought the key. A file from 0.1 has the checks of 0.2 as well,
    /// unless it names 0.1. Never raise it: newer checks would then count in files without the key.
    fn default() -> Self {
        SECOND
    }
}

impl Since {
    /// If the file names a later version than this program, a sentence about the checks that do not run. It is no error: a
    /// former version of the package must run with the present file.
    pub(crate) fn lacking(self) -> Option<String> {
        let program = Self::from_program();
        (self > program).then(|| {
            format!(
                "`since` in [defaults] is {self}, newer than this dnsherald {program}: checks that a version after {program} \
                 supplies do not run"
            )
        })
    }

    /// The version of this program.
    fn from_program() -> Self {
        let number = |text: &str| text.parse().unwrap_or(0);
        Self {
            major: number(env!("CARGO_PKG_VERSION_MAJOR")),
            minor: number(env!("CARGO_PKG_VERSION_MINOR")),
        }
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let program = Self::from_program();
        let number =
            |text: &str| text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        let version = text
            .split_once('.')
            .and_then(|(major, minor)| Some(Self { major: number(major)?, minor: number(minor)? }));
        match version {
            Some(version) if version >= FIRST => Ok(version),
            _ => Err(format!(
                "`{}` is no version of dnsherald, expected MAJOR.MINOR such as \"{program}\", from \"{FIRST}\" on",
                text.escape_debug()
            )),
        }
    }
}

/// A check that dnsherald supplies.
struct Supplied {
    /// Its name.
    name: &'static str,
    /// The version that has supplied it first.
    introduced: Since,
    /// Whether a key of the service asks for it. Then it counts at once.
    is_asked_for: fn(&file::Service) -> bool,
}

const fn unasked(name: &'static str, introduced: Since) -> Supplied {
    Supplied { name, introduced, is_asked_for: |_| false }
}

/// Every supplied check.
const SUPPLIED: &[Supplied] = &[
    unasked("process", FIRST),
    unasked("alive", FIRST),
    unasked("answers", FIRST),
    unasked("zones", FIRST),
    // The first version asked over TCP in the checks above.
    unasked("alive-tcp", FIRST),
    unasked("answers-tcp", FIRST),
    unasked("zones-tcp", FIRST),
    unasked("address", SECOND),
    unasked("listener", SECOND),
    unasked("listener-tcp", SECOND),
    unasked("management", SECOND),
    unasked("from-management", SECOND),
    unasked("records", SECOND),
    unasked("signatures", SECOND),
    unasked("tls", SECOND),
    unasked("identity", SECOND),
    unasked("way-back", SECOND),
    unasked("way-back-ipv6", SECOND),
    Supplied { name: "critical", introduced: SECOND, is_asked_for: |service| service.critical.is_some() },
    Supplied { name: "sentinel", introduced: SECOND, is_asked_for: |service| service.sentinel.is_some() },
    Supplied { name: "recursion", introduced: SECOND, is_asked_for: |service| service.recursion.is_some() },
    Supplied { name: "validation", introduced: SECOND, is_asked_for: |service| service.validation.is_some() },
    Supplied { name: "large", introduced: SECOND, is_asked_for: |service| service.large.is_some() },
];

impl Supplied {
    /// The row of a check. A supplied check has the suffix `-here` if the file has a check of its name.
    fn named(name: &str) -> Option<&'static Self> {
        let name = name.trim_end_matches("-here");
        SUPPLIED.iter().find(|row| row.name == name)
    }
}

/// Observes the supplied checks that are newer than the file.
pub(super) fn observe_newer(checks: &mut [Check], service: &file::Service, since: Since) {
    for check in checks {
        let Some(default) = &mut check.default else { continue };
        let row = Supplied::named(&check.name);
        // A check without a row would be one of this version.
        let introduced = row.map_or_else(Since::from_program, |row| row.introduced);
        let is_asked_for = row.is_some_and(|row| (row.is_asked_for)(service));
        if introduced > since && !is_asked_for && check.on_fail.worst() > Severity::Observe {
            // Keeps `once_up`: a check that has never passed is no finding of `status --plugin`.
            check.on_fail = OnFail { once_up: check.on_fail.once_up, ..OnFail::always(Severity::Observe) };
            default.counts_from = Some(introduced);
        }
    }
}

impl Service {
    /// Names the checks that are observed because they are newer than the file, and what to write; `None` if none is.
    pub(crate) fn observed_newer(&self) -> Option<String> {
        let held: Vec<_> =
            self.checks.iter().filter_map(|check| Some((&check.name, check.default?.counts_from?))).collect();
        let needed = held.iter().map(|(_, introduced)| introduced).max()?;
        let names: Vec<_> = held.iter().map(|(name, _)| name.as_str()).collect();
        Some(format!(
            "newer than `since` in [defaults] and only observed: {}; write since = \"{needed}\" there to let them move routes",
            names.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::config::describe::Description;

    fn config(defaults: &str, service: &str) -> Config {
        let text = format!(
            "[node]\nmanagement = [\"10.1.0.2\", \"2001:db8:1::2\"]\n[defaults]\n{defaults}\n[backend.unbound]\n[backend.nsd]\n[[service]]\nname = \
             \"s\"\nprefixes = [\"192.0.2.53/32\", \"2001:db8::53/128\"]\n{service}\n"
        );
        Config::parse(Path::new("f.toml"), &text, "host").unwrap_or_else(|error| panic!("{error}"))
    }

    /// Services with every check that is supplied.
    const SERVICES: [&str; 3] = [
        "backend = \"unbound\"\nclient-source = \"198.51.100.7\"",
        "backend = \"nsd\"\nzones = [\"a.example\", \"b.example\"]\ncritical = [\"a.example\"]\nsentinel = \"www.a.example A\"",
        "",
    ];

    fn named<'a>(config: &'a Config, name: &str) -> &'a Check {
        config.services[0].checks.iter().find(|check| check.name == name).unwrap()
    }

    fn held(config: &Config) -> Vec<&str> {
        let checks = config.services[0].checks.iter();
        checks
            .filter(|check| check.default.is_some_and(|default| default.counts_from.is_some()))
            .map(|check| &*check.name)
            .collect()
    }

    #[test]
    fn every_supplied_check_has_a_row() {
        let configs = SERVICES.map(|service| config("", service));
        let names: BTreeSet<_> =
            configs.iter().flat_map(|config| &config.services[0].checks).map(|check| &*check.name).collect();
        let rows: BTreeSet<_> = SUPPLIED.iter().map(|row| row.name).collect();
        assert_eq!(
            names, rows,
            "a check that dnsherald supplies and its row: the version that supplies it first"
        );
        assert!(
            SUPPLIED.iter().all(|row| row.introduced <= Since::from_program()),
            "no row is of a later version"
        );
    }

    #[test]
    fn newer_checks_are_observed_and_older_ones_count() {
        let old = config("since = \"0.1\"", SERVICES[0]);
        let expected = [
            "recursion",
            "validation",
            "large",
            "tls",
            "way-back",
            "way-back-ipv6",
            "listener",
            "listener-tcp",
            "address",
        ];
        assert_eq!(held(&old), expected);
        for name in expected {
            assert_eq!(named(&old, name).on_fail.worst(), Severity::Observe, "{name}");
        }
        assert_eq!(named(&old, "answers").on_fail.worst(), Severity::Down);
        let shown = Description(&old).to_string();
        let line = "  newer than `since` in [defaults] and only observed: recursion, validation, large, tls, way-back, \
                    way-back-ipv6, listener, listener-tcp, address; write since = \"0.2\" there to let them move routes\n";
        assert!(shown.contains(line), "{shown}");
    }

    #[test]
    fn a_table_to_paste_says_that_it_is_only_observed() {
        let shown = |since| crate::config::paste::Tables(&config(since, SERVICES[0]).services[0]).to_string();
        let says = "# only observed, as `since` is older than 0.2: raise it first for the usual `on-fail`\n[[service.check]]\nname = \"tls\"";
        assert!(shown("since = \"0.1\"").contains(says), "{}", shown("since = \"0.1\""));
        assert!(!shown("").contains("# only observed"));
    }

    #[test]
    fn nothing_is_only_observed_in_a_file_of_today() {
        for service in SERVICES {
            let without = config("", service);
            let with = config("since = \"0.2\"", service);
            assert_eq!(with.services, without.services);
            assert_eq!((held(&with), with.services[0].observed_newer()), (vec![], None));
        }
    }

    #[test]
    fn the_shipped_file_is_of_this_version() {
        let shipped = include_str!("../../packaging/dnsherald.toml");
        let line = format!("\nsince = \"{}\" ", Since::from_program());
        assert!(shipped.contains(&line), "packaging/dnsherald.toml lacks{line}");
    }

    #[test]
    fn what_the_file_asks_for_counts() {
        let asked =
            config("since = \"0.1\"", "backend = \"unbound\"\nrecursion = { names = \"a.example A\" }");
        assert_eq!(named(&asked, "recursion").on_fail.worst(), Severity::Degraded);
        let zones = config("since = \"0.1\"", SERVICES[1]);
        assert_eq!(named(&zones, "critical").on_fail.worst(), Severity::Down);
        let own = "backend = \"unbound\"\n[[service.check]]\nname = \"address\"\naddress = {}";
        assert_eq!(held(&config("since = \"0.1\"", own)), ["listener", "listener-tcp"]);
        let other = "[[service.check]]\nname = \"address\"\ncommand = \"true\"";
        assert_eq!(held(&config("since = \"0.1\"", other)), ["address-here"]);
    }

    #[test]
    fn reads_versions_also_of_a_later_program() {
        let read = |text: &str| text.parse::<Since>().map(|since| since.to_string());
        let program = Since::from_program();
        assert_eq!(read("0.1").unwrap(), "0.1");
        assert_eq!(read(&program.to_string()).unwrap(), program.to_string());
        assert_eq!(program.lacking(), None);
        let newer = Since { minor: program.minor + 1, ..program };
        assert_eq!(read(&newer.to_string()).unwrap(), newer.to_string());
        assert!(newer.lacking().unwrap().contains(&format!("newer than this dnsherald {program}: ")));
        let of_later = config(&format!("since = \"{newer}\""), SERVICES[0]);
        assert_eq!(of_later.services, config("", SERVICES[0]).services);
        for wrong in ["", "0", "0.0", "0.1.0", "v0.1", "+0.1", "0.+1", "0.-1", "0. 1", "0.99999999999"] {
            assert!(read(wrong).unwrap_err().contains("is no version of dnsherald"), "{wrong}");
        }
    }
}
