//! Helpers for the tests.
//!
//! Some tests need a program such as `mandoc`, a file of another package, or port 53. If it is missing, they pass
//! without testing anything. In the full run, with `DNSHERALD_FULL=1` in the environment, they fail and name what is
//! missing ([`lacks`]).

use std::path::Path;

pub(crate) mod docs;
pub(crate) mod helper;
pub(crate) mod kept;
mod lacks;
// The unit tests have the same.
#[path = "../../src/netlink/namespace.rs"]
pub(crate) mod namespace;
pub(crate) mod server;
pub(crate) mod zones;

pub(crate) use self::lacks::lacks;

/// The program under test.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_dnsherald"))
}
