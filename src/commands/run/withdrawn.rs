//! Runs without a configuration: withdraws all prefixes that may be announced, and waits for a valid file.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::broken::BrokenFile;
use super::control;
use crate::cli::Run;
use crate::commands::host_name;
use crate::config::cite::ConfigError;
use crate::config::salvage::Salvage;
use crate::config::{Config, absolute};
use crate::daemon::deadman::PAUSE_BEFORE_EXIT;
use crate::daemon::document::Subject;
use crate::daemon::store::Store;
use crate::daemon::{Daemon, Ending, LoopIo, Observer, Supervisor};
use crate::status::Trouble;
use crate::text::counted;

/// Withdraws all prefixes that may be announced. Returns when the file is valid, or when it is time to exit.
pub(super) async fn wait(options: &Run, error: ConfigError, io: &mut LoopIo) -> Ending {
    let path = &options.configuration.config;
    let salvage = Salvage::from_file(path);
    let state = options.state.clone().unwrap_or_else(|| salvage.state.clone());
    let (memory, _) = Store::new(&state, path).load();
    let announced: Vec<_> = memory.announced().cloned().collect();
    let config = salvage.withdrawing(&host_name(), announced);
    let until = if options.exit_on_bad_config {
        format!("exiting in {PAUSE_BEFORE_EXIT:?}")
    } else {
        format!("waiting until {} is valid", path.display())
    };
    match config.services.iter().map(|service| service.routes.len()).sum::<usize>() {
        0 => log::error!(
            "without a configuration: neither {} nor the state in {} names a prefix; earlier announcements, if any, \
             stay; {until}",
            path.display(),
            state.display()
        ),
        routes => log::warn!("without a configuration: withdrawing {}, {until}", counted(routes, "prefix")),
    }
    let exit_at = options.exit_on_bad_config.then(|| Instant::now() + PAUSE_BEFORE_EXIT);
    let was_gone = error.is_gone();
    let mut withdrawn =
        WaitForConfig { was_gone, file: BrokenFile::new(path, &host_name(), error, None), exit_at };
    let subject = Subject::new(absolute(path), host_name(), None, &config);
    let control = control(&config, &subject);
    let mut daemon = Daemon::new(&config, io, None, memory, Duration::ZERO);
    (daemon.subject, daemon.control) = (subject, control);
    daemon.run(&mut withdrawn).await
}

/// Ends the loop when the file is valid, or when it is time to exit.
struct WaitForConfig {
    file: BrokenFile,
    exit_at: Option<Instant>,
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
        let waits = match self.exit_at {
            Some(exit_at) => now < exit_at,
            // A file that reappears, even an invalid one, may have a last good configuration.
            None => self.file.poll(now).is_none() && self.file.is_gone() == self.was_gone,
        };
        if waits { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn config_trouble(&self) -> Option<&Trouble> {
        Some(self.file.trouble())
    }
}
