//! `backend restart` that leaves two servers or fewer listeners, and `--command`.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use dnsherald::engine::service::ServiceState;
use dnsherald::responder::Fault;
use dnsherald::status::Service;

use crate::support::binary;
use crate::support::helper::{ANNOUNCE, Helper, Plan, Pop, WITHDRAW, eventually, ideal};
use crate::support::namespace::in_namespace;

mod checks;
mod inside;
mod left;
mod lifted;
mod reloaded;
mod rolled_back;
mod saved;
mod shared;
mod unknown;

/// Functions for the shell commands of a restart. The pid file is created atomically.
const FUNCTIONS: &str = "starts() { sleep 1000 >/dev/null 2>&1 & echo $! >> all; echo $! > new; mv new pid; }\n\
                         stops() { kill $(cat pid); }\n\
                         waits() { touch begun; while [ -e begun ]; do sleep 0.02; done; }\n";

/// A helper that announces for a server, whose process is a `sleep` with a pid file.
struct Site {
    helper: Helper,
    pop: Pop,
}

impl Site {
    /// Uses these shell commands as its restart.
    fn new(restart: &str) -> Self {
        Self::with(restart, "backend = \"srv\"")
    }

    /// The same with these lines of `[[service]]`.
    fn with(restart: &str, service: &'static str) -> Self {
        Self::with_plan(restart, Plan { service, ..Plan::default() })
    }

    fn with_plan(restart: &str, plan: Plan) -> Self {
        let pop = Pop::with(plan);
        for folder in ["etc", "state"] {
            fs::create_dir_all(pop.file(folder)).unwrap();
        }
        fs::write(pop.file("etc/srv.conf"), "good").unwrap();
        let backend = format!(
            "\n[backend.srv]\nkind = \"generic\"\nsettle = \"0s\"\nstart-timeout = \"1s\"\npid-file = {:?}\n\
             config-file = {:?}\nreload = [\"false\"]\nrestart = [\"/bin/sh\", {:?}]\n",
            pop.file("pid"),
            pop.file("etc/srv.conf"),
            pop.file("restart.sh"),
        );
        pop.is_configured(&format!("{}{backend}", pop.configuration()));
        let mut site = Self { helper: pop.helper(ideal("5.0.15")), pop };
        site.restarts_by("starts");
        assert!(Command::new("sh").arg(site.pop.file("restart.sh")).status().unwrap().success());
        site.restarts_by(restart);
        site.helper.opens();
        site.helper.says(ANNOUNCE);
        site.pop.comes_to_be(|status| status.services[0].settled());
        site
    }

    /// With the configuration `good` saved by a restart.
    fn with_a_snapshot() -> Self {
        let mut site = Self::new("stops; starts");
        assert_eq!(site.run(&[]).status.code(), Some(0));
        site.helper.says(WITHDRAW);
        site.helper.says(ANNOUNCE);
        site
    }

    fn restarts_by(&self, lines: &str) {
        let folder = self.pop.file("");
        let script = format!("cd {}\n{FUNCTIONS}{lines}\n", folder.display());
        fs::write(self.pop.file("restart.sh"), script).unwrap();
    }

    /// Uses these shell commands as its reload, for the commands that follow.
    fn reloads_by(&self, lines: &str) {
        let (script, folder) = (self.pop.file("reload.sh"), self.pop.file(""));
        fs::write(&script, format!("cd {}\n{FUNCTIONS}{lines}\n", folder.display())).unwrap();
        let text = fs::read_to_string(self.pop.configuration_file()).unwrap();
        let reload = format!("reload = [\"/bin/sh\", {script:?}]");
        self.pop.is_configured(&text.replace("reload = [\"false\"]", &reload));
    }

    /// Adds these lines to the backend, for the commands that follow.
    fn has_a_backend_with(&self, lines: &str) {
        let text = fs::read_to_string(self.pop.configuration_file()).unwrap();
        self.pop.is_configured(&text.replace("[backend.srv]\n", &format!("[backend.srv]\n{lines}\n")));
    }

    /// Adds the service `other` of the same server, which the helper announces.
    fn has_another_service(&self) {
        self.has_another_service_at(self.pop.server.address());
    }

    /// The same, with its check at this server.
    fn has_another_service_at(&self, server: SocketAddr) {
        let service = format!(
            "[[service]]\nname = \"other\"\nprefixes = [\"192.0.2.54/32\"]\naddress = false\nbackend = \"srv\"\nup = {{ med = 100 }}\n\
             [service.dampening]\nmode = \"off\"\n[[service.check]]\nname = \"answers\"\n\
             dns = {{ query = \"localhost. A\", server = \"{server}\" }}"
        );
        let text = fs::read_to_string(self.pop.configuration_file()).unwrap();
        self.pop.is_configured(&format!("{text}{service}\n"));
        self.pop.told(&["reload"]);
        self.pop.comes_to_be(|status| {
            let mut services = status.services.iter();
            status.services.len() == 2 && services.all(|one| one.is_serving() && one.settled())
        });
    }

    /// The end and the reason of each drain of a service.
    fn drains_of(&self, name: &str) -> Vec<(bool, String)> {
        let status = self.pop.status();
        let service = status.services.iter().find(|service| service.name == name).unwrap();
        let drains = service.drains.iter();
        drains.map(|drain| (drain.returning, drain.reason.clone())).collect()
    }

    /// A shell command for `dnsherald` with these words.
    fn asks(&self, words: &str) -> String {
        format!("{} {words} -c {}", binary().display(), self.pop.configuration_file().display())
    }

    /// Runs these shell commands once, as soon as the restart waits for a quiet server.
    fn meets_in_quiet(&self, lines: &str) {
        let script = self.pop.file("counters.sh");
        let once = format!("[ -e counted ] || {{ touch counted; {lines}; }} > /dev/null\necho 7\n");
        fs::write(&script, format!("cd {}\n{once}", self.pop.file("").display())).unwrap();
        self.has_a_backend_with(&format!("quiet-for = \"100ms\"\ncounters = [\"/bin/sh\", {script:?}]"));
    }

    /// Makes the server refuse all questions while the restart [waits](FUNCTIONS).
    fn refuses_during_the_restart(&self) -> JoinHandle<()> {
        self.becomes_during_the_restart(Fault::Refuse)
    }

    /// The same with another fault.
    fn becomes_during_the_restart(&self, fault: Fault) -> JoinHandle<()> {
        let server = Arc::clone(&self.pop.server);
        self.does_during_the_restart(move || server.becomes(fault))
    }

    /// Does this while the restart waits.
    fn does_during_the_restart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let begun = self.pop.file("begun");
        thread::spawn(move || {
            assert!(eventually(|| begun.exists()));
            let done = work();
            fs::remove_file(begun).unwrap();
            done
        })
    }

    fn run(&self, options: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.args(["backend", "restart", "-c"]).arg(self.pop.configuration_file()).args(options);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.pop.file("bin").display()));
        command.output().unwrap()
    }

    /// Runs it; it leaves a drain with this reason. Returns the output.
    #[track_caller]
    fn is_left_drained(&mut self, options: &[&str], why: &str) -> String {
        let output = self.run(options);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(why), "{why}: {said}");
        assert_eq!(output.status.code(), Some(3), "{said}");
        self.helper.says(WITHDRAW);
        self.helper.logs(
            "192.0.2.53/32 stays withdrawn; to end it once the server is repaired: dnsherald undrain resolver --as backend/",
        );
        self.helper.has_said_no_more();
        // The checks of a service need not see what the verification has seen: the drain does not end by itself.
        let [drain] = &self.pop.status().services[0].drains[..] else { panic!("{:?}", self.pop.status()) };
        assert_eq!((drain.expires_in_seconds, drain.returning), (None, false), "{drain:?}");
        let (code, line) = self.pop.alert();
        assert!(line.contains("CRITICAL - resolver drained by a failed operation on its server"), "{line}");
        assert_eq!(code, Some(2), "{line}");
        let explained = self.pop.told(&["explain"]);
        assert!(
            explained.contains("repair the server (`dnsherald backend status srv`), then"),
            "{explained}"
        );
        said
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for pid in fs::read_to_string(self.pop.file("all")).unwrap_or_default().lines() {
            let _ = Command::new("kill").args(["-s", "KILL", pid]).output();
        }
    }
}

/// Two servers would share the port, and each would answer some queries.
#[test]
fn a_second_server_is_no_restart() {
    let mut site = Site::new("starts");
    let said = site.is_left_drained(&[], "from before the restart, has not exited: end it (kill -s KILL ");
    assert!(said.contains(" to serve as before"), "the wait is announced: {said}");
}

#[test]
fn a_replaced_server_is_a_restart() {
    let mut site = Site::new("stops; starts");
    let output = site.run(&["--reason", "new version"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    site.helper.says(WITHDRAW);
    site.helper.says(ANNOUNCE);
    let is_told = || {
        let history = site.pop.told(&["history"]);
        history.contains("restart    service resolver: restart ")
            && history.contains(" (new version) done, and every step verified")
    };
    assert!(eventually(is_told), "{}", site.pop.told(&["history"]));
}

/// A reload without a drain is in the log and in the history, and does not run beside a restart.
#[test]
fn a_reload_is_logged_and_excludes_a_restart() {
    let mut site = Site::new("stops; starts; waits");
    assert_eq!(site.pop.command(&["backend", "reload"]).status.code(), Some(1));
    site.helper.logs("WARN  dnsherald: service resolver: reload srv failed: ");
    site.helper.logs("; not drained: the checks decide what is announced");
    let is_told = || site.pop.told(&["history"]).contains("restart    service resolver: reload srv failed: ");
    assert!(eventually(is_told), "{}", site.pop.told(&["history"]));

    let begun = site.pop.file("begun");
    let mut restart = site.pop.prepared(&["backend", "restart"]).stdout(Stdio::null()).spawn().unwrap();
    assert!(eventually(|| begun.exists()));
    let refused = site.pop.command(&["backend", "reload"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    let id = restart.id();
    let why = format!(
        "srv: not reloaded, the server was not touched: another restart is under way: process {id} restarts srv"
    );
    assert!(said.contains(&why), "{said}");
    fs::remove_file(begun).unwrap();
    assert_eq!(restart.wait().unwrap().code(), Some(0));
    site.helper.says(WITHDRAW);
    site.helper.says(ANNOUNCE);
}

/// The command has succeeded, and the server refuses the questions that it answered before.
#[test]
fn a_reload_after_which_questions_are_refused_is_in_the_log() {
    let mut site = Site::new("starts");
    site.reloads_by("waits");
    let refusing = site.refuses_during_the_restart();
    assert_eq!(site.pop.command(&["backend", "reload"]).status.code(), Some(1));
    refusing.join().unwrap();
    site.helper.logs("WARN  dnsherald: service resolver: reload srv done, but ");
    site.helper
        .logs("answered REFUSED, expected NOERROR; check answers of resolver did not fail before the reload");
    site.helper.comes_to_say(WITHDRAW);
}

/// Without systemd, the restart may return before the server has written its pid file.
#[test]
fn a_restart_waits_for_the_pid_file() {
    let mut site = Site::new("stops; rm pid; { sleep 0.3; starts; } > /dev/null 2>&1 &");
    let output = site.run(&[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    // Right after its fork the process has the name of the shell.
    let is_named = said.contains("(sleep)") || said.contains("(sh)");
    assert!(is_named && !said.contains("not known"), "{said}");
    site.helper.says(WITHDRAW);
    site.helper.says(ANNOUNCE);
}

/// A unit that stays down costs one question to systemd a second, not one with each look.
#[test]
fn systemd_is_asked_once_a_second() {
    let mut site = Site::new("true");
    let text = fs::read_to_string(site.pop.configuration_file()).unwrap();
    let pid_file = format!("pid-file = {:?}", site.pop.file("pid"));
    site.pop.is_configured(&text.replace(&pid_file, "unit = \"dnsherald-no-such.service\""));
    let (systemctl, asked) = (site.pop.file("bin/systemctl"), site.pop.file("asked"));
    fs::create_dir(site.pop.file("bin")).unwrap();
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> {}\nprintf 'LoadState=loaded\\nActiveState=failed\\n'\n",
        asked.display()
    );
    fs::write(&systemctl, script).unwrap();
    fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
    let began = Instant::now();
    site.is_left_drained(&[], "dnsherald-no-such.service is failed and has no main process");
    let asked = fs::read_to_string(asked).unwrap().lines().count();
    // One for the state before, and one at the beginning of the first second.
    assert!(asked as u64 <= began.elapsed().as_secs() + 2, "{asked} in {:?}", began.elapsed());
}

/// The server listens, and refuses the questions that it answered before.
#[test]
fn a_restart_after_which_questions_are_refused_stays_drained() {
    let mut site = Site::new("stops; starts; waits");
    let (address, refusing) = (site.pop.server.address(), site.refuses_during_the_restart());
    let said = site.is_left_drained(&[], "answered REFUSED, expected NOERROR");
    assert!(said.contains(&format!("check answers of resolver is down: {address} udp ")), "{said}");
    refusing.join().unwrap();
}

/// The restart is over once the service is announced, after the names of `warm-up` were asked; with `recovery` that is as
/// degraded. Nothing answers the names, so that they take their two seconds.
#[test]
fn a_return_with_warm_up_and_recovery_is_awaited() {
    let name = "run::restart::a_return_with_warm_up_and_recovery_is_awaited";
    in_namespace(name, "true", || {
        let _silent = UdpSocket::bind("127.0.0.1:53").unwrap();
        let service = "backend = \"srv\"\nwarm-up = \"localhost. A\"\ndegraded = { med = 400 }\n\
                       recovery = { after = \"1h\", attributes = \"degraded\" }";
        let degraded = ANNOUNCE.replace("med 100", "med 400");
        let mut site = Site::with("stops; starts", service);
        let output = site.run(&[]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{said}");
        let how = "as degraded, acknowledged: returns with the attributes of `degraded` for 1h";
        assert!(said.contains(&format!("resolver is announced {how}")), "{said}");
        site.helper.says(WITHDRAW);
        site.helper.says(degraded.as_str());
        site.helper.logs("warm-up: 0 of 1 names answered");
        site.pop.told(&["drain", "--wait"]);
        site.helper.says(WITHDRAW);
        let said = site.pop.told(&["undrain", "--wait"]);
        let announced = said.lines().nth(1).unwrap();
        assert!(announced.starts_with("announced resolver, acknowledged within "), "{said}");
        let how = "; resolver as degraded: returns with the attributes of `degraded` for 1h";
        assert!(announced.ends_with(how), "{said}");
        site.helper.says(degraded.as_str());
    });
}

/// With `degraded = "withdraw"` the service is not announced before the end of `recovery`.
#[test]
fn a_recovery_that_withdraws_is_not_taken_for_an_announcement() {
    let service = "backend = \"srv\"\ndegraded = \"withdraw\"\n\
                   recovery = { after = \"300ms\", attributes = \"degraded\" }";
    let mut site = Site::with("stops; starts", service);
    let output = site.run(&[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let withdrawn = "resolver is degraded and withdrawn, ";
    assert!(said.contains(withdrawn) || said.contains("resolver is up, acknowledged"), "{said}");
    site.helper.says(WITHDRAW);
    site.helper.says(ANNOUNCE);
    site.pop.told(&["drain", "--wait"]);
    site.helper.says(WITHDRAW);
    site.pop.told(&["undrain", "--wait"]);
    assert_eq!(site.pop.status().services[0].state, ServiceState::Up);
    site.helper.says(ANNOUNCE);
}

/// An upgrade may take longer than every limit of a restart: here longer than `start-timeout` and the checks together.
#[test]
fn a_long_command_comes_to_its_end_and_the_service_stays_drained_meanwhile() {
    let mut site = Site::new("exit 1");
    let (seen, program) = (site.pop.file("seen"), binary());
    let status =
        format!("{} status --json -c {}", program.display(), site.pop.configuration_file().display());
    let output = site.run(&["--command", &format!("sleep 4; {status} > {}", seen.display())]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let seen = fs::read_to_string(seen).unwrap();
    assert!(seen.contains("\"drained\"") && seen.contains("\"backend/srv\""), "{seen}");
    site.helper.says(WITHDRAW);
    site.helper.says(ANNOUNCE);
}

#[test]
fn a_command_has_only_the_given_limit() {
    let mut site = Site::new("exit 1");
    let output = site.run(&["--command", "true"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("runs /bin/sh -c true, without a limit"), "{said}");
    assert_eq!(output.status.code(), Some(0), "{said}");
    site.helper.says(WITHDRAW);
    site.helper.says(ANNOUNCE);
    let told = site.pop.file("told");
    let command = format!("trap 'echo told > {}; exit 7' TERM; sleep 1000 & wait", told.display());
    let why = "not done within 1s, told to end by TERM, exited with status 7";
    site.is_left_drained(&["--command", &command, "--limit", "1s"], why);
    assert_eq!(fs::read_to_string(told).unwrap(), "told\n");
}
