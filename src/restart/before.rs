//! How the server was before it was touched, and what of that is different now: its process and its listeners.

use std::net::SocketAddr;

use nix::unistd::Pid;

use crate::backend::Backend;
use crate::backend::answers::identity;
use crate::backend::listeners::{self, Listener, holders};
use crate::backend::served::Served;
use crate::config::Config;
use crate::probe::Probe;
use crate::process::handle::ProcessHandle;
use crate::sys::procfs::ProcStat;

/// A process that descends from the server's main process does so in fewer generations.
const GENERATIONS: usize = 8;

/// How the server was before it was touched.
#[derive(Debug)]
pub(super) struct Before {
    /// Its main process; at a rollback that of the first attempt, too.
    pub(super) processes: Vec<ProcessHandle>,
    pub(super) listeners: Vec<Listener>,
    pub(super) zones: Served,
    pub(super) version: Option<String>,
    pub(super) identity: Option<String>,
}

impl Before {
    pub(super) async fn of(config: &Config, backend: &Backend, removed: &[String]) -> Self {
        let targets = config.targets_of(backend);
        let (process, version, identity, zones) = tokio::join!(
            backend.process(),
            backend.version(),
            identity(&targets, backend.timeout),
            Served::now(&targets, backend, removed),
        );
        Self {
            processes: process.and_then(Result::ok).into_iter().collect(),
            listeners: listening(config, backend),
            zones,
            version: version.ok(),
            identity,
        }
    }

    /// The same, and the main process that there is now besides.
    pub(super) async fn with_process_of(mut self, backend: &Backend) -> Self {
        self.processes.extend(backend.process().await.and_then(Result::ok));
        self
    }

    /// Why this process has not taken the place of those before; none if it has. Those must have ended. Unless it is
    /// to be `another`, it may be one of them.
    pub(super) fn stands_beside(&self, process: &ProcessHandle, another: bool) -> Option<String> {
        let is_this = |earlier: &&ProcessHandle| earlier.pid() == process.pid();
        let mut left = self.processes.iter().filter(|earlier| !earlier.has_exited());
        if left.clone().any(|earlier| is_this(&earlier)) && another {
            return Some(format!("it is still {process}, from before the restart"));
        }
        let earlier = left.find(|earlier| !is_this(earlier))?;
        Some(format!(
            "{process} is there, and {earlier}, from before the restart, has not ended: end it (kill -s KILL {}), then \
             restart the server",
            earlier.pid()
        ))
    }
}

/// Who listens where the services of this backend are asked.
pub(super) fn listening(config: &Config, backend: &Backend) -> Vec<Listener> {
    let mut ports: Vec<_> = targets(config, backend).iter().map(SocketAddr::port).collect();
    ports.push(listeners::PORT);
    ports.sort_unstable();
    ports.dedup();
    ports.into_iter().flat_map(listeners::on_port).collect()
}

/// Where the checks of this backend's services ask.
fn targets(config: &Config, backend: &Backend) -> Vec<SocketAddr> {
    let rounds = config.services_of(backend).flat_map(|service| &service.checks);
    rounds
        .filter_map(|check| match &check.probe {
            Probe::Dns(set) => Some(set.probes().iter().map(|probe| probe.server)),
            _ => None,
        })
        .flatten()
        .collect()
}

/// The listeners of now against those before.
#[derive(Debug)]
pub(super) struct Compared {
    before: usize,
    missing: Vec<String>,
    /// Those that were there with fewer sockets, and with how many.
    pub(super) more: Vec<(Listener, usize)>,
    new: Vec<String>,
}

impl Compared {
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

    /// What is to be said of them. More sockets on an address than before are two servers, unless all belong to the
    /// main `process`: then it has more threads.
    ///
    /// # Errors
    /// What is not as it was: an address without a listener, or two servers on one.
    pub(super) fn judged(&self, process: Option<&ProcessHandle>) -> Result<String, String> {
        if !self.missing.is_empty() {
            return Err(format!("nothing listens at {}", self.missing.join(", ")));
        }
        for (listener, earlier) in &self.more {
            let pids = holders(&listener.inodes);
            let is_foreign = |pid: &&i32| process.is_none_or(|process| !is_of(**pid, process));
            // Of other users' sockets it is not seen whose they are.
            if pids.is_empty() || pids.iter().any(|pid| is_foreign(&pid)) {
                let by: Vec<_> = pids.iter().map(|pid| format!("process {pid}")).collect();
                let by = match by.as_slice() {
                    [] => "whose they are is not to be seen".to_owned(),
                    by => format!("held by {}", by.join(", ")),
                };
                return Err(format!(
                    "more sockets than before at {listener}, before ×{earlier}, {by}: two servers share the address; \
                     end the one that is not to run"
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

/// Whether this is the main process or descends from it.
fn is_of(pid: i32, main: &ProcessHandle) -> bool {
    let parent = |pid: &i32| ProcStat::read(Pid::from_raw(*pid)).map(|process| process.parent.as_raw());
    std::iter::successors(Some(pid), parent).take(GENERATIONS).any(|ancestor| ancestor == main.pid())
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};
    use std::slice;

    use super::*;
    use crate::probe::dns::Transport;

    fn listener(address: &str, sockets: usize) -> Listener {
        let address = address.parse().unwrap();
        Listener { address, transport: Transport::Udp, sockets, waiting: 0, drops: 0, inodes: vec![] }
    }

    fn sleeper() -> (Child, ProcessHandle) {
        let child = Command::new("sleep").arg("1000").spawn().unwrap();
        let held = ProcessHandle::open(i32::try_from(child.id()).unwrap()).unwrap();
        (child, held)
    }

    fn ends(child: &mut Child) {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn another_process_is_not_enough_while_the_earlier_one_runs() {
        let ((mut old, earlier), (mut new, process)) = (sleeper(), sleeper());
        let before = Before {
            processes: vec![earlier],
            listeners: vec![],
            zones: Served::default(),
            version: None,
            identity: None,
        };
        let why = before.stands_beside(&process, true).unwrap();
        assert!(why.contains("has not ended: end it (kill -s KILL "), "{why}");
        assert!(before.stands_beside(&process, false).is_some(), "a command that starts a second one, too");
        let (same, same_again) = (&before.processes[0], "from before the restart");
        assert!(before.stands_beside(same, true).unwrap().ends_with(same_again));
        assert_eq!(before.stands_beside(same, false), None, "a reload keeps the process");
        ends(&mut old);
        assert_eq!(before.stands_beside(&process, true), None);
        ends(&mut new);
    }

    #[test]
    fn listeners_are_compared_with_those_before() {
        let judged = |before: &[Listener], now: &[Listener]| Compared::new(before, now).judged(None);
        let (a, b) = (listener("127.0.0.1:53", 1), listener("127.0.0.2:53", 1));
        let both = [a.clone(), b.clone()];
        assert_eq!(judged(&both, &both), Ok("2 as before".to_owned()));
        assert_eq!(judged(&both, slice::from_ref(&a)), Err("nothing listens at 127.0.0.2:53 udp".to_owned()));
        assert_eq!(
            judged(slice::from_ref(&a), &both),
            Ok("1 as before; more than before: 127.0.0.2:53 udp".to_owned())
        );
        assert_eq!(
            judged(&[], slice::from_ref(&a)),
            Ok("none before; more than before: 127.0.0.1:53 udp".to_owned())
        );
        let two = judged(&[a], &[listener("127.0.0.1:53", 2)]).unwrap_err();
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
        let compared = Compared::new(&[listener("127.0.0.1:53", 1)], &[now]);
        let said = compared.judged(Some(&ProcessHandle::open(us).unwrap())).unwrap();
        assert_eq!(said, "1 as before; more than before: 127.0.0.1:53 udp ×2, before ×1");
        let (mut child, other) = sleeper();
        assert!(compared.judged(Some(&other)).unwrap_err().contains(&format!("held by process {us}")));
        ends(&mut child);
    }
}
