//! `backend`: the stock DNS server of this host, for the operator. [`crate::backend`] does the work.

use std::io::{self, Write};
use std::sync::Arc;

use super::helper::Helper;
use super::{complain, runtime};
use crate::backend::Backend;
use crate::cli::{Backend as Command, OneBackend};
use crate::config::Config;
use crate::control::client::Client;
use crate::exit::Exit;
use crate::text;

mod answered;
mod check;
mod questions;
mod reload;
mod restart;
mod status;
mod unit;

/// Runs the subcommand for the named backend, or for the only one.
///
/// # Errors
/// If nothing can be printed, or no descriptor is left.
pub(crate) fn run(command: &Command) -> anyhow::Result<Exit> {
    match command {
        Command::Status(options) => with(&options.backend, async |config, backend, _| {
            status::run(config, backend, options.json).await
        }),
        Command::Check(which) => with(which, async |_, backend, _| check::run(backend).await),
        Command::Reload(options) => with(&options.backend, async |config, backend, helper| {
            reload::run(config, backend, helper, &options.removed).await
        }),
        Command::Restart(options) => with(&options.backend, async |config, backend, helper| {
            restart::run(config, backend, helper, options).await
        }),
        Command::Hooks(options) => unit::hooks(options),
        Command::Stopping(options) => unit::stopping(options),
        Command::Started(options) => unit::started(options),
    }
}

/// Runs this for the selected backend, with its configuration and the running helper.
fn with(
    which: &OneBackend,
    run: impl AsyncFnOnce(&Config, &Backend, &Client) -> anyhow::Result<Exit>,
) -> anyhow::Result<Exit> {
    let helper = Helper::find(&which.helper);
    let client = helper.client.clone();
    let (config, backend) = match choose(which, helper)? {
        Ok(chosen) => chosen,
        Err(exit) => return Ok(exit),
    };
    let runtime = runtime()?;
    runtime.block_on(run(&config, &backend, &client))
}

/// The configuration and the backend, or the exit status if there is none.
fn choose(which: &OneBackend, helper: Helper) -> io::Result<Result<(Config, Arc<Backend>), Exit>> {
    let file = &which.helper.configuration.config;
    let config = match helper.into_config() {
        Ok(config) => config,
        Err(error) => {
            complain(&error);
            return Ok(Err(Exit::Config));
        }
    };
    let found = match &which.name {
        Some(name) => config.backends.iter().find(|backend| backend.name == *name),
        None if config.backends.len() == 1 => config.backends.first(),
        None => None,
    };
    if let Some(backend) = found.cloned() {
        return Ok(Ok((config, backend)));
    }
    let names: Vec<_> = config.backends.iter().map(|backend| backend.name.as_str()).collect();
    let there = match names.as_slice() {
        [] => "it has none; add a table such as [backend.unbound]".to_owned(),
        names => format!("it has {}", names.join(", ")),
    };
    let file = file.display();
    match &which.name {
        Some(name) => writeln!(text::stderr(), "dnsherald: no backend `{name}` in {file}: {there}")?,
        None => writeln!(text::stderr(), "dnsherald: which backend of {file}? {there}")?,
    }
    Ok(Err(Exit::Usage))
}
