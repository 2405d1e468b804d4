//! `backend restart` that leaves two servers or fewer listeners, and `--command`.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Output};
use std::thread;

use crate::support::binary;
use crate::support::helper::{ANNOUNCE, Helper, Plan, Pop, WITHDRAW, eventually, ideal};

/// Functions for the shell commands of a restart. The pid file is created atomically.
const FUNCTIONS: &str = "starts() { sleep 1000 >/dev/null 2>&1 & echo $! >> all; echo $! > new; mv new pid; }\n\
                         stops() { kill $(cat pid); }\n";

/// A helper that announces for a server, whose process is a `sleep` with a pid file.
struct Site {
    helper: Helper,
    pop: Pop,
}

impl Site {
    /// Uses these shell commands as its restart.
    fn new(restart: &str) -> Self {
        let pop = Pop::with(Plan { service: "backend = \"srv\"", ..Plan::default() });
        for folder in ["etc", "state"] {
            fs::create_dir_all(pop.file(folder)).unwrap();
        }
        fs::write(pop.file("etc/srv.conf"), "good").unwrap();
        let backend = format!(
            "\n[backend.srv]\nkind = \"generic\"\nsettle = \"0s\"\nstart-timeout = \"1s\"\npid-file = {:?}\n\
             config-file = {:?}\nrestart = [\"/bin/sh\", {:?}]\n",
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

    fn restarts_by(&self, lines: &str) {
        let folder = self.pop.file("");
        let script = format!("cd {}\n{FUNCTIONS}{lines}\n", folder.display());
        fs::write(self.pop.file("restart.sh"), script).unwrap();
    }

    fn run(&self, options: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.args(["backend", "restart", "-c"]).arg(self.pop.configuration_file()).args(options);
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
        self.helper.logs("192.0.2.53/32 stays withdrawn; for ");
        self.helper.logs("; to end it once the server is repaired: dnsherald undrain resolver --as backend/");
        self.helper.has_said_no_more();
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
    let output = site.run(&[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    site.helper.says(WITHDRAW);
    site.helper.says(ANNOUNCE);
    let is_told = || {
        let history = site.pop.told(&["history"]);
        history.contains("restart    service resolver: restart ")
            && history.contains("done, and every step verified")
    };
    assert!(eventually(is_told), "{}", site.pop.told(&["history"]));
}

/// Addresses that listened before the first attempt must listen after the second.
#[test]
fn a_rollback_that_loses_an_address_stays_drained() {
    let mut site = Site::new("stops; starts");
    assert_eq!(site.run(&[]).status.code(), Some(0));
    site.helper.says(WITHDRAW);
    site.helper.says(ANNOUNCE);
    site.restarts_by(
        "if grep -q broken etc/srv.conf; then touch lose; while [ ! -e lost ]; do sleep 0.02; done; exit 1; fi\n\
         stops; starts",
    );
    fs::write(site.pop.file("etc/srv.conf"), "broken").unwrap();
    let port = site.pop.server.address().port();
    let address = SocketAddr::from(([127, 53, 77, 2], port));
    let socket = UdpSocket::bind(address).unwrap();
    let (lose, lost) = (site.pop.file("lose"), site.pop.file("lost"));
    let losing = thread::spawn(move || {
        assert!(eventually(|| lose.exists()));
        drop(socket);
        fs::write(lost, "").unwrap();
    });
    site.is_left_drained(&["--rollback"], &format!("nothing listens at {address} udp"));
    losing.join().unwrap();
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
