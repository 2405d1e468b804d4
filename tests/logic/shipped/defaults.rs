//! The defaults in the shipped configuration and the documentation are the real defaults.

use std::path::Path;

use crate::config::Config;

use super::configuration::{FILE, Parts, setting, with};
use super::read;
use crate::logic::docs::{Page, pages};

/// Keys that a table requires.
const REQUIRED: [&str; 7] = ["name", "prefixes", "management", "query", "dns", "process", "command"];

/// The key and comment of a line with a value.
fn parts(line: &str) -> Option<(&str, &str)> {
    let (key, rest) = line.split_once(" = ")?;
    let is_key = key.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    is_key.then(|| (key, rest.split_once('#').map_or("", |(_, comment)| comment.trim())))
}

/// Whether it is an example or an alternative.
fn is_example(comment: &str) -> bool {
    comment.contains("e.g.") || comment.starts_with("or:")
}

/// Everything that a configuration says, except its text.
pub(super) fn meant(config: &Config) -> String {
    format!("{config:#?}")
}

#[test]
fn the_shipped_configuration_shows_every_default() {
    let text = read(FILE);
    let lines: Vec<_> = text.lines().collect();
    let Parts { blocks, single } = Parts::from_lines(&lines);
    let head = |number: &usize| {
        parts(setting(lines[*number]).unwrap()).is_none_or(|(key, _)| REQUIRED.contains(&key))
    };
    let is_default =
        |number: &usize| !head(number) && !is_example(parts(setting(lines[*number]).unwrap()).unwrap().1);
    // A table whose first key is an example is an example itself.
    let all_examples = |block: &Vec<usize>| lines[block[1]].contains("e.g., as all here");
    let tables = blocks.iter().filter(|block| !all_examples(block));
    // Each default with the lines that its table requires.
    let of_tables = tables.flat_map(|block| {
        let heads: Vec<_> = block.iter().copied().filter(head).collect();
        block.iter().copied().filter(is_default).map(move |number| (heads.clone(), number))
    });
    let of_singles = single.iter().copied().filter(is_default).map(|number| (vec![], number));
    let defaults: Vec<_> = of_tables.chain(of_singles).collect();
    assert!(defaults.len() > 45, "{}", defaults.len());
    let mut others = vec![];
    for (heads, number) in defaults {
        let chosen = [&heads[..], &[number]].concat();
        // One needs the previous line.
        let above = || Some((with(&lines, &[number - 1]).ok()?, with(&lines, &[number - 1, number]).ok()?));
        let pair = match (with(&lines, &heads), with(&lines, &chosen)) {
            (Ok(without), Ok(with)) => Some((without, with)),
            (_, refused) => above().or_else(|| panic!("{}\n{refused:?}", lines[number])),
        };
        let (without, with) = pair.unwrap();
        if meant(&with) != meant(&without) {
            others.push(lines[number]);
        }
    }
    assert_eq!(others, [""; 0], "not the defaults");
}

#[test]
fn the_defaults_of_heal_are_the_shown_ones() {
    let heal = read(FILE).lines().find_map(|line| line.strip_prefix("#heal = ").map(str::to_owned)).unwrap();
    let with = |heal: &str| {
        let text = format!(
            "[node]\nmanagement = \"10.1.0.2\"\n[backend.unbound]\nheal = {heal}\n\
             [[service]]\nname = \"s\"\nprefixes = [\"192.0.2.1/32\"]\nbackend = \"unbound\"\n"
        );
        meant(&Config::parse(Path::new("heal.toml"), &text, "host").unwrap_or_else(|error| panic!("{error}")))
    };
    assert_eq!(with("{}"), with(&heal));
}

#[test]
fn the_pages_show_every_default() {
    // The blocks of other pages are examples.
    let has_defaults =
        |page: &Page| ["docs/configuration.md", "docs/servers/README.md"].contains(&&*page.path);
    let blocks = pages().into_iter().filter(has_defaults).flat_map(|page| page.blocks());
    let blocks: Vec<_> = blocks.filter(|block| block.language == "toml").map(|block| block.text).collect();
    let (mut defaults, mut others) = (0, vec![]);
    for block in &blocks {
        let parse = |text: &str| {
            let config = Config::parse(Path::new("docs.toml"), text, "host");
            meant(&config.unwrap_or_else(|error| panic!("{error}")))
        };
        let lines: Vec<_> = block.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let Some((key, comment)) = parts(line) else { continue };
            if REQUIRED.contains(&key) || key == "backend" || is_example(comment) {
                continue;
            }
            let without = [&lines[..number], &lines[number + 1..]].concat().join("\n");
            if parse(&without) != parse(block) {
                others.push(*line);
            }
            defaults += 1;
        }
    }
    assert_eq!(others, [""; 0], "not the defaults");
    assert!(defaults > 10, "{defaults}");
}
