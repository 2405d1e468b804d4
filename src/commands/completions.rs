//! `completions`: prints shell completions. Those of commands and options are generated; names of services, holders and
//! backends come from the running helper, by `complete-names`.

use std::fmt::Write as _;
use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};

use crate::cli::{Cli, CompletedShell};
use crate::exit::Exit;

const BASH: &str = include_str!("completions/names.bash");
const ZSH: &str = include_str!("completions/names.zsh");

/// The commands with a service, those of them with a holder, and those of `backend` with a backend.
const WITH_SERVICE: [&str; 7] = ["drain", "undrain", "hold", "unhold", "undampen", "explain", "history"];
const WITH_HOLDER: [&str; 4] = ["drain", "undrain", "hold", "unhold"];
const WITH_BACKEND: [&str; 4] = ["status", "check", "reload", "restart"];

/// Prints the script for this shell.
///
/// # Errors
/// Returns an error if the output is closed.
pub(crate) fn run(shell: CompletedShell) -> anyhow::Result<Exit> {
    let generated = |shell: Shell| {
        let mut script = vec![];
        generate(shell, &mut shown(), env!("CARGO_PKG_NAME"), &mut script);
        String::from_utf8_lossy(&script).into_owned()
    };
    let script = match shell {
        CompletedShell::Bash => generated(Shell::Bash) + BASH,
        CompletedShell::Zsh => zsh(&generated(Shell::Zsh)),
        CompletedShell::Fish => generated(Shell::Fish) + &fish(),
    };
    io::stdout().write_all(script.as_bytes())?;
    Ok(Exit::Success)
}

/// The command line without hidden commands, which the generator does not leave out.
fn shown() -> Command {
    let whole = Cli::command();
    let shown = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    Command::new(env!("CARGO_PKG_NAME"))
        .version(env!("CARGO_PKG_VERSION"))
        .subcommands(shown.collect::<Vec<_>>())
}

/// Replaces what the generated script does for names, which is nothing.
fn zsh(generated: &str) -> String {
    let mut script = String::with_capacity(generated.len() + ZSH.len());
    for (number, line) in generated.lines().enumerate() {
        let kind = match line {
            _ if line.starts_with("'::service -- ") || line.starts_with("':service -- ") => Some("services"),
            _ if line.starts_with("'::name -- The backend") || line.starts_with("':name -- The backend") => {
                Some("backends")
            }
            _ if line.contains("--as=[") => Some("holders"),
            _ => None,
        };
        let action = kind.map(|kind| line.replace(":_default'", &format!(":_dnsherald_names {kind}'")));
        script.push_str(action.as_deref().unwrap_or(line));
        script.push('\n');
        // Behind `#compdef`, which must come first.
        if number == 0 {
            script.push_str(ZSH);
        }
    }
    script
}

/// Completions beside the generated ones.
fn fish() -> String {
    let names = |kind: &str| format!("\"(dnsherald complete-names {kind} 2>/dev/null)\"");
    let mut script = "# Names, from the running helper.\n".to_owned();
    // Writing to a string cannot fail.
    for command in WITH_SERVICE {
        let _ = writeln!(
            script,
            "complete -c dnsherald -n \"__fish_dnsherald_using_subcommand {command}\" -f -a {}",
            names("services")
        );
    }
    for command in WITH_HOLDER {
        let _ = writeln!(
            script,
            "complete -c dnsherald -n \"__fish_dnsherald_using_subcommand {command}\" -l as -x -a {}",
            names("holders")
        );
    }
    let _ = writeln!(
        script,
        "complete -c dnsherald -n \"__fish_dnsherald_using_subcommand backend; and __fish_seen_subcommand_from {}\" \
         -f -a {}",
        WITH_BACKEND.join(" "),
        names("backends")
    );
    script
}
