//! A host without free descriptors or threads: unknown outcomes move no route.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command};

use nix::unistd::geteuid;

use crate::support::helper::{ANNOUNCE, Helper, Plan, Pop, WITHDRAW, eventually, ideal};
use crate::support::lacks;
use crate::support::namespace::{in_namespace, shell};

/// A test user for the threads that are used up.
const USER: u32 = 64_991;

/// Its limit.
const LIMIT: usize = 16;

#[test]
fn a_start_without_descriptors_withdraws() {
    let pop = Pop::new();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.remembers("\"acknowledged\": \"up\"");
    helper.dies_suddenly();
    let mut successor = pop.helper_after("ulimit -n 16", ideal("5.0.15"));
    successor.says("# dnsherald");
    successor.says(WITHDRAW.replace("neighbor * ", ""));
    successor.says(WITHDRAW.replace("neighbor * ", "peer * "));
    successor.logs("descriptors are free, expected at least 32; the limit of this process is 16");
    successor.hears_the_end();
    successor.exits_well();
}

/// A check of every zone of a large server, with the usual soft limit and a lower one.
#[test]
fn thousands_of_names_need_few_descriptors() {
    let pop = Pop::with(Plan { check: "interval = \"4s\"\ntimeout = \"3s\"\nrise = 1", ..Plan::default() });
    let names: Vec<_> = (0..10_000).map(|nth| format!("n{nth}.example. A")).collect();
    let text = pop.configuration().replace("query = \"localhost. A\"", &format!("queries = {names:?}"));
    pop.is_configured(&text);
    let mut helper = pop.helper_after("ulimit -Sn 100; ulimit -Hn 128", ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    assert!(pop.server.queries() >= 10_000, "{}", pop.server.queries());
    assert!(!helper.log().contains("unknown:"), "{}", helper.log());
}

/// In the status of a check that finds out nothing.
const UNKNOWN: &str = "\"unknown-for-seconds\"";

/// The soft limit that a process begins with is for programs that use `select`.
#[test]
fn the_soft_limit_of_descriptors_is_raised_to_the_hard_one() {
    let pop = Pop::new();
    let mut helper = pop.helper_after("ulimit -Sn 100; ulimit -Hn 200", ideal("5.0.15"));
    helper.opens();
    let limits = fs::read_to_string(format!("/proc/{}/limits", pop.status().pid)).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let values: Vec<_> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(values, ["200", "200"]);
}

/// As another user without rights can do: each port of the management address is taken.
#[test]
fn no_port_to_be_had_moves_no_route() {
    let name = "run::shortage::no_port_to_be_had_moves_no_route";
    let few = "sysctl -q -w net.ipv4.ip_local_port_range='40000 40019'";
    in_namespace(name, "", || {
        let pop = Pop::new();
        shell(few);
        let mut helper = pop.helper(ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE);
        let mut taken = vec![];
        // A probe that is under way has one of them, for a moment.
        assert!(eventually(|| {
            taken.extend((40_000..40_020).filter_map(|port| UdpSocket::bind(("127.0.0.1", port)).ok()));
            taken.len() == 20
        }));
        assert!(eventually(|| pop.told(&["status", "--json"]).contains(UNKNOWN)));
        helper.logs("unknown");
        let asked = pop.server.queries();
        drop(taken);
        assert!(eventually(|| pop.server.queries() > asked + 5));
        assert!(eventually(|| !pop.told(&["status", "--json"]).contains(UNKNOWN)));
        helper.has_said_no_more();
    });
}

/// Idle processes of [`USER`] until no further one can be started.
struct Crowd(Vec<Child>);

impl Crowd {
    fn fill(until: usize) -> Self {
        let mut crowd = Self(vec![]);
        let mut is_full = || {
            let started = Command::new("setpriv")
                .args(["--reuid", &USER.to_string(), "--clear-groups", "prlimit"])
                .args([format!("--nproc={LIMIT}:{LIMIT}"), "sleep".into(), "600".into()])
                .spawn();
            crowd.0.extend(started);
            threads_of_user() >= until
        };
        assert!(eventually(&mut is_full), "{} of {until}", threads_of_user());
        crowd
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn threads_of_user() -> usize {
    use std::os::unix::fs::MetadataExt;
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let own = processes.filter(|entry| entry.metadata().is_ok_and(|metadata| metadata.uid() == USER));
    own.map(|entry| fs::read_dir(entry.path().join("task")).map_or(0, Iterator::count)).sum()
}

/// A helper that runs as [`USER`] with at most [`LIMIT`] threads.
fn helper_of_user(pop: &Pop) -> Helper {
    fs::set_permissions(pop.file(""), PermissionsExt::from_mode(0o777)).unwrap();
    let run = format!("set -- setpriv --reuid {USER} --clear-groups prlimit --nproc={LIMIT}:{LIMIT} \"$@\"");
    pop.helper_after(&run, ideal("5.0.15"))
}

/// One test, because both parts count the threads of the same user.
#[test]
fn a_lack_of_threads_moves_no_route() {
    if !geteuid().is_root() {
        return lacks("root, to run a helper as another user");
    }
    let pop = Pop::new();
    let mut helper = helper_of_user(&pop);
    helper.opens();
    helper.says(ANNOUNCE);
    let crowd = Crowd::fill(LIMIT);
    pop.told(&["drain", "--reason", "new disk"]);
    helper.says(WITHDRAW);
    pop.told(&["reload"]);
    pop.told(&["undrain"]);
    helper.says(ANNOUNCE);
    assert!(!helper.log().contains("panicked"), "{}", helper.log());
    pop.remembers("\"acknowledged\": \"up\"");
    helper.dies_suddenly();
    drop(crowd);
    assert!(eventually(|| threads_of_user() == 0));

    // A successor that cannot start its threads withdraws, and starts once it can.
    let crowd = Crowd::fill(LIMIT - 5);
    let mut successor = helper_of_user(&pop);
    successor.says("# dnsherald");
    successor.says(WITHDRAW.replace("neighbor * ", ""));
    successor.says(WITHDRAW.replace("neighbor * ", "peer * "));
    successor.logs("threads can be started, expected at least 8");
    drop(crowd);
    successor.opens();
    successor.says(ANNOUNCE);
}
