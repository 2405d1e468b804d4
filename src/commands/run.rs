//! `run`: the helper that ExaBGP starts.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context;

use self::broken::BrokenFile;
use self::observer::RunObserver;
use self::starved::Start;
use self::withdrawn::WaitEnd;
use super::host_name;
use crate::backend::privilege::is_root;
use crate::cli::Run;
use crate::config::cite::ConfigError;
use crate::config::{Config, absolute};
use crate::daemon::control::Control;
use crate::daemon::deadman::PAUSE_BEFORE_EXIT;
use crate::daemon::document::Subject;
use crate::daemon::exit_delay::StopFlag;
use crate::daemon::exporter::Exporter;
use crate::daemon::healing::Healers;
use crate::daemon::incidents::Incidents;
use crate::daemon::last_good::{LastGood, SavedConfig, Saver};
use crate::daemon::store::Store;
use crate::daemon::{Daemon, LoopIo};
use crate::engine::api_session::Parent;
use crate::exit::Exit;
use crate::history::file::{History, beside, read};
use crate::history::{Entry, Kind};
use crate::program::adopt_orphans;
use crate::sys::resources::{raise_descriptor_limit, runtime_with_workers};
use crate::text::counted;
use crate::text::period::Shown;
use crate::trace::names::Names;
use crate::trace::record::Recorder;
use crate::trace::{Answering, Header};

mod broken;
mod observer;
mod starved;
mod withdrawn;

/// Runs until ExaBGP exits or a signal arrives.
///
/// # Errors
/// Returns an error if standard input or output is closed.
pub(crate) fn run(options: &Run) -> anyhow::Result<Exit> {
    raise_descriptor_limit();
    let on_terminal = io::stdout().is_terminal();
    let start = if on_terminal { Start::Normal } else { starved::wait_for_resources(options)? };
    if start == Start::ExaBgpExited {
        return Ok(Exit::Success);
    }
    let runtime = runtime_with_workers().context("cannot start the event loop")?;
    let exit = runtime.block_on(serve(options, start == Start::Withdrawn));
    // Do not wait for tasks that hang.
    runtime.shutdown_background();
    exit
}

/// Delays the exit after a failure: ExaBGP stops restarting a helper that dies six times within 64 seconds, and then
/// exits itself. Ends early on a signal or when ExaBGP exits. On a terminal there is no delay.
pub(crate) fn pause_before_exit() {
    if !io::stdout().is_terminal() {
        StopFlag::from_signals().unwrap_or_default().delay_exit(PAUSE_BEFORE_EXIT);
    }
}

/// Loads the configuration and runs the daemon. `withdrawn` means that all prefixes have been withdrawn before.
async fn serve(options: &Run, mut withdrawn: bool) -> anyhow::Result<Exit> {
    let path = &options.configuration.config;
    let terminal = io::stdout().is_terminal();
    let pause = if terminal { Duration::ZERO } else { PAUSE_BEFORE_EXIT };
    let mut io = LoopIo::from_process(pause)?;
    let (host, mut has_waited) = (host_name(), false);
    loop {
        // On a terminal the file may be a pipe.
        let loaded = if terminal { Config::load(path, &host) } else { Config::load_file(path, &host) };
        let error = match loaded {
            Ok(config) => {
                if has_waited {
                    log::info!("the configuration {} is valid now: starting", path.display());
                }
                return run_daemon(options, &config, None, withdrawn, &mut io).await;
            }
            Err(error) => error,
        };
        log::error!("{error}");
        if terminal {
            return Ok(Exit::Config);
        }
        if let Some(kept) = last_good(options, &error, &host) {
            let broken = BrokenFile::new(path, &host, error, Some(kept.file));
            return run_daemon(options, &kept.config, Some(broken), withdrawn, &mut io).await;
        }
        match withdrawn::wait(options, error, withdrawn, &mut io).await {
            WaitEnd::Exit if !options.exit_on_bad_config => return Ok(Exit::Success),
            WaitEnd::Exit | WaitEnd::TimeOver => return Ok(Exit::Config),
            WaitEnd::ReadAgain => (withdrawn, has_waited) = (true, true),
        }
    }
}

/// The last good configuration to run instead of a file with this error. A missing file is the operator's decision, and
/// `--exit-on-bad-config` excludes another configuration.
fn last_good(options: &Run, error: &ConfigError, host: &str) -> Option<SavedConfig> {
    let path = &options.configuration.config;
    if error.is_gone() || options.exit_on_bad_config {
        return None;
    }
    for place in LastGood::places(options.state.as_deref(), path) {
        match place.load(host) {
            Ok(Some(kept)) => {
                if is_root()
                    && let Err(why) = place.check_trusted()
                {
                    log::error!(
                        "the last good configuration in {} is not used, because root would run its commands: \
                         {why}",
                        kept.file.display()
                    );
                    continue;
                }
                let age = kept.age.map_or_else(String::new, |age| format!(", saved {} ago", Shown(age)));
                log::error!(
                    "{} cannot be used: running the LAST GOOD CONFIGURATION in {}{age}; correct the file: it takes \
                     effect within seconds without a restart",
                    path.display(),
                    kept.file.display()
                );
                return Some(kept);
            }
            Ok(None) => log::info!("no last good configuration in {}", place.file().display()),
            Err(why) => log::error!("{why}"),
        }
    }
    None
}

/// Runs the daemon. If all prefixes have been `withdrawn` before, earlier states do not matter. If the last good
/// configuration is in force, `broken` is the configuration file.
async fn run_daemon(
    options: &Run,
    config: &Config,
    broken: Option<BrokenFile>,
    withdrawn: bool,
    io: &mut LoopIo,
) -> anyhow::Result<Exit> {
    let path = &options.configuration.config;
    let on_terminal = io.parent == Parent::Terminal;
    // A run on a terminal must not change the state of the real helper.
    let state = options.state.as_ref().unwrap_or(&config.state);
    let mut store = (!on_terminal).then(|| Store::new(state, path));
    let (mut memory, age) = store.as_mut().map(Store::load).unwrap_or_default();
    if withdrawn {
        memory.forget_states();
    }
    let recorder = options.record.as_ref().map(|file| {
        let header = Header {
            configuration: config.origin.as_ref().map(|origin| origin.text.clone()),
            host: Some(host_name()),
            exabgp: Answering::Recorded(io.parent),
            memory: (!memory.services.is_empty()).then(|| (memory.clone(), age)),
            seed: 0,
            engine: None,
        };
        Recorder::start(file, &header, Names::new(config))
    });
    if let Err(error) = adopt_orphans() {
        log::warn!("cannot adopt orphaned processes of commands: {error}");
    }
    // The file that is in force.
    let source = broken.as_ref().and_then(BrokenFile::last_good).unwrap_or(path).to_owned();
    log_start(config, &source);
    let lost = store.as_ref().and_then(|store| store.lost_helper(withdrawn));
    if let Some(lost) = &lost {
        log::warn!("{lost}");
    }
    let mut saver = (!on_terminal).then(|| Saver::new(options.state.clone()));
    // The last good configuration is stored already.
    if let (Some(saver), None) = (&mut saver, &broken) {
        saver.set_config(config);
    }
    let instead = broken.as_ref().map(|file| format!("; {}", file.trouble())).unwrap_or_default();
    let runs = format!("{} from {}{instead}", counted(config.services.len(), "service"), source.display());
    let mut observer = RunObserver::new(config, recorder, saver, broken);
    let state_file = store.as_ref().map(|store| store.file().to_owned());
    let history = state_file.as_deref().map(beside);
    let subject = Subject::new(absolute(path), host_name(), history.clone(), config);
    let control = if on_terminal { None } else { control(config, &subject) };
    let history = history.map(|file| start_history(file, lost.as_deref(), &config.node.name, &runs));
    let kept = state_file.zip(history.as_ref());
    let incidents = kept.map(|(state, history)| Incidents::start(&state, history));
    let mut daemon = Daemon::new(config, io, store, memory, age);
    (daemon.subject, daemon.control) = (subject, control);
    (daemon.history, daemon.incidents) = (history, incidents);
    // A dry run would compete with the real helper for the file and the port.
    daemon.exporter = (!on_terminal).then(|| Exporter::new(&config.metrics));
    daemon.healers = Some(Healers::new(config, path));
    daemon.run(&mut observer).await;
    Ok(Exit::Success)
}

fn log_start(config: &Config, source: &Path) {
    let checks: usize = config.services.iter().map(|service| service.checks.len()).sum();
    log::info!(
        "{} {} on {}: {}, {} from {}",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION"),
        config.node.name,
        counted(config.services.len(), "service"),
        counted(checks, "check"),
        source.display()
    );
    if let Some(lacking) = config.since.lacking() {
        log::warn!("{lacking}");
    }
    for service in &config.services {
        if let Some(held) = service.observed_newer() {
            log::info!("{}: {held}", service.name);
        }
    }
}

/// Opens the history and notes in it how the helper before was `lost`, and the start on this node with what it runs.
fn start_history(file: PathBuf, lost: Option<&str>, node: &str, runs: &str) -> History {
    let history = History::start(file);
    if let Some(lost) = lost {
        history.note(Entry::new(SystemTime::now(), Kind::Stop, None, lost).as_ref());
    }
    history.note(Entry::new(SystemTime::now(), Kind::Start, None, &start_text(node, runs)).as_ref());
    history
}

fn start_text(node: &str, runs: &str) -> String {
    format!("dnsherald {} on {node}: {runs}", env!("CARGO_PKG_VERSION"))
}

/// Whether the newest start in the history is this one on this host, and what it withdrew is in there.
fn has_told(file: &Path, runs: &str) -> bool {
    let Ok(log) = read(file) else { return false };
    let mut newest = log.entries.iter().rev().take_while(|entry| entry.kind != Kind::Start);
    let has_routes = newest.any(|entry| entry.kind == Kind::Route);
    let start = log.entries.iter().rev().find(|entry| entry.kind == Kind::Start);
    has_routes && start.is_some_and(|entry| entry.text == start_text(&host_name(), runs))
}

/// Opens the control sockets. The helper also runs without them.
fn control(config: &Config, subject: &Subject) -> Option<Control> {
    let opened = Control::open(&config.control, subject);
    opened
        .inspect_err(|why| {
            log::error!(
                "{why}; `dnsherald status` and `dnsherald drain` will find no helper. ExaBGP's helper user needs write \
                 permission on the directory, as the package sets for /run/dnsherald; or set another one in \
                 control.directory"
            );
        })
        .ok()
}
