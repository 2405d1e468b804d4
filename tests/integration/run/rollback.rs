//! Rollback to the configuration of the last good restart: where it is stored, and which directories are trusted.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::PathBuf;
use std::process::{Command, Output};

use nix::unistd::geteuid;

use crate::support::binary;
use crate::support::helper::{ANNOUNCE, Helper, Parent, Plan, Pop, WITHDRAW, ideal, mode, without_acks};
use crate::support::zones::{port_53, serves_zones};

/// The umask of ExaBGP, which makes new directories inaccessible.
const UMASK: &str = "0137";

/// The user of ExaBGP, for root.
const ANOTHER: u32 = 65534;

/// A server that restarts unless its configuration contains `broken`, and a helper that announces for it.
struct Site {
    pop: Pop,
    helper: Helper,
}

impl Site {
    fn new() -> Self {
        Self::with(Plan { service: "backend = \"srv\"", ..Plan::default() }, "127.0.0.1", "true")
    }

    /// Its management address, and further shell commands of a restart in the folder.
    fn with(plan: Plan, management: &str, more: &str) -> Self {
        Self::under(ideal("5.0.15"), plan, management, more)
    }

    /// The same with this parent.
    fn under(parent: Parent, plan: Plan, management: &str, more: &str) -> Self {
        let pop = Pop::with(plan);
        let restart = format!("cd {}; ! grep -q broken etc/srv.conf && {more}", pop.file("").display());
        let backend = format!(
            "\n[backend.srv]\nkind = \"generic\"\nsettle = \"0s\"\nstart-timeout = \"1s\"\nconfig-file = {:?}\nrestart = [\"/bin/sh\", \"-c\", {restart:?}]\n",
            pop.file("etc/srv.conf")
        );
        let management = format!("management = [\"{management}\"]");
        let configuration = pop.configuration().replace("management = [\"127.0.0.1\"]", &management);
        pop.is_configured(&format!("{configuration}{backend}"));
        for folder in ["", "etc", "state"] {
            fs::create_dir_all(pop.file(folder)).unwrap();
            fs::set_permissions(pop.file(folder), fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(pop.file("etc/srv.conf"), "good").unwrap();
        let mut helper = pop.helper(parent);
        helper.opens();
        helper.says(ANNOUNCE);
        pop.comes_to_be(|status| status.services[0].settled() || !status.exabgp.answers);
        Self { pop, helper }
    }

    /// The directory in which this user stores configurations.
    fn place(&self) -> PathBuf {
        self.pop.file(if geteuid().is_root() { "state-rollback" } else { "state/rollback" })
    }

    fn restart(&mut self, options: &str) -> Output {
        let output = self.run(options);
        if output.status.code() != Some(1) {
            self.helper.says(WITHDRAW);
            self.helper.says(ANNOUNCE);
        }
        output
    }

    fn run(&self, options: &str) -> Output {
        let line = format!("umask {UMASK}; exec \"$0\" backend restart {options} -c \"$1\"");
        let mut command = Command::new("sh");
        command.args(["-c", &line]).arg(binary()).arg(self.pop.configuration_file()).output().unwrap()
    }

    #[track_caller]
    fn restarts_well(&mut self) {
        let output = self.restart("");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }

    /// Refused with this reason, without a change.
    #[track_caller]
    fn is_refused(&mut self, why: &str) {
        let output = self.restart("--rollback");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(why) && said.contains("not touched, everything is as before"), "{why}: {said}");
        assert_eq!(output.status.code(), Some(1), "{said}");
        self.helper.has_said_no_more();
        assert_eq!(self.pop.status().services[0].drains, []);
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.pop.file(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.pop.file(name)).unwrap_or_default()
    }
}

/// It is unknown whether the withdraw is in force, so the command waits for a fixed time.
#[test]
fn reports_that_exabgp_acknowledges_nothing() {
    let plan = Plan { service: "backend = \"srv\"", ..Plan::default() };
    let mut site = Site::under(without_acks("5.0.15"), plan, "127.0.0.1", "true");
    let output = site.restart("");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let drained = "resolver withdrawn, sent, not acknowledged: exabgp.api.ack is off; waited 2s instead";
    assert!(said.contains(drained), "{said}");
    assert!(said.contains("resolver is up, sent, not acknowledged"), "{said}");
}

#[test]
fn restores_the_configuration_with_any_umask() {
    let mut site = Site::new();
    site.is_refused("no configuration is saved");
    site.restarts_well();
    assert_eq!(mode(&site.place().join("srv")), "700");
    for broken in ["broken", "broken again"] {
        site.write("etc/srv.conf", broken);
        site.write("etc/of-another-program.conf", broken);
        let output = site.restart("--rollback");
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        let restored = site.pop.file("etc/srv.conf").display().to_string();
        site.helper
            .logs(&format!("; the rollback restored these paths: {restored} (the replaced file is now "));
        site.helper
            .logs(".srv.conf.rolled-back); rolled back: the server runs with the configuration before");
        assert_eq!(site.read("etc/srv.conf"), "good");
        assert_eq!(site.read("etc/of-another-program.conf"), broken, "the folder is not the server's own");
    }
    let aside = ["etc/.srv.conf.rolled-back", "etc/.srv.conf.rolled-back.2"].map(|name| site.read(name));
    assert_eq!(aside, ["broken", "broken again"]);
}

/// The state belongs to ExaBGP's user, who may add files that root would install.
#[test]
fn does_not_restore_files_from_the_state() {
    let mut site = Site::new();
    for place in ["state/configuration", "state/rollback"] {
        site.write(&format!("{place}/srv/srv.conf"), "broken, planted");
        site.write(&format!("{place}/srv/conf.d/evil.conf"), "planted");
    }
    if geteuid().is_root() {
        chown(site.pop.file("state"), Some(ANOTHER), Some(ANOTHER)).unwrap();
    }
    site.is_refused("no configuration is saved");
    assert_eq!(
        (site.read("etc/srv.conf"), site.read("etc/conf.d/evil.conf")),
        ("good".into(), String::new())
    );
}

/// A directory in another user's folder is under that user's control.
#[test]
fn does_not_use_a_directory_of_others() {
    let mut site = Site::new();
    site.restarts_well();
    let around = site.pop.file("");
    fs::set_permissions(&around, fs::Permissions::from_mode(0o777)).unwrap();
    site.is_refused("can be written to by others than its owner");
    fs::set_permissions(&around, fs::Permissions::from_mode(0o755)).unwrap();
    if geteuid().is_root() {
        chown(site.place(), Some(ANOTHER), Some(ANOTHER)).unwrap();
        site.is_refused(" belongs to ");
    }
}

#[test]
fn does_not_follow_links() {
    let mut site = Site::new();
    site.write("victim/srv/precious", "precious");
    symlink(site.pop.file("victim"), site.pop.file("state/configuration")).unwrap();
    symlink(site.pop.file("victim"), site.place()).unwrap();
    site.restarts_well();
    assert_eq!(site.read("victim/srv/precious"), "precious");
    let count = |name: &str| fs::read_dir(site.pop.file(name)).unwrap().count();
    assert_eq!((count("victim"), count("victim/srv")), (1, 1));
}

/// The rollback would restart it with the same file.
#[test]
fn refuses_a_rollback_without_a_stored_main_file() {
    let mut site = Site::new();
    fs::rename(site.pop.file("etc/srv.conf"), site.pop.file("etc/real.conf")).unwrap();
    symlink("real.conf", site.pop.file("etc/srv.conf")).unwrap();
    site.restarts_well();
    site.write("etc/real.conf", "broken");
    site.is_refused("srv.conf is a link");
    fs::remove_file(site.pop.file("etc/srv.conf")).unwrap();
    site.write("etc/srv.conf", &"#".repeat(5 << 20));
    site.restarts_well();
    site.write("etc/srv.conf", "broken");
    site.is_refused("srv.conf has more than 4 MiB");
    assert_eq!(site.read("etc/srv.conf"), "broken");
}

/// The server restarts with the zone of its last start; the zones served before the attempt count.
#[test]
fn an_older_zone_does_not_return() {
    const ADDRESS: &str = "127.53.77.1";
    let Some(socket) = port_53(ADDRESS) else { return };
    let plan = Plan {
        service: "backend = \"srv\"\nzones = [\"example.org\"]\nnext-hop = \"127.0.0.1\"",
        ..Plan::default()
    };
    let mut site = Site::with(plan, ADDRESS, "cp zone served");
    let served = site.pop.file("served");
    std::thread::spawn(move || serves_zones(&socket, |_| fs::read_to_string(&served).ok()?.parse().ok()));
    site.write("zone", "7");
    site.restarts_well();
    let rolls_back = |site: &mut Site, expected: &str| {
        site.write("etc/srv.conf", "broken");
        let output = site.run("--rollback");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(expected), "{expected}: {said}");
        site.helper.says(WITHDRAW);
        output.status.code()
    };
    assert_eq!(rolls_back(&mut site, "1 zone served in 1 answer, none older"), Some(4));
    site.helper.says(ANNOUNCE);
    fs::remove_file(site.pop.file("served")).unwrap();
    assert_eq!(rolls_back(&mut site, "1 answer not compared"), Some(4));
    site.helper.says(ANNOUNCE);
    site.write("served", "9");
    assert_eq!(rolls_back(&mut site, "serial 7, before 9"), Some(3));
    site.helper.has_said_no_more();
    assert_eq!(site.read("etc/srv.conf"), "good");
}
