//! The manual pages contain everything at its place.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::cli::Cli;
use clap::CommandFactory;

use super::read;
use super::tables::TABLES;
use crate::logic::lacks::lacks;

/// A line of an mdoc page and its place.
struct Line<'a> {
    text: &'a str,
    /// The section or subsection.
    section: &'a str,
    /// The enclosing list items, from the outside in, each by its opening line.
    items: Vec<&'a str>,
}

impl<'a> Line<'a> {
    fn all_of(page: &'a str) -> Vec<Self> {
        let (mut section, mut items) = ("", vec![]);
        let mut lines = vec![];
        for text in page.lines() {
            if let Some(head) = text.strip_prefix(".Sh ").or_else(|| text.strip_prefix(".Ss ")) {
                section = head;
            } else if text.starts_with(".Bl ") {
                items.push("");
            } else if text == ".El" {
                items.pop();
            }
            if text.starts_with(".It ") {
                *items.last_mut().unwrap() = text;
            }
            lines.push(Self { text, section, items: items.clone() });
        }
        lines
    }

    /// The words in the face of commands or options.
    fn marked(&self) -> impl Iterator<Item = String> + use<'a> {
        let words = self.text.starts_with('.').then(|| self.text.split_whitespace());
        words.into_iter().flatten().map(|word| word.trim_matches([',', '.', '(', ')']).to_owned())
    }

    /// Whether it is text of these items or opens one below the last of them.
    fn is_right_in(&self, items: &[&str]) -> bool {
        let outer = match self.items.split_last() {
            Some((last, outer)) if *last == self.text => outer,
            _ => &self.items,
        };
        let opens = |(line, item): (&&str, &&str)| line.split_whitespace().any(|word| word == *item);
        outer.len() == items.len() && outer.iter().zip(items).all(opens)
    }
}

#[test]
fn the_manual_has_every_key_under_its_table() {
    let page = read("packaging/man/dnsherald.toml.5");
    let lines = Line::all_of(&page);
    let mut missing = vec![];
    for table in TABLES {
        let (section, items) = table.manual;
        let there = lines.iter().filter(|line| line.section == section && line.is_right_in(items));
        let there = there.filter(|line| line.text.starts_with(".Cm ") || line.text.starts_with(".It Cm "));
        let words: BTreeSet<_> = there.flat_map(Line::marked).collect();
        let keys = table.values().into_iter().filter(|key| !words.contains(key));
        missing.extend(keys.map(|key| table.path_of(&key)));
    }
    assert_eq!(missing, [""; 0]);
}

/// Every command without subcommands, by its full name. Only the completions call `complete-names`.
fn commands(of: &clap::Command, name: &str) -> Vec<(String, clap::Command)> {
    let below =
        of.get_subcommands().filter(|command| command.get_name() != "complete-names").flat_map(|below| {
            let name = format!("{name} {}", below.get_name());
            commands(below, name.trim())
        });
    let below: Vec<_> = below.collect();
    if below.is_empty() { vec![(name.to_owned(), of.clone())] } else { below }
}

#[test]
fn the_manual_has_every_command_with_its_options() {
    let page = read("packaging/man/dnsherald.8");
    let lines = Line::all_of(&page);
    // Text for all commands precedes them, outside of lists.
    let general = lines.iter().filter(|line| line.section == "DESCRIPTION" && line.items.is_empty());
    let general: BTreeSet<_> = general.flat_map(Line::marked).collect();
    let mut missing = vec![];
    for (name, command) in commands(&Cli::command(), "") {
        let head = format!(".It Ic {name}");
        let opens = |item: &&str| {
            item.strip_prefix(&head).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let there: Vec<_> = lines.iter().filter(|line| line.items.first().is_some_and(opens)).collect();
        if there.is_empty() {
            missing.push(name.clone());
        }
        let words: BTreeSet<_> = there.into_iter().flat_map(Line::marked).chain(general.clone()).collect();
        // `--watch` in mdoc: `Fl -watch`.
        let long =
            command.get_arguments().filter_map(|option| option.get_long().map(|long| format!("-{long}")));
        let short = command.get_arguments().filter_map(|option| option.get_short().map(String::from));
        let options = long.chain(short).filter(|option| !words.contains(option));
        missing.extend(options.map(|option| format!("{name} -{option}")));
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn the_manual_pages_are_well_formed() {
    for page in ["packaging/man/dnsherald.8", "packaging/man/dnsherald.toml.5"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let Ok(output) = Command::new("mandoc").args(["-Tlint", "-Wwarning"]).arg(&path).output() else {
            return lacks("mandoc");
        };
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success() && said.trim().is_empty(), "{said}");
    }
}
