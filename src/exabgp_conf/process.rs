//! The `process` section.

use super::blocks::Node;
use super::{Process, Setting};

/// Reads a section; its name is the second word.
pub(super) fn read(node: &Node) -> Process {
    let mut process = Process {
        name: node.values().first().copied().unwrap_or_default().to_owned(),
        line: node.line,
        ..Process::default()
    };
    for statement in node.block.iter().flatten() {
        match statement.key() {
            "run" => process.run = statement.words[1..].to_vec(),
            "encoder" => process.has_encoder = true,
            "respawn" => process.respawn = Setting::new(boolean(&statement.values(), true)),
            _ => {}
        }
    }
    process
}

/// A boolean; without a value it is `bare` (`configuration/parser.py`).
pub(super) fn boolean(values: &[&str], bare: bool) -> Option<bool> {
    match values {
        [] => Some(bare),
        [word] => match word.to_ascii_lowercase().as_str() {
            "true" | "enable" | "enabled" => Some(true),
            "false" | "disable" | "disabled" => Some(false),
            _ => None,
        },
        _ => None,
    }
}
