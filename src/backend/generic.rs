//! Any other server, entirely described by the configuration.
//!
//! Its `status` is running if the command exits with 0; its `counters` print one number.

use super::{Driver, Facts};

#[derive(Debug)]
pub(super) struct Generic;

impl Driver for Generic {
    fn facts(&self) -> &'static Facts {
        &Facts::UNKNOWN
    }

    fn read_queries(&self, text: &str) -> Option<u64> {
        text.trim().parse().ok()
    }
}
