//! Tests the commands as an operator types them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use clap::CommandFactory;
use dnsherald::cli::Cli;

use crate::support::binary;

pub(crate) fn dnsherald(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A file that is removed when the test ends.
pub(crate) struct File(PathBuf);

impl File {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dnsherald-cli-{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn bad_usage_exits_with_2_and_suggests_the_command() {
    let output = dnsherald(&["chekc"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(stderr(&output).contains("check"), "{}", stderr(&output));
}

/// The words of a command and of each of its subcommands.
fn commands(of: &clap::Command, words: &[String]) -> Vec<Vec<String>> {
    let below = of.get_subcommands().filter(|below| !below.is_hide_set()).flat_map(|below| {
        let words = [words, &[below.get_name().to_owned()]].concat();
        commands(below, &words)
    });
    [words.to_owned()].into_iter().chain(below).collect()
}

#[test]
fn the_help_explains_every_option_and_subcommand() {
    let commands = commands(&Cli::command(), &[]);
    assert!(commands.len() > 18, "{commands:?}");
    for command in &commands {
        let mut arguments: Vec<_> = command.iter().map(String::as_str).collect();
        arguments.push("--help");
        let output = dnsherald(&arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        let text = stdout(&output);
        let below =
            commands.iter().filter(|below| below.split_last().is_some_and(|(_, above)| above == command));
        for name in below.filter_map(|below| below.last()) {
            let explained = text.lines().any(|line| {
                line.trim_start()
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with("  ") && !rest.trim().is_empty())
            });
            assert!(explained, "{name} is not explained in the help of {command:?}:\n{text}");
        }
        let undocumented =
            |line: &&str| line.trim_start().starts_with("--") && line.trim().split("  ").count() == 1;
        let lines: Vec<_> = text.lines().collect();
        for (at, _) in lines.iter().enumerate().filter(|(_, line)| undocumented(line)) {
            assert!(
                lines.get(at + 1).is_some_and(|next| next.starts_with("   ")),
                "{command:?}: {}",
                lines[at]
            );
        }
    }
}

#[test]
fn check_config_shows_values_lines_and_times() {
    let text =
        stdout(&dnsherald(&["check-config", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/resolver.toml")]));
    for expected in [
        "interval 1s, fast-interval 100ms, timeout 500ms, rise 5, fall 3",
        "up        neighbor * announce route 192.0.2.53/32 next-hop 10.1.0.2 med 100 community [ 64512:100 ]",
        "at worst a closed port or an error answered at once is detected in 1s 200ms, a slow error or a hang in 2s 500ms, return takes 5s plus the latency of the last answer",
        "the lines below assume ExaBGP 4.2.22 to 5, `neighbor *`; older: no selector, 6: `peer *`",
        "192.0.2.53:53 tcp localhost. A from 10.1.0.2: NOERROR or NXDOMAIN",
    ] {
        assert!(text.contains(expected), "`{expected}` is missing in:\n{text}");
    }
}

#[test]
fn check_config_explains_default_checks() {
    let text = stdout(&dnsherald(&[
        "check-config",
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config/good/smallest.toml"),
    ]));
    assert!(text.contains("check alive") && text.contains("which shows only that the server runs"), "{text}");
}

#[test]
fn check_config_shows_the_watched_process() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/process.toml");
    let text = stdout(&dnsherald(&["check-config", file]));
    for expected in [
        "check alive: on-fail down, unknown: observe",
        "    must run: the process of unbound.service\n",
        "    an exit is detected at once, return takes at most 5s\n",
    ] {
        assert!(text.contains(expected), "`{expected}` is missing in:\n{text}");
    }
}

#[test]
fn check_config_accepts_its_file_as_an_option() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/resolver.toml");
    let output = dnsherald(&["check-config", "-c", file]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), stdout(&dnsherald(&["check-config", file])));
    assert_eq!(dnsherald(&["check-config", file, "-c", file]).status.code(), Some(2));
}

#[test]
fn config_schema_prints_a_schema_or_tables() {
    let output = dnsherald(&["config-schema"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let schema: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let interval = &schema["$defs"]["defaults"]["properties"]["interval"];
    assert_eq!((&interval["type"], &interval["default"]), (&"string".into(), &"1s".into()));
    let tables = stdout(&dnsherald(&["config-schema", "--markdown"]));
    assert!(
        tables.contains(
            "| `interval` | period, at least 1ms | `\"1s\"` | From one round of probes to the next. |"
        ),
        "{tables}"
    );
}

#[test]
fn check_config_shows_no_times_for_observed_checks() {
    let configuration = File::new(
        "ignored",
        "[node]\nmanagement = [\"10.1.0.2\"]\n[exabgp]\napi = \"6\"\n[[service]]\nname = \"s\"\n\
         prefixes = [\"192.0.2.1/32\"]\naddress = false\n[[service.check]]\nname = \"a\"\ndns = { query = \"localhost. A\" }\n\
         [[service.check]]\nname = \"b\"\non-fail = \"ignore\"\ndns = { query = \"localhost. A\" }\n",
    );
    let text = stdout(&dnsherald(&["check-config", configuration.path()]));
    assert_eq!(text.matches("at worst").count(), 1, "{text}");
    assert!(text.contains("    observed: shown and logged, moves no route"), "{text}");
    assert!(text.contains("api 6") && !text.contains("assume"), "{text}");
}

#[test]
fn simulate_prints_lines_transitions_and_a_timeline() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let output = dnsherald(&[
        "simulate",
        "-c",
        &format!("{folder}/resolver.toml"),
        "--trace",
        &format!("{folder}/incident.trace"),
    ]);
    let text = stdout(&output);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(text.contains("60.600 > neighbor * withdraw route 192.0.2.53/32"), "{text}");
    assert!(text.contains("penalty 2555 from repeated falls (mode observe)"), "{text}");
    assert!(text.contains("\nresolver/alive      /"), "{text}");
}

#[test]
fn simulate_prints_one_json_action_per_line() {
    let trace = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios/closed-port.txt");
    let text = stdout(&dnsherald(&["simulate", "--json", "--trace", trace]));
    let actions: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let prints = actions
        .iter()
        .filter(|action| action[1]["print"].as_str().is_some_and(|line| line.contains("route")));
    assert_eq!(prints.count(), 3);
}

#[test]
fn simulate_names_the_line_of_an_error() {
    let trace = File::new(
        "bad.trace",
        "| [node]\n| management = [\"10.1.0.2\"]\n| [[service]]\n| name = \"s\"\n| prefixes = [\"192.0.2.1/32\"]\n0 start\n1 fial alive timeout\n",
    );
    let output = dnsherald(&["simulate", "--trace", trace.path()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("line 7: `fial alive timeout` is unknown"), "{}", stderr(&output));
}

/// Simulates a month with one outcome per second. The limit suits a debug build on a busy machine.
#[test]
fn simulates_a_day_of_one_line() {
    let scenario =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios/closed-port.txt")).unwrap();
    let header: String =
        scenario.lines().filter(|line| line.starts_with('|')).map(|line| format!("{line}\n")).collect();
    let trace = File::new("day.trace", &format!("{header}0 start\n0 pass answers x86400 every 1s\n"));
    let output = dnsherald(&["simulate", "--trace", trace.path()]);
    assert!(output.status.success());
    assert!(stdout(&output).contains("0 of 86400"), "{}", stdout(&output));
}

/// The exact times depend on the load of the machine; scenarios test them in virtual time.
#[test]
fn the_demo_shows_a_failover_and_ends() {
    let picture = File::new("demo.svg", "an earlier picture, which is longer than nothing");
    let output = dnsherald(&["demo", "--svg", picture.path()]);
    let drawn = fs::read_to_string(picture.path()).unwrap();
    assert!(
        drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n") && drawn.contains(">192.0.2.53/32<"),
        "{drawn}"
    );
    let text = stdout(&output);
    let unbroken = text.replace("\n           ", " ");
    assert!(output.status.success(), "{}", stderr(&output));
    for expected in [
        "> neighbor * announce route 192.0.2.53/32 next-hop 127.0.0.1 med 100 community [ 64512:100 ]",
        "> neighbor * withdraw route 192.0.2.53/32",
        "* the server hangs",
        "\n192.0.2.53/32     ",
    ] {
        assert!(unbroken.contains(expected), "`{expected}` is missing in:\n{text}");
    }
    let too_wide: Vec<_> = text.lines().filter(|line| line.chars().count() > 80).collect();
    assert_eq!(too_wide, [""; 0]);
}

/// systemd names the journal in `JOURNAL_STREAM`; the test uses its own file.
#[test]
fn the_log_has_priorities_only_for_the_journal() {
    let trace = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config/bad/host-bits.toml");
    let journal = File::new("journal", "");
    let logged = |stream: &str| {
        let stderr = fs::OpenOptions::new().append(true).open(&journal.0).unwrap();
        let mut helper = Command::new(binary())
            .args(["run", "-c", trace])
            .env("JOURNAL_STREAM", stream)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        // Standard input has ended, so the helper logs the error of its configuration and exits.
        assert!(helper.wait().unwrap().success());
        fs::read_to_string(&journal.0).unwrap()
    };
    let plain = logged("1:2");
    assert!(plain.contains("Z ERROR dnsherald: ") && !plain.contains("<3>"), "{plain}");
    let metadata = fs::metadata(&journal.0).unwrap();
    let with_priorities = logged(&format!("{}:{}", metadata.dev(), metadata.ino()));
    assert!(
        with_priorities.contains("<3>dnsherald: ") && with_priorities.contains("<6>dnsherald: "),
        "{with_priorities}"
    );
}

#[test]
fn accepts_the_configuration_that_healthcheck_prints() {
    let lines: [&[&str]; 6] = [
        &[
            "--ip",
            "192.0.2.1",
            "--ip",
            "192.0.2.2",
            "--ip",
            "192.0.2.1",
            "--user",
            "nobody\n[x]",
            "--group",
            "g",
            "--pid",
            "/tmp/pid",
            "--no-ack",
            "--dynamic-ip-setup",
            "--extended-community",
            "bandwidth:1:2 64512:1",
        ],
        &["--ip", "192.0.2.1", "--command", "dig +short \"x\" @127.0.0.1 | grep -q '1\\.2'"],
        &["--ip", "192.0.2.1", "--ip", "2001:db8::1", "--withdraw-on-down", "--name", "two words/here"],
        &[
            "--ip",
            "192.0.2.1",
            "--ip",
            "192.0.2.2",
            "--increase=-10",
            "--path-id",
            "7",
            "--neighbor",
            "10.0.0.1",
        ],
        &[
            "--ip",
            "192.0.2.1",
            "--dns",
            "localhost. A",
            "--dns-server",
            "127.0.0.1:5353",
            "--dns-expect",
            "!SERVFAIL",
        ],
        &[
            "--ip",
            "192.0.2.1",
            "--next-hop",
            "10.1.0.2",
            "--community",
            "64512:1 no-export",
            "--as-path",
            "1 2",
            "--execute",
            "echo $STATE",
            "--up-execute",
            "true",
            "--disable",
            "/tmp/off",
            "--interval",
            "0",
            "--fast-interval",
            "9",
            "--timeout",
            "30",
            "--local-preference",
            "5",
        ],
    ];
    for (number, line) in lines.iter().enumerate() {
        let mut arguments = vec!["healthcheck", "--no-ip-setup", "--no-wait", "--print-config"];
        arguments.extend(*line);
        let printed = dnsherald(&arguments);
        let toml = stdout(&printed);
        assert!(printed.status.success(), "{}", stderr(&printed));
        if line.contains(&"nobody\n[x]") {
            assert!(toml.contains("prefixes = [\"192.0.2.2/32\", \"192.0.2.1/32\"]\n"), "{toml}");
            assert!(
                toml.contains("up = { med = 101, ") && toml.contains("# --user nobody\\n[x]: "),
                "{toml}"
            );
        }
        let file = File::new(&format!("printed-{number}.toml"), &toml);
        let checked = dnsherald(&["check-config", file.path()]);
        assert!(checked.status.success(), "{line:?}\n{toml}\n{}", stderr(&checked));
    }
}
