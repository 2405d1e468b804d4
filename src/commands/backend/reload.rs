//! `backend reload`: check, reload, look again.

use std::io::Write;

use super::status;
use crate::backend::Backend;
use crate::config::Config;
use crate::exit::Exit;
use crate::text;

/// Reloads, unless the configuration is broken.
pub(super) async fn run(config: &Config, backend: &Backend) -> anyhow::Result<Exit> {
    let name = &backend.name;
    if !backend.reload.is_empty()
        && let Err(trouble) = backend.check().await
    {
        writeln!(text::stderr(), "{name}: not reloaded, the server was not touched: {trouble}")?;
        return Ok(Exit::Failure);
    }
    match backend.reload().await {
        Ok(done) => {
            for step in done {
                writeln!(text::stdout(), "{name}: {step}")?;
            }
        }
        Err(trouble) => {
            writeln!(text::stderr(), "{name}: not reloaded: {trouble}")?;
            return Ok(Exit::Failure);
        }
    }
    // That a reload was done says nothing of a zone among many; its serial does.
    status::run(config, backend, false).await
}
