//! `backend check`: checks the configuration on disk, without touching the server.

use std::io::Write;

use crate::backend::{Backend, Checked};
use crate::exit::Exit;
use crate::text;

/// Checks, and prints the result and the limits of the check.
pub(super) async fn run(backend: &Backend) -> anyhow::Result<Exit> {
    let (name, unseen) = (&backend.name, backend.kind.facts().unseen);
    match backend.check().await {
        Ok(Checked::Valid) => {
            let program = backend.config_check.as_ref().map(ToString::to_string).unwrap_or_default();
            writeln!(text::stdout(), "{name}: configuration valid, checked with {program}")?;
        }
        Ok(Checked::Unchecked) => {
            writeln!(text::stdout(), "{name}: configuration not checked: nothing checks it")?;
        }
        Err(trouble) => {
            writeln!(text::stderr(), "{name}: {trouble}")?;
            return Ok(Exit::Failure);
        }
    }
    if !unseen.is_empty() {
        writeln!(text::stdout(), "  not detected: {unseen}")?;
    }
    Ok(Exit::Success)
}
