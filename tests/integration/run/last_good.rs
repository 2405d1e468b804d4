//! A start with a file that exists but cannot be used: the last good configuration stays in force.

use std::fs;
use std::os::unix::net::UnixDatagram;

use dnsherald::responder::Fault;

use crate::support::helper::{
    ANNOUNCE, DEADLINE, Helper, Parent, Plan, Pop, WITHDRAW, announce, answer_of, ideal, withdraw,
};

const TYPO: (&str, &str) = ("rise = 2", "rize = 2");

/// A helper has announced, its configuration was stored, and it was killed.
fn one_dies_suddenly_while_announced(pop: &Pop) {
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.keeps_its_configuration();
    pop.remembers("\"acknowledged\": \"up\"");
    helper.dies_suddenly();
}

fn broken(pop: &Pop) -> String {
    let (right, wrong) = TYPO;
    pop.configuration().replace(right, wrong)
}

/// The next helper continues as if the file were valid.
#[track_caller]
fn goes_on(pop: &Pop) -> Helper {
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    helper.logs("running the LAST GOOD CONFIGURATION");
    helper
}

/// The next helper withdraws and logs why it does not use the last good configuration.
#[track_caller]
fn withdraws(pop: &Pop, options: &[&str], why: &str) -> Helper {
    let mut helper = pop.helper_with(options, ideal("5.0.15"));
    helper.opens();
    helper.says(WITHDRAW);
    helper.logs(why);
    helper
}

#[test]
fn a_typo_at_start_moves_no_route_and_is_reported() {
    let pop = Pop::new();
    one_dies_suddenly_while_announced(&pop);
    pop.is_configured(&broken(&pop));
    let path = pop.file("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut helper = pop.helper_after(&format!("export NOTIFY_SOCKET='{}'", path.display()), ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    helper.logs("unknown key `rize`");
    helper.logs("running the LAST GOOD CONFIGURATION");
    helper.logs(&format!("1 check from {}", pop.last_good().file().display()));
    assert!(pop.told(&["history"]).contains(&format!("1 service from {}", pop.last_good().file().display())));
    let mut bytes = [0; 4096];
    let length = systemd.recv(&mut bytes).unwrap();
    let told = String::from_utf8_lossy(&bytes[..length]).into_owned();
    assert!(told.contains("STATUS=dnsherald: CONFIGURATION ERROR, the LAST GOOD"), "{told}");
    let status = pop.status();
    assert!(status.trouble.is_some_and(|trouble| trouble.contains("unknown key `rize`")));
    assert_eq!(status.last_good.as_deref(), Some(pop.last_good().file()));
    let shown = pop.told(&["status"]);
    assert!(shown.contains("LAST GOOD CONFIGURATION"), "{shown}");

    // The unchanged file replaces it and moves no route.
    pop.is_configured(&pop.configuration());
    helper.logs("is valid now and replaces the last good one");
    helper.logs("configuration reloaded: 1 service unchanged");
    pop.comes_to_be(|status| status.trouble.is_none() && status.last_good.is_none());
    pop.server.is_asked_again(3);
    helper.has_said_no_more();
}

/// The helper runs with what it has read, and a restart would not.
#[test]
fn a_file_that_a_restart_could_not_use_is_a_warning() {
    let pop = Pop::new();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.keeps_its_configuration();
    pop.comes_to_be(|status| status.services[0].settled());
    assert_eq!(pop.alert().0, Some(0), "{:?}", pop.alert());
    pop.is_configured(&broken(&pop));
    assert_eq!(pop.command(&["reload"]).status.code(), Some(1));
    let warns = |then: &str, why: &str| {
        let (code, line) = pop.alert();
        assert!(
            line.starts_with(&format!("DNSHERALD WARNING - a restart of the helper would {then}: ")),
            "{line}"
        );
        assert!(code == Some(1) && line.contains(why), "{line}");
    };
    warns("run the last good configuration", "unknown key `rize`");
    assert_eq!(pop.command(&["status", "--exit-code"]).status.code(), Some(1));
    fs::remove_file(pop.last_good().file()).unwrap();
    warns("withdraw every prefix", "unknown key `rize`");
    fs::remove_file(pop.configuration_file()).unwrap();
    warns("withdraw every prefix", "cannot read the configuration");
    let note = String::from_utf8(pop.command(&["explain"]).stderr).unwrap();
    assert!(note.contains("; a restart of the helper would withdraw every prefix; "), "{note}");
    let said = pop.told(&["explain"]).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("then `dnsherald reload` (`dnsherald check-config ") && !said.contains("nothing to do"),
        "{said}"
    );
    pop.is_configured(&pop.configuration());
    assert_eq!(pop.alert().0, Some(0), "{:?}", pop.alert());
    helper.has_said_no_more();
}

/// The disk refuses the configuration that has removed a prefix, and later takes it.
#[test]
fn a_configuration_that_could_not_be_stored_is_stored_later() {
    let pop = Pop::with(Plan { prefixes: 2, ..Plan::default() });
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..2).map(announce));
    pop.keeps_its_configuration();
    let file = pop.last_good().file().to_owned();
    let in_the_way = file.with_extension(format!("{}.new", pop.status().pid));
    fs::create_dir(&in_the_way).unwrap();
    let whole = pop.configuration();
    let reduced = whole.replace(", \"198.18.0.1/32\"", "");
    pop.is_configured(&reduced);
    assert!(pop.command(&["reload"]).status.success());
    helper.says(withdraw(1));
    let then = format!("a start with a broken configuration file runs the older copy in {}", file.display());
    helper.logs(&format!("; until it succeeds, {then}; retrying"));
    pop.comes_to_be(|status| status.services[0].settled());
    let plugin = || String::from_utf8(pop.command(&["status", "--plugin"]).stdout).unwrap();
    assert!(
        plugin().starts_with("DNSHERALD WARNING - cannot store the last good configuration in "),
        "{}",
        plugin()
    );
    let table = pop.told(&["status"]).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(table.contains("NOT ON DISK: cannot store the last good ") && table.contains(&then), "{table}");
    fs::remove_dir(in_the_way).unwrap();
    pop.keeps_its_configuration();
    helper.logs("stored the last good configuration in ");
    assert_eq!(helper.log().matches("cannot store the last good").count(), 1, "{}", helper.log());
    let (right, wrong) = TYPO;
    pop.is_configured(&whole.replace(right, wrong));
    assert!(
        pop.command(&["status", "--plugin"])
            .stdout
            .starts_with(b"DNSHERALD WARNING - a restart of the helper")
    );
    helper.dies_suddenly();
    goes_on(&pop).has_said_no_more();
}

#[test]
fn an_unreadable_file_moves_no_route() {
    let pop = Pop::new();
    one_dies_suddenly_while_announced(&pop);
    let file = pop.configuration_file();
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    // A directory does not name the state directory.
    let state = pop.file("state");
    let mut helper = pop.helper_with(&["--state", state.to_str().unwrap()], ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    helper.logs("not a regular file");
}

#[test]
fn a_missing_file_withdraws() {
    let pop = Pop::new();
    one_dies_suddenly_while_announced(&pop);
    fs::remove_file(pop.configuration_file()).unwrap();
    let state = pop.file("state");
    let mut helper = withdraws(&pop, &["--state", state.to_str().unwrap()], "cannot read the configuration");
    helper.logs("without a configuration: withdrawing 192.0.2.53/32, waiting until ");
    let stated = "(no configuration): WITHDRAWN 192.0.2.53/32 (acknowledged): no usable configuration; its known prefixes \
                  are withdrawn until there is one";
    helper.logs(stated);
    assert!(!helper.log().contains("takes over"), "{}", helper.log());
    helper.receives("neighbor 10.0.0.1 up");
    helper.logs("session with 10.0.0.1 is up");
    helper.says(WITHDRAW);
    // The file that returns names the sockets of this helper.
    pop.is_configured(&pop.configuration());
    helper.logs("is valid now: starting");
    helper.opens();
    helper.says(ANNOUNCE);
    // ExaBGP reports a session only when it changes.
    let table = pop.told(&["status"]);
    assert!(table.contains("  BGP 10.0.0.1            up since "), "{table}");
    let history = pop.told(&["history"]);
    let (before, since) =
        history.split_once("did not end in order").expect("the history tells how the helper before ended");
    assert!(!before.contains("WITHDRAWN") && !since.contains("did not end in order"), "{history}");
    let told = [
        "restore it, or name another with -c FILE; withdrawing 192.0.2.53/32, waiting until ",
        stated,
        "1 service from ",
        "starting -> up",
    ];
    let places = told.map(|text| since.find(text).unwrap_or_else(|| panic!("{text}: {history}")));
    assert!(places.is_sorted(), "{history}");
}

#[test]
fn exit_on_bad_config_uses_no_other_configuration() {
    let pop = Pop::new();
    one_dies_suddenly_while_announced(&pop);
    pop.is_configured(&broken(&pop));
    withdraws(&pop, &["--exit-on-bad-config"], "without a configuration: withdrawing 192.0.2.53/32, exiting");
}

#[test]
fn a_copy_on_another_host_is_not_used() {
    let pop = Pop::new();
    one_dies_suddenly_while_announced(&pop);
    pop.is_configured(&broken(&pop));
    let file = pop.last_good().file().to_owned();
    let kept = fs::read_to_string(&file).unwrap();
    let machine_id = fs::read_to_string("/etc/machine-id").unwrap();
    fs::write(&file, kept.replace(machine_id.trim(), &"0".repeat(32))).unwrap();
    withdraws(&pop, &[], "it comes from another machine");
}

#[test]
fn stores_a_reloaded_configuration_after_its_verdicts() {
    let pop = Pop::new();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.keeps_its_configuration();
    let second = pop.configuration().replace("med = 100", "med = 200");
    pop.is_configured(&second);
    pop.told(&["reload"]);
    helper.says(ANNOUNCE.replace("100", "200"));
    pop.keeps_its_configuration();
    // A configuration without a verdict is not stored: the server is silent, and the timeout is an hour.
    pop.server.becomes(Fault::Silent);
    pop.is_configured(&second.replace("med = 200", "med = 300").replace("\"100ms\"", "\"1h\""));
    pop.told(&["reload"]);
    pop.comes_to_be(|status| status.services[0].checks[0].state == "unknown");
    helper.dies_suddenly();
    pop.server.becomes(Fault::None);
    pop.is_configured(&broken(&pop));
    let mut successor = pop.helper(ideal("5.0.15"));
    successor.opens();
    successor.says(ANNOUNCE.replace("100", "200"));
}

#[test]
fn a_corrected_file_is_reloaded() {
    let pop = Pop::with(Plan { prefixes: 2, ..Plan::default() });
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..2).map(announce));
    pop.keeps_its_configuration();
    helper.dies_suddenly();
    pop.is_configured(&broken(&pop));
    let mut successor = pop.helper(ideal("5.0.15"));
    successor.opens();
    successor.says_all((0..2).map(announce));
    pop.is_configured(&pop.configuration().replace(", \"198.18.0.1/32\"", ""));
    successor.says(withdraw(1));
    pop.keeps_its_configuration();
}

#[test]
fn drains_continue_under_the_last_good_configuration() {
    let pop = Pop::new();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.keeps_its_configuration();
    pop.told(&["drain", "--reason", "new disk", "--wait"]);
    helper.dies_suddenly();
    pop.is_configured(&broken(&pop));
    let mut successor = pop.helper(ideal("5.0.15"));
    successor.opens();
    successor.says(WITHDRAW);
    pop.told(&["undrain"]);
    successor.says(ANNOUNCE);
    successor.dies_suddenly();
    goes_on(&pop);
}

#[test]
fn a_drain_waits_for_the_server_of_the_last_good_configuration() {
    let pop = Pop::with(Plan { service: "backend = \"srv\"", ..Plan::default() });
    let good = format!(
        "{}\n[backend.srv]\nkind = \"generic\"\nsettle = \"0s\"\nrestart = [\"true\"]\n",
        pop.configuration()
    );
    pop.is_configured(&good);
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.keeps_its_configuration();
    pop.is_configured(&good.replace(TYPO.0, TYPO.1));
    let drain = pop.command(&["drain", "--for", "1h", "--reason", "disk", "--wait"]);
    let (said, errors) = (String::from_utf8_lossy(&drain.stdout), String::from_utf8_lossy(&drain.stderr));
    assert!(drain.status.success(), "{errors}");
    assert!(said.contains("\nsrv: waited "), "{said}");
    assert!(errors.contains("using the last good configuration in "), "{errors}");
}

/// The routes of one prefix to several neighbors are told apart, also by a helper that knows them from the state alone.
#[test]
fn a_missing_file_withdraws_from_each_neighbor() {
    let pop = Pop::new();
    let entries =
        ["10.0.0.1", "10.0.0.2"].map(|to| format!("{{ neighbors = [\"{to}\"], up = {{ med = 100 }} }}"));
    let announce = format!("announce = [{}]", entries.join(", "));
    pop.is_configured(&pop.configuration().replace("up = { med = 100 }", &announce));
    let to = |line: &str| ["10.0.0.1", "10.0.0.2"].map(|neighbor| line.replace('*', neighbor));
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says_all(to(ANNOUNCE));
    pop.remembers("\"acknowledged\": \"up\"");
    helper.dies_suddenly();
    fs::remove_file(pop.configuration_file()).unwrap();
    let state = pop.file("state");
    // ExaBGP refuses the withdraws, so its neighbors may still have the routes.
    let parent: Parent = Box::new(|line| {
        let refuses = line.contains("withdraw");
        Some(if refuses { "error\n".to_owned() } else { answer_of("5.0.15", line) })
    });
    let mut next = pop.helper_with(&["--state", state.to_str().unwrap()], parent);
    next.opens();
    next.says_all(to(WITHDRAW));
    next.logs("refused `neighbor 10.0.0.2 withdraw route 192.0.2.53/32`");
    next.is_sent("TERM");
    next.logs("stop requested: withdrawing 192.0.2.53/32");
    next.exits();
    // The same start again, and now the history has the withdraw.
    let mut last = pop.helper_with(&["--state", state.to_str().unwrap()], ideal("5.0.15"));
    last.opens();
    last.says_all(to(WITHDRAW));
    last.logs("(no configuration): WITHDRAWN 192.0.2.53/32 to 10.0.0.1");
    last.is_sent("TERM");
    last.exits_well();
    let history = fs::read_to_string(pop.state_file().with_extension("history")).unwrap();
    assert!(history.contains("(no configuration): WITHDRAWN 192.0.2.53/32 to 10.0.0.1"), "{history}");
}

/// With `--exit-on-bad-config` ExaBGP starts one helper after another.
#[test]
fn what_a_helper_without_a_configuration_withdrew_is_told_once_and_not_adopted() {
    let pop = Pop::with(Plan { service: "start = \"adopt\"", ..Plan::default() });
    one_dies_suddenly_while_announced(&pop);
    pop.is_configured(&broken(&pop));
    let lost = "did not end in order";
    for is_first in [true, false] {
        let mut helper = withdraws(&pop, &["--exit-on-bad-config"], "WITHDRAWN 192.0.2.53/32 (acknowledged)");
        assert_eq!(helper.log().contains(lost), is_first, "{}", helper.log());
        helper.is_sent("TERM");
        assert_eq!(helper.exits().code(), Some(78));
    }
    pop.is_configured(&pop.configuration());
    pop.server.becomes(Fault::Closed);
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.logs("starting -> down");
    assert!(!helper.log().contains("adopting") && !helper.log().contains(lost), "{}", helper.log());
    let history = pop.told(&["history"]);
    for told in [lost, "withdrawing 192.0.2.53/32, exiting in 15s unless ", "(no configuration): WITHDRAWN"] {
        assert_eq!(history.matches(told).count(), 1, "{told}: {history}");
    }
}

/// The options of the running helper decide what its next start does.
#[test]
fn the_warning_of_a_broken_file_knows_the_options_of_the_helper() {
    for (options, then) in [
        (&[][..], "a restart of the helper would run the last good configuration: "),
        (&["--exit-on-bad-config"], "a restart of the helper would withdraw every prefix: "),
    ] {
        let pop = Pop::new();
        let mut helper = pop.helper_with(options, ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE);
        pop.keeps_its_configuration();
        pop.is_configured(&broken(&pop));
        let (code, line) = pop.alert();
        assert!(code == Some(1) && line.contains(then), "{options:?}: {line}");
        helper.has_said_no_more();
    }
}
