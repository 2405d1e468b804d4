//! The metrics that a helper publishes, and the size of its flight recorder.

use std::fmt;

use super::file::{File, Placed};
use super::resolve::{Resolver, Result};
use super::value::Size;
use super::{Config, defaults};
use crate::metrics::Outlets;

/// The smallest recorder: a few minutes of a service with five checks.
const LEAST: Size = Size(64 << 10);

/// The largest recorder: it lives in memory.
const MOST: Size = Size(16 << 20);

impl Resolver<'_> {
    /// Resolves `[metrics]`.
    pub(super) fn metrics(&self, file: &File) -> Result<Outlets> {
        let textfile = self.absolute(&file.metrics.textfile);
        let textfile = textfile.and_then(|path| match (&file.metrics.textfile, path) {
            (Some(written), Some(path)) if path.extension().is_none_or(|end| end != "prom") => {
                let message = format!(
                    "`{}` does not end in .prom, expected a file that node_exporter reads, such as \
                     /var/lib/prometheus/node-exporter/dnsherald.prom",
                    path.display()
                );
                Err(self.value_error(&written.span(), message))
            }
            (_, path) => Ok(path),
        });
        let listen = file.metrics.listen.as_ref().map(|written| {
            let listen = written.get_ref().0.0;
            if self.own.contains(&listen.ip()) {
                let message = format!(
                    "`{}` is an address of a service, which clients and other hosts with this service reach; expected a \
                     management address of this host",
                    listen.ip()
                );
                return Err(self.value_error(&written.span(), message));
            }
            Ok(listen)
        });
        Ok(Outlets { textfile: textfile?, listen: listen.transpose()? })
    }

    /// Resolves the size of the flight recorder.
    pub(super) fn recorder(&self, written: &Placed<Size>) -> Result<usize> {
        let Some(written) = written else { return Ok(defaults::RECORDER) };
        let size = *written.get_ref();
        if size.0 == 0 || (LEAST.0..=MOST.0).contains(&size.0) {
            return Ok(size.0);
        }
        let message = format!("recorder is {size}, expected {LEAST} to {MOST}, or 0 for none");
        Err(self.value_error(&written.span(), message))
    }
}

/// Describes where the helper listens and writes.
pub(super) fn describe_places(f: &mut fmt::Formatter<'_>, config: &Config) -> fmt::Result {
    let Config { state, control, metrics: Outlets { textfile, listen }, recorder, .. } = config;
    write!(f, "control: sockets in {}, state in {}, flight recorder ", control.display(), state.display())?;
    match recorder {
        0 => writeln!(f, "off")?,
        bytes => writeln!(f, "{}", Size(*bytes))?,
    }
    if let Some(file) = textfile {
        writeln!(f, "metrics: written to {} every 15s and at every change", file.display())?;
    }
    if let Some(address) = listen {
        writeln!(f, "metrics: served at http://{address}/metrics to every host that reaches this address")?;
    }
    Ok(())
}
