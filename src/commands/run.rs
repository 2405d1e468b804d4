//! `run`: what ExaBGP starts.

use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::{host_name, runtime};
use crate::cli::Run;
use crate::config::Config;
use crate::config::cite::ConfigError;
use crate::config::salvage::Salvage;
use crate::daemon::control::{Control, Subject};
use crate::daemon::healing::Healers;
use crate::daemon::hooks::{Hook, Hooks};
use crate::daemon::last_words::PAUSE_BEFORE_EXIT;
use crate::daemon::linger::Told;
use crate::daemon::store::Store;
use crate::daemon::{Daemon, Ending, Observer, Surroundings};
use crate::engine::event::Event;
use crate::engine::moment::Moment;
use crate::exabgp::link::Parent;
use crate::exit::Exit;
use crate::logging::counted;
use crate::probe::command::adopt_orphans;
use crate::trace::names::Names;
use crate::trace::record::Recorder;
use crate::trace::{Answering, Header};

/// Runs until ExaBGP is gone or a signal says so.
///
/// # Errors
/// When there is no standard input or output.
pub fn run(options: &Run) -> anyhow::Result<Exit> {
    let runtime = runtime().context("cannot start the event loop")?;
    let exit = runtime.block_on(serve(options));
    // What hangs elsewhere must not hold up the end.
    runtime.shutdown_background();
    exit
}

/// Lets time pass before a failure ends the process: ExaBGP gives up on a helper that dies six times within 64
/// seconds, and then exits itself. Ends sooner when told to, or when ExaBGP is gone. A person at a terminal need not
/// wait.
pub fn pause_before_exit() {
    if !io::stdout().is_terminal() {
        Told::by_signals().unwrap_or_default().linger(PAUSE_BEFORE_EXIT);
    }
}

async fn serve(options: &Run) -> anyhow::Result<Exit> {
    let path = &options.configuration.config;
    let terminal = io::stdout().is_terminal();
    let pause = if terminal { Duration::ZERO } else { PAUSE_BEFORE_EXIT };
    let mut surroundings = Surroundings::of_this_process(pause)?;
    let host = host_name();
    let mut withdrawn = false;
    loop {
        // A person may well give a pipe.
        let loaded = if terminal { Config::load(path, &host) } else { Config::load_file(path, &host) };
        match loaded {
            Ok(config) => return work(options, &config, withdrawn, &mut surroundings).await,
            Err(error) => {
                log::error!("{error}");
                if terminal {
                    return Ok(Exit::Config);
                }
                let ending = wait_withdrawn(options, error, &mut surroundings).await;
                if options.exit_on_bad_config {
                    return Ok(Exit::Config);
                }
                if ending == Ending::Over {
                    return Ok(Exit::Success);
                }
                withdrawn = true;
                log::info!("the configuration {} is in order now: starting", path.display());
            }
        }
    }
}

/// The main job. Where everything has been `withdrawn` in the meantime, no earlier state is of interest.
async fn work(
    options: &Run,
    config: &Config,
    withdrawn: bool,
    surroundings: &mut Surroundings,
) -> anyhow::Result<Exit> {
    let path = &options.configuration.config;
    let on_terminal = surroundings.parent == Parent::Terminal;
    // A run by hand must not disturb what the real helper remembers.
    let state = options.state.as_ref().unwrap_or(&config.state);
    let store = (!on_terminal).then(|| Store::new(state, path));
    let (mut memory, age) = store.as_ref().map(Store::load).unwrap_or_default();
    if withdrawn {
        memory.forget_states();
    }
    let recorder = options.record.as_ref().map(|file| {
        let header = Header {
            configuration: Some(text_of(path)),
            host: Some(host_name()),
            exabgp: Answering::Recorded(surroundings.parent),
            memory: (!memory.services.is_empty()).then(|| (memory.clone(), age)),
        };
        Recorder::start(file, &header, Names::of(config))
    });
    if let Err(error) = adopt_orphans() {
        log::warn!("cannot adopt what commands leave behind: {error}");
    }
    let mut attendant = Attendant { recorder, on_change: on_change(config), hooks: Hooks::start() };
    let services = config.services.len();
    let checks: usize = config.services.iter().map(|service| service.checks.len()).sum();
    log::info!(
        "{} {} on {}: {}, {} from {}",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION"),
        config.node.name,
        counted(services, "service"),
        counted(checks, "check"),
        path.display()
    );
    warn_if_idle(config);
    let control = if on_terminal { None } else { control(config, path, None) };
    let daemon = Daemon::new(config, surroundings, store, memory, age).with_control(control);
    let daemon = daemon.with_healing(Healers::of(config, path));
    daemon.run(&mut attendant).await;
    Ok(Exit::Success)
}

/// Whoever has forgotten to enable the services is to find that in the log.
fn warn_if_idle(config: &Config) {
    if config.is_idle() {
        log::warn!(
            "no service is enabled: nothing is probed or announced until a [[service]] says `enabled = true` and \
             `dnsherald reload` is run"
        );
    }
}

/// The sockets. Without them the main job is done all the same.
fn control(config: &Config, path: &Path, trouble: Option<String>) -> Option<Control> {
    let subject = Subject {
        configuration: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
        node: config.node.name.clone(),
        trouble,
        host: host_name(),
    };
    let opened = Control::open(&config.control, subject);
    opened
        .inspect_err(|why| {
            log::warn!(
                "{why}; `dnsherald status` and `dnsherald drain` will find nobody. The directory is to be one that the \
                 user whom exabgp runs helpers as can write to, as the package makes /run/dnsherald; or name \
                 another one in control.directory"
            );
        })
        .ok()
}

/// The text of a file, as far as it is any.
fn text_of(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Without a configuration: withdraws what may be announced, and comes back when the file is in order, or when it has
/// been long enough to exit.
async fn wait_withdrawn(options: &Run, error: ConfigError, surroundings: &mut Surroundings) -> Ending {
    let path = &options.configuration.config;
    let salvage = Salvage::of_file(path);
    let state = options.state.clone().unwrap_or_else(|| salvage.state.clone());
    let (memory, _) = Store::new(&state, path).load();
    let announced: Vec<_> = memory.announced().cloned().collect();
    let config = salvage.withdrawing(&host_name(), announced);
    let until = if options.exit_on_bad_config {
        format!("exiting in {PAUSE_BEFORE_EXIT:?}")
    } else {
        format!("waiting until {} is mended", path.display())
    };
    match config.services.iter().map(|service| service.routes.len()).sum::<usize>() {
        0 => log::error!(
            "without a configuration: neither {} nor the state in {} names a prefix; what was announced before, if \
             anything, still stands; {until}",
            path.display(),
            state.display()
        ),
        routes => log::warn!("without a configuration: withdrawing {}, {until}", counted(routes, "prefix")),
    }
    let now = Instant::now();
    let exit_at = options.exit_on_bad_config.then(|| now + PAUSE_BEFORE_EXIT);
    // Its first line; the others show the place.
    let trouble = error.to_string().lines().next().map(ToOwned::to_owned);
    let mut mending = Mending { path, error, looked: now, looking: None, exit_at };
    let control = control(&config, path, trouble);
    let daemon = Daemon::new(&config, surroundings, None, memory, Duration::ZERO).with_control(control);
    daemon.run(&mut mending).await
}

/// How often a file that is not in order is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Ends the loop when the file is in order; or, where we are to exit, when the time has come. It is read on a thread, for
/// it may be on a disk that hangs.
struct Mending<'a> {
    path: &'a Path,
    error: ConfigError,
    looked: Instant,
    looking: Option<mpsc::Receiver<Result<Config, ConfigError>>>,
    exit_at: Option<Instant>,
}

impl Observer for Mending<'_> {
    /// It begins with the configuration that is in order now.
    fn reloads(&mut self, _config: &Config) -> bool {
        false
    }

    fn goes_on(&mut self) -> bool {
        if let Some(exit_at) = self.exit_at {
            return Instant::now() < exit_at;
        }
        match self.looking.as_ref().map(mpsc::Receiver::try_recv) {
            Some(Ok(Ok(_))) => return false,
            Some(Ok(Err(error))) => {
                self.looking = None;
                if error != self.error {
                    log::error!("{error}");
                    self.error = error;
                }
            }
            Some(Err(mpsc::TryRecvError::Empty)) => {}
            // No thread could be had.
            Some(Err(mpsc::TryRecvError::Disconnected)) | None => self.look_again(),
        }
        true
    }
}

impl Mending<'_> {
    fn look_again(&mut self) {
        if self.looked.elapsed() < LOOK {
            return;
        }
        self.looked = Instant::now();
        let (found, looking) = mpsc::channel();
        let path = self.path.to_owned();
        let look = move || drop(found.send(Config::load_file(&path, "")));
        self.looking = thread::Builder::new().spawn(look).is_ok().then_some(looking);
    }
}

/// Records until the file takes no more, and runs what configuration wants run at changes.
struct Attendant {
    recorder: Option<Recorder>,
    /// The program and its arguments for each service that has one.
    on_change: HashMap<String, Vec<String>>,
    hooks: Hooks,
}

fn on_change(config: &Config) -> HashMap<String, Vec<String>> {
    let services = config.services.iter().filter(|plan| !plan.on_change.is_empty());
    services.map(|plan| (plan.name.clone(), plan.on_change.clone())).collect()
}

impl Observer for Attendant {
    fn before(&mut self, at: Moment, event: &Event) {
        if self.recorder.as_mut().is_some_and(|recorder| !recorder.record(at, event)) {
            self.recorder = None;
        }
    }

    fn reloads(&mut self, config: &Config) -> bool {
        self.on_change = on_change(config);
        warn_if_idle(config);
        if self.recorder.take().is_some() {
            log::warn!("the recording ends here: a replay knows one configuration only");
        }
        true
    }

    fn enter(&mut self, service: &str, state: &str, reason: &str) {
        if let Some(words) = self.on_change.get(service) {
            self.hooks.run(Hook::of_words(words, state, service, reason));
        }
    }
}
