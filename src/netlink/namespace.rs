//! Runs a test in its own network namespace: the test binary runs again inside, with that test only.

use std::env;
use std::process::Command;

/// Set inside.
pub(super) const INSIDE: &str = "DNSHERALD_TEST_INSIDE";

/// Runs `body` in a network namespace, as its root, after the shell commands of `setup`. `name` is the path of the
/// test. If this user may not create namespaces, the test is skipped, which fails the full run (`DNSHERALD_FULL=1`).
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
        return skip(name, "this user may not create network namespaces");
    }
    let script = format!("set -e\nip link set lo up\n{setup}\nexec \"$0\" --exact {name} --nocapture");
    let mut command = unshare();
    again(name, command.args(["sh", "-c", &script]).arg(env::current_exe().unwrap()));
}

/// Skips the test `name`, which fails the full run.
pub(super) fn skip(name: &str, why: &str) {
    let is_full = env::var_os("DNSHERALD_FULL").is_some_and(|value| value == "1");
    assert!(!is_full, "{name}: {why}, and the full run skips no test");
}

/// Runs this test alone in another process.
pub(super) fn again(name: &str, command: &mut Command) {
    let output = command.env(INSIDE, "1").output().unwrap();
    let output_text = [output.stdout, output.stderr].concat();
    let output_text = String::from_utf8_lossy(&output_text);
    assert!(output.status.success() && output_text.contains("1 passed"), "{name}: {output_text}");
}

/// Runs a shell command inside the namespace.
pub(crate) fn shell(command: &str) {
    assert!(Command::new("sh").args(["-ec", command]).status().unwrap().success(), "{command}");
}
