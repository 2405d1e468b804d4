//! From a process to its systemd unit, and back, through the cgroups. Every user may read them.
//!
//! systemd puts all processes of a unit into a cgroup of the unit's name. `/proc/PID/cgroup` names the cgroup of a
//! process, in any version of cgroups and wherever they are mounted. The processes of a unit are in its directory:
//! mostly `system.slice/UNIT`, but an instance of a template has a slice of its own
//! (`system.slice/system-kresd.slice/kresd@1.service`), and `Slice=` may name any.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;

use crate::sys::procfs::ProcStat;
use crate::text::ordered;

/// Where systemd's hierarchy is: alone (version 2), beside version 1, or within version 1.
pub(crate) const ROOTS: &[&str] = &["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"];

/// Slices are nested, but hardly deeper.
const DEEPEST: usize = 6;

/// The cgroups of one process, one for each hierarchy.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Membership(Vec<String>);

impl Membership {
    /// The cgroups of the process of this number.
    pub(crate) fn from_pid(pid: i32) -> Self {
        Self::read(&fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default())
    }

    /// Lines of `NUMBER:CONTROLLERS:PATH`.
    fn read(text: &str) -> Self {
        let paths = text.lines().filter_map(|line| line.splitn(3, ':').nth(2));
        Self(paths.map(str::to_owned).collect())
    }

    /// Whether the process belongs to this unit.
    pub(crate) fn is_of_unit(&self, unit: &str) -> bool {
        self.0.iter().any(|path| path.split('/').any(|part| part == unit))
    }

    /// The service of the system that the process belongs to, whatever its slice. A user manager names the cgroups below
    /// its own service as its user wants, and a service those below it.
    pub(crate) fn system_service(&self) -> Option<&str> {
        let mut outermost =
            self.0.iter().filter_map(|path| path.split('/').skip(1).find(|part| !part.ends_with(".slice")));
        outermost.find(|unit| unit.ends_with(".service"))
    }

    /// Whether the process is in this cgroup or below it.
    pub(crate) fn is_below(&self, cgroup: &str) -> bool {
        self.0.iter().any(|path| Path::new(path).starts_with(cgroup))
    }

    /// The longest path, for people.
    pub(crate) fn shown(&self) -> &str {
        self.0.iter().max_by_key(|path| path.len()).map_or("no cgroup", String::as_str)
    }
}

/// The processes of a unit. Empty if it has no cgroup here: it does not run, or has another name, or systemd does not
/// run this host.
pub(crate) fn processes_of(unit: &str, roots: &[&str]) -> Vec<i32> {
    let directory = roots.iter().find_map(|root| directory_of(unit, Path::new(root)));
    let listed = directory.and_then(|directory| fs::read_to_string(directory.join("cgroup.procs")).ok());
    listed.unwrap_or_default().lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect()
}

fn directory_of(unit: &str, root: &Path) -> Option<PathBuf> {
    let usual = root.join("system.slice").join(unit);
    if usual.is_dir() {
        return Some(usual);
    }
    let mut level = vec![root.to_owned()];
    for _ in 0..DEEPEST {
        if let Some(found) = level.iter().map(|slice| slice.join(unit)).find(|path| path.is_dir()) {
            return Some(found);
        }
        level = level.iter().flat_map(|slice| slices_in(slice)).collect();
    }
    None
}

fn slices_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "slice")).collect()
}

/// The processes whose parent is not among them. If it is one, it is the main process.
pub(crate) fn eldest(pids: &[i32]) -> Vec<i32> {
    let alive = |pid: &i32| ProcStat::read(Pid::from_raw(*pid)).filter(|process| !process.is_dead());
    let processes: Vec<_> = pids.iter().filter_map(alive).collect();
    let known: BTreeSet<_> = ordered(processes.iter().map(|process| process.pid));
    let eldest = processes.iter().filter(|process| !known.contains(&process.parent));
    eldest.map(|process| process.pid.as_raw()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::SleepProcess;

    #[test]
    fn a_process_is_of_the_unit_that_its_cgroup_is_named_after() {
        let two = Membership::read("0::/system.slice/system-kresd.slice/kresd@1.service\n");
        assert!(two.is_of_unit("kresd@1.service") && !two.is_of_unit("kresd@11.service"));
        assert!(!two.is_of_unit("1.service"), "a part of a name is none");
        let one = Membership::read("12:pids:/\n1:name=systemd:/system.slice/named.service/sub\n0::/\n");
        assert!(one.is_of_unit("named.service"));
        assert!(one.is_below("/system.slice/named.service") && !one.is_below("/system.slice/named"));
        assert_eq!(one.shown(), "/system.slice/named.service/sub");
        assert_eq!(Membership::read("").shown(), "no cgroup");
    }

    #[test]
    fn the_service_of_the_system_is_the_outermost_one() {
        for (text, service) in [
            ("0::/system.slice/exabgp.service\n", Some("exabgp.service")),
            ("0::/bgp.slice/system-exabgp.slice/exabgp@a.service/sub\n", Some("exabgp@a.service")),
            ("5:pids:/\n1:name=systemd:/system.slice/exabgp.service\n0::/\n", Some("exabgp.service")),
            (
                "0::/user.slice/user-99.slice/user@99.service/app.slice/exabgp.service\n",
                Some("user@99.service"),
            ),
            ("0::/system.slice/theirs.service/exabgp.service\n", Some("theirs.service")),
            ("0::/machine.slice/theirs.scope/exabgp.service\n", None),
            ("0::/\n", None),
        ] {
            assert_eq!(Membership::read(text).system_service(), service, "{text}");
        }
    }

    #[test]
    fn a_unit_is_found_in_whatever_slice() {
        let root = std::env::temp_dir().join(format!("dnsherald-cgroup-{}", std::process::id()));
        for (place, pids) in [
            ("system.slice/unbound.service", "17\n4\n0\n"),
            ("system.slice/system-kresd.slice/kresd@1.service", "5\n"),
            ("dns.slice/dns-auth.slice/nsd.service", "6\n"),
        ] {
            fs::create_dir_all(root.join(place)).unwrap();
            fs::write(root.join(place).join("cgroup.procs"), pids).unwrap();
        }
        let roots = ["/nowhere", root.to_str().unwrap()];
        let found = |unit| processes_of(unit, &roots);
        assert_eq!(found("unbound.service"), [17, 4]);
        assert_eq!(found("kresd@1.service"), [5]);
        assert_eq!(found("nsd.service"), [6]);
        assert_eq!(found("knot.service"), [0; 0]);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn the_main_process_is_no_child_of_the_others() {
        let mut sleepers = [SleepProcess::start(), SleepProcess::start()];
        let numbers = sleepers.each_ref().map(SleepProcess::pid);
        let us = std::process::id().try_into().unwrap();
        assert_eq!(eldest(&[numbers[0], us, numbers[1]]), [us]);
        assert_eq!(eldest(&numbers), numbers, "either may be the main one");
        sleepers[0].kill();
        sleepers[0].reap();
        assert_eq!(eldest(&numbers), numbers[1..]);
    }
}
