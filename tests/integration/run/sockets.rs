//! The sockets of a server that is another process: stopped, continued, closed.

use std::env;
use std::fs;
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};

use crate::support::helper::{ANNOUNCE, Pop, WITHDRAW, eventually, ideal};
use crate::support::namespace::{in_namespace, shell};

/// The address at which [`reads_for_another_test`] listens.
const AT: &str = "DNSHERALD_TEST_READS_AT";

/// A process that reads a socket and answers nothing: the checks of the test ask another server.
#[test]
fn reads_for_another_test() {
    let Some(at) = env::var_os(AT) else { return };
    let socket = UdpSocket::bind(at.to_str().unwrap()).unwrap();
    while socket.recv(&mut [0; 512]).is_ok() {}
}

pub(super) struct Reader(Child);

impl Reader {
    pub(super) fn start(at: &str) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "run::sockets::reads_for_another_test", "--nocapture"]).env(AT, at);
        let reader = Self(command.stdout(Stdio::null()).spawn().unwrap());
        // Its port is taken as soon as it listens.
        assert!(eventually(|| UdpSocket::bind(at).is_err()));
        reader
    }

    /// It stops only after it has read what came before the signal.
    fn is_stopped(&self) {
        self.is_sent("STOP");
        let task = || fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        let is_stopped =
            |path: std::path::PathBuf| fs::read_to_string(path).is_ok_and(|text| text.contains(") T "));
        assert!(eventually(|| task().all(|thread| is_stopped(thread.unwrap().path().join("stat")))));
    }

    fn is_sent(&self, signal: &str) {
        shell(&format!("kill -s {signal} {}", self.0.id()));
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_stopped_server_is_withdrawn_by_its_sockets_and_returns_once_it_reads() {
    let name = "run::sockets::a_stopped_server_is_withdrawn_by_its_sockets_and_returns_once_it_reads";
    in_namespace(name, "ip addr add 192.0.2.53/32 dev lo", || {
        let pop = Pop::new();
        let at = "192.0.2.53:53";
        let reader = Reader::start(at);
        let pid_file = pop.file("server.pid");
        fs::write(&pid_file, reader.0.id().to_string()).unwrap();
        let text = pop.configuration().replace("address = false\n", "backend = \"srv\"\n");
        let process = "[[service.check]]\nname = \"process\"\nprocess = {}\n";
        pop.is_configured(&format!(
            "{text}\n{process}\n[backend.srv]\nkind = \"generic\"\nrestart = [\"/bin/true\"]\npid-file = {pid_file:?}\n"
        ));
        let mut helper = pop.helper(ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE);
        helper.logs("check resolver/listener: rising -> up");
        // Before its first sample the thread knows no socket that was read.
        let sampled = "dnsherald_listener_sockets{address=\"192.0.2.53:53\",transport=\"udp\"} 1";
        assert!(eventually(|| pop.told(&["metrics"]).contains(sampled)), "{}", pop.told(&["metrics"]));
        let client = UdpSocket::bind("192.0.2.53:0").unwrap();
        for _ in 0..2 {
            reader.is_stopped();
            client.send_to(b"query", at).unwrap();
            helper.says(WITHDRAW);
            helper.logs(&format!("{at} udp: the server hangs: the socket was not read for "));
            helper.has_said_no_more();
            reader.is_sent("CONT");
            helper.says(ANNOUNCE);
        }
        // The checks that ask the server passed all the time.
        assert!(!helper.log().contains("check resolver/answers: up -> down"), "{}", helper.log());
    });
}
