//! The vocabulary of the tests.

use std::path::Path;

pub(crate) mod helper;
pub(crate) mod kept;
pub(crate) mod server;

/// The program under test.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_dnsherald"))
}
