//! Options of `doctor`.

use std::path::PathBuf;

use clap::Args;

/// Options of `doctor`.
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// The configuration file; default: that of the helper in the files of ExaBGP
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A file of ExaBGP; default: those of the running ExaBGP, else /etc/exabgp/exabgp.conf
    ///
    /// `exabgp.env` is read in the folder of the file.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) exabgp_conf: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
