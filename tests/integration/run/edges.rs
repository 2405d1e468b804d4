//! Where everything around it is broken: the log, the command line, the configuration, the disk.

use std::fs;
use std::process::Command;

use crate::support::helper::{
    ANNOUNCE, Helper, MODEST, Plan, Pop, WITHDRAW, announce, eventually, ideal, silent, withdraw,
};

/// A configuration with an error that takes more than a pipe to show, and differs from others by `mark`.
fn too_long_to_show(pop: &Pop, mark: char) -> String {
    pop.configuration().replace("rise = 2", &format!("rise = 0 # {}", mark.to_string().repeat(100_000)))
}

#[test]
fn with_a_log_that_nobody_reads_it_withdraws_and_ends() {
    let pop = Pop::new();
    pop.is_configured(&too_long_to_show(&pop, 'a'));
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(WITHDRAW);
    helper.is_logged_in_vain();
    // It looks once a second, and complains of each.
    for mark in ['b', 'c', 'd'] {
        let text = too_long_to_show(&pop, mark);
        let before = helper.bytes_read();
        pop.is_configured(&text);
        // It may be in the middle of the former one: with two of them read, one was this.
        let has_looked = || helper.bytes_read() - before > 2 * text.len() as u64;
        assert!(eventually(has_looked), "it no longer looks at its configuration");
    }
    pop.is_configured(&pop.configuration());
    helper.comes_to_say(ANNOUNCE);
    helper.is_sent("TERM");
    helper.says(WITHDRAW);
    helper.exits_well();
}

/// A pipe that nobody writes to is waited for no longer than a disk that is gone.
#[test]
fn a_configuration_that_becomes_a_pipe_is_refused_until_it_is_a_file_again() {
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
fn where_it_is_to_exit_on_a_bad_configuration_it_withdraws_first() {
    let pop = Pop::with(Plan { prefixes: 2, ..Plan::default() });
    pop.is_configured(&pop.configuration().replace("rise = 2", "rise = 0"));
    let mut helper = pop.helper_with(&["--exit-on-bad-config"], ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..2).map(withdraw));
    helper.logs("withdrawing 2 prefixes, exiting in 15s");
    helper.hears_all(&b"done\n".repeat(40_000));
    assert!(helper.is_alive());
    helper.is_sent("TERM");
    assert_eq!(helper.exits().code(), Some(78));
    assert!(!helper.log().contains("has not turned"), "{}", helper.log());
}

#[test]
fn with_bad_usage_it_waits_and_is_in_nobodys_way() {
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
fn a_configuration_that_is_not_text_does_not_hide_its_prefixes() {
    let pop = Pop::with(Plan { prefixes: 2, ..Plan::default() });
    let text = pop.configuration();
    fs::write(pop.configuration_file(), [b"# K\xf6ln\n", text.as_bytes()].concat()).unwrap();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..2).map(withdraw));
    helper.logs(":1:4: expected UTF-8, found the byte 0xf6");
}

#[test]
fn a_recording_that_is_there_is_kept() {
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
fn a_flood_is_counted_in_the_log_and_delays_no_probe() {
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
    assert!(
        log.contains("exabgp said something unexpected: what is this?: 99999 more times in the last "),
        "{log}"
    );
    assert!(log.contains("told to stop"), "the last lines are not lost: {log}");
}

#[test]
fn an_input_that_is_no_pipe_and_never_ends_takes_no_memory() {
    let pop = Pop::new();
    let mut helper = pop.helper_after("exec </dev/zero", silent());
    helper.comes_to_say(&ANNOUNCE.replace("neighbor * ", ""));
    pop.server.is_asked_again(5);
    assert!(helper.peak_memory() < MODEST, "{} KiB", helper.peak_memory());
    helper.is_sent("TERM");
    helper.exits_well();
}

#[test]
fn a_disable_file_that_cannot_be_looked_for_is_complained_about_once() {
    let pop = Pop::with(Plan { service: "disable-file = \"FOLDER/dnsherald.toml/off\"", ..Plan::default() });
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(announce(0));
    helper.is_sent("TERM");
    helper.exits_well();
    assert_eq!(helper.log().matches("service resolver: cannot look for the disable-file").count(), 1);
}
