//! The documentation: its configurations are accepted, its commands are understood, its links lead somewhere.

use std::path::Path;
use std::process::Command;

use clap::Parser;
use dnsherald::cli::Cli;
use dnsherald::config::Config;
use dnsherald::outcome::Cause;

use crate::cli::{dnsherald, stderr, stdout};
use crate::support::docs::pages;

mod links;
mod servers;

#[test]
fn every_configuration_in_the_pages_is_accepted() {
    let mut count = 0;
    for page in pages() {
        for block in page.blocks().into_iter().filter(|block| block.language == "toml") {
            if let Err(error) = Config::parse(Path::new("block"), &block.completed(), "host") {
                panic!("{}:{}: {error}", page.path, block.line);
            }
            count += 1;
        }
    }
    assert!(count >= 4, "{count} blocks of TOML");
}

/// The table of causes has the words, the class and the comment of each in the code.
#[test]
fn the_page_of_checks_has_the_meaning_of_every_cause() {
    let pages = pages();
    let checks = pages.iter().find(|page| page.path == "docs/checks.md").unwrap();
    let (mut meaning, mut causes) = (vec![], 0);
    for line in include_str!("../../src/outcome.rs").lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("/// ") {
            meaning.push(comment);
            continue;
        }
        if let Some((_, cause)) = line.split_once(" = \"")
            && let Some((word, class)) = cause.split_once("\" (Class::")
        {
            let class = class.trim_end_matches("),").to_lowercase();
            let meaning = meaning.join(" ").replace("see [`Cause::Overload`]", "`overload`");
            let row = format!("\n| `{word}` | {class} | {meaning} |\n");
            assert!(checks.text.contains(&row), "{} lacks the row{row}", checks.path);
            causes += 1;
        }
        meaning.clear();
    }
    assert_eq!(causes, Cause::ALL.len());
}

/// Splits a line into words as a shell does, up to a comment, a pipe or a redirection.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    let (mut word, mut quote) = (String::new(), None);
    for c in line.chars() {
        match (c, quote) {
            (_, Some(open)) if c == open => quote = None,
            (_, Some(_)) => word.push(c),
            ('"' | '\'', None) => quote = Some(c),
            ('#' | '|' | '>' | '&', None) => break,
            (' ', None) if word.is_empty() => {}
            (' ', None) => words.push(std::mem::take(&mut word)),
            (_, None) => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

#[test]
fn parses_every_command_of_the_pages_and_the_examples() {
    let pages = pages();
    let blocks = pages.iter().flat_map(crate::support::docs::Page::blocks);
    let typed: String = blocks
        .filter(|block| ["", "sh"].contains(&block.language.as_str()))
        .map(|block| block.text)
        .collect();
    let help = stdout(&dnsherald(&["--help"]));
    // In the help, two spaces precede the explanation.
    let helped = help.lines().map(|line| line.trim().split("  ").next().unwrap_or_default());
    let lines = typed.lines().map(str::trim).chain(helped);
    let lines: Vec<_> = lines.filter(|line| line.starts_with("dnsherald ") && !line.contains(". ")).collect();
    assert!(lines.len() > 20, "{lines:?}");
    for line in lines {
        let words = words(line);
        // The first sentence of the help.
        if words[1] == "announces" {
            continue;
        }
        if let Err(error) = Cli::try_parse_from(&words) {
            panic!("{line}\n{error}");
        }
    }
}

/// Other tests run the commands, most on a booted host (tests/host, which needs root). This test checks that none is
/// missing.
#[test]
fn a_test_runs_each_command_of_the_pages() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/host/readme.py");
    let output = Command::new("python3").args(["-B", script]).output().expect("python3 is needed");
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn the_tutorial_explains_each_step_of_its_script() {
    let script = include_str!("../../examples/tutorial/run");
    let page = include_str!("../../docs/tutorial.md");
    let numbers = |text: &str, before: &str| {
        let heads = text.lines().filter_map(|line| line.strip_prefix(before)?.split_once(". "));
        heads.map(|(number, _)| number.parse().unwrap()).collect::<Vec<u32>>()
    };
    let steps = numbers(script, "step \"");
    assert_eq!(steps, (1..=8).collect::<Vec<_>>());
    assert_eq!(numbers(page, "## "), steps);
}

#[test]
fn the_architecture_has_the_layers_of_the_code() {
    let layers = include_str!("../../src/layers.md");
    let page = include_str!("../../docs/architecture.md");
    assert!(page.contains(layers), "copy src/layers.md into docs/architecture.md");
}
