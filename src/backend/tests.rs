//! Real output of the tools of Debian 12 and 13, and how the drivers read it.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::channel::Reply;
use super::channel::read;
use super::*;
use crate::program::End;

mod counters;

fn ended(code: i32, out: &str, err: &str) -> Ended {
    let end = End::Exited(ExitStatus::from_raw(code << 8));
    Ended { end, out: out.to_owned(), err: err.to_owned() }
}

fn reply(kind: Kind, code: i32, err: &str) -> Reply {
    read(&Program::new("control", &["status"]), &ended(code, "", err), kind.facts())
}

const UNBOUND_STATUS: &str = "\
version: 1.17.1
verbosity: 1
threads: 1
modules: 3 [ subnetcache validator iterator ]
uptime: 5 seconds
options: reuseport control(namedpipe)
unbound (pid 3674) is running...
";

const UNBOUND_STATISTICS: &str = "\
thread0.num.queries=7
thread0.num.queries_ip_ratelimited=0
thread0.num.cachehits=0
total.num.queries=1007
total.num.queries_ip_ratelimited=0
";

const BIND_STATUS: &str = "\
version: BIND 9.18.49-1~deb12u3-Debian (Extended Support Version) <id:>
running on vm: Linux x86_64 6.18.44 #1 SMP PREEMPT_DYNAMIC @0
boot time: Mon, 23 Nov 2026 17:39:12 GMT
server is up and running
";

const BIND_STATISTICS: &str = r#"{
  "json-stats-version":"1.7",
  "version":"9.18.49-1~deb12u3-Debian",
  "opcodes":{ "QUERY":12, "IQUERY":0, "NOTIFY":3 },
  "rcodes":{ "NOERROR":12 }
}"#;

const DNSDIST_STATISTICS: &str = "\
acl-drops                          	          0    noncompliant-responses             	          0
cache-hits                         	          0    outgoing-doh-query-pipe-full       	          0
cpu-iowait                         	       4546    queries                            	         31
empty-queries                      	          0    self-answered                      	          0
";

const POWERDNS_STATISTICS: &str =
    "backend-queries=1,corrupt-packets=0,tcp-answers=2,tcp-queries=2,udp-answers=40,udp-queries=41,\n";

#[test]
fn counters_are_read() {
    let queries = |kind: Kind, text| kind.driver().read_queries(text);
    assert_eq!(queries(Kind::Unbound, UNBOUND_STATISTICS), Some(1007));
    assert_eq!(queries(Kind::Bind, BIND_STATISTICS), Some(12));
    assert_eq!(queries(Kind::Nsd, "server0.queries=1\nnum.queries=5\ntime.boot=5.339771\n"), Some(5));
    let knot = "mod-stats.server-operation[query] = 9\nmod-stats.server-operation[notify] = 1\n";
    assert_eq!(queries(Kind::Knot, knot), Some(9));
    assert_eq!(queries(Kind::KnotResolver, "17"), Some(17));
    assert_eq!(queries(Kind::PowerDns, POWERDNS_STATISTICS), Some(43));
    assert_eq!(queries(Kind::PowerDnsRecursor, "12\n"), Some(12));
    assert_eq!(queries(Kind::Dnsdist, DNSDIST_STATISTICS), Some(31));
    assert_eq!(queries(Kind::Dnsmasq, "3\n4\n0"), Some(7));
    assert_eq!(queries(Kind::Generic, " 8\n"), Some(8));
}

#[test]
fn text_that_is_no_counter_is_ignored() {
    for kind in Kind::ALL {
        for text in
            ["", "error", "total.num.queries=\n", "queries", "{\"opcodes\":1}", "-1", "99999999999999999999"]
        {
            let read = kind.driver().read_queries(text);
            assert!(
                read.is_none() || (*kind == Kind::Dnsmasq && text.is_empty()),
                "{kind}: {text:?} is {read:?}"
            );
        }
    }
}

#[test]
fn versions_are_read() {
    let version = |kind: Kind, text| kind.driver().read_version(text).unwrap_or_default();
    assert_eq!(version(Kind::Unbound, UNBOUND_STATUS), "1.17.1");
    assert_eq!(version(Kind::Bind, BIND_STATUS), "9.18.49-1~deb12u3-Debian");
    assert_eq!(version(Kind::Nsd, "version: 4.6.1\nverbosity: 0\nratelimit: 200\n"), "4.6.1");
    assert_eq!(version(Kind::Knot, "Version: 3.2.6\n"), "3.2.6");
    assert_eq!(version(Kind::KnotResolver, "'5.6.0'"), "5.6.0");
    assert_eq!(version(Kind::PowerDns, "4.7.3\n"), "4.7.3");
    assert_eq!(version(Kind::Dnsdist, "dnsdist 1.7.3\n"), "1.7.3");
    assert_eq!(version(Kind::Dnsmasq, "dnsmasq-2.90"), "2.90");
    for kind in Kind::ALL {
        assert_eq!(version(*kind, "error: unknown command"), "");
    }
}

#[test]
fn a_stopped_server_is_recognized_by_the_output_of_its_tool() {
    for (kind, code, said) in [
        (
            Kind::Unbound,
            3,
            "[1] unbound-control[1:0] error: connect: Connection refused for /run/unbound.ctl",
        ),
        (Kind::Bind, 1, "rndc: connect failed: 127.0.0.1#953: connection refused"),
        (Kind::Nsd, 3, "error: connect (/run/nsd/nsd.ctl): Connection refused"),
        (Kind::Knot, 1, "error: failed to connect to socket '/run/knot/knot.sock' (not exists)"),
        (
            Kind::PowerDns,
            1,
            "Fatal error: Unable to connect to remote '/run/pdns/pdns.controlsocket': Connection refused",
        ),
        (Kind::PowerDnsRecursor, 1, "Fatal: Unable to connect to remote '/run/x': No such file or directory"),
        (Kind::Dnsdist, 1, "Fatal error: connecting socket to 127.0.0.1:5199: Connection refused"),
    ] {
        let reply = reply(kind, code, said);
        assert!(matches!(reply, Reply::Stopped(_)), "{kind}: {reply:?}");
    }
}

#[test]
fn a_closed_door_is_no_stopped_server() {
    for (kind, said) in [
        (Kind::Unbound, "[1] unbound-control[1:0] error: connect: Permission denied for /run/unbound.ctl"),
        (
            Kind::Bind,
            "rndc: error: open: /etc/bind/rndc.key: permission denied\nrndc: could not load rndc configuration",
        ),
        (Kind::Nsd, "error: connect (/run/nsd/nsd.ctl): Permission denied"),
        (Kind::Knot, "error: failed to connect to socket '/run/knot/knot.sock' (operation not permitted)"),
    ] {
        let Reply::Unknown(trouble) = reply(kind, 1, said) else { panic!("{kind}") };
        let group = kind.facts().access.group.unwrap();
        let remedy = trouble.remedy.unwrap();
        assert!(remedy.contains(&format!("SupplementaryGroups={group}\n")), "{remedy}");
    }
}

#[test]
fn an_unknown_state_is_not_guessed() {
    let broken = "[1] unbound-control[1:0] fatal error: could not read config file";
    assert!(matches!(reply(Kind::Unbound, 1, broken), Reply::Unknown(_)));
    // Switched off or stopped: the remedy names the setting.
    let Reply::Unknown(trouble) =
        reply(Kind::Unbound, 1, "connect: No such file or directory for /run/unbound.ctl")
    else {
        panic!()
    };
    assert!(trouble.remedy.unwrap().contains("control-enable: yes"));
    // A missing counter does not mean a stopped server.
    assert!(matches!(
        reply(Kind::Knot, 1, "error: (not exists) mod-stats.server-operation"),
        Reply::Unknown(_)
    ));
}

#[test]
fn a_complaint_is_read_though_the_program_succeeds() {
    let said = "The currently configured console key is not valid, please configure a valid key\n";
    let Reply::Text(text) = reply(Kind::Dnsdist, 0, said) else { panic!() };
    assert_eq!(Kind::Dnsdist.driver().refusal(&text).as_deref(), Some(said.trim_end()));
}

#[test]
fn a_socket_for_its_owner_has_a_remedy_for_the_group() {
    for kind in Kind::ALL {
        let Reply::Unknown(trouble) = reply(*kind, 1, "error: Permission denied") else { panic!("{kind}") };
        let remedy = trouble.remedy.unwrap_or_default();
        let opens_for_its_owner = [Kind::KnotResolver, Kind::PowerDns, Kind::PowerDnsRecursor].contains(kind);
        assert_eq!(remedy.contains("UMask=0007\n"), opens_for_its_owner, "{kind}: {remedy}");
    }
}

#[test]
fn a_reload_that_only_seems_to_succeed_has_failed() {
    let said = "reconfig start, read nsd.conf\nCould not open nsd.conf: No such file or directory\n";
    assert!(!Kind::Nsd.driver().is_reloaded(&ended(0, said, "")));
    assert!(Kind::Nsd.driver().is_reloaded(&ended(0, "reconfig start, read /etc/nsd/nsd.conf\nok\n", "")));
    assert!(Kind::Bind.driver().is_reloaded(&ended(0, "server reload successful\n", "")));
}

#[test]
fn a_check_is_read_by_status_and_by_words() {
    let broken = |kind: Kind, code, out, err| kind.driver().read_check(&ended(code, out, err)).unwrap_err();
    let bind = "zone a/IN: loaded serial 7\nzone b/IN: loading from master file b failed: file not found\n";
    assert_eq!(
        broken(Kind::Bind, 1, bind, ""),
        "zone b/IN: loading from master file b failed: file not found"
    );
    let nsd = "nsd.conf:1: at 'nonsense': error: syntax error\n";
    assert!(broken(Kind::Nsd, 2, "", nsd).contains("syntax error"));
    let dnsdist = "Error creating new server: Unable to convert presentation address '127.0.5.300'\n";
    assert!(broken(Kind::Dnsdist, 0, "Configuration 'x' OK!\n", dnsdist).contains("127.0.5.300"));
    assert_eq!(Kind::Bind.driver().read_check(&ended(0, bind, "")), Ok(()));
}
