//! The JSON Schema accepts every valid configuration, and refuses those with an unknown key, a wrong type or a bad word.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::reference::schema::schema;
use crate::logic::docs::pages;

use super::validator;

fn parsed() -> Value {
    serde_json::from_str(&schema()).unwrap()
}

/// What is wrong with a configuration by the schema.
fn errors(schema: &Value, toml: &str) -> Vec<String> {
    let table: toml::Table = toml.parse().unwrap();
    validator::errors(schema, schema, &serde_json::to_value(table).unwrap(), "")
}

/// The TOML files in a folder and below.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn valid_configurations_fit_the_schema() {
    let schema = parsed();
    let folders = ["examples", "exabgp-configs", "packaging", "docs/pictures", "tests/config/good"];
    let paths: Vec<_> = folders.into_iter().flat_map(files).collect();
    assert!(paths.len() > 25, "{paths:?}");
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(errors(&schema, &text), [""; 0], "{}", path.display());
    }
    let mut blocks = 0;
    for page in pages() {
        for block in page.blocks().into_iter().filter(|block| block.language == "toml") {
            assert_eq!(errors(&schema, &block.completed()), [""; 0], "{}:{}", page.path, block.line);
            blocks += 1;
        }
    }
    assert!(blocks > 4, "{blocks}");
}

/// Whether a message of the parser is about an unknown key, a wrong type, a missing key or a bad word.
fn concerns_the_schema(message: &str) -> bool {
    let (_, message) = message.split_once(".toml:").unwrap_or_default();
    let message = message.trim_start_matches(|c: char| c.is_ascii_digit() || [':', ' '].contains(&c));
    let starts = ["unknown ", "found the ", "found `", "found true", "no [", "no `"];
    let has = [
        " has no `",
        "is no severity",
        "is no kind of server",
        "is no version of dnsherald",
        "is not a period",
        "not a pin",
        "is not an IP address",
        "is not a prefix",
        "is the default route",
        "is not a valid name of a backend",
        "is not a service unit",
    ];
    let others = ["unknown record type", "unknown response code", "a backend with another name needs"];
    let is_of = starts.iter().any(|start| message.starts_with(start))
        || has.iter().any(|part| message.contains(part));
    is_of && !others.iter().any(|other| message.contains(other)) && !message.starts_with("backend `")
}

#[test]
fn bad_keys_types_and_words_do_not_fit_the_schema() {
    let schema = parsed();
    let (mut count, mut accepted) = (0, vec![]);
    for path in files("tests/config/bad") {
        let refused = fs::read_to_string(path.with_extension("txt")).unwrap();
        let Some(message) = refused.lines().find(|line| concerns_the_schema(line)) else { continue };
        let found = errors(&schema, &fs::read_to_string(&path).unwrap());
        if found.is_empty() {
            accepted.push(message.to_owned());
        }
        count += 1;
    }
    assert_eq!(accepted, [""; 0]);
    assert!(count > 40, "{count}");
}

#[test]
fn every_default_fits_its_key() {
    let schema = parsed();
    let tables = schema["$defs"].as_object().unwrap().values();
    let keys = tables.flat_map(|table| table["properties"].as_object().unwrap());
    let mut count = 0;
    for (name, key) in keys {
        let Some(default) = key.get("default") else { continue };
        assert_eq!(validator::errors(&schema, key, default, name), [""; 0]);
        count += 1;
    }
    assert!(count > 60, "{count}");
}
