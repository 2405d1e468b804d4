//! The `neighbor` and `template` sections.

use std::collections::BTreeMap;

use super::blocks::Node;
use super::process::{self, boolean};
use super::{Conf, Neighbor, Peer, Setting};
use crate::exabgp::command::Family;
use crate::text::foreign;

/// Reads all sections of a file.
pub(super) fn read(nodes: &[Node], conf: &mut Conf) {
    let mut templates = BTreeMap::new();
    for node in nodes.iter().filter(|node| node.key() == "template") {
        for template in node.block.iter().flatten() {
            match (template.key(), template.values().as_slice()) {
                ("neighbor", [name]) => {
                    templates.insert((*name).to_owned(), template);
                }
                _ => conf.misunderstand(template),
            }
        }
    }
    for node in nodes {
        match (node.key(), node.values().as_slice(), &node.block) {
            ("template", [], Some(_)) => {}
            ("process", [_], Some(_)) => conf.processes.push(process::read(node)),
            ("neighbor", [_], Some(_)) => neighbor(node, &templates, conf),
            _ => conf.misunderstand(node),
        }
    }
}

impl Conf {
    fn misunderstand(&mut self, node: &Node) {
        self.not_understood.push(format!("line {}: `{}`", node.line, foreign(&node.words.join(" "))));
    }
}

fn neighbor(node: &Node, templates: &BTreeMap<String, &Node>, conf: &mut Conf) {
    let word = node.values().first().copied().unwrap_or_default();
    let peer =
        word.parse().map(Peer::Address).or_else(|_| word.parse().map(Peer::Network)).unwrap_or_default();
    let mut neighbor = Neighbor { peer, line: node.line, ..settings(node, conf) };
    for name in inherited(node) {
        match templates.get(&name) {
            Some(template) => {
                let template = settings(template, conf);
                neighbor.inherit(&template);
            }
            None => conf.not_understood.push(format!(
                "line {}: no template `{}` is defined",
                node.line,
                foreign(&name)
            )),
        }
    }
    conf.neighbors.push(neighbor);
}

impl Neighbor {
    fn inherit(&mut self, template: &Self) {
        self.hold_time.inherit(&template.hold_time);
        self.local_as.inherit(&template.local_as);
        self.peer_as.inherit(&template.peer_as);
        self.manual_eor.inherit(&template.manual_eor);
        self.adj_rib_out.inherit(&template.adj_rib_out);
        self.graceful_restart.inherit(&template.graceful_restart);
        extend(&mut self.families, &template.families);
        extend(&mut self.processes, &template.processes);
        self.neighbor_changes.inherit(&template.neighbor_changes);
    }
}

impl Neighbor {
    /// Reads `neighbor-changes` in an `api` section. One of several that has it is enough.
    fn note_changes(&mut self, block: &[Node]) {
        for statement in block.iter().filter(|statement| statement.key() == "neighbor-changes") {
            if self.neighbor_changes != Setting::Set(true) {
                self.neighbor_changes = Setting::new(boolean(&statement.values(), true));
            }
        }
    }
}

/// Adds the items of a template to a list.
fn extend<T: Clone + PartialEq>(own: &mut Setting<Vec<T>>, template: &Setting<Vec<T>>) {
    match (&mut *own, template) {
        (Setting::Set(items), Setting::Set(more)) => items.extend(more.iter().cloned()),
        _ => own.inherit(template),
    }
}

/// The names of the templates: `inherit a;` or `inherit [ a b ];`.
fn inherited(node: &Node) -> Vec<String> {
    let statements = node.block.iter().flatten().filter(|statement| statement.key() == "inherit");
    statements.flat_map(|statement| names(&statement.words[1..])).collect()
}

/// The words of a list, without its signs.
fn names(words: &[String]) -> Vec<String> {
    words.iter().filter(|word| !matches!(word.as_str(), "[" | "]" | ",")).cloned().collect()
}

/// The settings of a neighbor or a template.
fn settings(node: &Node, conf: &mut Conf) -> Neighbor {
    let mut found = Neighbor::default();
    for inner in node.block.iter().flatten() {
        let values = inner.values();
        match (inner.key(), &inner.block) {
            ("hold-time", None) => found.hold_time = Setting::new(number(&values)),
            ("local-as", None) => found.local_as = Setting::new(number(&values)),
            ("peer-as", None) => found.peer_as = Setting::new(number(&values)),
            ("manual-eor", None) => found.manual_eor = Setting::new(boolean(&values, false)),
            // Without a value it is off.
            ("adj-rib-out", None) => found.adj_rib_out = Setting::new(boolean(&values, false)),
            ("capability", Some(block)) => {
                for restart in block.iter().filter(|capability| capability.key() == "graceful-restart") {
                    found.graceful_restart = graceful_restart(&restart.values());
                }
            }
            ("graceful-restart", None) => found.graceful_restart = graceful_restart(&values),
            ("family", Some(block)) => extend(&mut found.families, &families(block)),
            ("api", Some(block)) => {
                extend(&mut found.processes, &processes(block));
                found.note_changes(block);
            }
            // ExaBGP 3.4.
            ("process", Some(block)) => {
                found.note_changes(block);
                let process = process::read(inner);
                extend(&mut found.processes, &Setting::Set(vec![process.name.clone()]));
                conf.processes.push(process);
            }
            _ => {}
        }
    }
    found
}

fn number(values: &[&str]) -> Option<u32> {
    match values {
        [number] => number.parse().ok(),
        _ => None,
    }
}

/// `graceful-restart;`, `graceful-restart 120;`, `graceful-restart disable;`.
fn graceful_restart(values: &[&str]) -> Setting<Option<u32>> {
    match (number(values), boolean(values, true)) {
        (Some(seconds), _) => Setting::Set(Some(seconds)),
        (None, is_on) => Setting::new(is_on.map(|is_on| is_on.then_some(0))),
    }
}

/// The unicast families. An empty section means all.
fn families(block: &[Node]) -> Setting<Vec<Family>> {
    const OTHERS: [&str; 8] =
        ["multicast", "nlri-mpls", "labeled-unicast", "mpls-vpn", "flow", "flow-vpn", "mcast-vpn", "mup"];
    if block.is_empty() {
        return Setting::Unset;
    }
    let mut families = vec![];
    for family in block {
        match (family.key(), family.values().as_slice()) {
            ("all", []) => families.extend([Family::V4, Family::V6]),
            ("ipv4", ["unicast"]) => families.push(Family::V4),
            ("ipv6", ["unicast"]) => families.push(Family::V6),
            ("ipv4" | "ipv6", [other]) if OTHERS.contains(other) => {}
            ("l2vpn" | "bgp-ls", [_]) => {}
            _ => return Setting::Unclear,
        }
    }
    Setting::Set(families)
}

/// The processes of an `api` section.
fn processes(block: &[Node]) -> Setting<Vec<String>> {
    let mut listed = Setting::Unset;
    for statement in block.iter().filter(|statement| statement.key().starts_with("process")) {
        match (statement.key(), statement.values().as_slice()) {
            ("processes", ["[", .., "]"]) => {
                extend(&mut listed, &Setting::Set(names(&statement.words[1..])));
            }
            // `processes-match` has regular expressions of Python.
            _ => return Setting::Unclear,
        }
    }
    listed
}
