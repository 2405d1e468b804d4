//! The pages that operators read: README.md, and the book in `docs`.

use std::fs;
use std::path::Path;

/// A page of Markdown.
pub(crate) struct Page {
    /// Its path below the repository.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A fenced block, without the indent that it has in a list.
pub(crate) struct Block {
    /// The word after the opening fence; empty if there is none.
    pub(crate) language: String,
    /// The number of its first line in the page, from 1.
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// README.md, then the pages of the book by their names.
pub(crate) fn pages() -> Vec<Page> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![];
    markdown_below(&root.join("docs"), &mut paths);
    paths.sort();
    paths.insert(0, "README.md".to_owned());
    paths.into_iter().map(|path| Page { text: fs::read_to_string(root.join(&path)).unwrap(), path }).collect()
}

fn markdown_below(folder: &Path, paths: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            markdown_below(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let below = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
            paths.push(below.to_str().unwrap().to_owned());
        }
    }
}

/// The service of a block that shows only other tables.
const SERVICE: &str = "[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.1/32\"]\nbackend = \"unbound\"\n";

impl Block {
    /// The configuration of a block that may be a part of one: a check gets a service and its backend, a service the node.
    pub(crate) fn completed(&self) -> String {
        let mut toml = self.text.clone();
        if !toml.contains("[[service]]") {
            toml = format!("{SERVICE}{toml}");
        }
        if toml.contains("backend = \"unbound\"") && !toml.contains("[backend.unbound]") {
            toml += "\n[backend.unbound]\n";
        }
        if !toml.contains("[node]") {
            toml += "\n[node]\nmanagement = [\"10.1.0.2\"]\n";
        }
        toml
    }
}

impl Page {
    /// All fenced blocks, in order.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = vec![];
        let mut indent = None;
        for (number, line) in self.text.lines().enumerate() {
            let start = line.len() - line.trim_start().len();
            match (line.trim_start().strip_prefix("```"), indent) {
                (Some(language), None) => {
                    indent = Some(start);
                    let language = language.trim().to_owned();
                    blocks.push(Block { language, line: number + 2, text: String::new() });
                }
                (Some(_), Some(_)) => indent = None,
                (None, Some(indent)) => {
                    let text = &mut blocks.last_mut().unwrap().text;
                    text.push_str(&line[indent.min(start)..]);
                    text.push('\n');
                }
                (None, None) => {}
            }
        }
        assert_eq!(indent, None, "{}: a block is not closed", self.path);
        blocks
    }

    /// The text outside of fenced blocks, with an empty line for each of theirs.
    pub(crate) fn prose(&self) -> String {
        let mut is_inside = false;
        let line = |line: &str| {
            let is_fence = line.trim_start().starts_with("```");
            let is_prose = !is_inside && !is_fence;
            is_inside ^= is_fence;
            if is_prose { format!("{line}\n") } else { "\n".to_owned() }
        };
        self.text.lines().map(line).collect()
    }
}
