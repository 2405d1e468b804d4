//! Broken surroundings: the log, the command line, the configuration, the disk.

use std::fs;
use std::process::Command;

use crate::support::helper::{
    ANNOUNCE, Helper, MODEST, Plan, Pop, WITHDRAW, announce, eventually, ideal, silent, withdraw,
};

/// A configuration with an error larger than a pipe, which `mark` distinguishes from others.
fn too_long_to_show(pop: &Pop, mark: char) -> String {
    pop.configuration().replace("rise = 2", &format!("rise = 0 # {}", mark.to_string().repeat(100_000)))
}

#[test]
fn works_with_a_log_that_is_not_read() {
    let pop = Pop::new();
    pop.is_configured(&too_long_to_show(&pop, 'a'));
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(WITHDRAW);
    helper.is_logged_in_vain();
    // It reads the file once a second and logs each error.
    for mark in ['b', 'c', 'd'] {
        let text = too_long_to_show(&pop, mark);
        let before = helper.bytes_read();
        pop.is_configured(&text);
        // It may still be logging the previous error: after two errors, one is this.
        let has_looked = || helper.bytes_read() - before > 2 * text.len() as u64;
        assert!(eventually(has_looked), "it no longer looks at its configuration");
    }
    pop.is_configured(&pop.configuration());
    helper.comes_to_say(ANNOUNCE);
    helper.is_sent("TERM");
    helper.says(WITHDRAW);
    helper.exits_well();
}

/// Reading a pipe without a writer blocks, like a hanging disk.
#[test]
fn refuses_a_pipe_as_configuration() {
    let pop = Pop::new();
    let pipe = |name: &str| {
        let pipe = pop.file(name);
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        fs::rename(pipe, pop.configuration_file()).unwrap();
    };
    pipe("first");
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.logs("cannot read the configuration: not a regular file");
    pop.is_configured("[node");
    helper.logs("unclosed");
    pipe("second");
    helper.logs("cannot read the configuration: not a regular file");
    pop.is_configured(&pop.configuration());
    helper.comes_to_say(ANNOUNCE);
}

#[test]
fn exit_on_bad_config_withdraws_first() {
    let pop = Pop::with(Plan { prefixes: 2, ..Plan::default() });
    pop.is_configured(&pop.configuration().replace("rise = 2", "rise = 0"));
    let mut helper = pop.helper_with(&["--exit-on-bad-config"], ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..2).map(withdraw));
    helper.logs("withdrawing 192.0.2.53/32, 198.18.0.1/32, exiting in 15s unless ");
    helper.hears_all(&b"done\n".repeat(40_000));
    assert!(helper.is_alive());
    helper.is_sent("TERM");
    assert_eq!(helper.exits().code(), Some(78));
    assert!(!helper.log().contains("has not turned"), "{}", helper.log());
}

#[test]
fn bad_usage_delays_the_exit() {
    let pop = Pop::new();
    for end in [|helper: &Helper| helper.is_sent("TERM"), |helper: &Helper| helper.hears_the_end()] {
        let mut helper = pop.helper_with(&["--no-such-option"], ideal("5.0.15"));
        helper.logs("unexpected argument '--no-such-option'");
        helper.hears_all(&b"done\n".repeat(40_000));
        assert!(helper.is_alive());
        end(&helper);
        assert_eq!(helper.exits().code(), Some(2));
        helper.has_said_no_more();
    }
}

#[test]
fn finds_prefixes_in_a_file_that_is_not_utf8() {
    let pop = Pop::with(Plan { prefixes: 2, ..Plan::default() });
    let text = pop.configuration();
    fs::write(pop.configuration_file(), [b"# K\xf6ln\n", text.as_bytes()].concat()).unwrap();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..2).map(withdraw));
    helper.logs(":1:4: expected UTF-8, found the byte 0xf6");
}

#[test]
fn keeps_an_existing_recording() {
    let pop = Pop::new();
    let trace = pop.file("run.trace");
    for name in ["run.trace", "run.trace.1", "run.trace.2"] {
        let mut helper = pop.helper_with(&["--record", trace.to_str().unwrap()], ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE);
        helper.logs(&format!("recording to {}\n", pop.file(name).display()));
        helper.is_sent("TERM");
        helper.exits_well();
        assert!(fs::read_to_string(pop.file(name)).unwrap().ends_with(" terminate\n"), "nothing is lost");
    }
}

#[test]
fn a_flood_is_summed_up_and_delays_no_probe() {
    let pop = Pop::new();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    helper.logs("resolver: ANNOUNCED 192.0.2.53/32 med 100 (acknowledged): required checks pass");
    helper.hears_all(&b"what is this?\n".repeat(100_000));
    pop.server.becomes(dnsherald::responder::Fault::Refuse);
    helper.comes_to_say(WITHDRAW);
    helper.has_heard_all();
    helper.is_sent("TERM");
    helper.exits_well();
    let log = helper.log();
    assert!(log.matches("something unexpected").count() < 100, "{log}");
    // At the signal a part of the flood may still be in the pipe.
    let times = |line: &str| {
        let (_, more) = line.split_once("ExaBGP said something unexpected: what is this?: ")?;
        more.split_once(" more lines withheld in the last ")?.0.parse::<usize>().ok()
    };
    assert!(log.lines().find_map(times).is_some_and(|times| times > 90_000), "{log}");
    assert!(log.contains("stop requested"), "the last lines are not lost: {log}");
}

#[test]
fn an_endless_input_needs_no_memory() {
    let pop = Pop::new();
    let mut helper = pop.helper_after("exec </dev/zero", silent());
    helper.comes_to_say(&ANNOUNCE.replace("neighbor * ", ""));
    pop.server.is_asked_again(5);
    assert!(helper.peak_memory() < MODEST, "{} KiB", helper.peak_memory());
    helper.is_sent("TERM");
    helper.exits_well();
}

#[test]
fn warns_once_about_an_inaccessible_disable_file() {
    let pop = Pop::with(Plan { service: "disable-file = \"FOLDER/dnsherald.toml/off\"", ..Plan::default() });
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(announce(0));
    helper.is_sent("TERM");
    helper.exits_well();
    assert_eq!(helper.log().matches("service resolver: cannot look for the disable-file").count(), 1);
}
