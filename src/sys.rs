//! The operating system, as every long-lived command needs it.

pub mod signals;
