//! Knot Resolver 5.
//!
//! Its configuration is a program, which can only be checked by running it. Even a dry run is not safe: a second
//! `kresd` shares the port with the first and takes half of its queries. There is no reload. Each instance has a Unix
//! socket for Lua commands: `/run/knot-resolver/control/1` for `kresd@1.service`.

use super::rate_limit::Source;
use super::{Access, Ask, Driver, Facts, Reading, Role, number_of};

#[derive(Debug)]
pub(super) struct KnotResolver;

const SOCKET: &str = "/run/knot-resolver/control/{instance}";

const FACTS: Facts = Facts {
    name: "Knot Resolver",
    package: "knot-resolver",
    unit: Some("kresd@1.service"),
    config_file: Some("/etc/knot-resolver/kresd.conf"),
    directories: &["/etc/knot-resolver"],
    names: &["*.conf", "*.lua"],
    roles: &[Role::Resolver],
    unseen: "everything: kresd cannot check its configuration, and running a second one would take queries from the first",
    no_reload: "kresd reads its configuration at start only",
    status: Ask::Socket { path: SOCKET, line: "worker.id" },
    version: Ask::Socket { path: SOCKET, line: "package_version()" },
    counters: Ask::Socket { path: SOCKET, line: "stats.list()" },
    rate_limit: Source::Unlimited("Knot Resolver 5 has no limit of its own"),
    no_counters: "let kresd count, in kresd.conf: modules.load('stats')",
    always_on: true,
    access: Access {
        group: Some("knot-resolver"),
        what: "the control socket in /run/knot-resolver/control",
        for_owner: true,
        enable: "",
    },
    ..Facts::UNKNOWN
};

impl Driver for KnotResolver {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn read_queries(&self, text: &str) -> Option<u64> {
        // A table of Lua; an operator's own line may print a number between prompts: `> 17`.
        let total = number_of(text, "['answer.total']");
        total.or_else(|| text.split_whitespace().find_map(|word| word.parse().ok()))
    }

    /// What waits is what came, less its own queries and what was answered.
    fn read_counters(&self, text: &str) -> Option<Reading> {
        let number = |key: &str| number_of(text, &format!("['{key}']"));
        let answered = self.read_queries(text)?;
        let came =
            number("request.total").map(|all| all.saturating_sub(number("request.internal").unwrap_or(0)));
        Some(Reading {
            queries: came.unwrap_or(answered),
            servfail: number("answer.servfail"),
            dropped: None,
            pending: came.map(|came| came.saturating_sub(answered)),
        })
    }
}
