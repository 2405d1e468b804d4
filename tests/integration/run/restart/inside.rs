//! What an operator, or the command itself, asks for while `backend restart --command` runs.

use super::*;

/// The lock of the restart excludes its own command, too, which learns what to do instead.
#[test]
fn a_command_of_a_restart_that_asks_for_another_one_learns_what_to_do() {
    let mut site = Site::new("exit 1");
    let (script, said) = (site.pop.file("inside.sh"), site.pop.file("said"));
    let asks = |words: &str| format!("{} >> {} 2>&1\n", site.asks(words), said.display());
    fs::write(&script, asks("backend reload") + &asks("backend restart")).unwrap();
    let restart = site.run(&["--command", &format!("sh {}", script.display())]);
    assert_eq!(restart.status.code(), Some(3), "{restart:?}");
    let said = fs::read_to_string(said).unwrap();
    for refused in ["srv: not reloaded, the server was not touched: ", "FAILED: "] {
        let line = said.lines().find(|line| line.contains(refused)).unwrap_or_else(|| panic!("{said}"));
        assert!(line.contains("another restart is under way: process "), "{line}");
        let remedy = " restarts srv, and runs this command: call the server's own command here, or run `dnsherald backend \
                      restart --reload` in place of `--command`";
        assert!(line.ends_with(remedy), "{line}");
    }
    site.helper.says(WITHDRAW);
}
