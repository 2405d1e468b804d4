//! The shipped configuration announces nothing, names every key, and each of its lines is valid when uncommented.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::{Config, Service};

use super::read;
use super::tables::TABLES;

pub(super) const FILE: &str = "packaging/dnsherald.toml";

/// A key or table header that is commented out: the `#` directly precedes it.
pub(super) fn setting(line: &str) -> Option<&str> {
    line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()))
}

/// The numbers of commented lines.
pub(super) struct Parts {
    /// Those of completely commented tables.
    pub(super) blocks: Vec<Vec<usize>>,
    /// The others.
    pub(super) single: Vec<usize>,
}

impl Parts {
    pub(super) fn from_lines(lines: &[&str]) -> Self {
        // A completely commented table ends with an empty line.
        let mut blocks: Vec<Vec<usize>> = vec![];
        let mut single = vec![];
        let mut inside = false;
        for (number, line) in lines.iter().enumerate() {
            match setting(line) {
                Some(head) if head.starts_with('[') && !inside => {
                    inside = true;
                    blocks.push(vec![number]);
                }
                Some(_) if inside => blocks.last_mut().unwrap().push(number),
                Some(_) => single.push(number),
                None => inside = inside && !line.is_empty(),
            }
        }
        Self { blocks, single }
    }
}

/// The shipped configuration with these lines uncommented.
pub(super) fn with(lines: &[&str], chosen: &[usize]) -> Result<Config, String> {
    let line = |(number, line): (usize, &&str)| match setting(line) {
        Some(setting) if chosen.contains(&number) => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    let text: String = lines.iter().enumerate().map(line).collect();
    Config::parse(Path::new("dnsherald.toml"), &text, "host").map_err(|error| error.to_string())
}

#[test]
fn is_valid_and_announces_nothing() {
    let text = read(FILE);
    let config = Config::parse(Path::new("dnsherald.toml"), &text, "host").unwrap_or_else(|e| panic!("{e}"));
    assert!(config.is_idle(), "no service is enabled");
    let others = |service: &Service| service.disable_file.is_none() && service.on_change.is_empty();
    assert!(config.services.iter().all(others), "its end, as at a purge, ends no drain");
}

/// The paths of a table and of all its keys. Tables of the same name are merged.
fn paths(table: &toml::Table, prefix: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (key, value) in table {
        let path = format!("{prefix}{key}");
        let tables = match value {
            toml::Value::Table(table) => vec![table],
            toml::Value::Array(values) => values.iter().filter_map(toml::Value::as_table).collect(),
            _ => vec![],
        };
        all.extend(tables.into_iter().flat_map(|table| paths(table, &format!("{path}."))));
        all.insert(path);
    }
    all
}

#[test]
fn names_every_key_in_its_table() {
    let text = read(FILE);
    let mut head = "";
    let mut named = BTreeSet::new();
    for line in text.lines() {
        let line = setting(line).unwrap_or(line);
        if line.starts_with('[') {
            head = line;
        }
        let line: toml::Table = format!("{head}\n{}", if line == head { "" } else { line }).parse().unwrap();
        named.extend(paths(&line, ""));
    }
    let keys = TABLES.iter().flat_map(|table| table.values().into_iter().map(|key| table.path_of(&key)));
    let missing: Vec<_> = keys.filter(|path| !named.contains(path)).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn every_line_can_be_uncommented() {
    let text = read(FILE);
    let lines: Vec<_> = text.lines().collect();
    let Parts { blocks, single } = Parts::from_lines(&lines);
    assert!(blocks.len() > 4 && single.len() > 30, "{} tables, {} lines", blocks.len(), single.len());
    let backend = blocks.iter().find(|block| lines[block[0]].starts_with("#[backend.")).unwrap();
    for block in &blocks {
        // A check that degrades needs another line for `degraded`, and one that reads counters needs a backend.
        let refused = with(&lines, block);
        let helps = |more: &[usize]| with(&lines, &[&block[..], more].concat()).is_ok();
        let helped = single.iter().any(|line| helps(&[*line]) || helps(&[&[*line][..], backend].concat()));
        assert!(refused.is_ok() || helped, "{refused:?}");
    }
    // The line after the authoritative server has its zones.
    let [resolver, authoritative] = ["resolver", "authoritative"].map(|role| {
        let line = format!("#role = \"{role}\"");
        lines.iter().position(|other| other.starts_with(&line)).unwrap()
    });
    for number in single {
        // Some need the adjacent line, a role, or one of the tables.
        let beside = [number - 1, number + 1].map(|other| vec![number, other]).into_iter();
        let tables = blocks.iter().map(|block| [&[number][..], block].concat());
        let roles = [vec![resolver, number], vec![authoritative, authoritative + 1, number]];
        let alone = with(&lines, &[number]);
        let together = beside.chain(roles).chain(tables).any(|chosen| with(&lines, &chosen).is_ok());
        assert!(alone.is_ok() || together, "{}\n{alone:?}", lines[number]);
    }
}
