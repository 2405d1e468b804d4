//! Checks the units and drop-ins with systemd without starting them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::lacks;

/// A folder of units that is removed when the test ends.
struct Units(PathBuf);

impl Units {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("dnsherald-units-{name}-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// A unit of another package, and our drop-ins for it.
    fn with(&self, unit: &str, text: &str, drop_ins: &Path) {
        fs::write(self.0.join(unit), text).unwrap();
        let folder = self.0.join(format!("{unit}.d"));
        fs::create_dir(&folder).unwrap();
        for entry in fs::read_dir(drop_ins).unwrap() {
            let file = entry.unwrap();
            let text = fs::read_to_string(file.path()).unwrap().replace("/usr/bin/dnsherald", "/bin/true");
            fs::write(folder.join(file.file_name()), text).unwrap();
        }
    }

    /// systemd accepts it, if it is installed.
    fn verify(&self, unit: &str) {
        let verify =
            Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(self.0.join(unit)).output();
        let Ok(output) = verify else { return lacks("systemd-analyze") };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.trim().is_empty(), "{unit}: {said}");
    }
}

impl Drop for Units {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn systemd_accepts_the_units() {
    let systemd = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    let units = Units::new("exabgp");
    // The parts of Debian's unit that ours relies on.
    let exabgp = "[Service]\nRuntimeDirectory=exabgp\nRuntimeDirectoryMode=0750\nExecStart=/bin/true\nRestart=always\n";
    units.with("exabgp.service", exabgp, &systemd.join("exabgp.service.d"));
    fs::copy(systemd.join("dnsherald-drain.service"), units.0.join("dnsherald-drain.service")).unwrap();
    units.verify("exabgp.service");
    units.verify("dnsherald-drain.service");
}

#[test]
fn systemd_accepts_the_drop_ins_of_the_servers() {
    let units = Units::new("backends");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/backends");
    for entry in fs::read_dir(folder).unwrap() {
        let drop_ins = entry.unwrap().path();
        let unit = drop_ins.file_name().unwrap().to_str().unwrap().trim_end_matches(".d").to_owned();
        units.with(&unit, "[Service]\nType=notify\nExecStart=/bin/true\n", &drop_ins);
        units.verify(&unit);
    }
}
