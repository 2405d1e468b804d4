//! Tests the shell completions in `packaging/completions`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli::{dnsherald, stderr, stdout};
use crate::support::kept::difference;
use crate::support::lacks;

fn completions(shell: &str) -> String {
    let output = dnsherald(&["completions", shell]);
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn completions_contain_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = completions(shell);
        for word in ["check-config", "healthcheck", "until-exit", "once-healthy", "undampen"] {
            assert!(script.contains(word), "{word} is missing for {shell}");
        }
    }
    assert_eq!(dnsherald(&["completions", "csh"]).status.code(), Some(2));
}

#[test]
fn the_packaged_completions_are_those_of_the_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/completions");
    for (shell, file) in [("bash", "dnsherald.bash"), ("zsh", "_dnsherald"), ("fish", "dnsherald.fish")] {
        assert_eq!(difference(&folder.join(file), &completions(shell)), None);
    }
}

#[test]
fn installed_shells_accept_their_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let started = Command::new(shell).arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let Ok(mut child) = started else {
            lacks(shell);
            continue;
        };
        child.stdin.take().unwrap().write_all(completions(shell).as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {}", stderr(&output));
    }
}
