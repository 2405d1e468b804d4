//! The vocabulary of the tests.
//!
//! Some tests need something of the system: a program such as `mandoc`, a file of another package, port 53. Where it is
//! missing they pass without having looked. In the full run nothing may pass so: with `DNSHERALD_FULL=1` in the
//! environment they fail and name what is missing ([`lacks`]).

use std::path::Path;

pub(crate) mod helper;
pub(crate) mod kept;
pub(crate) mod namespace;
pub(crate) mod server;
pub(crate) mod zones;

/// The program under test.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_dnsherald"))
}

/// A test cannot look, for want of this.
#[track_caller]
pub(crate) fn lacks(what: &str) {
    let is_full = std::env::var_os("DNSHERALD_FULL").is_some_and(|value| value == "1");
    assert!(!is_full, "DNSHERALD_FULL=1 leaves no test out, and here is no {what}");
}
