//! `backend reload`: checks the configuration, reloads, and checks the zones afterwards.

use std::io::Write;
use std::time::{Duration, Instant};

use super::status;
use crate::backend::Backend;
use crate::backend::served::Served;
use crate::backend::targets::Targets;
use crate::config::Config;
use crate::exit::Exit;
use crate::text;

/// The interval between two checks of zones that are not served yet.
const PAUSE: Duration = Duration::from_millis(250);

/// A server may serve its old zones while it reads the new ones; therefore all zones must be served for this time.
const SETTLED: Duration = Duration::from_secs(1);

/// Reloads, unless the configuration is invalid.
pub(super) async fn run(config: &Config, backend: &Backend, removed: &[String]) -> anyhow::Result<Exit> {
    let name = &backend.name;
    if !backend.reload.is_empty()
        && let Err(trouble) = backend.check().await
    {
        writeln!(text::stderr(), "{name}: not reloaded, the server was not touched: {trouble}")?;
        return Ok(Exit::Failure);
    }
    let targets = config.targets_of(backend);
    let before = Served::now(&targets, backend, removed).await;
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
    // A successful reload command does not prove that each zone was loaded; its serial does.
    let complaints = complaints_since(&targets, backend, &before).await;
    let exit = status::run(config, backend, false).await?;
    for complaint in &complaints {
        writeln!(text::stderr(), "{name}: reloaded, but {complaint}")?;
    }
    if !complaints.is_empty() {
        writeln!(
            text::stderr(),
            "{name}: see the server's log; name a zone that was removed on purpose with --removed ZONE"
        )?;
    }
    Ok(if complaints.is_empty() { exit } else { Exit::Failure })
}

/// The complaints about the zones that were served `before`, after a wait of at most the start timeout of the server.
async fn complaints_since(targets: &Targets, backend: &Backend, before: &Served) -> Vec<String> {
    if before.all().next().is_none() {
        return vec![];
    }
    let began = Instant::now();
    let mut settled_since = None;
    loop {
        let complaints = before.again(targets, backend.timeout).await.complaints(before);
        match (complaints.is_empty(), settled_since) {
            (true, Some(since)) if Instant::now() >= since + SETTLED => return complaints,
            (true, Some(_)) => {}
            (true, None) => settled_since = Some(Instant::now()),
            (false, _) if began.elapsed() >= backend.start_timeout => return complaints,
            (false, _) => settled_since = None,
        }
        tokio::time::sleep(PAUSE).await;
    }
}
