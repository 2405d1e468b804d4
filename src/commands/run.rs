//! `run`: what ExaBGP starts.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::{host_name, runtime};
use crate::cli::Run;
use crate::config::Config;
use crate::config::cite::ConfigError;
use crate::config::salvage::Salvage;
use crate::daemon::input::Input;
use crate::daemon::last_words::{LIMIT, LastWords, PAUSE_BEFORE_EXIT};
use crate::daemon::output::Output;
use crate::daemon::signals::Signals;
use crate::daemon::store::Store;
use crate::daemon::{Daemon, Ending, Nobody, Observer, Surroundings};
use crate::engine::event::Event;
use crate::engine::moment::Moment;
use crate::exabgp::link::Parent;
use crate::exit::Exit;
use crate::trace::names::Names;
use crate::trace::record::Recorder;

/// Runs until ExaBGP is gone or a signal says so.
///
/// # Errors
/// When there is no standard input or output, or `--record` names a file that cannot be written.
pub fn run(options: &Run) -> anyhow::Result<Exit> {
    runtime().context("cannot start the event loop")?.block_on(serve(options))
}

/// Lets time pass before a failure ends the process: ExaBGP gives up on a helper that dies six times within 64
/// seconds, and then exits itself. A person at a terminal need not wait.
pub fn pause_before_exit() {
    if !io::stdout().is_terminal() {
        thread::sleep(PAUSE_BEFORE_EXIT);
    }
}

async fn serve(options: &Run) -> anyhow::Result<Exit> {
    let path = &options.configuration.config;
    let terminal = io::stdout().is_terminal();
    let last_words = LastWords::on_stdout().context("cannot use standard output")?;
    last_words.say_on_panic(if terminal { Duration::ZERO } else { PAUSE_BEFORE_EXIT });
    let mut surroundings = Surroundings {
        parent: if terminal { Parent::Terminal } else { Parent::ExaBgp },
        output: Output::stdout().context("cannot use standard output")?,
        input: if terminal {
            Input::nothing()
        } else {
            Input::stdin().context("cannot use standard input")?
        },
        signals: Signals::catch().context("cannot catch signals")?,
        last_words,
    };
    surroundings.last_words.watch(LIMIT, PAUSE_BEFORE_EXIT).context("cannot start the dead-man thread")?;
    let host = host_name();
    loop {
        match Config::load(path, &host) {
            Ok(config) => return work(options, &config, &mut surroundings).await,
            Err(error) => {
                log::error!("{error}");
                if terminal {
                    return Ok(Exit::Config);
                }
                if options.exit_on_bad_config {
                    pause_before_exit();
                    return Ok(Exit::Config);
                }
                if wait_withdrawn(options, error, &mut surroundings).await == Ending::Over {
                    return Ok(Exit::Success);
                }
                log::info!("the configuration {} is in order now: starting", path.display());
            }
        }
    }
}

/// The main job.
async fn work(options: &Run, config: &Config, surroundings: &mut Surroundings) -> anyhow::Result<Exit> {
    let path = &options.configuration.config;
    let on_terminal = surroundings.parent == Parent::Terminal;
    // A run by hand must not disturb what the real helper remembers.
    let state = options.state.as_ref().unwrap_or(&config.state);
    let store = (!on_terminal).then(|| Store::new(state, path));
    let (memory, age) = store.as_ref().map(Store::load).unwrap_or_default();
    let mut observer: Box<dyn Observer> = match &options.record {
        None => Box::new(Nobody),
        Some(file) => {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let recorder = Recorder::create(file, &text, &host_name(), &memory, age, Names::of(config));
            let recorder = recorder.with_context(|| format!("cannot record to {}", file.display()))?;
            Box::new(Recording(Some(recorder)))
        }
    };
    let services = config.services.len();
    let checks: usize = config.services.iter().map(|service| service.checks.len()).sum();
    log::info!(
        "{} {} on {}: {services} services, {checks} checks from {}",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION"),
        config.node.name,
        path.display()
    );
    Daemon::new(config, surroundings, store, memory, age).run(&mut *observer).await;
    Ok(Exit::Success)
}

/// Without a configuration: withdraws what may be announced, and comes back when the file is in order.
async fn wait_withdrawn(options: &Run, error: ConfigError, surroundings: &mut Surroundings) -> Ending {
    let path = &options.configuration.config;
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let salvage = Salvage::of(&text);
    let state = options.state.clone().unwrap_or_else(|| salvage.state.clone());
    let (memory, _) = Store::new(&state, path).load();
    let announced: Vec<_> = memory.announced().cloned().collect();
    let config = salvage.withdrawing(&host_name(), announced);
    match config.services.iter().map(|service| service.routes.len()).sum::<usize>() {
        0 => log::error!(
            "without a configuration: neither {} nor the state in {} names a prefix; what was announced before, if \
             anything, still stands. Waiting for the configuration to be mended",
            path.display(),
            state.display()
        ),
        routes => log::warn!(
            "without a configuration: withdrawing {routes} prefixes until {} is mended",
            path.display()
        ),
    }
    let mut mending = Mending { path, error, looked: Instant::now() };
    Daemon::new(&config, surroundings, None, memory, Duration::ZERO).run(&mut mending).await
}

/// How often a file that is not in order is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Ends the loop when the file is in order.
struct Mending<'a> {
    path: &'a Path,
    error: ConfigError,
    looked: Instant,
}

impl Observer for Mending<'_> {
    fn goes_on(&mut self) -> bool {
        if self.looked.elapsed() < LOOK {
            return true;
        }
        self.looked = Instant::now();
        match Config::load(self.path, "") {
            Ok(_) => false,
            Err(error) => {
                if error != self.error {
                    log::error!("{error}");
                    self.error = error;
                }
                true
            }
        }
    }
}

/// Records until the file takes no more.
struct Recording(Option<Recorder>);

impl Observer for Recording {
    fn before(&mut self, at: Moment, event: &Event) {
        if let Some(recorder) = &mut self.0
            && let Err(error) = recorder.record(at, event)
        {
            log::error!("cannot record to {}: {error}; recording ends here", recorder.path().display());
            self.0 = None;
        }
    }
}
