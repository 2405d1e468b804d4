//! The dead-man: withdraws all prefixes if the loop stalls or a thread panics.
//!
//! A helper that hangs or panics while its prefixes are announced would leave them announced for ever, because ExaBGP
//! has no timeout for them. So the withdraw commands are always prepared. The panic hook or a thread that watches the
//! loop writes them. Then the process waits before it exits, because ExaBGP stops restarting a helper that dies six
//! times within 64 seconds. A loop that still runs meanwhile announces nothing more.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::exit_delay::StopFlag;
use super::output::copy_of;
use crate::logging::aside;
use crate::sys::lock;
use crate::text::counted;

/// The loop turns at least once a second; without a turn for this long it has stalled.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);

/// Time between the withdraws and the end of the process.
pub const PAUSE_BEFORE_EXIT: Duration = Duration::from_secs(15);

/// How long to retry a write to a full pipe.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// The prepared withdraw commands.
#[derive(Debug)]
pub(crate) struct Deadman {
    output: File,
    turns: AtomicU64,
    withdraws: Mutex<String>,
    /// Whether it has withdrawn; the process is about to end.
    has_withdrawn: AtomicBool,
}

impl Deadman {
    /// Writes to standard output.
    ///
    /// # Errors
    /// Returns an error if standard output is closed.
    pub(crate) fn on_stdout() -> io::Result<Arc<Self>> {
        copy_of(io::stdout()).map(Self::new)
    }

    /// Writes to any file.
    pub(crate) fn new(output: File) -> Arc<Self> {
        Arc::new(Self {
            output,
            turns: AtomicU64::new(0),
            withdraws: Mutex::new(String::new()),
            has_withdrawn: AtomicBool::new(false),
        })
    }

    /// Records that the loop has turned.
    pub(crate) fn beat(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// The loop calls this before it handles an event. Returns at once, or never if the dead-man has withdrawn: another
    /// thread panicked, or the loop resumed after a stall. The loop may have announced since the withdraws, in the turn
    /// that was under way, so it writes them again first.
    pub(crate) async fn stop_after_withdraws(&self) {
        if self.has_withdrawn.load(Ordering::SeqCst) {
            self.write_withdraws();
            std::future::pending::<()>().await;
        }
    }

    pub(crate) fn set_withdraws(&self, withdraws: &[String]) {
        let mut text = lock(&self.withdraws);
        text.clear();
        for line in withdraws {
            text.push_str(line);
            text.push('\n');
        }
    }

    /// Withdraws, and stops the loop. Returns the number of lines written.
    fn withdraw(&self) -> usize {
        self.has_withdrawn.store(true, Ordering::SeqCst);
        self.write_withdraws()
    }

    /// Writes the withdraws, one write per line. Returns the number of lines written.
    fn write_withdraws(&self) -> usize {
        // The stalled thread may hold the lock.
        let Ok(text) = self.withdraws.try_lock() else { return 0 };
        let deadline = Instant::now() + WRITE_TIMEOUT;
        let is_written = |line: &&str| loop {
            match (&self.output).write(line.as_bytes()) {
                Ok(_) => return true,
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(5));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        };
        text.split_inclusive('\n').filter(is_written).count()
    }

    /// Starts the thread that watches the loop. If the loop does not turn for `limit`, the thread writes the withdraws
    /// and ends the process after `pause`, or earlier if a signal arrives.
    ///
    /// # Errors
    /// Returns an error if no thread can be started or signals cannot be caught.
    pub(crate) fn watch(self: &Arc<Self>, limit: Duration, pause: Duration) -> io::Result<()> {
        let deadman = Arc::clone(self);
        let stop = StopFlag::from_signals()?;
        let watch = move || {
            let said = deadman.withdraw_on_stall(limit);
            log::error!(
                "the loop has not turned for {limit:?}: withdrew {}, exiting in {pause:?}",
                counted(said, "prefix")
            );
            deadman.exit_after(pause, &stop);
        };
        thread::Builder::new().name("dead-man".into()).stack_size(128 * 1024).spawn(watch).map(drop)
    }

    /// Waits until the loop has stalled for `limit`, then writes the withdraws. Returns the number of lines written.
    fn withdraw_on_stall(&self, limit: Duration) -> usize {
        self.wait_for_stall(limit);
        self.withdraw()
    }

    /// Waits until the loop has not turned for `limit`. Counts its own sleeps instead of reading the clock, so that a
    /// paused machine does not count as a stalled loop.
    fn wait_for_stall(&self, limit: Duration) {
        const STEPS: u32 = 10;
        let mut seen = self.turns.load(Ordering::Relaxed);
        let mut steps = 0;
        while steps < STEPS {
            thread::sleep(limit / STEPS);
            let turns = self.turns.load(Ordering::Relaxed);
            steps = if turns == seen { steps + 1 } else { 0 };
            seen = turns;
        }
    }

    /// Installs a panic hook that writes the withdraws and ends the process after `pause`.
    ///
    /// # Errors
    /// Returns an error if signals cannot be caught.
    pub(crate) fn withdraw_on_panic(self: &Arc<Self>, pause: Duration) -> io::Result<()> {
        let deadman = Arc::clone(self);
        let stop = StopFlag::from_signals()?;
        // The default hook writes to standard error directly and could block there for ever.
        std::panic::set_hook(Box::new(move |panic| {
            let said = deadman.withdraw();
            let backtrace = Backtrace::capture();
            match backtrace.status() {
                BacktraceStatus::Captured => log::error!("{panic}\n{backtrace}"),
                _ => log::error!("{panic}"),
            }
            log::error!("withdrew {}, exiting in {pause:?}", counted(said, "prefix"));
            deadman.exit_after(pause, &stop);
        }));
        Ok(())
    }

    /// Ends the process after `pause`, or earlier if a signal arrives, bypassing the loop and without a core dump.
    fn exit_after(&self, pause: Duration, stop: &StopFlag) -> ! {
        if !pause.is_zero() {
            stop.delay_exit(pause);
            // The loop may be in the turn in which it announced after the withdraws.
            self.write_withdraws();
        }
        aside::flush();
        std::process::exit(1)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};
    use std::net::Ipv4Addr;
    use std::path::Path;
    use std::process::Command;

    use tokio::sync::{mpsc, oneshot};
    use tokio::time::timeout;

    use super::*;
    use crate::config::Config;
    use crate::daemon::Daemon;
    use crate::daemon::input::Input;
    use crate::daemon::io::LoopIo;
    use crate::daemon::output::Output;
    use crate::daemon::supervisor::{Observer, Supervisor};
    use crate::daemon::watchdog::Watchdog;
    use crate::engine::api_session::Parent;
    use crate::engine::api_session::neighbors::Neighbors;
    use crate::engine::memory::Memory;
    use crate::responder::Responder;
    use crate::sys::signal_stream::SignalStream;
    use crate::sys::signals::STOPS;

    struct Unsupervised;

    impl Observer for Unsupervised {}
    impl Supervisor for Unsupervised {}

    fn pipe() -> (File, File) {
        let (reader, writer) = io::pipe().unwrap();
        (File::from(std::os::fd::OwnedFd::from(reader)), File::from(std::os::fd::OwnedFd::from(writer)))
    }

    #[test]
    fn writes_the_latest_withdraws() {
        let (mut reader, writer) = pipe();
        let deadman = Deadman::new(writer);
        deadman.set_withdraws(&["withdraw route 192.0.2.1/32".into()]);
        deadman.set_withdraws(&["withdraw route 192.0.2.2/32".into(), "withdraw route 192.0.2.3/32".into()]);
        assert_eq!(deadman.write_withdraws(), 2);
        drop(deadman);
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        assert_eq!(said, "withdraw route 192.0.2.2/32\nwithdraw route 192.0.2.3/32\n");
    }

    #[test]
    fn detects_a_stall() {
        let (_reader, writer) = pipe();
        let deadman = Deadman::new(writer);
        deadman.beat();
        deadman.wait_for_stall(Duration::from_millis(20));
        assert_eq!(deadman.turns.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn withdraws_only_when_the_loop_stalls() {
        let (mut reader, writer) = pipe();
        let deadman = Deadman::new(writer);
        deadman.set_withdraws(&["withdraw route 192.0.2.1/32".into()]);
        let watching = Arc::clone(&deadman);
        let watch = thread::spawn(move || watching.withdraw_on_stall(Duration::from_secs(1)));
        for _ in 0..200 {
            deadman.beat();
            thread::sleep(Duration::from_millis(10));
        }
        assert!(!watch.is_finished(), "it turned for two seconds");
        assert_eq!(watch.join().unwrap(), 1);
        drop(deadman);
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        assert_eq!(said, "withdraw route 192.0.2.1/32\n");
    }

    /// No command. The process ends soon, and ExaBGP would keep what a loop that still runs announces.
    #[test]
    fn the_loop_announces_nothing_after_the_withdraws() {
        let (reader, writer) = pipe();
        let deadman = Deadman::new(writer);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = Responder::bind(Ipv4Addr::LOCALHOST.into()).await.unwrap();
            let toml = format!(
                "[node]\nmanagement = [\"127.0.0.1\"]\n[[service]]\nname = \"resolver\"\n\
                 prefixes = [\"192.0.2.53/32\"]\naddress = false\n[[service.check]]\nname = \"answers\"\n\
                 dns = {{ query = \"localhost. A\", server = [\"{}\"] }}\n",
                server.address()
            );
            let config = Config::parse(Path::new("deadman.toml"), &toml, "host").unwrap();
            let (to_exabgp, mut commands) = mpsc::unbounded_channel();
            let (replies, from_exabgp) = mpsc::unbounded_channel();
            let mut io = LoopIo {
                parent: Parent::ExaBgp,
                output: Output::channel(to_exabgp),
                input: Input::channel(from_exabgp),
                signals: SignalStream::catch(&STOPS).unwrap(),
                deadman: Arc::clone(&deadman),
                watchdog: Watchdog::default(),
                sessions: Neighbors::default(),
            };
            let script = async {
                // ExaBGP answers until the route is announced.
                loop {
                    let command = commands.recv().await.unwrap();
                    if command.contains("announce route") {
                        break;
                    }
                    replies.send("done".to_owned()).unwrap();
                }
                assert_eq!(deadman.withdraw(), 1);
                // The loop would send all routes again.
                replies.send("done".to_owned()).unwrap();
                replies.send("neighbor 10.1.0.1 up".to_owned()).unwrap();
                let (sender, repeated) = oneshot::channel();
                thread::spawn(move || sender.send(BufReader::new(reader).lines().nth(1)));
                let repeated = timeout(Duration::from_secs(20), repeated).await.unwrap().unwrap();
                let repeated = repeated.unwrap().unwrap();
                assert!(repeated.contains("withdraw route 192.0.2.53/32"), "{repeated}");
                assert!(commands.try_recv().is_err(), "the loop has written a command since");
            };
            let daemon = Daemon::new(&config, &mut io, None, Memory::default(), Duration::ZERO);
            let mut unsupervised = Unsupervised;
            tokio::select! {
                _ = daemon.run(&mut unsupervised) => unreachable!("nothing ended the loop"),
                () = script => {}
            }
        });
    }

    /// Set in the child process that panics.
    const PANICS: &str = "DNSHERALD_TEST_PANICS";

    #[test]
    fn a_panic_of_any_thread_withdraws_and_ends_the_process() {
        if std::env::var_os(PANICS).is_some() {
            // The test runner may have started a line.
            io::stdout().write_all(b"\n").unwrap();
            let deadman = Deadman::on_stdout().unwrap();
            deadman
                .set_withdraws(&["withdraw route 192.0.2.1/32".into(), "withdraw route 192.0.2.2/32".into()]);
            deadman.withdraw_on_panic(Duration::ZERO).unwrap();
            let _ = thread::spawn(|| panic!("on purpose")).join();
            unreachable!("the process survived the panic");
        }
        let name = concat!(module_path!(), "::a_panic_of_any_thread_withdraws_and_ends_the_process");
        let (_, name) = name.split_once("::").unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command.args([name, "--exact", "--nocapture"]).env(PANICS, "").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let withdraws: Vec<_> = said.lines().filter(|line| line.contains("withdraw ")).collect();
        assert_eq!(withdraws, ["withdraw route 192.0.2.1/32", "withdraw route 192.0.2.2/32"], "{output:?}");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }

    #[test]
    fn gives_up_writing_to_a_full_pipe() {
        let (_reader, mut writer) = pipe();
        // Non-blocking like standard output, and full.
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let copy = writer.try_clone().unwrap();
            tokio::net::unix::pipe::Sender::from_file(copy).unwrap();
        });
        while writer.write(&[b'x'; 4096]).is_ok() {}
        let deadman = Deadman::new(writer);
        deadman.set_withdraws(&["withdraw route 192.0.2.1/32".into()]);
        assert_eq!(deadman.write_withdraws(), 0);
    }
}
