//! The operating system, as every long-lived command needs it.

pub(crate) mod clock;
pub(crate) mod files;
pub(crate) mod local_time;
pub(crate) mod pidfd;
pub(crate) mod procfs;
pub(crate) mod resources;
pub mod signals;
pub(crate) mod terminal;
pub(crate) mod trusted_path;
pub mod umask;
