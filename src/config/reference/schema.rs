//! The reference as JSON Schema, draft 2020-12.
//!
//! Every value is described in place, since some editors ignore what stands beside a `$ref`; only tables are
//! definitions of their own.

use std::fmt::Write;

use super::{EFFECTS, Key, Kind, Preset, Table, forms, tables};
use crate::outcome::Cause;

/// The schema, one line for each key.
pub(crate) fn schema() -> String {
    let mut out = String::from("{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n");
    let (mut root, mut others) = (String::new(), vec![]);
    for table in tables() {
        match table.path {
            "" => root = table_members(table, "  "),
            path => {
                others.push(format!("    {}: {{\n{}\n    }}", quoted(path), table_members(table, "      ")));
            }
        }
    }
    let _ = write!(
        out,
        "  \"title\": \"dnsherald.toml\",\n{root},\n  \"$defs\": {{\n{}\n  }}\n}}\n",
        others.join(",\n")
    );
    out
}

/// The members of the schema of a table.
fn table_members(table: &Table, indent: &str) -> String {
    let keys = table.keys.iter().map(|key| format!("{indent}  {}", property(key)));
    let required = table.keys.iter().filter(|key| matches!(key.preset, Preset::Required));
    let required: Vec<_> = required.map(|key| key.name).collect();
    let mut members = vec![
        format!("{indent}\"description\": {}", quoted(table.about)),
        format!("{indent}\"type\": \"object\""),
        format!("{indent}\"additionalProperties\": false"),
    ];
    if !required.is_empty() {
        members.push(format!("{indent}\"required\": {}", list(&required)));
    }
    members.push(match table.keys {
        [] => format!("{indent}\"properties\": {{}}"),
        _ => format!("{indent}\"properties\": {{\n{}\n{indent}}}", keys.collect::<Vec<_>>().join(",\n")),
    });
    members.join(",\n")
}

fn property(key: &Key) -> String {
    let mut members = vec![value(&key.kind)];
    if let Preset::Value(value) = key.preset {
        members.push(format!("\"default\": {value}"));
    }
    members.push(format!("\"description\": {}", quoted(&described(key))));
    format!("{}: {{ {} }}", quoted(key.name), members.join(", "))
}

/// The meaning, with what the keywords do not say.
fn described(key: &Key) -> String {
    let mut text = key.about.to_owned();
    if let Kind::Period { least, most } = key.kind {
        for (bound, period) in [("At least", least), ("At most", most)] {
            if !period.is_empty() {
                let _ = write!(text, " {bound} {period}.");
            }
        }
    }
    if let Preset::Words(words) = key.preset {
        let _ = write!(text, " Default: {words}.");
    }
    text
}

/// The members of the schema of a value.
fn value(kind: &Kind) -> String {
    match kind {
        Kind::Text(form) if form.pattern.is_empty() => "\"type\": \"string\"".to_owned(),
        Kind::Text(form) => format!("\"type\": \"string\", \"pattern\": {}", quoted(form.pattern)),
        Kind::Word(words) => format!("\"enum\": {}", list(words)),
        Kind::Bool => "\"type\": \"boolean\"".to_owned(),
        Kind::False => "\"const\": false".to_owned(),
        Kind::Period { .. } => format!("\"type\": \"string\", \"pattern\": {}", quoted(forms::PERIOD)),
        Kind::Whole { from, to: u64::MAX } => format!("\"type\": \"integer\", \"minimum\": {from}"),
        Kind::Whole { from, to } => {
            format!("\"type\": \"integer\", \"minimum\": {from}, \"maximum\": {to}")
        }
        Kind::Share => "\"type\": \"number\", \"exclusiveMinimum\": 0, \"maximum\": 1".to_owned(),
        Kind::List(item) => format!("\"type\": \"array\", \"items\": {{ {} }}", value(item)),
        Kind::OneOrMany(item) => {
            format!("\"anyOf\": [{{ {} }}, {{ {} }}]", value(item), value(&Kind::List(item)))
        }
        Kind::OneOf(kinds) => {
            let kinds: Vec<_> = kinds.iter().map(|kind| format!("{{ {} }}", value(kind))).collect();
            format!("\"anyOf\": [{}]", kinds.join(", "))
        }
        Kind::Table(path) => format!("\"$ref\": \"#/$defs/{path}\""),
        Kind::Tables(path) => format!("\"type\": \"array\", \"items\": {{ {} }}", value(&Kind::Table(path))),
        Kind::Named(path) => {
            let (name, table) = (quoted(forms::BACKEND), value(&Kind::Table(path)));
            format!(
                "\"type\": \"object\", \"propertyNames\": {{ \"pattern\": {name} }}, \"additionalProperties\": {{ {table} }}"
            )
        }
        Kind::ByCause => {
            let causes: Vec<_> = Cause::ALL.iter().map(|cause| cause.word()).collect();
            format!(
                "\"type\": \"object\", \"propertyNames\": {{ \"enum\": {} }}, \"additionalProperties\": {{ \"enum\": {} }}",
                list(&causes),
                list(EFFECTS)
            )
        }
    }
}

fn list(words: &[&str]) -> String {
    format!("[{}]", words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", "))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
