//! Paths in the parsed tree of a file: finds the value at a place in the text, and the value at a path.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

/// One step of a path.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// The steps from the root of the file.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Path(pub(super) Vec<Step>);

impl Path {
    /// The path of the innermost key or value around a place in the text.
    pub(super) fn to(tree: &Spanned<DeTable<'_>>, span: &Range<usize>) -> Option<Self> {
        let mut search = Search { span, here: vec![], found: None };
        search.table(tree.get_ref());
        search.found.map(Self)
    }

    /// The value at this path.
    pub(super) fn value<'t, 's>(&self, tree: &'t Spanned<DeTable<'s>>) -> Option<&'t DeValue<'s>> {
        let (first, rest) = self.0.split_first()?;
        let Step::Key(first) = first else { return None };
        let first = tree.get_ref().get(first.as_str())?.get_ref();
        rest.iter().try_fold(first, |value, step| match (value, step) {
            (DeValue::Table(table), Step::Key(key)) => table.get(key.as_str()).map(Spanned::get_ref),
            (DeValue::Array(array), Step::Index(index)) => array.get(*index).map(Spanned::get_ref),
            _ => None,
        })
    }

    /// The key and value at this path, if it is an entry of a table.
    pub(super) fn entry<'s>(
        &self,
        tree: &Spanned<DeTable<'s>>,
    ) -> Option<(Spanned<DeString<'s>>, Spanned<DeValue<'s>>)> {
        let Some(Step::Key(last)) = self.0.last() else { return None };
        let parent = self.parent();
        let table = match parent.value(tree) {
            Some(DeValue::Table(table)) => table,
            None if parent.0.is_empty() => tree.get_ref(),
            _ => return None,
        };
        table.get_key_value(last.as_str()).map(|(key, value)| (key.clone(), value.clone()))
    }

    /// The header of a table: `[service.dampening]`, `[[service.check]]`.
    pub(super) fn header(&self) -> String {
        let keys = self.0.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        });
        let name = keys.collect::<Vec<_>>().join(".");
        match self.0.last() {
            None => "the top of the file".to_owned(),
            Some(Step::Index(_)) => format!("[[{name}]]"),
            Some(Step::Key(_)) => format!("[{name}]"),
        }
    }

    /// The path of the enclosing table.
    pub(super) fn parent(&self) -> Self {
        Self(self.0.split_last().map_or(&[][..], |(_, parent)| parent).to_vec())
    }

    /// The path of a key of the table at this path.
    pub(super) fn child(&self, key: &str) -> Self {
        Self(self.0.iter().cloned().chain([Step::Key(key.to_owned())]).collect())
    }

    /// Whether this key is one of the steps.
    pub(super) fn names(&self, key: &str) -> bool {
        self.0.iter().any(|step| matches!(step, Step::Key(own) if own == key))
    }

    /// Whether the path is inside the table with these keys.
    pub(super) fn is_in(&self, keys: &[&str]) -> bool {
        let is = |(step, key): (&Step, &&str)| matches!(step, Step::Key(own) if own == key);
        self.0.len() >= keys.len() && self.0.iter().zip(keys).all(is)
    }

    /// The steps to the enclosing check, service, backend or table.
    pub(super) fn item(&self) -> &[Step] {
        let length = match self.0.as_slice() {
            [Step::Key(service), Step::Index(_), Step::Key(check), Step::Index(_), ..]
                if service == "service" && check == "check" =>
            {
                4
            }
            [Step::Key(list), _, ..] if list == "service" || list == "backend" => 2,
            _ => 1,
        };
        &self.0[..length.min(self.0.len())]
    }
}

/// Builds a tree with a single entry and its enclosing tables.
pub(super) fn single_entry<'s>(
    tables: &[Step],
    key: Spanned<DeString<'s>>,
    value: Spanned<DeValue<'s>>,
) -> Spanned<DeTable<'s>> {
    let table = |key, value| DeValue::Table(std::iter::once((key, value)).collect());
    let mut outer = table(key, value);
    for step in tables.iter().rev() {
        let inner = Spanned::new(0..0, outer);
        outer = match step {
            Step::Key(key) => table(Spanned::new(0..0, key.clone().into()), inner),
            Step::Index(_) => DeValue::Array(std::iter::once(inner).collect()),
        };
    }
    match outer {
        DeValue::Table(table) => Spanned::new(0..0, table),
        // The steps begin with the key of a table.
        _ => Spanned::new(0..0, DeTable::new()),
    }
}

/// Search for the innermost value around a place.
struct Search<'a> {
    span: &'a Range<usize>,
    here: Vec<Step>,
    found: Option<Vec<Step>>,
}

impl Search<'_> {
    fn is_around(&self, outer: &Range<usize>) -> bool {
        outer.start <= self.span.start && self.span.end <= outer.end
    }

    fn visit(&mut self, step: Step, is_around: bool, value: &DeValue<'_>) {
        self.here.push(step);
        if is_around && self.found.as_ref().is_none_or(|found| found.len() < self.here.len()) {
            self.found = Some(self.here.clone());
        }
        match value {
            DeValue::Table(table) => self.table(table),
            DeValue::Array(array) => {
                for (index, value) in array.iter().enumerate() {
                    self.visit(Step::Index(index), self.is_around(&value.span()), value.get_ref());
                }
            }
            _ => {}
        }
        self.here.pop();
    }

    fn table(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            let is_around = self.is_around(&key.span()) || self.is_around(&value.span());
            self.visit(Step::Key(key.get_ref().to_string()), is_around, value.get_ref());
        }
    }
}

/// The value at these steps.
fn value_mut<'t, 's>(table: &'t mut DeTable<'s>, steps: &[Step]) -> Option<&'t mut DeValue<'s>> {
    let (Step::Key(first), rest) = steps.split_first()? else { return None };
    let first = table.get_mut(first.as_str())?.get_mut();
    rest.iter().try_fold(first, |value, step| match (value, step) {
        (DeValue::Table(table), Step::Key(key)) => table.get_mut(key.as_str()).map(Spanned::get_mut),
        (DeValue::Array(array), Step::Index(index)) => array.get_mut(*index).map(Spanned::get_mut),
        _ => None,
    })
}

/// Inserts a value into the table at these steps. Returns false if there is no such table or it has the key.
pub(super) fn put<'s>(
    table: &mut DeTable<'s>,
    steps: &[Step],
    key: &str,
    value: Spanned<DeValue<'s>>,
) -> bool {
    match value_mut(table, steps) {
        Some(DeValue::Table(table)) if !table.contains_key(key) => {
            table.insert(Spanned::new(value.span(), key.to_owned().into()), value);
            true
        }
        _ => false,
    }
}

/// Removes the value at these steps from the tree. Returns false if there is none.
pub(super) fn remove(table: &mut DeTable<'_>, steps: &[Step]) -> bool {
    match steps.split_last() {
        Some((Step::Key(key), [])) => table.remove(key.as_str()).is_some(),
        Some((last, parent)) => match (value_mut(table, parent), last) {
            (Some(DeValue::Table(table)), Step::Key(key)) => table.remove(key.as_str()).is_some(),
            (Some(DeValue::Array(array)), Step::Index(index)) => {
                // A list of tables that loses an element need not remember its notation.
                let mut items: Vec<_> = std::mem::replace(array, DeArray::new()).into_iter().collect();
                let is_there = *index < items.len();
                is_there.then(|| items.remove(*index));
                *array = items.into_iter().collect();
                is_there
            }
            _ => false,
        },
        None => false,
    }
}
