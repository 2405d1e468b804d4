//! The reference of the configuration is that of the parser: keys, defaults, words and bounds. The page has it.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::Config;
use crate::config::reference::{Key, Kind, Preset, Table, markdown, tables};
use crate::logic::kept::difference;

use super::defaults::meant;
use super::read;
use super::tables::{TABLES, keys};

/// The path of a table in a file, with a backend called `unbound`.
fn path(table: &Table) -> String {
    table.path.replace("NAME", "unbound")
}

/// What a key needs beside it.
fn beside(table: &str, key: &str) -> &'static str {
    match (table, key) {
        ("node", "management") => "",
        ("node", _) => "management = [\"10.1.0.2\"]\n",
        ("service.announce", "neighbors") => "",
        ("service.announce", "med-increase") => "neighbors = [\"10.1.0.1\"]\nup = { med = 1 }\n",
        ("service.announce", _) => "neighbors = [\"10.1.0.1\"]\n",
        (_, "med-increase") => "up = { med = 1 }\n",
        (_, "adopt-max-age") => "start = \"adopt\"\n",
        ("service.check", "plugin") => "command = \"true\"\n",
        ("service.check", key) if !KINDS.contains(&key) => "dns = { query = \"localhost. A\" }\n",
        ("service.check.dns", "query" | "queries" | "validates") => "",
        ("service.check.dns", _) => "query = \"localhost. A\"\n",
        ("service.check.dns.validates", "good") => "bogus = \"a. A\"\n",
        ("service.check.dns.validates", _) => "good = \"a. A\"\n",
        ("service.check.freshness", "zones" | "zones-file" | "catalog") => "primaries = \"10.9.0.1\"\n",
        ("service.check.freshness", "primaries" | "siblings") => "zones = [\"example.org\"]\n",
        ("service.check.freshness", _) => "zones = [\"example.org\"]\nprimaries = \"10.9.0.1\"\n",
        ("service.check.lookup", "server" | "source") => "names = \"localhost. A\"\n",
        _ => "",
    }
}

/// The keys of a check of which it has one.
const KINDS: [&str; 9] =
    ["dns", "command", "process", "address", "listener", "freshness", "counters", "route", "lookup"];

/// A configuration with this line in the table of this path, and what the key of the line needs.
fn with(table: &str, key: &str, line: &str) -> String {
    const NODE: &str = "[node]\nmanagement = [\"10.1.0.2\"]\n";
    const BACKEND: &str = "[backend.unbound]\n";
    const SERVICE: &str = "[[service]]\nbackend = \"unbound\"\n";
    const NAMED: &str = "name = \"s\"\nprefixes = [\"192.0.2.1/32\"]\n";
    const CHECK: &str = "[[service.check]]\nname = \"c\"\n";
    let lines = format!("{}{line}\n", beside(table, key));
    let needed = |text: &'static str| {
        text.lines()
            .filter(|line| !line.starts_with(&format!("{key} =")))
            .fold(String::new(), |all, line| format!("{all}{line}\n"))
    };
    let service = |below: String| format!("{NODE}{BACKEND}{SERVICE}{NAMED}{below}");
    match table {
        "node" => format!("[node]\n{lines}{BACKEND}{SERVICE}{NAMED}"),
        "backend.unbound" => format!("{NODE}{BACKEND}{lines}{SERVICE}{NAMED}"),
        "service" => format!("{NODE}{BACKEND}{}{}{lines}", needed(SERVICE), needed(NAMED)),
        "service.announce" => service(format!("[[service.announce]]\n{lines}")),
        "service.check" => service(format!("{}{lines}", needed(CHECK))),
        "service.check.dns.tls" | "service.check.dns.expect" => service(format!(
            "{CHECK}[service.check.dns]\nquery = \"localhost. A\"\ntransport = [\"udp\", \"tls\"]\n[{table}]\n{lines}"
        )),
        path if path.starts_with("service.check.") => service(format!("{CHECK}[{path}]\n{lines}")),
        path if path.starts_with("service.") => service(format!("[{path}]\n{lines}")),
        path => format!("{NODE}[{path}]\n{lines}{BACKEND}{SERVICE}{NAMED}"),
    }
}

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("f"), text, "host").map_err(|error| error.to_string())
}

/// Why a value is refused, or nothing if it is accepted.
fn refusal(table: &Table, key: &Key, value: &str) -> String {
    let text = with(&path(table), key.name, &format!("{} = {value}", key.name));
    parse(&text).err().unwrap_or_default()
}

fn all_keys() -> impl Iterator<Item = (&'static Table, &'static Key)> {
    tables().flat_map(|table| table.keys.iter().map(move |key| (table, key)))
}

#[test]
fn the_reference_has_the_keys_of_the_parser() {
    let there: BTreeSet<_> = tables().map(path).collect();
    let missing: Vec<_> =
        TABLES.iter().filter(|table| !there.contains(table.path)).map(|table| table.path).collect();
    assert_eq!(missing, [""; 0], "tables without a reference");
    for table in tables().filter(|table| !table.keys.is_empty()) {
        let described: BTreeSet<_> = table.keys.iter().map(|key| key.name.to_owned()).collect();
        assert_eq!(described, keys(&path(table)), "[{}]", table.path);
        assert_eq!(described.len(), table.keys.len(), "[{}]: a key stands there twice", table.path);
    }
}

#[test]
fn the_reference_shows_every_default() {
    let mut count = 0;
    let mut others = vec![];
    for (table, key) in all_keys() {
        let Preset::Value(value) = key.preset else { continue };
        let line = format!("{} = {value}", key.name);
        let of = |line: &str| parse(&with(&path(table), key.name, line)).map(|config| meant(&config));
        match (of(&line), of("")) {
            (Ok(with), Ok(without)) if with == without => {}
            (Ok(_), Ok(_)) => others.push(format!("[{}] {line}", table.path)),
            (refused, other) => others.extend([refused, other].into_iter().filter_map(Result::err)),
        }
        count += 1;
    }
    assert_eq!(others, [""; 0], "not the defaults");
    assert!(count > 60, "{count}");
}

#[test]
fn the_required_keys_are_those_of_the_parser() {
    for (table, key) in all_keys().filter(|(table, _)| !table.path.is_empty()) {
        let text = with(&path(table), key.name, "");
        let error = parse(&text).err().unwrap_or_default();
        let is_missed = error.contains(&format!("no `{}`", key.name))
            || error.contains(&format!("has no {}, ", key.name));
        let is_required = matches!(key.preset, Preset::Required);
        assert_eq!(is_missed, is_required, "[{}] {}: {error}", table.path, key.name);
    }
}

/// The words of a key; empty if it has none.
fn words(kind: &Kind) -> Vec<&'static str> {
    match kind {
        Kind::Word(words) => words.to_vec(),
        Kind::OneOrMany(item) => words(item),
        Kind::OneOf(kinds) => kinds.iter().flat_map(words).collect(),
        _ => vec![],
    }
}

#[test]
fn the_reference_has_the_words_of_the_parser() {
    let mut count = 0;
    for (table, key) in all_keys() {
        for word in words(&key.kind) {
            let place = format!("[{}] {} = {word}", table.path, key.name);
            // A value that is refused for another reason is known.
            let refused = refusal(table, key, &format!("\"{word}\""));
            let is_unknown =
                [format!("found `{word}`"), format!("`{word}` is no"), format!("unknown {}", key.name)];
            assert!(!is_unknown.iter().any(|said| refused.contains(said)), "{place}: {refused}");
            // An unknown word is refused with the known ones, except former names and negations.
            let refused = refusal(table, key, "\"no-such-word\"");
            let named = word == "ignore" || word.starts_with('!') || refused.contains(word);
            assert!(!refused.is_empty() && named, "{place}: {refused}");
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
}

/// The kinds of a key of which one fits.
fn alternatives(kind: &'static Kind) -> Vec<&'static Kind> {
    match kind {
        Kind::OneOf(kinds) => kinds.iter().collect(),
        kind => vec![kind],
    }
}

#[test]
fn the_reference_has_the_bounds_of_the_parser() {
    let mut count = 0;
    for (table, key) in all_keys() {
        let refused = |value: &str| refusal(table, key, value);
        for kind in alternatives(&key.kind) {
            let place = format!("[{}] {}", table.path, key.name);
            match *kind {
                Kind::Period { least, most } => {
                    let bounds = [("at least", least, "1ns"), ("at most", most, "9years")];
                    for (side, bound, value) in bounds {
                        let refused = refused(&format!("\"{value}\""));
                        let has_own = refused.contains(&format!("{} is {value}, expected {side} ", key.name));
                        assert_eq!(has_own, !bound.is_empty(), "{place}: {refused}");
                        let is_right = refused.contains(&format!("expected {side} {bound}:"));
                        assert!(is_right || !has_own, "{place}: {refused}");
                    }
                }
                Kind::Whole { from, to } => {
                    let below = from.checked_sub(1).filter(|_| key.name != "recorder");
                    let above = to.checked_add(1);
                    for value in [below, above].into_iter().flatten() {
                        assert!(!refused(&value.to_string()).is_empty(), "{place} = {value} is accepted");
                    }
                }
                Kind::Share => assert!(!refused("0").is_empty() && !refused("1.5").is_empty(), "{place}"),
                _ => continue,
            }
            count += 1;
        }
    }
    assert!(count > 60, "{count}");
}

#[test]
fn the_page_has_the_reference() {
    const PAGE: &str = "docs/configuration.md";
    const BEGIN: &str = "<!-- printed by dnsherald config-schema --markdown -->\n";
    const END: &str = "<!-- end of the reference -->\n";
    let page = read(PAGE);
    let (before, rest) = page.split_once(BEGIN).expect("the page has the mark where the reference begins");
    let (_, after) = rest.split_once(END).expect("the page has the mark where the reference ends");
    let made = format!("{before}{BEGIN}\n{}{END}{after}", markdown::markdown());
    assert_eq!(difference(&Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE), &made), None);
}
