//! Tests that the imports of the crate follow the layers of `layers.md`, the table that opens the crate's documentation.
//!
//! A module may import modules of lower rows. It may import modules of its own row, as long as no cycle of top-level
//! modules results. Test code is exempt.

mod imports;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use imports::Import;

/// The row of each top-level module, counted from the top.
type Rows = BTreeMap<String, usize>;

/// Reads the table: the second column has the modules.
fn rows(table: &str) -> Rows {
    let mut rows = Rows::new();
    for (row, line) in table.lines().skip(2).enumerate() {
        let modules = line.split('|').nth(2).unwrap_or_default();
        for module in modules.split('`').skip(1).step_by(2) {
            assert!(rows.insert(module.to_owned(), row).is_none(), "`{module}` is in two rows");
        }
    }
    rows
}

/// The imports that point to a higher row, one line each.
fn upward(rows: &Rows, imports: &[Import]) -> Vec<String> {
    let above = imports.iter().filter(|import| rows[&import.to] < rows[&import.from]);
    above.map(|import| format!("{import}, which is in a higher row")).collect()
}

/// The imports that are part of a cycle, one line each, with the way back.
fn cyclic(imports: &[Import]) -> Vec<String> {
    let mut next = BTreeMap::<&str, BTreeSet<&str>>::new();
    for import in imports {
        next.entry(&import.from).or_default().insert(&import.to);
    }
    let back = |import: &Import| Some(way(&next, &import.to, &import.from)?.join("` → `"));
    let tell = |import| Some(format!("{import}, which leads back: `{}`", back(import)?));
    imports.iter().filter_map(tell).collect()
}

/// The shortest way from one module to another.
fn way<'a>(next: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut seen = BTreeSet::from([from]);
    let mut ways = vec![vec![from]];
    while !ways.is_empty() {
        if let Some(found) = ways.iter().find(|way| way.ends_with(&[to])) {
            return Some(found.clone());
        }
        let steps = ways.iter().flat_map(|way| {
            let last = way.last().and_then(|last| next.get(last)).into_iter().flatten();
            last.map(|step| [way.as_slice(), &[*step]].concat())
        });
        ways = steps.filter(|way| way.last().is_some_and(|last| seen.insert(*last))).collect();
    }
    None
}

/// What is wrong with these imports, one line each.
fn complaints(rows: &Rows, imports: &[Import]) -> Vec<String> {
    [upward(rows, imports), cyclic(imports)].concat()
}

/// The directory of the sources.
fn sources() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

#[test]
fn each_module_imports_only_what_is_below_it() {
    let rows = rows(include_str!("layers.md"));
    let imports = imports::all(sources(), &rows.keys().cloned().collect());
    let complaints = complaints(&rows, &imports);
    assert!(complaints.is_empty(), "src/layers.md forbids:\n{}", complaints.join("\n"));
}

#[test]
fn the_table_has_each_top_level_module_once() {
    let listed: BTreeSet<_> = rows(include_str!("layers.md")).into_keys().collect();
    let mut found = imports::top_level(sources());
    found.insert("main".to_owned());
    let missing: Vec<_> = found.difference(&listed).collect();
    assert!(missing.is_empty(), "in no row of src/layers.md: {missing:?}");
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(gone.is_empty(), "in src/layers.md, but not in src: {gone:?}");
}

mod tests {
    use super::*;

    const TABLE: &str =
        "| layer | modules |\n|---|---|\n| top | `a` |\n| middle | `b`, `c` |\n| ground | `d` |\n";

    fn complaints_of(imports: &[(&str, &str)]) -> Vec<String> {
        let import = |(from, to): &(&str, &str)| Import {
            file: format!("{from}.rs"),
            line: 7,
            from: (*from).to_owned(),
            to: (*to).to_owned(),
        };
        complaints(&rows(TABLE), &imports.iter().map(import).collect::<Vec<_>>())
    }

    #[test]
    fn lower_rows_and_the_own_row_are_allowed() {
        assert_eq!(complaints_of(&[("a", "d"), ("a", "b"), ("b", "c"), ("c", "d")]), [""; 0]);
    }

    #[test]
    fn a_higher_row_is_refused() {
        let [up] = complaints_of(&[("d", "b")]).try_into().unwrap();
        assert_eq!(up, "src/d.rs:7: `d` imports `b`, which is in a higher row");
    }

    #[test]
    fn a_cycle_within_a_row_is_refused() {
        let found = complaints_of(&[("b", "c"), ("c", "b")]);
        assert_eq!(
            found,
            [
                "src/b.rs:7: `b` imports `c`, which leads back: `c` → `b`",
                "src/c.rs:7: `c` imports `b`, which leads back: `b` → `c`"
            ]
        );
    }
}
