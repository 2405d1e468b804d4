//! The process: its exit, its inherited state, and two helpers at the same time.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use dnsherald::responder::Fault;

use crate::support::binary;
use crate::support::helper::{
    ANNOUNCE, Helper, Parent, Plan, Pop, WITHDRAW, announce, answer_of, eventually, ideal, mode,
    once_greeted, silent, withdraw, without_acks,
};

/// Signals that end a process by default but mean neither a crash nor a stop.
const STRAYS: [&str; 13] = [
    "USR1", "USR2", "ALRM", "VTALRM", "PROF", "16", "XCPU", "XFSZ", "IO", "PWR", "RTMIN", "RTMIN+15", "RTMAX",
];

/// What the log says about commands that stay in the helper.
const NOT_READ: &str = " did not reach ExaBGP, which has not read them within 500ms";

/// A helper that has announced and got its answer.
fn announced(pop: &Pop) -> Helper {
    let helper = pop.announced();
    pop.remembers("\"acknowledged\": \"up\"");
    helper
}

#[test]
fn exits_when_its_input_ends() {
    let pop = Pop::new();
    let mut helper = announced(&pop);
    helper.hears_the_end();
    helper.exits_well();
    helper.has_said_no_more();
}

#[test]
fn exits_when_its_output_is_closed() {
    let pop = Pop::with(Plan { exabgp: "ack-timeout = \"100ms\"", ..Plan::default() });
    let leaves: Parent = Box::new(|line| (!line.contains("route")).then(|| answer_of("5.0.15", line)));
    let mut helper = pop.helper(leaves);
    helper.opens();
    helper.says(ANNOUNCE);
    helper.exits_well();
    helper.logs("ExaBGP has exited");
}

#[test]
fn withdraws_and_exits_on_a_signal() {
    let pop = Pop::new();
    for signal in ["TERM", "INT", "HUP", "QUIT"] {
        let mut helper = announced(&pop);
        // systemd signals the whole group, and ExaBGP its helpers again.
        helper.is_sent(signal);
        helper.is_sent(signal);
        helper.says(WITHDRAW);
        helper.exits_well();
        helper.has_said_no_more();
    }
}

/// `systemctl kill -s USR1 exabgp` reaches the whole cgroup.
#[test]
fn logs_and_ignores_other_signals() {
    let pop = Pop::new();
    let mut helper = announced(&pop);
    for signal in STRAYS {
        helper.is_sent(signal);
    }
    for signal in ["SIGUSR1", "SIGXCPU", "SIGSTKFLT", "SIGRTMIN+0", "SIGRTMIN+30"] {
        helper.logs(&format!("ignored signal {signal}: SIGTERM"));
    }
    helper.is_sent("USR1");
    helper.has_said_no_more();
    pop.server.becomes(Fault::Closed);
    helper.says(WITHDRAW);
    helper.is_sent("TERM");
    helper.exits_well();
    assert_eq!(helper.log().matches("ignored signal SIGUSR1:").count(), 1, "{}", helper.log());
}

/// Before there is a configuration, and during the delay after a bad command line.
#[test]
fn ignores_other_signals_while_waiting() {
    let pop = Pop::new();
    let mut helper = pop.helper_with(&["--nonsense"], silent());
    helper.logs("--nonsense");
    helper.is_sent("USR1");
    helper.logs("ignored signal SIGUSR1");
    assert!(helper.is_alive());
    helper.is_sent("TERM");
    assert_eq!(helper.exits().code(), Some(2));
}

/// A check may wait for a signal itself, and would inherit an ignored one.
#[test]
fn children_have_default_signal_handlers() {
    let hook =
        "on-change = [\"/bin/sh\", \"-c\", \"grep -E '^Sig(Ign|Blk)' /proc/self/status > FOLDER/signals\"]";
    let pop = Pop::with(Plan { service: hook, ..Plan::default() });
    let _helper = announced(&pop);
    let signals = || fs::read_to_string(pop.file("signals")).unwrap_or_default();
    assert!(eventually(|| signals().lines().count() == 2), "{}", signals());
    for line in signals().lines() {
        let mask = line.split_whitespace().nth(1).unwrap();
        // The C library uses 32 and 33 itself.
        assert_eq!(u64::from_str_radix(mask, 16).unwrap() & !(0b11 << 31), 0, "{line}");
    }
}

#[test]
fn healthcheck_ignores_other_signals() {
    let words = ["healthcheck", "--ip", "192.0.2.53/32", "--command", "true", "--no-ack", "-i", "1"];
    let mut command = Command::new(binary());
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut helper = command.spawn().unwrap();
    let pid = helper.id();
    let send = |signal: &str| {
        let kill = format!("kill -s {signal} {pid}");
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
    };
    let mut said = BufReader::new(helper.stdout.take().unwrap()).lines();
    let came = said.by_ref().find(|line| line.as_ref().unwrap().contains("announce route"));
    assert!(came.is_some());
    STRAYS.iter().for_each(|signal| send(signal));
    let mut log = BufReader::new(helper.stderr.take().unwrap()).lines();
    assert!(log.by_ref().any(|line| line.unwrap().contains("ignored signal SIGUSR1")));
    send("QUIT");
    let last = said.last().unwrap().unwrap();
    assert!(last.contains("withdraw route 192.0.2.53/32"), "{last}");
    assert!(helper.wait().unwrap().success());
}

/// The scan of the disable-file, and no check, decides.
#[test]
fn healthcheck_ends_after_its_only_statement_if_a_disable_file_decides() {
    let pop = Pop::new();
    let disable = pop.file("disable");
    let options =
        ["--interval", "0", "--fast-interval", "0.05", "--rise", "100000", "--command", "true", "--no-ack"];
    let disabled = ["--next-hop", "127.0.0.1", "--disable", disable.to_str().unwrap()];
    let mut helper = pop.healthcheck(&[&options[..], &disabled].concat(), without_acks("5.0.15"));
    helper.opens();
    helper.logs("using dialect");
    fs::write(&disable, "").unwrap();
    assert!(helper.next().contains("announce route 192.0.2.53/32 next-hop 127.0.0.1 med 500"));
    helper.exits_well();
    helper.has_said_no_more();
}

#[test]
fn does_not_wait_for_answers_on_a_signal() {
    let pop = Pop::with(Plan { prefixes: 20, ..Plan::default() });
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..20).map(announce));
    pop.remembers("\"acknowledged\": \"up\"");
    let mut unanswered = pop.helper(once_greeted("5.0.15"));
    unanswered.opens();
    unanswered.says(announce(0));
    for helper in [&mut helper, &mut unanswered] {
        helper.is_sent("TERM");
    }
    helper.says_all((0..20).map(withdraw));
    // It knows the announcements of the other.
    unanswered.says_all((0..20).map(withdraw));
    for mut helper in [helper, unanswered] {
        helper.exits_well();
        helper.has_said_no_more();
    }
}

/// More than fit into a pipe.
const MANY: usize = 2000;

/// A helper that has announced [`MANY`] prefixes.
fn announced_many() -> (Pop, Helper) {
    let pop = Pop::with(Plan { prefixes: MANY, ..Plan::default() });
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..MANY).map(announce));
    (pop, helper)
}

#[test]
fn withdraws_that_do_not_fit_into_the_pipe_are_written_before_the_exit() {
    let (_pop, mut helper) = announced_many();
    helper.is_sent("TERM");
    helper.exits_well();
    let withdrawn = || helper.said().iter().filter(|line| line.contains(" withdraw route ")).count();
    // On a machine that does not let the reader run, the log says what is missing.
    let is_named = || helper.log().contains(NOT_READ);
    assert!(withdrawn() == MANY || is_named(), "{} of {MANY}", withdrawn());
}

#[test]
fn names_the_commands_that_an_exabgp_that_does_not_read_has_not_got() {
    let (_pop, mut helper) = announced_many();
    helper.is_ignored();
    helper.is_sent("TERM");
    helper.exits_well();
    helper.logs(NOT_READ);
}

#[test]
fn exits_on_a_signal_before_any_command() {
    let pop = Pop::new();
    let mut helper = pop.helper(silent());
    helper.says("# dnsherald");
    helper.is_sent("TERM");
    helper.exits_well();
}

#[test]
fn works_and_exits_with_a_hanging_disk() {
    let pop = Pop::new();
    let mut helper = announced(&pop);
    helper.hangs_in("state");
    fs::remove_file(pop.state_file()).unwrap();
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
    pop.server.becomes(Fault::None);
    helper.says(ANNOUNCE);
    helper.is_sent("TERM");
    helper.says(WITHDRAW);
    helper.exits_well();
    assert!(!pop.state_file().exists(), "the disk did hang");
    helper.logs("the state is not on disk: the disk of");
}

/// With the umask of ExaBGP, new directories would be inaccessible.
#[test]
fn creates_accessible_files_with_the_umask_of_exabgp() {
    let pop = Pop::with(Plan { state: "deep/state", ..Plan::default() });
    let mut helper = pop.helper_after("umask 0137", ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.remembers("\"acknowledged\": \"up\"");
    let modes = [pop.file("deep"), pop.file("deep/state"), pop.state_file()].map(|path| mode(&path));
    assert_eq!(modes, ["750", "750", "640"]);
}

/// A control program, a check or a hook must be able to use its own directories.
#[test]
fn children_create_accessible_files_with_the_umask_of_exabgp() {
    let pop = Pop::new();
    let configuration = fs::read_to_string(pop.configuration_file()).unwrap();
    let made = pop.file("made");
    let hook = format!("[[service]]\non-change = [\"/bin/mkdir\", {made:?}]");
    pop.is_configured(&configuration.replace("[[service]]", &hook));
    let mut helper = pop.helper_after("umask 0137", ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    assert!(eventually(|| made.exists()), "{}", helper.log());
    assert_eq!(mode(&made), "740", "the others get no more than before");
}

/// Sets a flag at the end of a block.
struct Sets<'a>(&'a AtomicBool);

impl Drop for Sets<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// On SIGUSR2 ExaBGP starts the successor while the predecessor still runs.
#[test]
fn two_helpers_do_not_disturb_each_other() {
    let pop = Pop::new();
    let (mut old, mut new) = (announced(&pop), announced(&pop));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Also if an assertion fails, because the thread waits for it.
        let _over = Sets(&over);
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let text = fs::read_to_string(pop.state_file()).unwrap();
                let whole = serde_json::from_str::<serde_json::Value>(&text);
                assert!(whole.is_ok(), "torn: {text}");
            }
        });
        for _ in 0..2 {
            for (fault, line) in [(Fault::Refuse, WITHDRAW), (Fault::None, ANNOUNCE)] {
                pop.server.becomes(fault);
                old.says(line);
                new.says(line);
            }
        }
    });
    let files = || {
        let files = fs::read_dir(pop.file("state")).unwrap().map(|file| file.unwrap().path());
        // Incidents are named by number.
        let is_other = |file: &PathBuf| file.extension().is_none_or(|extension| extension != "trace");
        files.filter(is_other).collect::<BTreeSet<_>>()
    };
    let beside = |extension| pop.state_file().with_extension(extension);
    let wanted = ["history", "json", "json.before", "lock", "last-good.toml"].map(beside).into();
    assert!(eventually(|| files() == wanted), "left behind: {:?}", files());
    old.is_sent("TERM");
    old.exits_well();
    pop.server.becomes(Fault::Refuse);
    new.says(WITHDRAW);
    pop.remembers("\"acknowledged\": \"down\"");
    new.is_sent("TERM");
    new.exits_well();
    for helper in [old, new] {
        assert!(!helper.log().contains("cannot"), "{}", helper.log());
    }
}
