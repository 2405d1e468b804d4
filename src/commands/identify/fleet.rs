//! The node names of a fleet, from a file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::text::ordered;
use anyhow::{Context, ensure};

/// Octets of the largest file that is read.
const LARGEST: u64 = 1 << 20;

/// The nodes that may answer.
#[derive(Debug)]
pub(super) struct Fleet(BTreeSet<String>);

impl Fleet {
    /// Reads a name from each line. Empty lines, and what follows a `#`, are skipped.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let about = || format!("cannot read the node names in {}", path.display());
        let size = fs::metadata(path).with_context(about)?.len();
        ensure!(size <= LARGEST, "{} has {size} octets, expected node names within 1 MiB", path.display());
        let fleet = Self::from_text(&fs::read_to_string(path).with_context(about)?);
        ensure!(
            !fleet.0.is_empty(),
            "{} names no node, expected a name on each line, such as fra1",
            path.display()
        );
        Ok(fleet)
    }

    pub(super) fn from_text(text: &str) -> Self {
        let name = |line: &str| line.split('#').next().unwrap_or_default().trim().to_owned();
        Self(ordered(text.lines().map(name).filter(|name| !name.is_empty())))
    }

    /// Whether this node may answer.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_empty_lines_are_skipped() {
        let fleet = Fleet::from_text("# PoPs\nfra1\n\n  ams1  # since May\n");
        assert!(fleet.has("fra1") && fleet.has("ams1") && !fleet.has("") && !fleet.has("# PoPs"));
    }

    #[test]
    fn a_file_without_names_is_refused() {
        let error = Fleet::read(Path::new("/dev/null")).unwrap_err().to_string();
        assert_eq!(error, "/dev/null names no node, expected a name on each line, such as fra1");
        let error = Fleet::read(Path::new("/nowhere/fleet")).unwrap_err().to_string();
        assert_eq!(error, "cannot read the node names in /nowhere/fleet");
    }
}
