//! A watch on a process with a pid-file.

use std::fs;
use std::path::PathBuf;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use super::*;
use crate::test_support::SleepProcess;

const LIMIT: Duration = Duration::from_secs(20);

/// A process with a pid-file, and a watch on it.
struct Scene {
    pid_file: PathBuf,
    daemon: SleepProcess,
    watch: Arc<Watch>,
    exits: UnboundedReceiver<String>,
}

impl Scene {
    fn new(name: &str) -> Self {
        let pid_file =
            std::env::temp_dir().join(format!("dnsherald-watch-{}-{name}.pid", std::process::id()));
        let (tell, exits) = unbounded_channel();
        let source = ProcessSource::new(Some(pid_file.clone()), None).unwrap();
        let watch = Watch::new(source, move |why| tell.send(why.to_owned()).unwrap());
        let scene = Self { pid_file, daemon: SleepProcess::start(), watch: Arc::new(watch), exits };
        scene.write_pid_file();
        scene
    }

    fn write_pid_file(&self) {
        fs::write(&self.pid_file, self.daemon.pid().to_string()).unwrap();
    }

    fn start_another(&mut self) {
        self.daemon = SleepProcess::start();
        self.write_pid_file();
    }

    fn kill(&mut self) {
        self.daemon.kill();
        self.daemon.reap();
    }

    /// The next exit that is reported.
    async fn exit(&mut self) -> String {
        timeout(LIMIT, self.exits.recv()).await.unwrap().unwrap()
    }

    /// Why the probe does not pass.
    async fn cause(&self) -> Option<Cause> {
        match self.watch.ask(LIMIT).await {
            Outcome::Pass { .. } => None,
            Outcome::Fail(failure) | Outcome::Unknown(failure) => Some(failure.cause),
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.pid_file);
    }
}

#[tokio::test]
async fn an_exit_is_reported_once_and_the_next_process_is_found_unasked() {
    let mut scene = Scene::new("reported");
    assert_eq!(scene.cause().await, None);
    scene.kill();
    assert!(scene.exit().await.ends_with("(sleep) has ended"));
    assert_eq!(scene.cause().await, Some(Cause::ProcessGone));
    fs::write(&scene.pid_file, "").unwrap();
    assert_eq!(scene.cause().await, Some(Cause::ProcessGone), "nothing certain, but it was there");
    scene.start_another();
    while scene.watch.running().is_none() {
        tokio::time::sleep(SEARCH_INTERVAL).await;
    }
    assert_eq!(scene.cause().await, None);
    scene.kill();
    scene.exit().await;
    assert!(scene.exits.try_recv().is_err());
}

#[tokio::test]
async fn a_probe_that_sees_the_exit_first_reports_it() {
    let mut scene = Scene::new("probe");
    assert_eq!(scene.cause().await, None);
    lock(&scene.watch.exit_task).abort_all();
    scene.kill();
    assert_eq!(scene.cause().await, Some(Cause::ProcessGone));
    assert!(scene.exits.try_recv().is_ok() && scene.exits.try_recv().is_err());
    scene.start_another();
    assert_eq!(scene.cause().await, None);
}

#[tokio::test]
async fn without_certainty_there_is_no_exit() {
    let mut scene = Scene::new("unknown");
    fs::write(&scene.pid_file, "unbound").unwrap();
    assert_eq!(scene.cause().await, Some(Cause::ProcessUnknown));
    scene.write_pid_file();
    scene.kill();
    assert_eq!(scene.cause().await, Some(Cause::ProcessUnknown), "never watched, so it may be stale");
    assert!(scene.exits.try_recv().is_err());
}

#[tokio::test]
async fn a_successor_is_watched_while_the_old_process_still_runs() {
    let mut scene = Scene::new("takes-over");
    assert_eq!(scene.cause().await, None);
    let mut old = std::mem::replace(&mut scene.daemon, SleepProcess::start());
    scene.write_pid_file();
    assert_eq!(scene.cause().await, None);
    assert_eq!(scene.watch.running().unwrap().pid, scene.daemon.pid());
    old.kill();
    old.reap();
    assert_eq!(scene.cause().await, None);
    let successor = scene.daemon.pid();
    scene.kill();
    let told = scene.exit().await;
    assert!(told.contains(&successor.to_string()), "{told}");
    assert!(scene.exits.try_recv().is_err(), "the exit of the old process is no news");
}

#[tokio::test]
async fn a_watch_that_is_dropped_leaves_no_task_and_no_descriptor() {
    let mut scene = Scene::new("dropped");
    assert_eq!(scene.cause().await, None);
    let process = Arc::downgrade(&scene.watch.running().unwrap());
    let source = ProcessSource::new(Some(scene.pid_file.clone()), None).unwrap();
    scene.watch = Arc::new(Watch::new(source, |_| {}));
    timeout(LIMIT, async {
        while process.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert!(scene.exits.recv().await.is_none(), "nothing is left to report an exit");
}
