//! `tests/scenarios/*.txt`: events, and below each the resulting actions, in virtual time.
//!
//! Each file is its own expectation: annotating it again must not change it. `UPDATE_KEPT=1` rewrites the files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::commands::simulate::annotate::annotate;
use crate::config::Config;
use crate::trace::names::Names;
use crate::trace::{Header, Trace};

use crate::logic::kept::difference;

pub(crate) fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn annotated(path: &Path, text: &str) -> String {
    let header = Header::read(text).unwrap();
    let configuration = header.configuration.expect("a scenario carries its configuration");
    let config = Config::parse(path, &configuration, "host").unwrap_or_else(|error| panic!("{error}"));
    let trace =
        Trace::read(text, &Names::new(&config)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    annotate(&config, text, &trace)
}

#[test]
fn every_scenario_comes_out_as_written() {
    let files = scenarios();
    assert!(files.len() > 30, "only {} scenarios found", files.len());
    let mut wrong = vec![];
    for path in &files {
        let text = fs::read_to_string(path).unwrap();
        let actual = annotated(path, &text);
        wrong.extend(difference(path, &actual));
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
