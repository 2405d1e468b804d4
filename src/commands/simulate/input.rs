//! What `simulate` plays: a configuration, and a trace that was written, recorded or generated for it.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::Context;

use crate::cli::Simulate;
use crate::config::Config;
use crate::engine::Engine;
use crate::simulate::generate::{Faults, Kind};
use crate::text;
use crate::trace::names::Names;
use crate::trace::read::TraceError;
use crate::trace::{Header, Trace};

/// The trace as text, or how to generate it.
#[derive(Debug)]
pub(super) enum Source {
    /// Its name and its text.
    Written(String, String),
    /// Generated for each configuration.
    Generated(Faults),
}

/// Ready to be played.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) config: Config,
    pub(super) text: String,
    pub(super) trace: Trace,
}

impl Source {
    /// Reads the trace that the options name, or takes the options that generate one.
    ///
    /// # Errors
    /// If the trace cannot be read, or a time is zero.
    pub(super) fn read(options: &Simulate) -> anyhow::Result<Self> {
        let generated = &options.generated;
        if let Some(path) = &options.trace {
            return Ok(Self::Written(path.display().to_string(), read(path)?));
        }
        for (name, time) in [
            ("--flap", generated.flap),
            ("--mtbf", generated.mtbf),
            ("--mttr", Some(generated.mttr)),
            ("--for", Some(generated.length)),
        ] {
            anyhow::ensure!(
                time.is_none_or(|time| time.0.as_millis() > 0),
                "{name} is shorter than a millisecond, expected at least 1ms"
            );
        }
        let kind = match (generated.flap, generated.mtbf) {
            (Some(period), _) => Kind::Flaps(period.0),
            (None, Some(between)) => Kind::Fails { between: between.0, repair: generated.mttr.0 },
            (None, None) => Kind::Never,
        };
        Ok(Self::Generated(Faults {
            kind,
            loss: generated.loss,
            cause: generated.fault,
            length: generated.length.0,
            // Short, so that it can be typed again.
            seed: generated.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish() % 1_000_000),
        }))
    }

    /// The name of the trace.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Written(name, _) => name.clone(),
            Self::Generated(faults) => faults.to_string(),
        }
    }

    /// The title of a picture: the name of a written trace without its directory, or how a trace was generated.
    pub(super) fn title(&self) -> String {
        match self {
            Self::Written(name, _) => name.rsplit('/').next().unwrap_or(name).to_owned(),
            Self::Generated(faults) => format!("{faults}, seed {}", faults.seed),
        }
    }

    /// The line that tells how a trace was generated, to generate it again; empty for a written one.
    pub(super) fn heading(&self) -> String {
        match self {
            Self::Written(..) => String::new(),
            Self::Generated(_) => self.title() + "\n",
        }
    }

    /// The seed of a generated trace.
    pub(super) const fn seed(&self) -> Option<u64> {
        match self {
            Self::Written(..) => None,
            Self::Generated(faults) => Some(faults.seed),
        }
    }

    /// The trace for the configuration in `path`, or the one in the trace. `None` if the configuration is refused; the
    /// reasons are on standard error.
    ///
    /// # Errors
    /// If the configuration cannot be read, or the trace is invalid for it.
    pub(super) fn prepare(&self, path: Option<&Path>) -> anyhow::Result<Option<Input>> {
        let name = self.name();
        let located = |error: TraceError| anyhow::anyhow!("{name}: {error}");
        let header = match self {
            Self::Written(_, text) => Header::read(text).map_err(located)?,
            Self::Generated(_) => Header::default(),
        };
        let (path, toml) = match (path, header.configuration) {
            (Some(path), _) => (path, std::fs::read_to_string(path).context(path.display().to_string())?),
            (None, Some(toml)) => (Path::new(&name), toml),
            (None, None) => anyhow::bail!(
                "{name}: the trace contains no configuration (lines that begin with `| `); name one with -c FILE"
            ),
        };
        let config = match Config::parse(path, &toml, header.host.as_deref().unwrap_or("host")) {
            Ok(config) => config,
            Err(error) => {
                let _ = writeln!(text::stderr(), "{error}");
                return Ok(None);
            }
        };
        let text = match self {
            Self::Written(_, text) => text.clone(),
            Self::Generated(faults) => {
                faults.trace(&config).map_err(|why| anyhow::anyhow!("{}: {why}", path.display()))?
            }
        };
        let trace = Trace::read(&text, &Names::new(&config)).map_err(located)?;
        trace.require_start().map_err(|message| anyhow::anyhow!("{name}: {message}"))?;
        if let Some(snapshot) = &trace.header.engine {
            Engine::restored(snapshot, &config.plan()).map_err(|why| anyhow::anyhow!("{name}: {why}"))?;
        }
        Ok(Some(Input { config, text, trace }))
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read the trace {}", path.display()))
}
