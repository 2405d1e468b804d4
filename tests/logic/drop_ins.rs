//! `systemd/backends`: what `dnsherald backend hooks` prints for the units of Debian's DNS servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::backend::hooks::{StopTime, drop_in, stop_commands};

use crate::logic::kept::difference;
use crate::logic::lacks::lacks;

/// The units as their drop-ins are called. Of `kresd@1.service` Debian has the template.
const UNITS: [&str; 8] = [
    "dnsdist.service",
    "knot.service",
    "kresd@1.service",
    "named.service",
    "nsd.service",
    "pdns-recursor.service",
    "pdns.service",
    "unbound.service",
];

/// The longest that our part of a stop takes where the configuration sets no other times.
const DRAINS: Duration = Duration::from_secs(50);

fn kept(unit: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/backends");
    folder.join(format!("{unit}.d/dnsherald.conf"))
}

/// What Debian's package of the server brings, where it is installed.
fn of_debian(unit: &str) -> Option<String> {
    let template = unit.replace("@1.", "@.");
    fs::read_to_string(Path::new("/usr/lib/systemd/system").join(template)).ok()
}

/// As systemd has it of a unit that says this.
fn stop_time(unit_text: &str) -> StopTime {
    let said = unit_text.lines().find_map(|line| line.strip_prefix("TimeoutStopSec="));
    said.map_or(StopTime::DEFAULT, |time| {
        let seconds = time.trim_end_matches('s').parse().unwrap();
        StopTime::Within(Duration::from_secs(seconds))
    })
}

#[test]
fn each_is_what_hooks_prints_for_the_unit_of_debian() {
    for unit in UNITS {
        // Where the server is not installed, the drop-in says itself which commands it keeps.
        let text = of_debian(unit).unwrap_or_else(|| {
            lacks(&format!("{unit} of Debian"));
            fs::read_to_string(kept(unit)).unwrap()
        });
        let program = ["/usr/bin/dnsherald".to_owned()];
        let made = drop_in(unit, &program, &stop_commands(&text), DRAINS, stop_time(&text));
        assert_eq!(difference(&kept(unit), &made), None);
    }
}

#[test]
fn there_is_none_of_another_unit() {
    let folder = kept(UNITS[0]).parent().unwrap().parent().unwrap().to_owned();
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, UNITS.map(|unit| format!("{unit}.d")));
}
