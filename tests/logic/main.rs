//! Tests of the crate in virtual time and on files: scenarios, properties, the API session, roles, shipped texts.
//!
//! They are part of the unit tests (`lib.rs` includes this file), so that the crate need not export what they read.

#[path = "../integration/support/docs.rs"]
#[allow(dead_code, reason = "the integration tests use the rest")]
mod docs;
#[path = "../integration/support/kept.rs"]
mod kept;
#[path = "../integration/support/lacks.rs"]
mod lacks;

mod drains;
mod drop_ins;
mod fleet_day;
mod loss;
mod properties;
mod roles;
mod scenarios;
mod session;
mod shipped;
