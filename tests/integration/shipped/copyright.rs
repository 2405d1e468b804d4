//! The copyright file of the package contains the licenses of all linked crates.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::read;

/// The targets of the packages.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Whether these licenses, by their names in Debian, satisfy an SPDX expression: `OR`, `AND`, and parentheses.
fn satisfies(granted: &BTreeSet<&str>, expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let is_so = any(granted, &mut rest);
    assert!(rest.is_empty(), "`{expression}` is not understood");
    is_so
}

fn any(granted: &BTreeSet<&str>, rest: &mut &[&str]) -> bool {
    let mut is_so = all(granted, rest);
    while let ["OR", more @ ..] = rest {
        *rest = more;
        is_so |= all(granted, rest);
    }
    is_so
}

fn all(granted: &BTreeSet<&str>, rest: &mut &[&str]) -> bool {
    let mut is_so = one(granted, rest);
    while let ["AND", more @ ..] = rest {
        *rest = more;
        is_so &= one(granted, rest);
    }
    is_so
}

fn one(granted: &BTreeSet<&str>, rest: &mut &[&str]) -> bool {
    let [name, more @ ..] = rest else { return false };
    *rest = more;
    if *name == "(" {
        let is_so = any(granted, rest);
        *rest = rest.strip_prefix(&[")"]).expect("a parenthesis is closed");
        return is_so;
    }
    // A license with an exception is another license.
    if let ["WITH", _, more @ ..] = rest {
        *rest = more;
        return false;
    }
    granted.contains(if *name == "MIT" { "Expat" } else { name })
}

/// A linked crate.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Linked {
    name: String,
    /// Its license as an SPDX expression.
    license: String,
    /// The folder of its source.
    folder: PathBuf,
}

fn linked() -> BTreeSet<Linked> {
    let mut command = Command::new(env!("CARGO"));
    command.args([
        "metadata",
        "--offline",
        "--locked",
        "--format-version",
        "1",
        "--filter-platform",
        PLATFORM,
    ]);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let by_id = |list: &Value| -> BTreeMap<String, Value> {
        let entries = list.as_array().unwrap().iter();
        entries.map(|entry| (entry["id"].as_str().unwrap().to_owned(), entry.clone())).collect()
    };
    let (nodes, packages) = (by_id(&metadata["resolve"]["nodes"]), by_id(&metadata["packages"]));
    let root = metadata["resolve"]["root"].as_str().unwrap().to_owned();
    let (mut found, mut open) = (BTreeSet::new(), vec![root.clone()]);
    while let Some(id) = open.pop() {
        if !found.insert(id.clone()) {
            continue;
        }
        for dependency in nodes[&id]["deps"].as_array().unwrap() {
            // Without dependencies of tests and build scripts.
            if dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null()) {
                open.push(dependency["pkg"].as_str().unwrap().to_owned());
            }
        }
    }
    found.remove(&root);
    let text = |id: &String, key: &str| packages[id][key].as_str().unwrap_or_default().to_owned();
    let folder = |id| Path::new(&text(id, "manifest_path")).parent().unwrap().to_path_buf();
    let linked = |id| Linked { name: text(id, "name"), license: text(id, "license"), folder: folder(id) };
    found.iter().map(linked).collect()
}

/// The paragraphs of the copyright file with their fields.
fn paragraphs(text: &str) -> Vec<BTreeMap<&str, String>> {
    text.split("\n\n")
        .map(|paragraph| {
            let mut fields: BTreeMap<&str, String> = BTreeMap::new();
            let mut last = "";
            for line in paragraph.lines() {
                match line.strip_prefix(' ') {
                    Some(more) => fields.get_mut(last).unwrap().push_str(&format!("\n{more}")),
                    None => {
                        let (name, value) = line.split_once(':').unwrap();
                        last = name;
                        assert!(fields.insert(name, value.trim().to_owned()).is_none(), "{name} twice");
                    }
                }
            }
            fields
        })
        .collect()
}

#[test]
fn the_copyright_file_has_the_license_of_every_crate() {
    let text = read("packaging/debian/copyright");
    let (mut granted, mut texts) = (BTreeMap::new(), BTreeSet::new());
    let paragraphs = paragraphs(&text);
    for paragraph in &paragraphs {
        let Some(license) = paragraph.get("License") else { continue };
        let Some(files) = paragraph.get("Files") else {
            let (name, text) = license.split_once('\n').expect("a text");
            assert!(!text.trim().is_empty());
            texts.insert(name);
            continue;
        };
        assert!(!paragraph["Copyright"].trim().is_empty());
        for file in files.split_whitespace() {
            let Some(name) = file.strip_prefix("vendor/") else { continue };
            granted.insert(name.trim_end_matches("/*"), license.split(" and ").collect::<BTreeSet<_>>());
        }
    }
    assert!(granted.values().flatten().all(|name| texts.contains(name)), "each license has its text");
    let linked = linked();
    assert!(linked.len() > 50, "{linked:?}");
    let none = BTreeSet::new();
    let missing: Vec<_> = linked
        .iter()
        .filter(|linked| !satisfies(granted.get(&*linked.name).unwrap_or(&none), &linked.license))
        .collect();
    assert!(missing.is_empty(), "packaging/debian/copyright does not cover {missing:?}");
    let names: BTreeSet<_> = linked.iter().map(|linked| &*linked.name).collect();
    let gone: Vec<_> = granted.keys().filter(|name| !names.contains(*name)).collect();
    assert!(gone.is_empty(), "packaging/debian/copyright names {gone:?}, which is not linked any more");
}

/// Lower-case words of a copyright line, without those that vary, and without an address.
fn words(line: &str) -> String {
    let line = line.to_lowercase().replace("(c)", " ").replace("all rights reserved", " ");
    let line = line.split('<').next().unwrap_or_default();
    // Holders that a sentence enumerates, each in a line.
    let line = line.strip_suffix(" or").unwrap_or(line);
    let words = line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words
        .filter(|word| !["copyright", "contributors", "present"].contains(word))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The holders in the license files of a crate: lines that begin with `Copyright` and have a year.
fn holders(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let is_license =
        |name: &str| ["LICENSE", "LICENCE", "COPYING", "NOTICE"].iter().any(|start| name.starts_with(start));
    let files = entries.filter(|entry| is_license(&entry.file_name().to_string_lossy().to_uppercase()));
    let texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
    let has_year = |line: &str| line.as_bytes().windows(4).any(|four| four.iter().all(u8::is_ascii_digit));
    let lines: Vec<_> =
        texts.flat_map(|text| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>()).collect();
    lines.into_iter().filter(|line| line.starts_with("Copyright") && has_year(line)).collect()
}

#[test]
fn the_copyright_file_has_the_holders_of_every_crate() {
    // Its feature `compact`, to which these lines belong, is off.
    const NOT_LINKED: (&str, &str) = ("minimal-lexical", "The Go Authors");
    let text = read("packaging/debian/copyright");
    let paragraphs = paragraphs(&text);
    let lines: Vec<_> = paragraphs
        .iter()
        .filter_map(|paragraph| paragraph.get("Copyright"))
        .flat_map(|lines| lines.lines())
        .collect();
    let (mut missing, mut count) = (vec![], 0);
    for Linked { name, folder, .. } in linked() {
        let is_of = |line: &&&str| {
            line.rsplit_once(" (")
                .is_some_and(|(_, crates)| crates.trim_end_matches(')').split(", ").any(|one| one == name))
        };
        let named: Vec<_> = lines.iter().filter(is_of).map(|line| words(line)).collect();
        for holder in holders(&folder) {
            count += 1;
            let is_named =
                named.iter().any(|line| line.starts_with(words(&holder).split(" http").next().unwrap()));
            let is_not_linked = name == NOT_LINKED.0 && holder.contains(NOT_LINKED.1);
            if !is_named && !is_not_linked {
                missing.push(format!("{name}: {holder}"));
            }
        }
    }
    assert_eq!(missing, [""; 0], "packaging/debian/copyright lacks them");
    assert!(count > 60, "{count}");
}

#[test]
fn an_expression_needs_enough_licenses() {
    let has = |granted: &[&str], expression: &str| satisfies(&granted.iter().copied().collect(), expression);
    assert!(has(&["Expat"], "MIT OR Apache-2.0") && has(&["Expat"], "MIT/Apache-2.0"));
    assert!(!has(&["Expat"], "Apache-2.0 AND ISC") && has(&["Apache-2.0", "ISC"], "Apache-2.0 AND ISC"));
    let both = "(MIT OR Apache-2.0) AND Unicode-3.0";
    assert!(!has(&["Expat"], both) && has(&["Expat", "Unicode-3.0"], both));
    assert!(has(&["Expat"], "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT"));
    assert!(!has(&["Apache-2.0"], "Apache-2.0 WITH LLVM-exception") && !has(&[], "MIT"));
}
