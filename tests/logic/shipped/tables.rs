//! The tables of a configuration and their keys.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::Config;

/// A table of the configuration.
pub(super) struct Table {
    /// Its dotted name in the file.
    pub(super) path: &'static str,
    /// Its section in dnsherald.toml(5), and the list items that lead to it.
    pub(super) manual: (&'static str, &'static [&'static str]),
}

const fn table(path: &'static str, section: &'static str, items: &'static [&'static str]) -> Table {
    Table { path, manual: (section, items) }
}

/// All tables of `src/config/file.rs` and `src/config/file/dns.rs`; the file itself is one whose keys are tables.
pub(super) const TABLES: &[Table] = &[
    table("", "", &[]),
    table("node", "[node]", &[]),
    table("exabgp", "[exabgp]", &[]),
    table("control", "[control]", &[]),
    table("metrics", "[metrics]", &[]),
    table("defaults", "[defaults]", &[]),
    table("backend.unbound", "[backend.NAME]", &[]),
    table("backend.unbound.heal", "[backend.NAME]", &["heal"]),
    table("service", "[[service]]", &[]),
    table("service.up", "[[service]]", &["up"]),
    table("service.announce", "[[service]]", &["announce"]),
    table("service.recursion", "[[service]]", &["recursion"]),
    table("service.recovery", "[[service]]", &["recovery"]),
    table("service.dampening", "[service.dampening]", &[]),
    table("service.check", "[[service.check]]", &[]),
    table("service.check.process", "[[service.check]]", &["process"]),
    table("service.check.counters", "[[service.check]]", &["counters"]),
    table("service.check.freshness", "[[service.check]]", &["freshness"]),
    table("service.check.route", "[[service.check]]", &["route"]),
    table("service.check.lookup", "[[service.check]]", &["lookup"]),
    table("service.check.listener", "[[service.check]]", &["listener"]),
    table("service.check.dns", "[[service.check]]", &["dns"]),
    table("service.check.dns.tls", "[[service.check]]", &["dns", "tls"]),
    table("service.check.dns.validates", "[[service.check]]", &["dns", "validates"]),
    table("service.check.dns.expect", "[[service.check]]", &["dns", "expect"]),
];

/// Every key of the table of this path, from serde's message about an unknown one.
pub(super) fn keys(path: &str) -> BTreeSet<String> {
    const SERVICE: &str = "[[service]]\nname = \"s\"\nprefixes = [\"192.0.2.1/32\"]\n";
    const CHECK: &str = "[[service.check]]\nname = \"c\"\n";
    let before = match path {
        "" => String::new(),
        "service" => "[[service]]\n".to_owned(),
        "service.check" => format!("{SERVICE}[[service.check]]\n"),
        "service.announce" => format!("{SERVICE}[[service.announce]]\n"),
        path if path.starts_with("service.check.") => format!("{SERVICE}{CHECK}[{path}]\n"),
        path if path.starts_with("service.") => format!("{SERVICE}[{path}]\n"),
        path => format!("[{path}]\n"),
    };
    let text = format!("{before}no-such-key = 1\n");
    let error = Config::parse(Path::new("f"), &text, "host").unwrap_err().to_string();
    let (_, unknown) = error.split_once("unknown key `no-such-key`").expect(&error);
    let (_, expected) = unknown.split_once(", expected ").expect(&error);
    let expected = expected.lines().next().unwrap();
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

impl Table {
    /// Every key except tables with their own place.
    pub(super) fn values(&self) -> Vec<String> {
        let mut keys = keys(self.path);
        keys.retain(|key| {
            let path = self.path_of(key);
            let is_or_has = |table: &Self| {
                table.path.strip_prefix(&path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            !TABLES.iter().any(is_or_has)
        });
        keys.into_iter().collect()
    }

    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

#[test]
fn lists_all_tables() {
    let files = ["src/config/file.rs", "src/config/file/dns.rs"].map(super::read);
    let tables = files.concat().matches("deny_unknown_fields").count();
    assert_eq!(
        tables,
        TABLES.len(),
        "another table: name it here, in the manual page and in the shipped file"
    );
    assert_eq!(TABLES[0].values(), [""; 0], "the file has tables only");
}
