//! The prefixes of a sentence: the first three by name, the others by number.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

/// The number of prefixes that are named.
const NAMED: usize = 3;

/// Prefixes in the order of the configuration, each once.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Prefixes {
    /// The first prefixes.
    named: Vec<String>,
    /// The number of the others.
    more: usize,
}

impl Prefixes {
    /// Whether there are no prefixes.
    pub(crate) const fn is_empty(&self) -> bool {
        self.named.is_empty()
    }
}

impl FromIterator<String> for Prefixes {
    fn from_iter<T: IntoIterator<Item = String>>(prefixes: T) -> Self {
        let (mut named, mut more, mut seen) = (vec![], 0, HashSet::new());
        for prefix in prefixes {
            if !seen.insert(prefix.clone()) {
                continue;
            }
            if named.len() < NAMED {
                named.push(prefix);
            } else {
                more += 1;
            }
        }
        Self { named, more }
    }
}

impl fmt::Display for Prefixes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.named.join(", "))?;
        if self.more > 0 {
            write!(f, " and {} more", self.more)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(count: u8) -> String {
        (0..count).map(|nth| format!("192.0.2.{nth}/32")).collect::<Prefixes>().to_string()
    }

    #[test]
    fn three_are_named_and_the_others_counted() {
        assert_eq!(shown(1), "192.0.2.0/32");
        assert_eq!(shown(3), "192.0.2.0/32, 192.0.2.1/32, 192.0.2.2/32");
        assert_eq!(shown(20), "192.0.2.0/32, 192.0.2.1/32, 192.0.2.2/32 and 17 more");
    }

    #[test]
    fn one_prefix_towards_several_neighbors_is_named_once() {
        let prefixes = ["192.0.2.53/32", "2001:db8::53/128", "192.0.2.53/32"].map(ToOwned::to_owned);
        let shown = prefixes.into_iter().collect::<Prefixes>().to_string();
        assert_eq!(shown, "192.0.2.53/32, 2001:db8::53/128");
    }
}
