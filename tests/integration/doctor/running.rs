//! What runs, and what does not: ExaBGP, its helper, its sessions, routes, servers of a port, a broken configuration.

use std::env;
use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use dnsherald::responder::Fault;

use super::{Host, exabgp};
use crate::support::binary;
use crate::support::helper::Pop;
use crate::support::namespace::{in_namespace, shell};
use crate::support::server::Server;

#[test]
fn exabgp_without_a_helper_differs_from_none() {
    let server = Server::with(Fault::None);
    let host = Host::new("helper", &server.address().to_string(), "5.0.15");
    assert_eq!(host.all_of("exabgp-stopped"), 1);
    let exabgp = exabgp(&host, &[host.path("exabgp.conf").to_str().unwrap()]);
    assert_eq!((host.all_of("exabgp-stopped"), host.all_of("helper-missing")), (0, 1));
    assert_eq!(host.all_of("exabgp-twice"), 0);
    // As if it had been started again by hand.
    let again = self::exabgp(&host, &[host.path("exabgp.conf").to_str().unwrap()]);
    assert_eq!(host.all_of("exabgp-twice"), 1);
    drop((exabgp, again));
}

#[test]
fn the_sessions_that_the_helper_sees_are_found_down() {
    let pop = Pop::new();
    let helper = pop.settled();
    let host = Host::new("sessions", &pop.server.address().to_string(), "5.0.15");
    let configuration = pop.configuration_file();
    host.replace(
        "exabgp.conf",
        host.path("dnsherald.toml").to_str().unwrap(),
        configuration.to_str().unwrap(),
    );
    assert_eq!(host.findings(), [""; 0]);
    assert_eq!(host.all_of("exabgp-stopped"), 0, "its helper answers");
    helper.receives("neighbor 127.0.0.2 connected");
    pop.comes_to_be(|status| !status.exabgp.bgp_sessions.is_empty());
    assert_eq!(host.findings(), ["sessions-down"]);
    helper.receives("neighbor 127.0.0.3 up");
    pop.comes_to_be(|status| status.exabgp.bgp_sessions.len() == 2);
    assert_eq!(host.findings(), ["session-down"]);
}

/// As with a container or `ip netns` for each PoP.
#[test]
fn the_addresses_of_another_network_namespace_are_not_looked_at() {
    let name = "doctor::running::the_addresses_of_another_network_namespace_are_not_looked_at";
    in_namespace(name, "", || {
        let pop = Pop::new();
        let missing = "management = [\"198.51.100.77\"]";
        pop.is_configured(&pop.configuration().replace("management = [\"127.0.0.1\"]", missing));
        let server = Server::with(Fault::None);
        let host = Host::new("elsewhere-net", &server.address().to_string(), "5.0.15");
        let of_host = host.path("dnsherald.toml").to_str().unwrap().to_owned();
        host.replace("exabgp.conf", &of_host, pop.configuration_file().to_str().unwrap());
        let said = || {
            let table = String::from_utf8(host.doctor(&[]).stdout).unwrap();
            table.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let there = |pid: u32| {
            format!(
                "helper (process {pid}) runs in another network namespace: run doctor there: nsenter -t {pid} -n dnsherald \
                 doctor"
            )
        };
        let elsewhere = pop.helper_elsewhere();
        let pid = pop.status().pid;
        assert_eq!(host.findings(), [""; 0]);
        assert_eq!(said().matches(&there(pid)).count(), 1, "{}", said());
        // As in the line: `nsenter -t 4711 -n dnsherald doctor`
        let mut inside = Command::new("nsenter");
        inside.args(["-t", &pid.to_string(), "-n"]).arg(binary()).args(["doctor", "--json", "-c"]);
        let output = inside.arg(pop.configuration_file()).output().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(document["findings"].to_string().contains("management-missing"), "{document}");
        assert!(!document.to_string().contains(&there(pid)), "{document}");
        // A helper of another file is named, and hides nothing.
        host.replace("exabgp.conf", pop.configuration_file().to_str().unwrap(), &of_host);
        host.replace("dnsherald.toml", "management = [\"127.1.0.1\"]", missing);
        assert!(host.findings().contains(&"management-missing".to_owned()));
        assert_eq!(said().matches(&there(pid)).count(), 1, "{}", said());
        drop(elsewhere);
        assert!(!said().contains("another network namespace"), "{}", said());
    });
}

#[test]
fn a_host_without_a_default_route_is_found() {
    let name = "doctor::running::a_host_without_a_default_route_is_found";
    let setup = "ip link add pop type veth peer name router; ip link set router up; ip link set pop up\n\
                 ip addr add 10.1.0.2/24 dev pop\n\
                 ip addr add 203.0.113.53/32 dev lo";
    in_namespace(name, setup, || {
        let server = Server::with(Fault::None);
        let host = Host::new("routes", &server.address().to_string(), "5.0.15");
        host.replace("dnsherald.toml", "127.0.0.0/24\"]", "127.0.0.0/24\", \"203.0.113.0/24\"]");
        host.replace("dnsherald.toml", "[\"127.0.0.1\"]\n[[", "[\"127.0.0.1\", \"203.0.113.53\"]\n[[");
        assert_eq!(host.findings(), ["no-default-route"]);
        shell("ip route add default via 10.1.0.1");
        assert_eq!(host.findings(), [""; 0]);
        shell("ip route del default");
        let route =
            "[[service.check]]\nname = \"clients\"\nroute = { to = [\"198.41.0.4\"] }\n[[service.check]]";
        host.replace("dnsherald.toml", "[[service.check]]", route);
        assert_eq!(host.findings(), ["no-route"]);
    });
}

/// Set for a process that shares a port.
const SHARES: &str = "DNSHERALD_TEST_SHARES";

/// Listens at a port that others may share, until its standard input ends.
#[test]
fn shares_a_port_for_another_test() {
    let Some(at) = env::var_os(SHARES) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(at.to_str().unwrap().parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    writeln!(io::stdout(), "\nlistens at {}", listener.local_addr().unwrap()).unwrap();
    io::stdin().read_exact(&mut [0]).unwrap_err();
}

/// A process that listens; dropped, it ends.
pub(crate) struct Sharer(pub(crate) Child, Option<ChildStdin>, ChildStdout);

impl Sharer {
    /// At this address, and the address at which it listens.
    pub(crate) fn at(address: &str) -> (Self, String) {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "doctor::running::shares_a_port_for_another_test", "--nocapture"]);
        command.env(SHARES, address).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, mut stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let mut said = String::new();
        let mut octet = [0];
        let listens = loop {
            stdout.read_exact(&mut octet).unwrap();
            said.push(char::from(octet[0]));
            let line = said.lines().find_map(|line| line.strip_prefix("listens at "));
            if let Some(address) = line.filter(|_| said.ends_with('\n')) {
                break address.to_owned();
            }
        };
        (Self(child, stdin, stdout), listens)
    }
}

impl Drop for Sharer {
    fn drop(&mut self) {
        drop(self.1.take());
        let _ = self.2.read_to_end(&mut vec![]);
        let _ = self.0.wait();
    }
}

#[test]
fn two_servers_and_a_configuration_that_does_not_start_are_found() {
    let (first, address) = Sharer::at("127.0.0.1:0");
    let host = Host::new("shared", &address, "5.0.15");
    assert_eq!((host.all_of("two-servers"), host.all_of("server-configuration")), (0, 0));
    let (second, _) = Sharer::at(&address);
    assert_eq!(host.all_of("two-servers"), 1);
    let table = String::from_utf8(host.doctor(&[]).stdout).unwrap();
    let table = table.split_whitespace().collect::<Vec<_>>().join(" ");
    for child in [&first.0, &second.0] {
        assert!(table.contains(&format!("process {} (", child.id())), "{table}");
    }
    drop(second);
    assert_eq!(host.all_of("two-servers"), 0);
    let check = "[backend.generic]\nrestart = [\"true\"]\nconfig-check = [\"sh\", \"-c\", \"echo line 7: nonsense; exit 1\"]\n[[service]]\n\
                 backend = \"generic\"\n";
    host.replace("dnsherald.toml", "[[service]]\n", check);
    assert_eq!(host.all_of("server-configuration"), 1);
    assert!(String::from_utf8(host.doctor(&[]).stdout).unwrap().contains("line 7: nonsense"));
    let (second, _) = Sharer::at(&address);
    let file = host.path("dnsherald.toml");
    let status = Command::new(binary()).args(["backend", "status", "-c"]).arg(file).output().unwrap();
    let table = String::from_utf8(status.stdout).unwrap();
    let table = table.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(table.contains(&format!("WARNING several servers share {address} over ")), "{table}");
    assert!(table.contains(&format!("process {} (", second.0.id())), "{table}");
}
