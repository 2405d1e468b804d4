//! The tree of blocks and statements.

use super::tokens::{End, statements};

/// The deepest block; ExaBGP has none deeper than five.
const DEEPEST: usize = 16;

/// Sentences about faults, at most.
const MOST_FAULTS: usize = 20;

/// A statement, or a block with what is in it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Node {
    /// From 1.
    pub(super) line: usize,
    /// The words before `;` or `{`.
    pub(super) words: Vec<String>,
    /// The content of a block.
    pub(super) block: Option<Vec<Self>>,
}

impl Node {
    pub(super) fn key(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The words after the first, as one pattern.
    pub(super) fn values(&self) -> Vec<&str> {
        self.words.iter().skip(1).map(String::as_str).collect()
    }
}

#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    /// Sentences about braces without a partner and the like.
    pub(super) faults: Vec<String>,
}

/// Reads the blocks. A block that is not closed ends with the file.
pub(super) fn tree(text: &str) -> Tree {
    let (statements, dangling) = statements(text);
    let mut faults = Faults::default();
    // The open blocks, the file itself first. Blocks that are too deep are counted and skipped.
    let mut open = vec![Node { block: Some(vec![]), ..Node::default() }];
    let mut skipped = 0;
    for statement in statements {
        let (line, words) = (statement.line, statement.words);
        match statement.end {
            _ if skipped > 0 => match statement.end {
                End::Open => skipped += 1,
                End::Close => skipped -= 1,
                End::Statement => {}
            },
            End::Statement => push(&mut open, Node { line, words, block: None }),
            End::Open if open.len() > DEEPEST => {
                faults.add(format!("line {line}: a block deeper than {DEEPEST}"));
                skipped = 1;
            }
            End::Open => open.push(Node { line, words, block: Some(vec![]) }),
            End::Close => {
                if !words.is_empty() {
                    faults.add(format!("line {line}: words without `;` before `}}`"));
                }
                match open.len() {
                    0 | 1 => faults.add(format!("line {line}: `}}` without `{{`")),
                    _ => close(&mut open),
                }
            }
        }
    }
    if let Some(line) = dangling {
        faults.add(format!("line {line}: words without `;` or `{{` at the end"));
    }
    while open.len() > 1 {
        faults.add(format!("line {}: `{{` without `}}`", open.last().map_or(0, |node| node.line)));
        close(&mut open);
    }
    let nodes = open.pop().and_then(|file| file.block).unwrap_or_default();
    Tree { nodes, faults: faults.0 }
}

fn push(open: &mut [Node], node: Node) {
    if let Some(block) = open.last_mut().and_then(|above| above.block.as_mut()) {
        block.push(node);
    }
}

fn close(open: &mut Vec<Node>) {
    if let Some(node) = open.pop() {
        push(open, node);
    }
}

/// A bounded list of sentences.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, fault: String) {
        if self.0.len() < MOST_FAULTS {
            self.0.push(fault);
        }
    }
}
