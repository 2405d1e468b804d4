//! The keywords of JSON Schema (draft 2020-12) that the schema of the configuration uses.

use regex_lite::Regex;
use serde_json::Value;

/// What is wrong with a value by a schema. References lead into `root`.
pub(super) fn errors(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = vec![];
    for (keyword, rule) in schema.as_object().expect("a schema is an object") {
        found.extend(errors_of(root, schema, (keyword, rule), value, at));
    }
    found
}

fn errors_of(
    root: &Value,
    schema: &Value,
    (keyword, rule): (&str, &Value),
    value: &Value,
    at: &str,
) -> Vec<String> {
    let unless =
        |holds: bool| if holds { vec![] } else { vec![format!("{at}: {value} against {keyword} {rule}")] };
    let number = |holds: fn(f64, f64) -> bool| match (value.as_f64(), rule.as_f64()) {
        (Some(value), Some(bound)) => unless(holds(value, bound)),
        _ => vec![],
    };
    match keyword {
        "$schema" | "$defs" | "title" | "description" | "default" => vec![],
        "$ref" => {
            let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
            errors(root, root.pointer(pointer).expect(pointer), value, at)
        }
        "type" => unless(match rule.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            other => panic!("unknown type {other}"),
        }),
        "enum" => unless(rule.as_array().unwrap().contains(value)),
        "const" => unless(rule == value),
        "pattern" => {
            let pattern = Regex::new(rule.as_str().unwrap()).unwrap();
            unless(value.as_str().is_none_or(|text| pattern.is_match(text)))
        }
        "minimum" => number(|value, bound| value >= bound),
        "maximum" => number(|value, bound| value <= bound),
        "exclusiveMinimum" => number(|value, bound| value > bound),
        "anyOf" => {
            let mut kinds = rule.as_array().unwrap().iter();
            unless(kinds.any(|kind| errors(root, kind, value, at).is_empty()))
        }
        "items" => {
            let items = value.as_array().into_iter().flatten().enumerate();
            items.flat_map(|(number, item)| errors(root, rule, item, &format!("{at}[{number}]"))).collect()
        }
        "required" => {
            let keys = rule.as_array().unwrap().iter().map(|key| key.as_str().unwrap());
            let missing = keys.filter(|key| value.as_object().is_some_and(|table| !table.contains_key(*key)));
            missing.map(|key| format!("{at}: no {key}")).collect()
        }
        "properties" => {
            let keys = value.as_object().into_iter().flatten();
            let known = keys.filter_map(|(key, value)| Some((key, rule.get(key)?, value)));
            known.flat_map(|(key, rule, value)| errors(root, rule, value, &format!("{at}.{key}"))).collect()
        }
        "additionalProperties" => {
            let known = |key: &str| schema.get("properties").is_some_and(|known| known.get(key).is_some());
            let others = value.as_object().into_iter().flatten().filter(|(key, _)| !known(key));
            let of = |(key, value): (&String, &Value)| match rule {
                Value::Bool(false) => vec![format!("{at}: unknown key {key}")],
                rule => errors(root, rule, value, &format!("{at}.{key}")),
            };
            others.flat_map(of).collect()
        }
        "propertyNames" => {
            let names = value.as_object().into_iter().flatten().map(|(key, _)| Value::from(key.as_str()));
            names.flat_map(|name| errors(root, rule, &name, at)).collect()
        }
        other => panic!("unknown keyword {other}"),
    }
}
