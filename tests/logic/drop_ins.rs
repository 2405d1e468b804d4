//! `systemd/backends` has the output of `dnsherald backend hooks` for the units of Debian's DNS servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::backend::hooks::{StopTime, drop_in, stop_commands};

use crate::logic::kept::difference;
use crate::logic::lacks::lacks;

/// The units of the drop-ins. Debian ships the template of `kresd@1.service`.
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

/// The longest time that our hook delays a stop with default times.
const DRAINS: Duration = Duration::from_secs(50);

fn kept(unit: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/backends");
    folder.join(format!("{unit}.d/dnsherald.conf"))
}

/// The unit of Debian's package, if it is installed.
fn of_debian(unit: &str) -> Option<String> {
    let template = unit.replace("@1.", "@.");
    fs::read_to_string(Path::new("/usr/lib/systemd/system").join(template)).ok()
}

/// The unit as systemd reports it.
fn stop_time(unit_text: &str) -> StopTime {
    let said = unit_text.lines().find_map(|line| line.strip_prefix("TimeoutStopSec="));
    said.map_or(StopTime::DEFAULT, |time| {
        let seconds = time.trim_end_matches('s').parse().unwrap();
        StopTime::Within(Duration::from_secs(seconds))
    })
}

#[test]
fn each_drop_in_is_the_output_of_backend_hooks() {
    for unit in UNITS {
        // If the server is not installed, the drop-in itself says which commands it keeps.
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
fn no_drop_in_is_unused() {
    let folder = kept(UNITS[0]).parent().unwrap().parent().unwrap().to_owned();
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, UNITS.map(|unit| format!("{unit}.d")));
}
