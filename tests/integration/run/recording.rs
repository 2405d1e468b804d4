//! Recordings replay to the same commands at the same times.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use dnsherald::responder::Fault;

use crate::support::binary;
use crate::support::helper::{ANNOUNCE, Plan, Pop, WITHDRAW, eventually, ideal, mode};

/// The commands of a replay, with times.
fn replayed(trace: &Path, options: &[&str]) -> Vec<(String, String)> {
    let output =
        Command::new(binary()).args(["simulate", "--trace"]).arg(trace).args(options).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let said = text.lines().filter_map(|line| line.split_once(" > "));
    said.map(|(time, line)| (time.trim().to_owned(), line.to_owned())).collect()
}

#[test]
fn a_recording_replays_to_the_same_commands() {
    let pop = Pop::with(Plan {
        service: "disable-file = \"FOLDER/off\"",
        dampening: "mode = \"enforce\"\npenalty = 1500\nsuppress = 3500",
        ..Plan::default()
    });
    let mut predecessor = pop.helper(ideal("5.0.15"));
    predecessor.opens();
    predecessor.says(ANNOUNCE);
    pop.server.becomes(Fault::Refuse);
    predecessor.says(WITHDRAW);
    pop.remembers("\"acknowledged\": \"down\"");
    predecessor.dies_suddenly();
    pop.server.becomes(Fault::None);

    let trace = pop.file("run.trace");
    let began = Instant::now();
    let mut helper = pop.helper_with(&["--record", trace.to_str().unwrap()], ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    helper.receives("neighbor 10.0.0.1 up\n");
    helper.says(ANNOUNCE);
    for (fault, line) in [(Fault::Closed, WITHDRAW), (Fault::None, ANNOUNCE), (Fault::Silent, WITHDRAW)] {
        pop.server.becomes(fault);
        helper.says(line);
    }
    helper.receives(b"\xff what \x01 is this?   x3 every 1s ");
    pop.server.becomes(Fault::None);
    helper.logs("suppressed");
    std::fs::write(pop.file("off"), "").unwrap();
    helper.logs("-> drained");
    helper.is_sent("TERM");
    helper.exits_well();
    let lasted = began.elapsed().as_secs_f64();

    let played = replayed(&trace, &[]);
    let lines: Vec<_> = played.iter().map(|(_, line)| line.clone()).collect();
    assert_eq!(lines, helper.said());
    assert_eq!(replayed(&trace, &["--annotate"]), played);
    let times: Vec<f64> = played.iter().map(|(time, _)| time.parse().unwrap()).collect();
    assert!(times.is_sorted() && times.iter().all(|time| *time < lasted), "{times:?} of {lasted}");
}

#[test]
fn runs_without_a_recording_that_cannot_be_written() {
    let pop = Pop::new();
    for trace in ["/nowhere/run.trace", "/dev/full"] {
        let mut helper = pop.helper_with(&["--record", trace], ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE);
        helper.logs(&format!("cannot record to {trace}"));
    }
}

#[test]
fn runs_with_a_recording_that_is_not_read() {
    let pop = Pop::new();
    let pipe = pop.file("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // At first no reader opens the pipe, then a reader does not read from it.
    let mut reader = None;
    for _ in 0..2 {
        let mut helper = pop.helper_with(&["--record", pipe.to_str().unwrap()], ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE);
        helper.hears_all("neighbor 10.0.0.1 connected\n\n".repeat(5000).as_bytes());
        pop.server.becomes(Fault::Refuse);
        helper.says(WITHDRAW);
        helper.is_sent("TERM");
        helper.exits_well();
        pop.server.becomes(Fault::None);
        reader = Some(OpenOptions::new().read(true).write(true).open(&pipe).unwrap());
    }
    drop(reader);
}

#[test]
fn the_minute_before_a_service_went_down_is_kept_and_replays_to_the_same_commands() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
    let file = pop.state_file().with_extension("incident-1.trace");
    let shown = format!("dnsherald simulate --trace {}", file.display());
    let mut history = String::new();
    let is_told = || {
        history = pop.told(&["history"]);
        history.contains(&shown)
    };
    assert!(eventually(is_told), "{history}");
    assert!(
        history
            .contains("incident   service resolver went down: the record of the minute before is written: "),
        "{history}"
    );
    assert_eq!(mode(&file), "640");
    let said = helper.said();
    let lines: Vec<_> = replayed(&file, &[]).into_iter().map(|(_, line)| line).collect();
    assert_eq!(lines, said);

    // It survives the helper, and the next incident gets the next number.
    helper.dies_suddenly();
    pop.server.becomes(Fault::None);
    let mut helper = pop.announced();
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
    assert!(eventually(|| pop.state_file().with_extension("incident-2.trace").exists()));
    assert!(file.exists());
}

/// The second one would wait for the end of its minute. A reload empties the recorder.
#[test]
fn an_incident_that_waits_is_kept_before_a_reload() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    for nth in 1..=2 {
        pop.server.becomes(Fault::Refuse);
        helper.says(WITHDRAW);
        let file = pop.state_file().with_extension(format!("incident-{nth}.trace"));
        if nth == 2 {
            assert!(!file.exists());
            pop.told(&["reload"]);
        }
        assert!(eventually(|| file.exists()));
        let lines: Vec<_> = replayed(&file, &[]).into_iter().map(|(_, line)| line).collect();
        assert_eq!(lines.last().map(String::as_str), Some(WITHDRAW), "{lines:?}");
        pop.server.becomes(Fault::None);
        helper.says(ANNOUNCE);
    }
}

/// The second fall waits for the minute between two records.
#[test]
fn a_record_that_waits_when_the_helper_stops_is_written() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    let record = |nth| pop.state_file().with_extension(format!("incident-{nth}.trace"));
    for (fault, line) in [(Fault::Refuse, WITHDRAW), (Fault::None, ANNOUNCE), (Fault::Refuse, WITHDRAW)] {
        pop.server.becomes(fault);
        helper.says(line);
        assert!(eventually(|| record(1).exists()));
    }
    assert!(!record(2).exists());
    helper.is_sent("TERM");
    helper.exits_well();
    assert!(record(2).exists());
    let history = pop.told(&["history"]);
    assert!(history.contains(&record(2).display().to_string()), "{history}");
}

/// As after a crash of the host, or from another version.
#[test]
fn an_incident_that_is_torn_or_of_another_version_is_replayed_or_refused_with_its_line() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
    let file = pop.state_file().with_extension("incident-1.trace");
    let text = || std::fs::read_to_string(&file).unwrap_or_default();
    assert!(eventually(|| !text().is_empty()));
    let whole = text();
    let engine = whole.lines().find(|line| line.starts_with("engine ")).unwrap();
    let cut = |tenths: usize| whole[..whole.floor_char_boundary(whole.len() * tenths / 10)].to_owned();
    let torn: Vec<_> = (0..10).map(cut).collect();
    let others = [whole.replace(engine, "engine {\"v\":9}"), whole.replace(engine, "engine \u{0}")];
    let simulate = |text: &String| {
        std::fs::write(pop.file("torn.trace"), text).unwrap();
        let mut command = Command::new(binary());
        command.args(["simulate", "--trace"]).arg(pop.file("torn.trace"));
        command.output().unwrap()
    };
    for text in torn.iter().chain(&others) {
        let output = simulate(text);
        let said = String::from_utf8_lossy(&output.stderr);
        let is_refused = output.status.code().is_some_and(|code| code != 101) && said.contains("torn.trace");
        assert!(output.status.success() || is_refused, "{output:?}");
    }
    assert!(simulate(&whole).status.success());
    for text in &others {
        assert!(!simulate(text).status.success(), "another engine");
    }

    // The next helper keeps the next incident beside one that is torn.
    std::fs::write(&file, &torn[5]).unwrap();
    helper.dies_suddenly();
    pop.server.becomes(Fault::None);
    let mut helper = pop.announced();
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
    assert!(eventually(|| pop.state_file().with_extension("incident-2.trace").exists()));
    assert_eq!(text(), torn[5]);
}

#[test]
fn a_history_that_is_torn_of_another_version_or_ahead_is_shown_as_far_as_it_can_be_read() {
    let pop = Pop::new();
    let file = pop.state_file().with_extension("history");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let ahead = "{\"v\":1,\"at\":\"2099-01-01T00:00:00Z\",\"kind\":\"reload\",\"text\":\"ahead\"}";
    let text = format!("{{\"v\":2,\"at\":7}}\n{ahead}\n\0\0\n{{\"v\":1,\"at\":\"20");
    std::fs::write(&file, text).unwrap();
    let helper = pop.settled();
    let shown = || {
        let output = pop.command(&["history"]);
        assert!(output.status.success(), "{output:?}");
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap())
    };
    let is_whole = |text: &str| text.contains("reload     ahead") && text.contains("starting -> up");
    assert!(eventually(|| is_whole(&shown()[0])), "{:?}", shown());
    // With the helper and without it.
    for helper in [Some(helper), None] {
        let [entries, remarks] = shown();
        assert!(is_whole(&entries), "{entries}");
        for remark in [
            "left out as incomplete or damaged: 2 lines",
            "left out as of another version: 1 line",
            "in the future: 1 line",
        ] {
            assert!(remarks.contains(remark), "{remarks}");
        }
        if let Some(helper) = helper {
            helper.dies_suddenly();
        }
    }
}

#[test]
fn a_recorder_of_size_0_is_off() {
    let pop = Pop::new();
    pop.is_configured(&pop.configuration().replace("[control]", "[control]\nrecorder = 0"));
    let mut helper = pop.settled();
    let refused = pop.command(&["history", "--dump", pop.file("dump").to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("control.recorder is 0"), "{refused:?}");
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
    pop.server.becomes(Fault::None);
    helper.says(ANNOUNCE);
    assert!(!pop.state_file().with_extension("incident-1.trace").exists());
}

/// No file can grow, as on a full disk.
#[test]
fn a_full_disk_costs_metrics_history_and_incidents_and_no_route() {
    let pop = Pop::new();
    let textfile = pop.file("a.prom");
    pop.is_configured(&format!("{}\n[metrics]\ntextfile = {textfile:?}\n", pop.configuration()));
    let mut helper = pop.helper_after("trap '' XFSZ; ulimit -f 0", ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    for (fault, line) in [(Fault::Refuse, WITHDRAW), (Fault::None, ANNOUNCE), (Fault::Refuse, WITHDRAW)] {
        pop.server.becomes(fault);
        helper.says(line);
    }
    for obstacle in [
        "cannot write metrics to",
        "cannot write the history in",
        ": the record of the minute before cannot be written beside ",
    ] {
        helper.logs(obstacle);
        assert_eq!(helper.log().matches(obstacle).count(), 1, "{}", helper.log());
    }
    assert!(!textfile.exists(), "no file is left half");
    helper.is_sent("TERM");
    helper.exits_well();
}
