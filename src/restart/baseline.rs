//! The state of the server before the operation, to compare with afterwards: its process, listeners and zones.

use std::collections::BTreeSet;

use nix::unistd::Pid;

use super::former::FormerServices;
use super::verified::Verified;
use crate::backend::Backend;
use crate::backend::answers::identity;
use crate::backend::listeners::{self, Listener, holders};
use crate::backend::served::{Served, is_among};
use crate::config::Config;
use crate::probe::Probe;
use crate::process::Missing;
use crate::process::handle::ProcessHandle;
use crate::sys::procfs::ProcStat;
use crate::text::{counted, ordered};

/// How many processes [`descends_from`] looks at: the process itself, and its nearest ancestors.
const MAX_GENERATIONS: usize = 8;

/// The state of the server before the operation.
#[derive(Debug)]
pub(super) struct Baseline {
    /// Its main process; at a rollback that of the first attempt, too.
    pub(super) processes: Vec<ProcessHandle>,
    /// Whether the server had surely no process, so that the listeners were not its own.
    pub(super) is_down: bool,
    pub(super) listeners: Vec<Listener>,
    pub(super) zones: Served,
    /// The record of the zones that the server has to serve.
    pub(super) verified: Option<Verified>,
    pub(super) version: Option<String>,
    pub(super) identity: Option<String>,
    /// Its services as the helper shows them.
    pub(super) services: FormerServices,
}

impl Baseline {
    /// The present state. Without an operator no zone counts as served before because of the record: it may be old, and would
    /// delay the return.
    pub(super) async fn new(
        config: &Config,
        backend: &Backend,
        removed: &[String],
        unattended: bool,
    ) -> Self {
        let targets = config.targets_of(backend);
        let verified = Verified::load(config, backend);
        let record = verified.as_ref().filter(|_| !unattended).map(|verified| &*verified.zones);
        let (process, version, identity, zones) = tokio::join!(
            backend.process(),
            backend.version(),
            identity(&targets, backend.timeout),
            Served::now(&targets, backend, removed, record),
        );
        Self {
            is_down: matches!(&process, Some(Err(Missing::Surely(_)))),
            processes: process.and_then(Result::ok).into_iter().collect(),
            listeners: listeners_of(config, backend),
            zones,
            verified,
            version: version.ok(),
            identity,
            services: FormerServices::default(),
        }
    }

    /// What the server has to have again, without the zones in `removed`: "8 listeners, 1 zone, and 1 that an earlier operation
    /// has lost".
    pub(super) fn summary(&self, removed: &[String]) -> String {
        let served = self.zones.all().filter(|zone| zone.is_served()).map(|zone| &zone.zone);
        let zones: BTreeSet<_> = ordered(served);
        let lost = self.services.lost_zones();
        let lost: BTreeSet<_> = ordered(lost.iter().map(|(name, _)| name));
        let is_known = |name: &&&String| {
            is_among(removed, name) || zones.iter().any(|zone| zone.eq_ignore_ascii_case(name))
        };
        let lost = match lost.iter().filter(|name| !is_known(name)).count() {
            0 => String::new(),
            lost => format!(", and {lost} that an earlier operation has lost"),
        };
        format!("{}, {}{lost}", counted(self.listeners.len(), "listener"), counted(zones.len(), "zone"))
    }

    /// The same, with the main process of now added.
    pub(super) async fn with_process_of(mut self, backend: &Backend) -> Self {
        self.processes.extend(backend.process().await.and_then(Result::ok));
        self
    }

    /// Why this process does not replace the earlier ones, which must have exited; `None` if it does. It may be one of
    /// them unless `another` is set.
    pub(super) fn not_replaced_by(&self, process: &ProcessHandle, another: bool) -> Option<String> {
        let is_this = |earlier: &&ProcessHandle| earlier.pid == process.pid;
        let mut left = self.processes.iter().filter(|earlier| !earlier.has_exited());
        if left.clone().any(|earlier| is_this(&earlier)) && another {
            return Some(format!("it is still {process}, from before the restart"));
        }
        let earlier = left.find(|earlier| !is_this(earlier))?;
        Some(format!(
            "{process} is there, and {earlier}, from before the restart, has not exited: end it (kill -s KILL {}), then \
             restart the server",
            earlier.pid
        ))
    }
}

/// The listeners at port 53 and at the ports of the DNS checks of the services of this backend.
pub(crate) fn listeners_of(config: &Config, backend: &Backend) -> Vec<Listener> {
    let checks = config.services_of(backend).flat_map(|service| &service.checks);
    let probes = checks.flat_map(|check| match &check.probe {
        Probe::Dns(set) => set.probes(),
        _ => &[],
    });
    let ports: BTreeSet<_> = ordered(probes.map(|probe| probe.server.port()).chain([listeners::PORT]));
    ports.into_iter().flat_map(listeners::on_port).collect()
}

/// Compares the present listeners with those before.
#[derive(Debug)]
pub(super) struct ListenerChanges {
    before: usize,
    missing: Vec<String>,
    /// The listeners that had fewer sockets, and how many.
    pub(super) more: Vec<(Listener, usize)>,
    new: Vec<String>,
}

impl ListenerChanges {
    pub(super) fn new(before: &[Listener], now: &[Listener]) -> Self {
        let in_both = |one: &Listener, other: &Listener| {
            (one.address, one.transport) == (other.address, other.transport)
        };
        let missing = before.iter().filter(|earlier| !now.iter().any(|now| in_both(earlier, now)));
        let new = now.iter().filter(|now| !before.iter().any(|earlier| in_both(earlier, now)));
        let more = now.iter().filter_map(|now| {
            let earlier = before.iter().find(|earlier| in_both(earlier, now))?;
            (now.sockets > earlier.sockets).then(|| (now.clone(), earlier.sockets))
        });
        Self {
            before: before.len(),
            missing: missing.map(ToString::to_string).collect(),
            more: more.collect(),
            new: new.map(ToString::to_string).collect(),
        }
    }

    /// Judges the differences. More sockets on an address than before may mean two servers, unless every holder that can be
    /// seen, at least one, is the main `process` or descends from it: then it has more threads.
    ///
    /// # Errors
    /// With the difference: an address without a listener, or perhaps two servers on one.
    pub(super) fn judge(&self, process: Option<&ProcessHandle>) -> Result<String, String> {
        if !self.missing.is_empty() {
            return Err(format!("nothing listens at {}", self.missing.join(", ")));
        }
        for (listener, earlier) in &self.more {
            let pids = holders(&listener.inodes);
            let is_foreign = |pid: &&i32| process.is_none_or(|process| !descends_from(**pid, process.pid));
            let found = format!("more sockets than before at {listener}, before ×{earlier}");
            let by: Vec<_> = pids.iter().map(|pid| format!("process {pid}")).collect();
            let by = by.join(", ");
            // This user cannot see the owner of another user's socket.
            if pids.is_empty() || process.is_none() {
                let by = if by.is_empty() { String::new() } else { format!(", held by {by}") };
                return Err(format!(
                    "{found}{by}: the server has more threads, or two servers share the address; `dnsherald backend status` as \
                     root shows their processes"
                ));
            }
            if pids.iter().any(|pid| is_foreign(&pid)) {
                return Err(format!(
                    "{found}, held by {by}: two servers share the address; end the wrong one"
                ));
            }
        }
        let mut said = match self.before {
            0 => "none before".to_owned(),
            before => format!("{before} as before"),
        };
        let more = self.more.iter().map(|(listener, earlier)| format!("{listener}, before ×{earlier}"));
        let more: Vec<_> = self.new.iter().cloned().chain(more).collect();
        if !more.is_empty() {
            said.push_str("; more than before: ");
            said.push_str(&more.join(", "));
        }
        Ok(said)
    }
}

/// Whether a process is this ancestor or descends from it.
pub(super) fn descends_from(pid: i32, ancestor: i32) -> bool {
    let parent = |pid: &i32| ProcStat::read(Pid::from_raw(*pid)).map(|process| process.parent.as_raw());
    std::iter::successors(Some(pid), parent).take(MAX_GENERATIONS).any(|pid| pid == ancestor)
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};
    use std::slice;

    use super::*;
    use crate::netlink::sockets::Protocol;

    fn listener(address: &str, sockets: usize) -> Listener {
        let address = address.parse().unwrap();
        Listener { address, transport: Protocol::Udp, sockets, waiting: 0, drops: 0, inodes: vec![] }
    }

    fn sleeping_process() -> (Child, ProcessHandle) {
        let child = Command::new("sleep").arg("1000").spawn().unwrap();
        let held = ProcessHandle::open(i32::try_from(child.id()).unwrap()).unwrap();
        (child, held)
    }

    fn end_process(child: &mut Child) {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn another_process_is_not_enough_while_the_earlier_one_runs() {
        let ((mut old, earlier), (mut new, process)) = (sleeping_process(), sleeping_process());
        let before = Baseline {
            processes: vec![earlier],
            is_down: false,
            listeners: vec![],
            zones: Served::default(),
            verified: None,
            version: None,
            identity: None,
            services: FormerServices::default(),
        };
        let why = before.not_replaced_by(&process, true).unwrap();
        assert!(why.contains("has not exited: end it (kill -s KILL "), "{why}");
        assert!(before.not_replaced_by(&process, false).is_some(), "a command that starts a second one, too");
        let (same, same_again) = (&before.processes[0], "from before the restart");
        assert!(before.not_replaced_by(same, true).unwrap().ends_with(same_again));
        assert_eq!(before.not_replaced_by(same, false), None, "a reload keeps the process");
        end_process(&mut old);
        assert_eq!(before.not_replaced_by(&process, true), None);
        end_process(&mut new);
    }

    #[test]
    fn listeners_are_compared_with_those_before() {
        let judge = |before: &[Listener], now: &[Listener]| ListenerChanges::new(before, now).judge(None);
        let (a, b) = (listener("127.0.0.1:53", 1), listener("127.0.0.2:53", 1));
        let both = [a.clone(), b.clone()];
        assert_eq!(judge(&both, &both), Ok("2 as before".to_owned()));
        assert_eq!(judge(&both, slice::from_ref(&a)), Err("nothing listens at 127.0.0.2:53 udp".to_owned()));
        assert_eq!(
            judge(slice::from_ref(&a), &both),
            Ok("1 as before; more than before: 127.0.0.2:53 udp".to_owned())
        );
        assert_eq!(
            judge(&[], slice::from_ref(&a)),
            Ok("none before; more than before: 127.0.0.1:53 udp".to_owned())
        );
        let two = judge(&[a], &[listener("127.0.0.1:53", 2)]).unwrap_err();
        assert!(two.contains("two servers share the address"), "{two}");
    }

    #[test]
    fn more_sockets_of_the_same_process_are_no_second_server() {
        let sockets = [(); 2].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        let found =
            sockets.iter().map(|socket| listeners::on_port(socket.local_addr().unwrap().port()).remove(0));
        let inodes: Vec<_> = found.flat_map(|listener| listener.inodes).collect();
        let us = i32::try_from(std::process::id()).unwrap();
        assert_eq!(holders(&inodes), [us]);
        let now = Listener { inodes, ..listener("127.0.0.1:53", 2) };
        let compared = ListenerChanges::new(&[listener("127.0.0.1:53", 1)], &[now]);
        let said = compared.judge(Some(&ProcessHandle::open(us).unwrap())).unwrap();
        assert_eq!(said, "1 as before; more than before: 127.0.0.1:53 udp ×2, before ×1");
        let (mut child, other) = sleeping_process();
        assert!(compared.judge(Some(&other)).unwrap_err().contains(&format!("held by process {us}")));
        end_process(&mut child);
    }
}
