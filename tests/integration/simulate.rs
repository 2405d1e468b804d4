//! Tests `simulate` as an operator types it: generated traces, summary, comparison, and pictures.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::cli::{File, dnsherald, stderr, stdout};
use crate::support::binary;
use crate::support::kept::difference;

const OBSERVE: &str = "docs/pictures/observe.toml";
const ENFORCE: &str = "docs/pictures/enforce.toml";
const FLAPPING: &str = "docs/pictures/flapping.trace";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs `dnsherald simulate` in the root of the repository.
fn simulate(arguments: &[&str]) -> Output {
    Command::new(binary()).arg("simulate").args(arguments).current_dir(root()).output().unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = simulate(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

/// The value of a figure of a summary.
fn figure<'a>(summary: &'a str, name: &str) -> &'a str {
    let line = summary.lines().find_map(|line| line.trim().strip_prefix(name));
    line.unwrap_or_else(|| panic!("`{name}` is missing in:\n{summary}")).trim()
}

/// A directory that is removed when the test ends, and has what the repository has.
struct Room(PathBuf);

impl Room {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dnsherald-room-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        for inner in ["docs", "examples", "exabgp-configs", "src"] {
            symlink(root().join(inner), path.join(inner)).unwrap();
        }
        Self(path)
    }

    /// Runs a line as a shell does.
    fn run(&self, line: &str) -> Output {
        let programs = Path::new(binary()).parent().unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        Command::new("sh").args(["-c", line]).current_dir(&self.0).env("PATH", path).output().unwrap()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The configurations that are shipped as examples.
fn examples() -> Vec<PathBuf> {
    let folders = fs::read_dir(root().join("exabgp-configs")).unwrap().map(|entry| entry.unwrap().path());
    let folders = folders.filter(|path| path.is_dir());
    let all = folders.chain(["examples", "exabgp-configs"].map(|folder| root().join(folder)));
    let files = all.flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

#[test]
fn every_example_has_a_trace_that_shows_what_it_is_for() {
    let examples = examples();
    assert!(examples.len() > 14, "{examples:?}");
    for path in examples {
        let trace = path.with_extension("trace");
        let shown = printed(&["-c", path.to_str().unwrap(), "-t", trace.to_str().unwrap()]);
        assert!(
            shown.contains("WITHDRAWN") || shown.contains("DEGRADED") || shown.contains("degraded"),
            "{}:\n{shown}",
            trace.display()
        );
        assert_eq!(figure(&shown, "false withdrawals"), "0", "{}", trace.display());
        // The trace names its own command.
        let text = fs::read_to_string(&trace).unwrap();
        let below = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
        let command = format!("# dnsherald simulate -c {} --trace {}", below(&path), below(&trace));
        assert!(text.lines().any(|line| line == command), "{command}");
    }
}

#[test]
fn a_seed_repeats_a_generated_trace() {
    let run = |seed: &str| printed(&["-c", OBSERVE, "--mtbf", "10m", "--for", "6h", "--seed", seed]);
    assert_eq!(run("7"), run("7"));
    assert_ne!(run("7"), run("8"));
    assert!(run("7").starts_with("mtbf 10m, mttr 1m, seed 7\n"), "{}", run("7"));
    // A random seed is printed, and repeats the trace.
    let random = printed(&["-c", OBSERVE, "--loss", "20%", "--for", "1h"]);
    let seed = random.lines().next().unwrap().rsplit(' ').next().unwrap();
    assert_eq!(printed(&["-c", OBSERVE, "--loss", "20%", "--for", "1h", "--seed", seed]), random);
}

#[test]
fn a_generated_trace_is_a_trace() {
    let generated = printed(&["-c", OBSERVE, "--flap", "20s", "--for", "5m", "--seed", "1", "--annotate"]);
    let file = File::new("generated.trace", &generated);
    assert_eq!(printed(&["-c", OBSERVE, "-t", file.path(), "--annotate"]), generated);
    assert!(generated.contains("truth * fails"), "{generated}");
}

#[test]
fn the_summary_tells_faults_from_false_withdrawals() {
    let summary =
        |arguments: &[&str]| printed(&[&["-c", OBSERVE, "--summary", "--seed", "3"], arguments].concat());
    let flaps = summary(&["--flap", "2m", "--for", "21m"]);
    assert_eq!(figure(&flaps, "faults while announced"), "5", "{flaps}");
    assert_eq!(figure(&flaps, "faults without a withdraw"), "0");
    assert_eq!(figure(&flaps, "false withdrawals"), "0");
    // Faults of a second are over before three rounds have failed.
    let short = summary(&["--flap", "100ms", "--for", "10s"]);
    assert_ne!(figure(&short, "faults without a withdraw"), "0", "{short}");
    // The default tolerates 5 % of loss; 70 % withdraw a server that serves.
    let little = summary(&["--loss", "5%", "--for", "6h"]);
    assert_eq!(figure(&little, "announced").split('.').next(), Some("99"), "{little}");
    assert_eq!(figure(&little, "withdrawals"), "0");
    let much = summary(&["--loss", "70%", "--for", "1h"]);
    assert_ne!(figure(&much, "false withdrawals"), "0", "{much}");
    // As JSON, with the seed.
    let json: serde_json::Value =
        serde_json::from_str(&summary(&["--loss", "5%", "--for", "1m", "--json"])).unwrap();
    assert_eq!((&json["seed"], &json["seconds"]), (&3.into(), &60.0.into()));
    assert_eq!(json["services"][0]["truth"]["false-withdrawals"], 0);
}

#[test]
fn a_comparison_shows_both_summaries_and_the_lines_that_differ() {
    let shown = printed(&["-c", OBSERVE, "-t", FLAPPING, "--compare", ENFORCE]);
    assert!(shown.starts_with(&format!("A  {OBSERVE}\nB  {ENFORCE}\n")), "{shown}");
    let held: Vec<_> =
        figure(&shown, "held by dampening").split("  ").filter(|word| !word.is_empty()).collect();
    assert!(held.len() == 2 && held[0] != held[1], "{held:?}");
    assert!(shown.lines().any(|line| line.starts_with("B ") && line.contains("suppressed")), "{shown}");
    let same = printed(&["-c", OBSERVE, "--loss", "50%", "--seed", "1", "--compare", OBSERVE]);
    assert!(same.contains("Both print the same "), "{same}");
    // A trace that names a check that B lacks.
    let refused =
        simulate(&["-c", "examples/resolver.toml", "-t", "examples/resolver.trace", "--compare", ENFORCE]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("unknown check `alive`"), "{}", stderr(&refused));
}

#[test]
fn wrong_options_are_named() {
    let refused = |arguments: &[&str], status, words: &str| {
        let output = simulate(arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
    };
    refused(&["-c", OBSERVE], 2, "--trace");
    refused(&["-c", OBSERVE, "--flap", "2s", "--trace", FLAPPING], 2, "cannot be used with");
    refused(&["-c", OBSERVE, "--flap", "2s", "--mtbf", "1h"], 2, "cannot be used with");
    refused(&["-c", OBSERVE, "--loss", "5"], 2, "such as `5%`");
    refused(&["-c", OBSERVE, "--flap", "0s"], 1, "--flap is shorter than a millisecond");
    refused(&["-c", OBSERVE, "--flap", "1ms", "--for", "10years"], 1, "expected a shorter `--for`");
    refused(&["--flap", "2s"], 1, "name one with -c FILE");
    let empty = File::new("empty.trace", "");
    refused(&["-c", OBSERVE, "-t", empty.path(), "--svg", "/nonexistent/x.svg"], 1, "has no line `start`");
    let mixed = File::new("mixed.trace", "0 start\n10 pass answers\n5 end\n");
    refused(&["-c", OBSERVE, "-t", mixed.path()], 1, "line 3: 5.000 is before the previous line");
}

#[test]
fn a_picture_that_cannot_be_written_is_named_before_anything_is_printed() {
    let output = simulate(&["-c", OBSERVE, "-t", FLAPPING, "--svg", "/nonexistent/x.svg"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()));
    assert!(
        stderr(&output).contains("cannot write the picture to /nonexistent/x.svg"),
        "{}",
        stderr(&output)
    );
    let full = simulate(&["-c", OBSERVE, "-t", FLAPPING, "--svg", "/dev/full"]);
    assert!(stderr(&full).contains("cannot write the picture to /dev/full"), "{}", stderr(&full));
    let demo = dnsherald(&["demo", "--svg", "/nonexistent/x.svg"]);
    assert_eq!((demo.status.code(), stdout(&demo)), (Some(1), String::new()));
}

#[test]
fn a_moment_has_a_picture() {
    let room = Room::new("moment");
    let moment = File::new("moment.trace", "0 start\n0 end\n");
    let line = format!("dnsherald simulate -c {OBSERVE} -t {} --summary --svg moment.svg", moment.path());
    let output = room.run(&line);
    assert!(output.status.success(), "{}", stderr(&output));
    let svg = fs::read_to_string(room.0.join("moment.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.contains(">400ms<"), "{svg}");
}

#[test]
fn a_picture_of_a_comparison_has_the_announcements_of_both() {
    let room = Room::new("both");
    let line = format!("dnsherald simulate -c {OBSERVE} -t {FLAPPING} --compare {ENFORCE} --svg both.svg");
    let output = room.run(&line);
    assert!(output.status.success() && stdout(&output).starts_with("A "), "{output:?}");
    let svg = fs::read_to_string(room.0.join("both.svg")).unwrap();
    let lanes =
        ["192.0.2.53/32 A", "192.0.2.53/32 B", "state A", "state B", "penalty A", "penalty B", "answers"];
    for lane in lanes {
        assert!(svg.contains(&format!(">{lane}")), "{lane} is missing from\n{svg}");
    }
    assert!(!svg.contains(">answers A<"), "what is the same in both is drawn once: {svg}");
    assert!(svg.contains("flapping.trace: A observe.toml, B enforce.toml, "), "{svg}");
    let refused =
        simulate(&["-c", OBSERVE, "-t", FLAPPING, "--compare", ENFORCE, "--svg", "/nonexistent/x.svg"]);
    assert_eq!((refused.status.code(), stdout(&refused)), (Some(1), String::new()));
}

/// The lines of the blocks `sh` of a document.
fn commands(document: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```"));
    blocks.flat_map(|(block, _)| block.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn the_pictures_of_the_documentation_are_what_their_commands_draw() {
    let room = Room::new("pictures");
    let commands = commands("docs/pictures/README.md");
    for line in &commands {
        // Each writes into docs/pictures.
        let line = line.replace("--svg docs/pictures/", "--svg ").replace("draw docs/pictures", "draw .");
        let output = room.run(&line);
        assert!(output.status.success(), "{line}: {}", stderr(&output));
    }
    let is_picture = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "svg");
    let names = |folder: &Path| {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(is_picture);
        let mut names: Vec<_> = paths.map(|path| path.file_name().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let kept = root().join("docs/pictures");
    let drawn = names(&room.0);
    for name in &drawn {
        let made = fs::read_to_string(room.0.join(name)).unwrap();
        assert_eq!(difference(&kept.join(name), &made), None);
    }
    // The test `fleet_day` draws that of the dashboard, with a Prometheus.
    let others: Vec<_> = names(&kept).into_iter().filter(|name| name != "dashboard.svg").collect();
    assert_eq!(others, drawn, "a picture in docs/pictures has no command");
    assert_eq!(drawn.len(), 6);
}

#[test]
fn every_command_of_the_page_works() {
    let room = Room::new("page");
    let commands = commands("docs/simulate.md");
    assert!(commands.len() > 8, "{commands:?}");
    for line in commands {
        let output = room.run(&line);
        assert!(output.status.success(), "{line}: {}", stderr(&output));
    }
}
