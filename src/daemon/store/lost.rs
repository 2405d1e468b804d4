//! Whether the helper before was killed or crashed.
//!
//! A helper that ends in order writes that into the state. One that was killed leaves a state that says it runs, and
//! routes that ExaBGP goes on announcing. So does the state of one that could not write it at its end.

use nix::unistd::Pid;

use super::{Document, Store, read};
use crate::daemon::report::time_of_day;
use crate::sys::procfs::ProcStat;

impl Store {
    /// The sentence that the helper before was killed or crashed; `None` if it wrote that it ended, ended with the host,
    /// still runs, or is not known. With `withdrawn` this helper has withdrawn its routes. Call it after [`Store::load`], and
    /// before the first save.
    pub(crate) fn lost_helper(&self, withdrawn: bool) -> Option<String> {
        let loaded = self.loaded.as_ref().filter(|loaded| loaded.lacks_its_process())?;
        // It may have ended in order since the state was loaded.
        let text = read(&self.file).ok()?;
        let last = Document::parse(&text, &self.configuration).ok()?;
        (last.running == Some(true) && last.process == loaded.process).then(|| {
            let routes = match withdrawn {
                true => "",
                false => {
                    "; unless ExaBGP was restarted since, it keeps its routes as that helper left them until this one \
                     states them"
                }
            };
            format!(
                "the helper before (process {}, which last saved its state at {}) did not end in order: it was killed or crashed, \
                 or could not write its state when it ended{routes}",
                last.process,
                time_of_day(last.timestamp.wall())
            )
        })
    }
}

impl Document {
    /// Whether it says that its helper runs, since this boot, and that process is gone.
    fn lacks_its_process(&self) -> bool {
        self.running == Some(true) && self.timestamp.since_this_boot().is_some() && !self.has_its_process()
    }

    /// Whether the process of its helper is there: it has not exited, and began before the document was written.
    pub(super) fn has_its_process(&self) -> bool {
        // In a container each helper may have the same number.
        let pid = Pid::from_raw(self.process.cast_signed());
        let written = self.timestamp.since_this_boot();
        let began_before = |process: &ProcStat| written.is_none_or(|at| process.began_after_boot() <= at);
        ProcStat::read(pid).is_some_and(|process| !process.is_dead() && began_before(&process))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::{Command, Stdio, id};

    use super::*;
    use crate::engine::memory::Memory;

    fn document(process: u32) -> Document {
        Document::new("/etc/d.toml".into(), 1, process, Memory::default())
    }

    #[test]
    fn a_process_that_runs_is_not_lost_and_one_that_is_gone_or_a_zombie_is() {
        assert!(!document(id()).lacks_its_process(), "it runs");
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let its = document(child.id());
        assert!(!its.lacks_its_process(), "it runs");
        child.kill().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        while ProcStat::read(pid).is_some_and(|process| !process.is_dead()) {
            std::thread::yield_now();
        }
        assert!(its.lacks_its_process(), "ExaBGP has not reaped it");
        child.wait().unwrap();
        assert!(its.lacks_its_process());
        assert!(!Document { running: Some(false), ..its }.lacks_its_process(), "it ended in order");
    }

    #[test]
    fn a_process_that_began_later_is_another_one() {
        let mut before = serde_json::to_value(document(id())).unwrap();
        before["uptime"]["milliseconds"] = 1.into();
        let read = |text: &str| Document::parse(text, Path::new("/etc/d.toml")).unwrap();
        let reused = read(&before.to_string());
        assert!(reused.lacks_its_process(), "as in a container that was started again");
        let replaced = Document { generation: 0, ..document(id()) };
        assert!(document(id()).succeeds(&replaced) && !reused.succeeds(&replaced));
        before["uptime"]["boot"] = "another".into();
        assert!(!read(&before.to_string()).lacks_its_process(), "the host was restarted");
        before.as_object_mut().unwrap().remove("running");
        let older = read(&before.to_string());
        assert!(older.running.is_none() && !older.lacks_its_process(), "version 0.2 does not say");
    }
}
