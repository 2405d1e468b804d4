//! What systemd says of a unit, through `systemctl show`. It needs no privileges, takes some 10 ms, and can hang.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

/// More than it has to say, in octets.
const ENOUGH: u64 = 16 * 1024;

/// A unit, as systemd has it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Unit {
    /// `loaded`, `not-found`, `masked` and the like.
    load_state: String,
    /// `active`, `inactive`, `failed`, `activating` and the like.
    active_state: String,
    /// 0 while there is none.
    main_pid: i32,
    /// Also where the unit is known by an alias.
    cgroup: String,
}

impl Unit {
    /// Lines of `KEY=VALUE`, in any order.
    fn read(text: &str) -> Option<Self> {
        let value = |key: &str| {
            let mut pairs = text.lines().filter_map(|line| line.split_once('='));
            pairs.find_map(|(name, value)| (name == key).then(|| value.to_owned()))
        };
        Some(Self {
            load_state: value("LoadState")?,
            active_state: value("ActiveState")?,
            main_pid: value("MainPID")?.parse().ok()?,
            cgroup: value("ControlGroup").unwrap_or_default(),
        })
    }

    /// The number of its main process.
    #[must_use]
    pub fn main_pid(&self) -> Option<i32> {
        (self.main_pid > 0).then_some(self.main_pid)
    }

    /// Where its processes are, if it has any.
    #[must_use]
    pub fn cgroup(&self) -> Option<&str> {
        Some(self.cgroup.as_str()).filter(|path| path.len() > 1)
    }

    /// Whether it surely does not run. Of a unit that it does not know, or that is masked, systemd says that it is
    /// inactive, too; but then the unit's name may be wrong, and the server be well.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.main_pid == 0
            && self.load_state == "loaded"
            && matches!(self.active_state.as_str(), "inactive" | "failed")
    }

    /// The end of a sentence that begins with the unit.
    #[must_use]
    pub fn shown(&self) -> String {
        match self.load_state.as_str() {
            "loaded" => format!("is {} and has no main process", self.active_state),
            "not-found" => "is not known to systemd".to_owned(),
            other => format!("is {other} and has no main process"),
        }
    }
}

/// Asks systemd.
///
/// # Errors
/// The sentence about what came instead of an answer.
pub async fn ask(unit: &str, limit: Duration) -> Result<Unit, String> {
    let text = match timeout(limit, show(unit)).await {
        Ok(text) => text?,
        Err(_) => {
            return Err(format!("systemctl has not answered within {}", humantime::format_duration(limit)));
        }
    };
    Unit::read(&text).ok_or_else(|| {
        format!(
            "systemctl says nothing of {unit}: is systemd running? Without it a `pid-file` tells the process"
        )
    })
}

async fn show(unit: &str) -> Result<String, String> {
    let mut command = Command::new("systemctl");
    command.args(["show", "--property=LoadState,ActiveState,MainPID,ControlGroup", "--", unit]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("cannot start systemctl: {error}"))?;
    let mut text = String::new();
    if let Some(stdout) = child.stdout.take() {
        let read = stdout.take(ENOUGH).read_to_string(&mut text).await;
        read.map_err(|error| format!("systemctl says what cannot be read: {error}"))?;
    }
    // What it said counts; its status says nothing more.
    let _ = child.wait().await;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(load: &str, active: &str, pid: i32) -> Unit {
        let text = format!(
            "MainPID={pid}\nControlGroup=/system.slice/x.service\nActiveState={active}\nLoadState={load}\n"
        );
        Unit::read(&text).unwrap()
    }

    #[test]
    fn only_a_known_unit_that_does_not_run_is_over() {
        assert!(unit("loaded", "inactive", 0).is_over() && unit("loaded", "failed", 0).is_over());
        for (load, active, pid) in [
            ("loaded", "active", 0),
            ("loaded", "activating", 0),
            ("loaded", "deactivating", 0),
            ("loaded", "active", 17),
            ("loaded", "failed", 17),
            ("not-found", "inactive", 0),
            ("masked", "inactive", 0),
        ] {
            assert!(!unit(load, active, pid).is_over(), "{load} {active} {pid}");
        }
        assert_eq!(unit("loaded", "active", 17).main_pid(), Some(17));
        assert_eq!(unit("not-found", "inactive", 0).shown(), "is not known to systemd");
    }

    #[test]
    fn what_is_no_answer_is_none() {
        assert_eq!(Unit::read(""), None);
        assert_eq!(Unit::read("MainPID=x\nActiveState=active\nLoadState=loaded\n"), None);
    }
}
