//! A process that a check watches: the grip on it, and what the rounds of the check say.
//!
//! ```text
//!              found                        ended
//!   Nothing ───────────► Held ─────────────────────────────► Lost
//!      │                   ▲                                  │ ▲
//!      │                   └───────────── found ──────────────┘ │
//!      └─────────── surely missing ─────────────────────────────┘
//! ```
//!
//! A round passes while the process that is held lives, and fails for sure (`process-gone`) from its end on until
//! another one is found. As long as none was ever found it is unknown (`process-unknown`). An end is told at once, from
//! the [thread](super::deaths) that sees it, and exactly once, whoever is first to see it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use super::deaths::Deaths;
use super::find::Finder;
use super::handle::ProcessHandle;
use super::{Missing, ProcessSource};
use crate::handoff::lock;
use crate::outcome::{Cause, Outcome};
use crate::period::Shown;

/// After an end, how often one looks whether another process has taken the place.
const LOOK: Duration = Duration::from_millis(20);

/// So many times. Later ones are found by the rounds of the check.
const LOOKS: usize = 50;

/// What follows its predecessor sooner than this belongs to a succession of processes that do not last.
const LASTING: Duration = Duration::from_secs(10);

/// So many of those are named in the log: systemd may start one every tenth of a second, for days.
const NAMED: u32 = 5;

/// How fast one process follows the other.
#[derive(Debug, Default)]
struct Succession {
    last: Option<Instant>,
    hasty: u32,
}

/// What is said of a process that was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mention {
    /// It is named.
    Named,
    /// It is, and so that the next ones are not, as long as they do not last.
    NamedLast,
    /// It is one of those.
    None,
}

impl Succession {
    /// The next one was found.
    fn next(&mut self, now: Instant) -> Mention {
        let is_hasty = self.last.replace(now).is_some_and(|last| now.duration_since(last) < LASTING);
        self.hasty = if is_hasty { self.hasty.saturating_add(1) } else { 0 };
        match self.hasty {
            0..NAMED => Mention::Named,
            NAMED => Mention::NamedLast,
            _ => Mention::None,
        }
    }
}

/// What is known of the process.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Grip<P> {
    /// None was ever found.
    Nothing,
    /// This one lives.
    Held(P),
    /// There is none; and how that came.
    Lost(String),
}

/// What changes the grip.
#[derive(Clone, Debug, Eq, PartialEq)]
enum News<P> {
    /// This one was found alive.
    Found(P),
    /// None was found.
    Missing(Missing),
    /// The one that was held has ended.
    Ended,
}

impl<P: fmt::Display> Grip<P> {
    fn after(self, news: News<P>) -> Self {
        match (self, news) {
            (_, News::Found(process)) => Self::Held(process),
            (Self::Held(process), News::Ended) => Self::Lost(format!("{process} has ended")),
            (Self::Nothing, News::Missing(Missing::Surely(why))) => Self::Lost(why),
            (grip, News::Missing(_) | News::Ended) => grip,
        }
    }
}

/// A process that is watched. Shared by all checks that watch the same one.
pub(crate) struct Watch {
    finder: Finder,
    grip: Mutex<Grip<Arc<ProcessHandle>>>,
    /// Since the last end one has begun to look for another.
    looks: AtomicBool,
    succession: Mutex<Succession>,
    deaths: Option<Arc<Deaths>>,
    tell: Box<dyn Fn(&str) + Send + Sync>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("finder", &self.finder)
            .field("grip", &self.grip)
            .finish_non_exhaustive()
    }
}

impl Watch {
    /// Holds nothing yet. `tell` is called, on any thread, with the sentence about each end. Without `deaths` an end is
    /// seen by the next round only.
    #[must_use]
    pub(crate) fn new(
        source: ProcessSource,
        deaths: Option<Arc<Deaths>>,
        tell: impl Fn(&str) + Send + Sync + 'static,
    ) -> Self {
        Self {
            finder: Finder::new(source),
            grip: Mutex::new(Grip::Nothing),
            looks: AtomicBool::new(false),
            succession: Mutex::default(),
            deaths,
            tell: Box::new(tell),
        }
    }

    /// One round, which takes no longer than `limit`. To be awaited on a tokio runtime with I/O and time enabled.
    pub(crate) async fn ask(self: &Arc<Self>, limit: Duration) -> Outcome {
        let began = Instant::now();
        match self.held() {
            Some(held) if held.has_ended() => self.end(&held),
            Some(held) => {
                // While the old one lives, only the pid-file tells of another.
                if let Some(named) = self.finder.named(limit).await.filter(|named| named.pid() != held.pid())
                {
                    self.hold(named);
                }
                return Outcome::pass(began.elapsed());
            }
            None => {}
        }
        match self.finder.find(limit).await {
            Ok(held) => {
                self.hold(held);
                Outcome::pass(began.elapsed())
            }
            Err(missing) => self.miss(missing),
        }
    }

    fn grip(&self) -> MutexGuard<'_, Grip<Arc<ProcessHandle>>> {
        lock(&self.grip)
    }

    fn held(&self) -> Option<Arc<ProcessHandle>> {
        match &*self.grip() {
            Grip::Held(held) => Some(Arc::clone(held)),
            Grip::Nothing | Grip::Lost(_) => None,
        }
    }

    fn learn(&self, news: News<Arc<ProcessHandle>>) {
        let mut grip = self.grip();
        *grip = std::mem::replace(&mut *grip, Grip::Nothing).after(news);
    }

    fn hold(self: &Arc<Self>, found: ProcessHandle) {
        if self.held().is_some_and(|held| held.pid() == found.pid() && !held.has_ended()) {
            return;
        }
        let held = Arc::new(found);
        let source = self.finder.source();
        match lock(&self.succession).next(Instant::now()) {
            Mention::Named => log::info!("{source}: watching {held}"),
            Mention::NamedLast => log::warn!(
                "{source}: watching {held}; it ends and is started again and again, which is not said any more \
                 until one has lasted for {}; why it ends is in its own log",
                Shown(LASTING)
            ),
            Mention::None => log::debug!("{source}: watching {held}"),
        }
        self.learn(News::Found(Arc::clone(&held)));
        if let Some(deaths) = &self.deaths {
            let watch = Arc::downgrade(self);
            deaths.attend(held, move |held| {
                if let Some(watch) = Weak::upgrade(&watch) {
                    watch.end(held);
                }
            });
        }
    }

    /// This one has ended. Nothing new if it is not the one that is held, or no longer.
    fn end(&self, ended: &Arc<ProcessHandle>) {
        let mut grip = self.grip();
        if !matches!(&*grip, Grip::Held(held) if Arc::ptr_eq(held, ended)) {
            return;
        }
        *grip = std::mem::replace(&mut *grip, Grip::Nothing).after(News::Ended);
        self.looks.store(false, Ordering::Relaxed);
        if let Grip::Lost(why) = &*grip {
            (self.tell)(why);
        }
    }

    fn miss(self: &Arc<Self>, missing: Missing) -> Outcome {
        let why = missing.why().to_owned();
        self.learn(News::Missing(missing));
        match &*self.grip() {
            // Found meanwhile, by somebody else who looked.
            Grip::Held(_) => Outcome::pass(Duration::ZERO),
            Grip::Nothing => Outcome::fail(Cause::ProcessUnknown, why),
            Grip::Lost(how) => {
                if !self.looks.swap(true, Ordering::Relaxed) {
                    tokio::spawn(look_for_another(Arc::downgrade(self)));
                }
                let sentence = if *how == why { why } else { format!("{how}, and no other is found: {why}") };
                Outcome::fail(Cause::ProcessGone, sentence)
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        *self.grip() = Grip::Nothing;
        if let Some(deaths) = &self.deaths {
            deaths.look_up();
        }
    }
}

/// A restart is over within tenths of a second, and the new process may die as soon.
async fn look_for_another(watch: Weak<Watch>) {
    for _ in 0..LOOKS {
        tokio::time::sleep(LOOK).await;
        let Some(watch) = watch.upgrade() else { return };
        if watch.held().is_some() {
            return;
        }
        if let Some(found) = watch.finder.find_cheaply().await {
            return watch.hold(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::process::{Child, Command};
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    const PATIENT: Duration = Duration::from_secs(20);

    fn surely() -> News<&'static str> {
        News::Missing(Missing::Surely("failed".into()))
    }

    fn perhaps() -> News<&'static str> {
        News::Missing(Missing::Perhaps("hangs".into()))
    }

    #[test]
    fn only_what_is_certain_is_believed() {
        let lost = |why: &str| Grip::Lost(why.to_owned());
        assert_eq!(Grip::Nothing.after(perhaps()), Grip::Nothing);
        assert_eq!(Grip::Nothing.after(surely()), lost("failed"));
        assert_eq!(Grip::Held("p1").after(perhaps()), Grip::Held("p1"));
        assert_eq!(Grip::Held("p1").after(surely()), Grip::Held("p1"), "it lives, whatever systemd says");
        assert_eq!(Grip::Held("p1").after(News::Ended), lost("p1 has ended"));
        assert_eq!(lost("p1 has ended").after(perhaps()), lost("p1 has ended"), "until another is found");
        assert_eq!(lost("p1 has ended").after(surely()), lost("p1 has ended"));
        assert_eq!(lost("p1 has ended").after(News::Found("p2")), Grip::Held("p2"));
    }

    #[test]
    fn what_does_not_last_is_named_a_few_times() {
        let (mut succession, began) = (Succession::default(), Instant::now());
        let mut mentions = |seconds: &[f64]| -> Vec<Mention> {
            seconds.iter().map(|at| succession.next(began + Duration::from_secs_f64(*at))).collect()
        };
        let five = [Mention::Named; 5];
        assert_eq!(mentions(&[0.0, 0.2, 0.4, 2.0, 9.0]), five);
        assert_eq!(mentions(&[9.1, 9.3, 12.0]), [Mention::NamedLast, Mention::None, Mention::None]);
        assert_eq!(mentions(&[22.0, 22.1, 22.2, 22.3, 22.4]), five, "one has lasted");
        assert_eq!(mentions(&[22.5]), [Mention::NamedLast]);
    }

    /// A process with a pid-file, and a watch on it.
    struct Scene {
        pid_file: PathBuf,
        daemon: Child,
        watch: Arc<Watch>,
        told: Receiver<String>,
    }

    impl Scene {
        fn new(name: &str, deaths: Option<Arc<Deaths>>) -> Self {
            let pid_file =
                std::env::temp_dir().join(format!("dnsherald-watch-{}-{name}.pid", std::process::id()));
            let (tell, told) = channel();
            let source = ProcessSource::new(Some(pid_file.clone()), None).unwrap();
            let watch = Watch::new(source, deaths, move |why| tell.send(why.to_owned()).unwrap());
            let daemon = sleeper();
            let scene = Self { pid_file, daemon, watch: Arc::new(watch), told };
            scene.names(&scene.daemon);
            scene
        }

        fn names(&self, daemon: &Child) {
            fs::write(&self.pid_file, daemon.id().to_string()).unwrap();
        }

        fn dies(&mut self) {
            self.daemon.kill().unwrap();
            self.daemon.wait().unwrap();
        }

        async fn cause(&self) -> Option<Cause> {
            match self.watch.ask(PATIENT).await {
                Outcome::Pass { .. } => None,
                Outcome::Fail(failure) | Outcome::Unknown(failure) => Some(failure.cause),
            }
        }
    }

    impl Drop for Scene {
        fn drop(&mut self) {
            let _ = self.daemon.kill();
            let _ = self.daemon.wait();
            let _ = fs::remove_file(&self.pid_file);
        }
    }

    fn sleeper() -> Child {
        Command::new("sleep").arg("1000").spawn().unwrap()
    }

    fn run(scene: impl Future) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(scene);
        runtime.shutdown_background();
    }

    #[test]
    fn an_end_is_told_once_and_another_is_found_without_being_asked_for() {
        run(async {
            let mut scene = Scene::new("told", Some(Arc::new(Deaths::start().unwrap())));
            assert_eq!(scene.cause().await, None);
            scene.dies();
            assert!(scene.told.recv_timeout(PATIENT).unwrap().ends_with("(sleep) has ended"));
            assert_eq!(scene.cause().await, Some(Cause::ProcessGone));
            fs::write(&scene.pid_file, "").unwrap();
            assert_eq!(scene.cause().await, Some(Cause::ProcessGone), "nothing certain, but it was there");
            scene.daemon = sleeper();
            scene.names(&scene.daemon);
            while scene.watch.held().is_none() {
                tokio::time::sleep(LOOK).await;
            }
            assert_eq!(scene.cause().await, None);
            scene.dies();
            assert!(scene.told.recv_timeout(PATIENT).is_ok());
            assert!(scene.told.try_recv().is_err());
        });
    }

    #[test]
    fn without_a_thread_the_round_sees_the_end_and_tells_it() {
        run(async {
            let mut scene = Scene::new("round", None);
            assert_eq!(scene.cause().await, None);
            scene.dies();
            assert_eq!(scene.cause().await, Some(Cause::ProcessGone));
            assert!(scene.told.try_recv().is_ok() && scene.told.try_recv().is_err());
            scene.daemon = sleeper();
            scene.names(&scene.daemon);
            assert_eq!(scene.cause().await, None);
        });
    }

    #[test]
    fn nothing_certain_is_no_end() {
        run(async {
            let mut scene = Scene::new("unknown", None);
            fs::write(&scene.pid_file, "unbound").unwrap();
            assert_eq!(scene.cause().await, Some(Cause::ProcessUnknown));
            scene.names(&scene.daemon);
            scene.dies();
            assert_eq!(scene.cause().await, Some(Cause::ProcessUnknown), "never held, so it may be stale");
            assert!(scene.told.try_recv().is_err());
        });
    }

    #[test]
    fn who_takes_over_while_the_old_one_lives_is_watched_instead() {
        run(async {
            let mut scene = Scene::new("takes-over", Some(Arc::new(Deaths::start().unwrap())));
            assert_eq!(scene.cause().await, None);
            let mut old = std::mem::replace(&mut scene.daemon, sleeper());
            scene.names(&scene.daemon);
            assert_eq!(scene.cause().await, None);
            assert_eq!(u32::try_from(scene.watch.held().unwrap().pid()), Ok(scene.daemon.id()));
            old.kill().unwrap();
            old.wait().unwrap();
            assert_eq!(scene.cause().await, None);
            scene.dies();
            let told = scene.told.recv_timeout(PATIENT).unwrap();
            assert!(told.contains(&scene.daemon.id().to_string()), "{told}");
            assert!(scene.told.try_recv().is_err(), "the old one's end is no news");
        });
    }
}
