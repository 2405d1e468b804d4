//! Runs without a configuration: withdraws all prefixes that may be announced, and waits for a valid file.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use super::broken::BrokenFile;
use super::{control, has_told, start_history};
use crate::cli::Run;
use crate::commands::host_name;
use crate::config::cite::ConfigError;
use crate::config::salvage::Salvage;
use crate::config::{Config, absolute};
use crate::daemon::deadman::PAUSE_BEFORE_EXIT;
use crate::daemon::document::Subject;
use crate::daemon::store::Store;
use crate::daemon::{Daemon, Ending, LoopIo, Observer, Supervisor};
use crate::engine::notice::prefixes::Prefixes;
use crate::history::file::beside;
use crate::status::Trouble;

/// Why the wait for a valid file has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum WaitEnd {
    /// ExaBGP has exited, or a signal asked the helper to stop.
    Exit,
    /// With `--exit-on-bad-config`: the file is still bad.
    TimeOver,
    /// The file is valid, or may have a last good configuration now.
    ReadAgain,
}

/// Withdraws all prefixes that may be announced, and waits for a valid file. `withdrawn` means that this process has withdrawn
/// them before.
pub(super) async fn wait(options: &Run, error: ConfigError, withdrawn: bool, io: &mut LoopIo) -> WaitEnd {
    let path = &options.configuration.config;
    let salvage = Salvage::from_file(path);
    let state = options.state.clone().unwrap_or_else(|| salvage.state.clone());
    let mut store = Store::new(&state, path);
    let (memory, _) = store.load();
    let lost = store.lost_helper(withdrawn);
    if let Some(lost) = &lost {
        log::warn!("{lost}");
    }
    let config = salvage.withdrawing(&host_name(), memory.announced().cloned());
    let runs = format!("{}; {}", error.summary(), log_withdraws(options, &state, &config));
    // The directory may be misread from a broken file: none is made.
    let history = state.is_dir().then(|| beside(store.file()));
    // With `--exit-on-bad-config` ExaBGP starts one helper after another: the same withdraw is told once.
    let unwritten = history.clone().filter(|file| !(options.exit_on_bad_config && has_told(file, &runs)));
    let writer = unwritten.map(|file| start_history(file, lost.as_deref(), &host_name(), &runs));
    if history.is_some() {
        store.save_withdrawn();
    }
    let exit_at = options.exit_on_bad_config.then(|| Instant::now() + PAUSE_BEFORE_EXIT);
    let was_gone = error.is_gone();
    let file = BrokenFile::new(path, &host_name(), error, None);
    let mut waiting = WaitForConfig { was_gone, file, exit_at, is_over: false };
    let subject = Subject::new(absolute(path), host_name(), history, &config);
    let control = control(&config, &subject);
    // The drains and holds of the state belong to its services, which are not known now.
    let mut daemon = Daemon::new(&config, io, None, memory.with_routes_only(), Duration::ZERO);
    (daemon.subject, daemon.control, daemon.history) = (subject, control, writer);
    match daemon.run(&mut waiting).await {
        Ending::Exit => WaitEnd::Exit,
        Ending::Stopped if waiting.is_over => WaitEnd::TimeOver,
        Ending::Stopped => WaitEnd::ReadAgain,
    }
}

/// Logs which prefixes are withdrawn, and until when. Returns that.
fn log_withdraws(options: &Run, state: &Path, config: &Config) -> String {
    let path = options.configuration.config.display();
    let until = match options.exit_on_bad_config {
        true => format!("exiting in {PAUSE_BEFORE_EXIT:?} unless {path} is valid by then"),
        false => format!("waiting until {path} is valid"),
    };
    let routes = config.services.iter().flat_map(|service| &service.routes);
    let prefixes: Prefixes = routes.map(|route| route.prefix.to_string()).collect();
    if prefixes.is_empty() {
        let does = format!(
            "neither {path} nor the state in {} names a prefix that may be announced, so none is withdrawn; {until}",
            state.display()
        );
        log::error!("without a configuration: {does}");
        does
    } else {
        let does = format!("withdrawing {prefixes}, {until}");
        log::warn!("without a configuration: {does}");
        does
    }
}

/// Ends the loop when the file is valid, or when it is time to exit.
struct WaitForConfig {
    file: BrokenFile,
    exit_at: Option<Instant>,
    /// Whether `exit_at` has ended the loop.
    is_over: bool,
    /// Whether the file was missing at first.
    was_gone: bool,
}

impl Observer for WaitForConfig {}

impl Supervisor for WaitForConfig {
    /// Ends the loop; the new configuration starts with a new daemon.
    fn before_reload(&mut self, _config: &Config) -> ControlFlow<()> {
        ControlFlow::Break(())
    }

    fn on_turn(&mut self) -> ControlFlow<()> {
        let now = Instant::now();
        let is_valid = self.file.poll(now).is_some();
        self.is_over = !is_valid && self.exit_at.is_some_and(|at| now >= at);
        // A file that reappears, even an invalid one, may have a last good configuration, unless the option excludes that.
        let may_have_last_good = self.exit_at.is_none() && self.file.is_gone() != self.was_gone;
        match is_valid || self.is_over || may_have_last_good {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn config_trouble(&self) -> Option<&Trouble> {
        Some(self.file.trouble())
    }
}
