//! Which top-level module uses which, file by file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::{fmt, iter};

use super::source::code;

/// One use of a top-level module in another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Import {
    /// Below `src`.
    pub(super) file: String,
    /// From 1.
    pub(super) line: usize,
    pub(super) from: String,
    pub(super) to: String,
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, from, to } = self;
        write!(f, "src/{file}:{line}: `{from}` imports `{to}`")
    }
}

/// The modules that `lib.rs` declares for the shipped program.
pub(super) fn top_level(sources: &Path) -> BTreeSet<String> {
    submodules(&read(sources, "lib.rs")).map(str::to_owned).collect()
}

/// Every import of one of these modules, outside of tests.
pub(super) fn all(sources: &Path, modules: &BTreeSet<String>) -> Vec<Import> {
    let mut imports = Vec::new();
    for module in top_level(sources) {
        collect(sources, &[&module], modules, &mut imports);
    }
    add(&read(sources, "main.rs"), "main.rs", &["main"], modules, &mut imports);
    imports
}

/// Adds those of a module, then of the modules in it.
fn collect(sources: &Path, path: &[&str], modules: &BTreeSet<String>, imports: &mut Vec<Import>) {
    let file = format!("{}.rs", path.join("/"));
    let code = read(sources, &file);
    add(&code, &file, path, modules, imports);
    for inner in submodules(&code) {
        collect(sources, &[path, &[inner]].concat(), modules, imports);
    }
}

fn read(sources: &Path, file: &str) -> String {
    code(&fs::read_to_string(sources.join(file)).unwrap_or_else(|error| panic!("src/{file}: {error}")))
}

/// The modules that are files of their own.
fn submodules(code: &str) -> impl Iterator<Item = &str> {
    words(code).filter(|(_, word)| *word == "mod").filter_map(|(at, word)| {
        let name = words(&code[at + word.len()..]).next()?;
        let after = &code[at + word.len() + name.0 + name.1.len()..];
        after.trim_start().starts_with(';').then_some(name.1)
    })
}

/// The words of code and where they are.
fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut at = 0;
    iter::from_fn(move || {
        let start = at + code[at..].find(is_part)?;
        let length = code[start..].find(|c| !is_part(c)).unwrap_or(code.len() - start);
        at = start + length;
        Some((start, &code[start..at]))
    })
}

/// Adds each use of another module in this code, whether it is imported or named where it is needed.
fn add(code: &str, file: &str, path: &[&str], modules: &BTreeSet<String>, imports: &mut Vec<Import>) {
    let mut line = 1;
    let mut counted = 0;
    for (at, word) in words(code) {
        line += code[counted..at].matches('\n').count();
        counted = at;
        let after = &code[at + word.len()..];
        let named = match word {
            // main.rs uses the library by its name.
            "crate" | "dnsherald" => heads(after),
            // As many `super` as the module is deep lead to the root of the crate.
            "super" if !code[..at].ends_with("super::") => {
                let above = after.split("::").skip(1).take_while(|part| *part == "super").count();
                let beyond: usize = above * "::super".len();
                if above + 1 == path.len() { heads(&after[beyond..]) } else { Vec::new() }
            }
            _ => Vec::new(),
        };
        let others = named.into_iter().filter(|to| *to != path[0] && modules.contains(*to));
        imports.extend(others.map(|to| Import {
            file: file.to_owned(),
            line,
            from: path[0].to_owned(),
            to: to.to_owned(),
        }));
    }
}

/// The first words of a path, or of each path in braces.
fn heads(after: &str) -> Vec<&str> {
    let Some(path) = after.strip_prefix("::") else { return Vec::new() };
    let Some(group) = path.trim_start().strip_prefix('{') else {
        return words(path).next().map(|(_, word)| word).into_iter().collect();
    };
    // Commas at the first depth separate the paths.
    let mut depth = 0_i32;
    let end = group.find(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth < 0
    });
    let group = &group[..end.unwrap_or(group.len())];
    let mut depth = 0_i32;
    let paths = group.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    paths.filter_map(|path| words(path).next()).map(|(_, word)| word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str, path: &[&str]) -> Vec<(usize, String)> {
        let modules = ["a", "b", "c", "d"].map(str::to_owned).into();
        let mut imports = Vec::new();
        add(&code(source), "x.rs", path, &modules, &mut imports);
        imports.into_iter().map(|import| (import.line, import.to)).collect()
    }

    fn each(found: &[(usize, &str)]) -> Vec<(usize, String)> {
        found.iter().map(|(line, to)| (*line, (*to).to_owned())).collect()
    }

    #[test]
    fn imports_and_inline_paths_are_found() {
        let source =
            "use crate::a::{self, X};\nuse crate::{b::{c, d}, c};\nfn f() -> crate::d::Y {}\n// crate::a\n";
        assert_eq!(found(source, &["x"]), each(&[(1, "a"), (2, "b"), (2, "c"), (3, "d")]));
    }

    #[test]
    fn its_own_module_and_items_of_the_root_are_no_imports() {
        assert_eq!(found("use crate::a::b; use crate::Other;", &["a"]), []);
    }

    #[test]
    fn the_library_is_imported_by_main() {
        assert_eq!(found("use dnsherald::{a, b};", &["main"]), each(&[(1, "a"), (1, "b")]));
    }

    #[test]
    fn only_as_many_super_as_lead_to_the_root_are_imports() {
        assert_eq!(found("use super::a;", &["x"]), each(&[(1, "a")]));
        assert_eq!(found("use super::a; use super::super::b;", &["x", "y"]), each(&[(1, "b")]));
    }

    #[test]
    fn modules_that_are_files_are_distinguished_from_those_inside() {
        let code = code("pub(crate) mod a;\nmod b { mod c; }\n#[cfg(test)]\nmod d;");
        assert_eq!(submodules(&code).collect::<Vec<_>>(), ["a", "c"]);
    }
}
