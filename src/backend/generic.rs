//! Any other server, entirely described by the configuration.
//!
//! Its `status` is running if the command exits with 0; its `counters` print one number.

use super::rate_limit::Source;
use super::{Access, Ask, Driver, Facts};

/// The driver.
#[derive(Debug)]
pub(super) struct Generic;

const FACTS: Facts = Facts {
    name: "server",
    package: "",
    unit: None,
    config_file: None,
    directories: &[],
    names: &[],
    pid_file: None,
    roles: &[],
    check: &[],
    unseen: "",
    reload: &[],
    no_reload: "no `reload` is configured",
    status: Ask::Nothing,
    version: Ask::Nothing,
    counters: Ask::Nothing,
    zone_list: Ask::Nothing,
    rate_limit: Source::Unreadable("nothing is known of its settings"),
    no_counters: "",
    stopped: &[],
    always_on: false,
    access: Access { group: None, what: "", for_owner: false, enable: "" },
};

impl Driver for Generic {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn read_queries(&self, text: &str) -> Option<u64> {
        text.trim().parse().ok()
    }
}
