//! The operating system, as every long-lived command needs it.

pub(crate) mod clock;
pub(crate) mod files;
pub mod local_time;
pub mod resources;
pub mod signals;
pub mod terminal;
pub(crate) mod trusted_path;
