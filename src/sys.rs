//! The operating system, as every long-lived command needs it.

pub mod resources;
pub mod signals;
