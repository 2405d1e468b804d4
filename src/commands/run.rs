//! `run`: what ExaBGP starts.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use self::attendant::Attendant;
use self::broken::BrokenFile;
use self::starved::Start;
use super::host_name;
use crate::backend::privilege::is_root;
use crate::cli::Run;
use crate::config::cite::ConfigError;
use crate::config::{Config, absolute};
use crate::daemon::control::{Control, Subject};
use crate::daemon::healing::Healers;
use crate::daemon::last_good::{Keeper, Kept, LastGood};
use crate::daemon::last_words::PAUSE_BEFORE_EXIT;
use crate::daemon::linger::Told;
use crate::daemon::store::Store;
use crate::daemon::{Daemon, Ending, Surroundings};
use crate::engine::api_session::Parent;
use crate::exit::Exit;
use crate::logging::counted;
use crate::period::Shown;
use crate::program::adopt_orphans;
use crate::sys::resources::{raise_descriptor_limit, runtime_with_workers};
use crate::trace::names::Names;
use crate::trace::record::Recorder;
use crate::trace::{Answering, Header};

mod attendant;
mod broken;
mod starved;
mod withdrawn;

/// Runs until ExaBGP is gone or a signal says so.
///
/// # Errors
/// When there is no standard input or output.
pub fn run(options: &Run) -> anyhow::Result<Exit> {
    raise_descriptor_limit();
    let on_terminal = io::stdout().is_terminal();
    let start = if on_terminal { Start::Normal } else { starved::wait_for_resources(options)? };
    if start == Start::ExaBgpGone {
        return Ok(Exit::Success);
    }
    let runtime = runtime_with_workers().context("cannot start the event loop")?;
    let exit = runtime.block_on(serve(options, start == Start::Withdrawn));
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

/// Loads the configuration and does the main job with it. `withdrawn` says that everything has been withdrawn before.
async fn serve(options: &Run, mut withdrawn: bool) -> anyhow::Result<Exit> {
    let path = &options.configuration.config;
    let terminal = io::stdout().is_terminal();
    let pause = if terminal { Duration::ZERO } else { PAUSE_BEFORE_EXIT };
    let mut surroundings = Surroundings::of_this_process(pause)?;
    let host = host_name();
    loop {
        // A person may well give a pipe.
        let loaded = if terminal { Config::load(path, &host) } else { Config::load_file(path, &host) };
        let error = match loaded {
            Ok(config) => return work(options, &config, None, withdrawn, &mut surroundings).await,
            Err(error) => error,
        };
        log::error!("{error}");
        if terminal {
            return Ok(Exit::Config);
        }
        if let Some(kept) = last_good(options, &error, &host) {
            let broken = BrokenFile::new(path, &host, error, Some(kept.file));
            return work(options, &kept.config, Some(broken), withdrawn, &mut surroundings).await;
        }
        let ending = withdrawn::wait(options, error, &mut surroundings).await;
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

/// What to run in place of a file with this error. A file that is gone is the operator's decision, and whoever wants an
/// exit wants no other configuration.
fn last_good(options: &Run, error: &ConfigError, host: &str) -> Option<Kept> {
    let path = &options.configuration.config;
    if error.is_gone() || options.exit_on_bad_config {
        return None;
    }
    for place in LastGood::places(options.state.as_deref(), path) {
        match place.load(host) {
            Ok(Some(kept)) => {
                if is_root()
                    && let Err(why) = place.is_trusted()
                {
                    log::error!(
                        "the last good configuration in {} is not used, for root would run the commands that it \
                         names: {why}",
                        kept.file.display()
                    );
                    continue;
                }
                let age = kept.age.map_or_else(String::new, |age| format!(", kept {} ago", Shown(age)));
                log::error!(
                    "{} cannot be used: running the LAST GOOD CONFIGURATION in {}{age}; correct the file, and it is \
                     taken within seconds, without a restart",
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

/// The main job. Where everything has been `withdrawn` in the meantime, no earlier state is of interest. Where the last
/// good configuration is in force, the file is `broken`.
async fn work(
    options: &Run,
    config: &Config,
    broken: Option<BrokenFile>,
    withdrawn: bool,
    surroundings: &mut Surroundings,
) -> anyhow::Result<Exit> {
    let path = &options.configuration.config;
    let on_terminal = surroundings.parent == Parent::Terminal;
    // A run by hand must not disturb what the real helper remembers.
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
            exabgp: Answering::Recorded(surroundings.parent),
            memory: (!memory.services.is_empty()).then(|| (memory.clone(), age)),
        };
        Recorder::start(file, &header, Names::new(config))
    });
    if let Err(error) = adopt_orphans() {
        log::warn!("cannot adopt what commands leave behind: {error}");
    }
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
    let mut keeper = (!on_terminal).then(|| Keeper::new(options.state.clone()));
    // The last good one is kept already.
    if let (Some(keeper), None) = (&mut keeper, &broken) {
        keeper.becomes(config);
    }
    let mut attendant = Attendant::new(config, recorder, keeper, broken);
    let control = if on_terminal { None } else { control(config, path) };
    let daemon = Daemon::new(config, surroundings, store, memory, age).with_control(control);
    let daemon = daemon.with_healing(Healers::of(config, path));
    daemon.run(&mut attendant).await;
    Ok(Exit::Success)
}

/// The sockets. Without them the main job is done all the same.
fn control(config: &Config, path: &Path) -> Option<Control> {
    let subject =
        Subject { configuration: absolute(path), node: config.node.name.clone(), host: host_name() };
    let opened = Control::open(&config.control, subject);
    opened
        .inspect_err(|why| {
            log::error!(
                "{why}; `dnsherald status` and `dnsherald drain` will find nobody. The directory is to be one that the \
                 user whom exabgp runs helpers as can write to, as the package makes /run/dnsherald; or name \
                 another one in control.directory"
            );
        })
        .ok()
}
