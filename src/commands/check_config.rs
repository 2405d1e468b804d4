//! `check-config`: shows the errors of a configuration file, or what it means.

use std::io::Write;
use std::path::Path;

use super::helper::trouble_of_permission;
use super::start_forecast::StartForecast;
use super::{host_name, missing};
use crate::cli::CheckConfig;
use crate::config::Config;
use crate::config::cite::ConfigError;
use crate::config::describe::Description;
use crate::daemon::last_good::LastGood;
use crate::exit::Exit;
use crate::text;
use crate::text::period::Shown;

/// Prints the meaning of the configuration, or its errors.
///
/// # Errors
/// Returns an error if nothing can be printed.
pub(crate) fn run(options: &CheckConfig) -> anyhow::Result<Exit> {
    let file = options.config.as_ref().unwrap_or(&options.file);
    match Config::load(file, &host_name()) {
        Ok(config) => {
            if !options.quiet {
                let forecast = StartForecast::new(&config, file).lines(&config);
                let mut out = text::stdout();
                if let Some(ahead) = trouble_of_permission(&config, file) {
                    writeln!(out, "now: {ahead}")?;
                }
                writeln!(out, "{forecast}{}: valid\n\n{}", file.display(), Description(&config))?;
                missing::warn(&config)?;
            }
            Ok(Exit::Success)
        }
        Err(error) => {
            if let Some(forecast) = last_good(file, &error) {
                writeln!(text::stderr(), "{forecast}")?;
            }
            writeln!(text::stderr(), "{error}")?;
            Ok(Exit::Config)
        }
    }
}

/// The configuration that `run` without `--state` and `--exit-on-bad-config` would use instead of a file with this error.
/// `None` if the file is gone, because `run` withdraws then, or if this user may not read it: the user of `run` may. Not
/// looked at here: as root, `run` refuses a stored file that other users can change.
fn last_good(file: &Path, error: &ConfigError) -> Option<String> {
    if error.is_gone() || error.is_denied() {
        return None;
    }
    let places = LastGood::places(None, file);
    let kept = places.into_iter().find_map(|place| place.load(&host_name()).ok().flatten())?;
    let age = kept.age.map_or_else(String::new, |age| format!(", saved {} ago", Shown(age)));
    Some(format!("now: `run` would use the LAST GOOD CONFIGURATION in {}{age}", kept.file.display()))
}
