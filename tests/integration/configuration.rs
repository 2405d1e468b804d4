//! The corpus of configurations: `tests/config/good` must be accepted, `tests/config/bad` refused with the errors
//! beside each file. `UPDATE_KEPT=1` rewrites the errors. All shipped configurations must be accepted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dnsherald::config::Config;

use crate::support::binary;
use crate::support::kept::difference;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(!files.is_empty(), "no configuration in {folder}");
    files
}

fn refusal(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).unwrap();
    let name = Path::new(path.file_name().unwrap());
    Config::parse(name, &text, "host").err().map(|error| format!("{error}\n"))
}

#[test]
fn good_configurations_are_accepted() {
    for path in files("tests/config/good") {
        assert_eq!(refusal(&path), None, "{}", path.display());
    }
}

#[test]
fn bad_configurations_are_refused_at_their_place() {
    let files = files("tests/config/bad");
    assert!(files.len() > 50);
    for path in files {
        let beside = path.with_extension("txt");
        let actual = refusal(&path).unwrap_or_else(|| panic!("{} was accepted", path.display()));
        assert_eq!(difference(&beside, &actual), None);
    }
}

#[test]
fn every_shipped_configuration_is_accepted_by_the_shipped_binary() {
    let mut paths = files("examples");
    for folder in fs::read_dir(root().join("exabgp-configs")).unwrap() {
        let beside = folder.unwrap().path().join("dnsherald.toml");
        paths.extend(beside.exists().then_some(beside));
    }
    assert!(paths.len() > 8);
    paths.extend(files("exabgp-configs"));
    for path in paths {
        let output = Command::new(binary()).arg("check-config").arg(&path).output().unwrap();
        assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_refusal_goes_to_standard_error_with_its_own_exit_code() {
    let path = root().join("tests/config/bad/host-bits.toml");
    let output = Command::new(binary()).arg("check-config").arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("host bits"));
}

#[test]
fn an_error_hides_no_other() {
    let refused = |file: &str| {
        refusal(&root().join(format!("tests/config/bad/errors-of-every-kind{file}.toml"))).unwrap()
    };
    let errors = ["", "-in-a-service", "-in-checks"].map(refused).concat();
    for expected in [
        ":3:8: found the integer `1`",
        "`10.1.0.1` occurs twice",
        "ack-timeout is 1ms",
        "`20x`",
        "`state` is a relative path",
        "`servr`",
        "timeout is 1ms, expected at least 100ms",
        "found no program",
        "quiet-for 1m is longer than max-wait 1s",
        "`192.0.2.1/24` has host bits",
        "there is no backend `unbund`",
        "`192.0.2.54` is outside the prefixes",
        "`10.1.0.9` is not in exabgp.neighbors",
        "med-increase adds to the med",
        "unknown key `path-information`",
        "unknown-after is 1ms",
        "`off` is a relative path",
        "the absolute path of a program",
        "adopt-max-age means something only",
        "sentinel belongs to the checks of a role",
        "half-life is 0s",
        "reuse 5000 is not below suppress 1000",
        "[[service.check]] has no `name`",
        "interval is 0s",
        "empty command",
        "timeout 2s is longer than the interval 1s",
        "fast-interval 3s is longer than the interval 1s",
        "`dns` and `process` in one check",
        "cannot be probed",
        "quic",
        "SOMETIMES",
        "no query",
        "`unbound` is not a service unit",
        "`run/unbound.pid` is a relative path",
        "`o n e` is not a valid name of a service",
        "lists no IPv6 address",
        "`a/b` is not a valid name of a check",
        "has nothing to probe",
        "expected a whole number from 1 on",
    ] {
        assert!(errors.contains(expected), "`{expected}` is missing in\n{errors}");
    }
}
