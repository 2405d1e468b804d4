//! A network namespace for a test: the test binary runs once more, inside, with that one test.

use std::env;
use std::process::Command;

use super::lacks;

/// Set inside.
const INSIDE: &str = "DNSHERALD_TEST_INSIDE";

/// Runs `body` in a network namespace of its own, as its root, after the shell commands of `setup`. `name` is the path
/// of the test.
#[track_caller]
pub(crate) fn in_namespace(name: &str, setup: &str, body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        return body();
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--net"]);
        command
    };
    if !unshare().arg("true").status().is_ok_and(|status| status.success()) {
        return lacks("network namespace for this user");
    }
    let script = format!("set -e\nip link set lo up\n{setup}\nexec \"$0\" --exact {name} --nocapture");
    let test = env::current_exe().unwrap();
    let output = unshare().args(["sh", "-c", &script]).arg(test).env(INSIDE, "1").output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

/// Runs a command of a shell, inside.
#[track_caller]
pub(crate) fn shell(command: &str) {
    assert!(Command::new("sh").args(["-ec", command]).status().unwrap().success(), "{command}");
}
