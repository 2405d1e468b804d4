//! Without any configuration: everything that may be announced is withdrawn, until there is one.

use std::time::{Duration, Instant};

use super::broken::BrokenFile;
use super::control;
use crate::cli::Run;
use crate::commands::host_name;
use crate::config::Config;
use crate::config::cite::ConfigError;
use crate::config::salvage::Salvage;
use crate::daemon::last_words::PAUSE_BEFORE_EXIT;
use crate::daemon::store::Store;
use crate::daemon::{Daemon, Ending, Observer, Surroundings};
use crate::logging::counted;
use crate::status::Trouble;

/// Withdraws what may be announced, and comes back when the file is in order, or when it has been long enough to exit.
pub(super) async fn wait(options: &Run, error: ConfigError, surroundings: &mut Surroundings) -> Ending {
    let path = &options.configuration.config;
    let salvage = Salvage::from_file(path);
    let state = options.state.clone().unwrap_or_else(|| salvage.state.clone());
    let (memory, _) = Store::new(&state, path).load();
    let announced: Vec<_> = memory.announced().cloned().collect();
    let config = salvage.withdrawing(&host_name(), announced);
    let until = if options.exit_on_bad_config {
        format!("exiting in {PAUSE_BEFORE_EXIT:?}")
    } else {
        format!("waiting until {} is in order", path.display())
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
    let exit_at = options.exit_on_bad_config.then(|| Instant::now() + PAUSE_BEFORE_EXIT);
    let was_gone = error.is_gone();
    let mut withdrawn =
        Withdrawn { was_gone, file: BrokenFile::new(path, &host_name(), error, None), exit_at };
    let control = control(&config, path);
    let daemon = Daemon::new(&config, surroundings, None, memory, Duration::ZERO).with_control(control);
    daemon.run(&mut withdrawn).await
}

/// Ends the loop when the file is in order; or, where we are to exit, when the time has come.
struct Withdrawn {
    file: BrokenFile,
    exit_at: Option<Instant>,
    /// At first there was no file.
    was_gone: bool,
}

impl Observer for Withdrawn {
    /// It begins with the configuration that is in order now.
    fn reloads(&mut self, _config: &Config) -> bool {
        false
    }

    fn goes_on(&mut self) -> bool {
        let now = Instant::now();
        match self.exit_at {
            Some(exit_at) => now < exit_at,
            // A file that is there again, though in no order, has a last good one.
            None => self.file.look(now).is_none() && self.file.is_gone() == self.was_gone,
        }
    }

    fn trouble(&self) -> Option<&Trouble> {
        Some(self.file.trouble())
    }
}
