//! Tests the shell completions in `packaging/completions`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli::{dnsherald, stderr, stdout};
use crate::support::helper::{Pop, WITHDRAW, eventually};
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
        // It is called, not offered.
        assert_eq!(
            script.matches("complete-names").count(),
            script.matches("(dnsherald complete-names").count()
        );
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

/// A directory with a `dnsherald` that names two of each kind.
struct Fake(std::path::PathBuf);

impl Fake {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("dnsherald-fake-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("dnsherald");
        fs::write(
            &program,
            "#!/bin/sh\n[ \"$1\" = complete-names ] && printf '%s\\n' \"one-of-$2\" \"two-of-$2\"\n",
        )
        .unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    /// Runs these lines behind the completions of a shell; `None` without that shell.
    fn run(&self, shell: &str, lines: &str) -> Option<String> {
        let script = self.0.join(format!("completions.{shell}"));
        fs::write(&script, completions(shell)).unwrap();
        let path = format!("{}:{}", self.0.display(), std::env::var("PATH").unwrap());
        let lines = lines.replace("SCRIPT", script.to_str().unwrap());
        let output = Command::new(shell).args(["-c", &lines]).env("PATH", path).env("HOME", &self.0).output();
        let Ok(output) = output else {
            lacks(shell);
            return None;
        };
        Some(stdout(&output) + &stderr(&output))
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn bash_offers_the_names_of_the_helper() {
    let fake = Fake::new("bash");
    let offered = |words: &str| {
        let lines = format!(
            "source SCRIPT; COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 )); \
             _dnsherald_with_names dnsherald \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        fake.run("bash", &lines).unwrap()
    };
    assert!(offered("dnsherald drain ''").starts_with("one-of-services\ntwo-of-services\n"));
    assert_eq!(offered("dnsherald hold two"), "two-of-services\n");
    assert_eq!(offered("dnsherald undrain --as one"), "one-of-holders\n");
    assert!(offered("dnsherald backend restart ''").starts_with("one-of-backends\ntwo-of-backends\n"));
    assert!(!offered("dnsherald backend ''").contains("one-of"));
    assert!(!offered("dnsherald drain --re").contains("one-of"));
    assert!(!offered("dnsherald drain --for ''").contains("one-of"));
}

#[test]
fn fish_offers_the_names_of_the_helper() {
    let fake = Fake::new("fish");
    let offered = |line: &str| fake.run("fish", &format!("source SCRIPT; complete -C '{line}'"));
    let Some(services) = offered("dnsherald drain ") else { return };
    assert!(services.contains("one-of-services"), "{services}");
    for (line, name) in
        [("dnsherald undrain --as ", "two-of-holders"), ("dnsherald backend restart ", "two-of-backends")]
    {
        let offered = offered(line).unwrap();
        assert!(offered.contains(name), "{line}: {offered}");
    }
}

#[test]
fn zsh_offers_the_names_of_the_helper() {
    let fake = Fake::new("zsh");
    // Only a terminal has completions; these are the functions that they call.
    let lines = "function compadd { print -rl -- ${(P)argv[-1]} }; function is-at-least { true }; \
                 function compdef { }; function _arguments { }; source SCRIPT; _dnsherald_names holders";
    let Some(names) = fake.run("zsh", lines) else { return };
    assert_eq!(names, "one-of-holders\ntwo-of-holders\n");
    let script = completions("zsh");
    for (place, kind) in
        [("'::service -- ", "services"), ("--as=[", "holders"), ("'::name -- The backend", "backends")]
    {
        let lines: Vec<_> = script.lines().filter(|line| line.contains(place)).collect();
        assert!(
            lines.len() > 1 && lines.iter().all(|line| line.contains(&format!(":_dnsherald_names {kind}'"))),
            "{lines:?}"
        );
    }
}

#[test]
fn completed_names_are_those_of_the_running_helper() {
    let pop = Pop::new();
    assert_eq!(pop.told(&["complete-names", "services"]), "", "without a helper");
    let mut helper = pop.settled();
    pop.told(&["drain", "--as", "alice", "--reason", "new disk"]);
    helper.says(WITHDRAW);
    let named = |kind: &str| {
        // A busy machine may take longer than the completions wait.
        let mut names = String::new();
        let is_named = eventually(|| {
            names = pop.told(&["complete-names", kind]);
            !names.is_empty()
        });
        assert!(is_named, "no {kind}");
        names
    };
    assert_eq!(named("services"), "resolver\n");
    assert_eq!(named("holders"), "alice\n");
    assert_eq!(pop.told(&["complete-names", "backends"]), "");
}
