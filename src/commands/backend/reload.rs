//! `backend reload`: check, reload, look again.

use std::io::{self, Write};

use crate::backend::{Backend, State};
use crate::exit::Exit;

/// Reloads, unless the configuration is broken.
pub(super) async fn run(backend: &Backend) -> anyhow::Result<Exit> {
    let name = &backend.name;
    if !backend.reload.is_empty()
        && let Err(trouble) = backend.check().await
    {
        writeln!(io::stderr(), "{name}: not reloaded, the server was not touched: {trouble}")?;
        return Ok(Exit::Failure);
    }
    match backend.reload().await {
        Ok(done) => {
            for step in done {
                writeln!(io::stdout(), "{name}: {step}")?;
            }
        }
        Err(trouble) => {
            writeln!(io::stderr(), "{name}: not reloaded: {trouble}")?;
            return Ok(Exit::Failure);
        }
    }
    let status = backend.status().await;
    writeln!(io::stdout(), "{name}: {} ({})", status.state, status.why)?;
    if let Some(remedy) = status.remedy {
        writeln!(io::stdout(), "{remedy}")?;
    }
    Ok(if status.state == State::Running { Exit::Success } else { Exit::Failure })
}
