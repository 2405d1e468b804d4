//! The reference as tables of Markdown.

use std::fmt::Write;

use super::{Form, Key, Kind, MOST, Preset, tables};

/// A heading, a paragraph and a table of keys for each table of the file.
pub(crate) fn markdown() -> String {
    let mut out = String::new();
    // The file itself has only tables.
    for table in tables().filter(|table| !table.path.is_empty()) {
        let _ = write!(out, "### `{}`\n\n{}\n\n", table.title, table.about);
        if table.keys.is_empty() {
            out.push_str("The table has no keys.\n\n");
            continue;
        }
        out.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
        for key in table.keys {
            let _ =
                writeln!(out, "| `{}` | {} | {} | {} |", key.name, value(&key.kind), preset(key), key.about);
        }
        out.push('\n');
    }
    out
}

fn preset(key: &Key) -> String {
    match key.preset {
        Preset::Required => "required".to_owned(),
        Preset::Value(value) => format!("`{value}`"),
        Preset::Words(words) => words.to_owned(),
        Preset::Absent => "–".to_owned(),
    }
}

/// A value of this kind, in words.
fn value(kind: &Kind) -> String {
    match kind {
        Kind::Text(form) => form.one.to_owned(),
        Kind::Word(words) => either(words.iter().map(|word| format!("`\"{word}\"`")).collect()),
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::False => "`false`".to_owned(),
        Kind::Period { least: "", most: "" } => "period".to_owned(),
        Kind::Period { least, most: "" } => format!("period, at least {least}"),
        Kind::Period { most, .. } => format!("period, at most {most}"),
        Kind::Whole { from, to: MOST.. } => format!("number from {from} on"),
        Kind::Whole { from, to } => format!("number from {from} to {to}"),
        Kind::Share => "number above 0, at most 1".to_owned(),
        Kind::List(item) => format!("list of {}", several(item)),
        Kind::OneOrMany(item) => format!("{}, or a list of {}", value(item), several(item)),
        Kind::OneOf(kinds) => either(kinds.iter().map(value).collect()),
        Kind::Table(path) => linked("table", path),
        Kind::Tables(path) => linked("tables", path),
        Kind::Named(path) => linked("tables by name", path),
        Kind::ByCause => "table of [causes](checks.md#causes)".to_owned(),
    }
}

fn several(kind: &Kind) -> String {
    match kind {
        Kind::Text(Form { many, .. }) => (*many).to_owned(),
        Kind::Word(_) => "them".to_owned(),
        Kind::Whole { .. } => "numbers".to_owned(),
        other => value(other),
    }
}

fn either(mut kinds: Vec<String>) -> String {
    match kinds.pop() {
        Some(last) if kinds.is_empty() => last,
        Some(last) => format!("{} or {last}", kinds.join(", ")),
        None => String::new(),
    }
}

/// A link to the heading of a table.
fn linked(text: &str, path: &str) -> String {
    let title = tables().find(|table| table.path == path).map_or("", |table| table.title);
    let kept = title.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect();
    format!("[{text}](#{anchor})")
}
