//! A point of presence: a scripted DNS server, a folder, a configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dnsherald::control::client::Client;
use dnsherald::daemon::last_good::LastGood;
use dnsherald::daemon::store::Store;
use dnsherald::status::Document;

use super::{Helper, Parent, Server, eventually, ideal};
use crate::support::binary;

/// What ExaBGP 5 is told of the first prefix.
pub(crate) const ANNOUNCE: &str = "neighbor * announce route 192.0.2.53/32 next-hop 127.0.0.1 med 100";
pub(crate) const WITHDRAW: &str = "neighbor * withdraw route 192.0.2.53/32";

/// The `nth` prefix of the service, from 0.
fn prefix(nth: usize) -> String {
    match nth {
        0 => "192.0.2.53/32".to_owned(),
        _ => format!("198.18.{}.{}/32", nth / 256, nth % 256),
    }
}

pub(crate) fn announce(nth: usize) -> String {
    ANNOUNCE.replace(&prefix(0), &prefix(nth))
}

pub(crate) fn withdraw(nth: usize) -> String {
    WITHDRAW.replace(&prefix(0), &prefix(nth))
}

/// What a test has configured otherwise.
pub(crate) struct Plan {
    pub(crate) prefixes: usize,
    /// Lines of `[exabgp]`.
    pub(crate) exabgp: &'static str,
    /// Lines of `[[service]]`. `FOLDER` stands for the folder.
    pub(crate) service: &'static str,
    /// Lines of `[service.dampening]`.
    pub(crate) dampening: &'static str,
    /// Lines of `[[service.check]]`.
    pub(crate) check: &'static str,
    /// The directory of the state, in the folder.
    pub(crate) state: &'static str,
}

impl Default for Plan {
    fn default() -> Self {
        Self { prefixes: 1, exabgp: "", service: "", dampening: "mode = \"off\"", check: "", state: "state" }
    }
}

/// The folder is removed when it is dropped.
pub(crate) struct Pop {
    pub(crate) server: Arc<Server>,
    folder: PathBuf,
    plan: Plan,
}

impl Pop {
    pub(crate) fn new() -> Self {
        Self::with(Plan::default())
    }

    pub(crate) fn with(plan: Plan) -> Self {
        static POPS: AtomicUsize = AtomicUsize::new(0);
        let name = format!("dnsherald-run-{}-{}", std::process::id(), POPS.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        let pop = Self { server: Arc::new(Server::start()), folder, plan };
        pop.is_configured(&pop.configuration());
        pop
    }

    /// A configuration that notices a fault, and its end, within a quarter of a second; a hang only after one second, so
    /// that a machine that stands still for a moment is not taken for one.
    pub(crate) fn configuration(&self) -> String {
        let Plan { prefixes, exabgp, service, dampening, check, state } = &self.plan;
        let prefixes: Vec<_> = (0..*prefixes).map(prefix).collect();
        let service = service.replace("FOLDER", &self.folder.display().to_string());
        format!(
            "[node]\nname = \"test\"\nmanagement = [\"127.0.0.1\"]\n\n[exabgp]\n{exabgp}\n\n\
             [control]\ndirectory = {:?}\nstate = \"{}\"\n\n\
             [defaults]\ninterval = \"100ms\"\nfast-interval = \"10ms\"\ntimeout = \"100ms\"\nrise = 2\nfall = 10\n\n\
             [[service]]\nname = \"resolver\"\nprefixes = {prefixes:?}\naddress = false\nup = {{ med = 100 }}\n{service}\n\n\
             [service.dampening]\n{dampening}\n\n\
             [[service.check]]\nname = \"answers\"\n{check}\ndns = {{ query = \"localhost. A\", server = \"{}\" }}\n",
            self.file("control"),
            self.file(state).display(),
            self.server.address(),
        )
    }

    /// Replaces the configuration file, at one stroke.
    pub(crate) fn is_configured(&self, text: &str) {
        let beside = self.file("dnsherald.toml.new");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, self.configuration_file()).unwrap();
    }

    pub(crate) fn configuration_file(&self) -> PathBuf {
        self.file("dnsherald.toml")
    }

    /// A place in the folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn state_file(&self) -> PathBuf {
        Store::new(&self.file(self.plan.state), &self.configuration_file()).file().to_owned()
    }

    pub(crate) fn last_good(&self) -> LastGood {
        LastGood::new(&self.file(self.plan.state), &self.configuration_file())
    }

    /// The configuration as it is comes to be kept as the last good one.
    #[track_caller]
    pub(crate) fn keeps_its_configuration(&self) {
        let text = fs::read_to_string(self.configuration_file()).unwrap();
        let kept = || fs::read_to_string(self.last_good().file()).unwrap_or_default();
        assert!(eventually(|| kept().ends_with(&text)), "kept instead: {}", kept());
    }

    /// The state file comes to contain this.
    #[track_caller]
    pub(crate) fn remembers(&self, text: &str) {
        let read = || fs::read_to_string(self.state_file()).unwrap_or_default();
        assert!(eventually(|| read().contains(text)), "`{text}` is not in the state: {}", read());
    }

    pub(crate) fn helper(&self, parent: Parent) -> Helper {
        self.helper_with(&[], parent)
    }

    /// A helper under an ExaBGP that has received the announcement.
    pub(crate) fn announced(&self) -> Helper {
        let mut helper = self.helper(ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE);
        helper
    }

    /// A helper whose status shows that ExaBGP has acknowledged the announcement.
    pub(crate) fn settled(&self) -> Helper {
        let helper = self.announced();
        self.comes_to_be(|status| status.services[0].settled());
        helper
    }

    /// A helper with further options of `run`.
    pub(crate) fn helper_with(&self, options: &[&str], parent: Parent) -> Helper {
        let mut command = Command::new(binary());
        command.arg("run").arg("-c").arg(self.configuration_file()).args(options);
        Helper::start(command, parent)
    }

    /// `healthcheck` with these options instead of a configuration.
    pub(crate) fn healthcheck(&self, options: &[&str], parent: Parent) -> Helper {
        let mut command = Command::new(binary());
        command.args(["healthcheck", "--no-ip-setup", "--no-syslog", "--ip", "192.0.2.53/32"]).args(options);
        Helper::start(command, parent)
    }

    /// A command beside the helper, to its end.
    ///
    /// It is asked by the user `operator`, by means of sudo.
    pub(crate) fn command(&self, words: &[&str]) -> Output {
        self.prepared(words).output().unwrap()
    }

    /// The same, to be started in another way.
    pub(crate) fn prepared(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.env("SUDO_USER", "operator");
        command.args(words).arg("-c").arg(self.configuration_file());
        command
    }

    /// A command that goes well, and what it prints.
    #[track_caller]
    pub(crate) fn told(&self, words: &[&str]) -> String {
        let output = self.command(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The exit status and the line of `status --plugin`.
    pub(crate) fn alert(&self) -> (Option<i32>, String) {
        let output = self.command(&["status", "--plugin"]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    /// The status, as soon as there is a helper to ask.
    #[track_caller]
    pub(crate) fn status(&self) -> Document {
        let client = Client::new(&self.file("control"));
        let mut status = client.status();
        let answered = eventually(|| {
            status = client.status();
            status.is_ok()
        });
        assert!(answered, "{status:?}");
        status.unwrap()
    }

    /// The status comes to fulfill a condition.
    #[track_caller]
    pub(crate) fn comes_to_be(&self, what: impl Fn(&Document) -> bool) {
        let mut status = self.status();
        let came = eventually(|| {
            status = self.status();
            what(&status)
        });
        assert!(came, "{status:#?}");
    }

    /// A helper in a network namespace of its own.
    pub(crate) fn helper_elsewhere(&self) -> Helper {
        let mut command = Command::new("unshare");
        command.arg("--net").arg(binary()).arg("run").arg("-c").arg(self.configuration_file());
        Helper::start(command, ideal("5.0.15"))
    }

    /// A helper that becomes what it is after these commands of a shell.
    pub(crate) fn helper_after(&self, commands: &str, parent: Parent) -> Helper {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{commands}; exec \"$@\""), "sh"]);
        command.arg(binary()).arg("run").arg("-c").arg(self.configuration_file());
        Helper::start(command, parent)
    }
}

impl Drop for Pop {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Who may do what with a file or folder, as `chmod` takes it.
pub(crate) fn mode(path: &Path) -> String {
    format!("{:o}", fs::metadata(path).unwrap().permissions().mode() & 0o7777)
}
