//! Tests `backend status`, `check` and `reload` with a `generic` server, whose control programs are shell commands.

use std::fs;
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use dnsherald::responder::Fault;

use crate::cli::{File, dnsherald, stderr, stdout};
use crate::support::helper::{Server, eventually};
use crate::support::zones::{port_53, serves_zones};

/// A time limit that even a busy machine keeps.
const SOON: Duration = Duration::from_secs(20);

/// A state directory for this test, without what an earlier run has saved beside it.
fn state(name: &str) -> String {
    let state = format!("{}/backend-{name}-state", env!("CARGO_TARGET_TMPDIR"));
    let _ = fs::remove_dir_all(format!("{state}-rollback"));
    state
}

/// Runs a command for a single backend with these keys and a `restart`.
fn backend(name: &str, keys: &str, command: &[&str]) -> Output {
    let state = state(name);
    let configuration = File::new(
        &format!("backend-{name}"),
        &format!(
            "[control]\ndirectory = \"/nowhere/dnsherald\"\nstate = \"{state}\"\n[node]\nmanagement = [\"127.0.0.1\"]\n[backend.generic]\nrestart = [\"true\"]\ntimeout = \"1s\"\n{keys}\n\
             [[service]]\nname = \"dns\"\nprefixes = [\"192.0.2.53/32\"]\naddress = false\nbackend = \"generic\"\n"
        ),
    );
    let mut arguments = vec!["backend"];
    arguments.extend(command);
    arguments.extend(["-c", configuration.path()]);
    dnsherald(&arguments)
}

/// A key with a shell command.
fn shell(key: &str, line: &str) -> String {
    format!("{key} = [\"sh\", \"-c\", '''{line}''']\n")
}

fn status(name: &str, keys: &str) -> (Option<i32>, serde_json::Value) {
    let output = backend(name, keys, &["status", "--json"]);
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    (output.status.code(), json)
}

#[test]
fn a_server_that_answers_runs() {
    let keys =
        [shell("status", "exit 0"), shell("version", "echo 3.1"), shell("counters", "echo 17")].concat();
    let (code, json) = status("runs", &keys);
    assert_eq!(
        (code, &json["state"], &json["version"]["found"]),
        (Some(0), &"running".into(), &"3.1".into())
    );
    assert_eq!(json["queries"]["found"]["total"], 17);
    assert_eq!(json["queries"]["found"]["per-second"], 0.0);
    let table = stdout(&backend("runs-table", &keys, &["status"]));
    assert!(
        table.starts_with("backend generic (server)\n  state          running: sh -c 'exit 0': answered\n"),
        "{table}"
    );
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
}

#[test]
fn kills_a_hanging_control_program() {
    let began = Instant::now();
    let (code, json) = status("hangs", &shell("status", "sleep 1000 & sleep 1000"));
    assert!(began.elapsed() < SOON);
    assert_eq!((code, &json["state"]), (Some(1), &"hung".into()));
    assert!(json["why"].as_str().unwrap().ends_with("not done within 1s"), "{}", json["why"]);
}

#[test]
fn reads_megabytes_of_output_and_keeps_little() {
    let line = "yes 'no end' | head -c 5000000; exit 1";
    let keys = [shell("config-check", line), shell("status", line)].concat();
    let output = backend("megabytes", &keys, &["check"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("is broken") && said.ends_with("lines more\n") && said.len() < 1000, "{said}");
    let (_, json) = status("megabytes-status", &keys);
    assert_eq!(json["state"], "unknown");
    assert!(json["why"].as_str().unwrap().len() < 500, "{}", json["why"]);
}

#[test]
fn invalid_and_missing_output_say_nothing_about_the_server() {
    let nonsense = shell("status", r"printf '\033[2J\377'; exit 77");
    let missing = "status = [\"dnsherald-no-such-program\"]\n";
    for (name, keys, said) in
        [("nonsense", nonsense.as_str(), "exited with status 77"), ("missing", missing, "not found")]
    {
        let (code, json) = status(name, keys);
        assert_eq!((code, &json["state"]), (Some(1), &"unknown".into()));
        assert!(json["why"].as_str().unwrap().contains(said), "{}", json["why"]);
        assert!(!stdout(&backend(name, keys, &["status"])).contains('\u{1b}'));
    }
    let keys =
        [shell("status", "exit 0"), shell("version", "echo soon"), shell("counters", "echo many")].concat();
    let (_, json) = status("no-numbers", &keys);
    assert!(json["version"]["not-found"].as_str().unwrap().ends_with("found `soon`, expected a version"));
    assert!(
        json["queries"]["not-found"]
            .as_str()
            .unwrap()
            .ends_with("found `many`, expected a number of queries")
    );
}

#[test]
fn a_broken_configuration_stops_a_reload_before_it_starts() {
    let touched = std::env::temp_dir().join(format!("dnsherald-touched-{}", std::process::id()));
    let reload = shell("reload", &format!("touch {}", touched.display()));
    let broken = [shell("config-check", "echo line 7: no such option >&2; exit 2"), reload.clone()].concat();
    let output = backend("broken", &broken, &["reload"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("the server was not touched"), "{}", stderr(&output));
    assert!(stderr(&output).contains("\nline 7: no such option\n"), "{}", stderr(&output));
    assert!(!touched.exists());

    let good = [shell("config-check", "exit 0"), shell("status", "exit 0"), reload].concat();
    let output = backend("good", &good, &["reload"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    fs::remove_file(touched).unwrap();
}

#[test]
fn an_unreadable_configuration_is_not_broken() {
    let keys = shell("config-check", "echo dns.conf: Permission denied; exit 1");
    let said = stderr(&backend("unreadable", &keys, &["check"]));
    assert!(said.starts_with("generic: cannot check the configuration: "), "{said}");
    assert!(said.contains("read it, or run this as root"), "{said}");
}

#[test]
fn ignores_the_result_of_a_check_without_a_configuration() {
    let keys = "config-file = \"/nowhere/dns.conf\"\nconfig-check = [\"true\", \"/nowhere/dns.conf\"]\n\
                status = [\"sh\", \"-c\", \"echo connection refused; exit 1\", \"/nowhere/dns.conf\"]\n";
    let check = backend("not-there", keys, &["check"]);
    assert_eq!(check.status.code(), Some(1));
    assert!(
        stderr(&check).contains("the configuration /nowhere/dns.conf cannot be read: No such file"),
        "{}",
        stderr(&check)
    );
    let (_, json) = status("not-there-status", keys);
    assert_eq!(json["state"], "unknown");
    assert!(json["remedy"].as_str().unwrap().contains("`config-file`"), "{json}");
}

#[test]
fn reports_what_the_server_does_not_support() {
    let reload = backend("no-reload", "", &["reload"]);
    assert_eq!(reload.status.code(), Some(1));
    assert!(stderr(&reload).contains("no `reload` is configured"), "{}", stderr(&reload));
    let check = backend("no-check", "", &["check"]);
    assert_eq!(check.status.code(), Some(0));
    assert!(stdout(&check).contains("nothing checks it"));
}

#[test]
fn several_backends_need_a_name() {
    let unknown = backend("unknown", "", &["check", "unbound"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("no backend `unbound`") && stderr(&unknown).contains("it has generic"));
    let several = backend("several", "[backend.unbound]", &["check"]);
    assert_eq!(several.status.code(), Some(2));
    assert!(stderr(&several).contains("it has generic, unbound"), "{}", stderr(&several));
    let bad = backend("bad", "timeout = \"x\"", &["check"]);
    assert_eq!(bad.status.code(), Some(78));
}

/// A reload after which a zone is not served: a zone of the service, or one that only the server lists.
#[test]
fn a_reload_that_loses_a_zone_fails() {
    let state = state("loses");
    const ADDRESS: &str = "127.53.77.3";
    let Some(socket) = port_53(ADDRESS) else { return };
    let lost = std::env::temp_dir().join(format!("dnsherald-lost-{}", std::process::id()));
    let names = lost.clone();
    thread::spawn(move || {
        serves_zones(&socket, |name| {
            let lost = fs::read_to_string(&names).unwrap_or_default();
            (!lost.contains(name)).then_some(7)
        });
    });
    let reloads = |losing: &str, options: &[&str]| {
        fs::write(&lost, "").unwrap();
        let keys = [
            shell("status", "exit 0"),
            shell("reload", &format!("echo {losing} > {}", lost.display())),
            shell("zone-list", "echo example.org; echo Other.Example; echo never.example"),
            "start-timeout = \"1s\"\n".to_owned(),
        ];
        let configuration = File::new(
            "backend-loses-zone",
            &format!(
                "[control]\ndirectory = \"/nowhere/dnsherald\"\nstate = \"{state}\"\n[node]\nmanagement = [\"{ADDRESS}\"]\n[backend.generic]\nrestart = [\"true\"]\n{}\n\
                 [[service]]\nname = \"dns\"\nprefixes = [\"192.0.2.53/32\"]\nbackend = \"generic\"\n\
                 role = \"authoritative\"\nzones = [\"example.org\"]\n",
                keys.concat()
            ),
        );
        let mut arguments = vec!["backend", "reload", "-c", configuration.path()];
        arguments.extend(options);
        let output = dnsherald(&arguments);
        (output.status.code(), stderr(&output))
    };
    let (code, said) = reloads("nothing", &[]);
    assert_eq!(code, Some(0), "{said}");
    for (zone, named) in
        [("example.org.", "zone example.org. at"), ("other.example.", "zone other.example. at")]
    {
        let (code, said) = reloads(zone, &[]);
        assert_eq!(code, Some(1), "{zone}: {said}");
        assert!(said.contains(named) && said.contains("before 7"), "{said}");
    }
    assert_eq!(reloads("other.example.", &["--removed", "other.example"]).0, Some(0));
    fs::remove_file(lost).unwrap();
}

/// A reload after which a resolver refuses the questions that it answered before.
#[test]
fn a_reload_after_which_questions_are_refused_has_failed() {
    let state = state("refuses");
    let server = Server::start();
    let address = server.address();
    let begun = std::env::temp_dir().join(format!("dnsherald-begun-{}", std::process::id()));
    let reload_from = |was: Fault, becomes: Fault, on_fail: &str| {
        server.becomes(was);
        let keys = [
            shell("status", "exit 0"),
            // The reload ends once the server has changed.
            shell("reload", &format!("touch {0}; while [ -e {0} ]; do sleep 0.01; done", begun.display())),
            "start-timeout = \"1s\"\n".to_owned(),
        ];
        let configuration = File::new(
            "backend-refuses",
            &format!(
                "[control]\ndirectory = \"/nowhere/dnsherald\"\nstate = \"{state}\"\n[node]\nmanagement = [\"127.0.0.1\"]\n[backend.generic]\nrestart = [\"true\"]\n{}\n\
                 [[service]]\nname = \"resolver\"\nprefixes = [\"192.0.2.53/32\"]\naddress = false\n\
                 backend = \"generic\"\n[[service.check]]\nname = \"files\"\ncommand = \"true\"\n[[service.check]]\nname = \"answers\"\non-fail = \"{on_fail}\"\n\
                 timeout = \"300ms\"\ndns = {{ query = \"localhost. A\", server = \"{address}\" }}\n",
                keys.concat()
            ),
        );
        let output = thread::scope(|scope| {
            let run = scope.spawn(|| dnsherald(&["backend", "reload", "-c", configuration.path()]));
            assert!(eventually(|| begun.exists() || run.is_finished()), "the reload has not begun");
            server.becomes(becomes);
            let _ = fs::remove_file(&begun);
            run.join().unwrap()
        });
        (output.status.code(), stderr(&output))
    };
    let reload = |becomes, on_fail: &str| reload_from(Fault::None, becomes, on_fail);
    assert_eq!(reload(Fault::None, "down"), (Some(0), String::new()));
    for (becomes, found) in [
        (Fault::Refuse, "answered REFUSED, expected NOERROR"),
        (Fault::Servfail, "answered SERVFAIL, expected NOERROR"),
        (Fault::Silent, "no answer"),
        (Fault::Closed, "port closed"),
    ] {
        let is_closed = becomes == Fault::Closed;
        let (code, said) = reload(becomes, "down");
        assert_eq!(code, Some(1), "{said}");
        assert_eq!(said.contains("has closed: `dnsherald backend restart "), is_closed, "{said}");
        let question = format!("reloaded, but {address} udp localhost. A: {found}");
        for words in [&question, "; check answers of resolver did not fail before", "reload again"] {
            assert!(said.contains(words), "`{words}` is not in\n{said}");
        }
    }
    assert_eq!(reload(Fault::Refuse, "observe").0, Some(0), "an observed check decides nothing");

    // No helper tells that an earlier reload has failed: what was down before stays the affair of the checks.
    assert_eq!(reload_from(Fault::Refuse, Fault::Refuse, "down"), (Some(0), String::new()));
}

/// The server answers clients at the service address, and need not listen at the management address.
#[test]
fn a_reload_that_loses_a_zone_at_the_service_address_has_failed() {
    let state = state("loses-there");
    const SERVICE: &str = "127.53.77.5";
    let Some(socket) = port_53(SERVICE) else { return };
    let lost = std::env::temp_dir().join(format!("dnsherald-lost-there-{}", std::process::id()));
    let names = lost.clone();
    thread::spawn(move || {
        serves_zones(&socket, |name| {
            let lost = fs::read_to_string(&names).unwrap_or_default();
            (!lost.contains(name)).then_some(7)
        });
    });
    let reloads = |losing: &str| {
        fs::write(&lost, "").unwrap();
        let keys = [
            shell("status", "exit 0"),
            shell("reload", &format!("echo {losing} > {}", lost.display())),
            shell("zone-list", "echo example.org; echo other.example"),
            "start-timeout = \"1s\"\n".to_owned(),
        ];
        let configuration = File::new(
            "backend-loses-zone-there",
            &format!(
                "[control]\ndirectory = \"/nowhere/dnsherald\"\nstate = \"{state}\"\n[node]\nmanagement = [\"127.53.77.4\"]\n[backend.generic]\nrestart = [\"true\"]\n{}\n\
                 [[service]]\nname = \"dns\"\nprefixes = [\"{SERVICE}/32\"]\nbackend = \"generic\"\n\
                 role = \"authoritative\"\nzones = [\"example.org\"]\n",
                keys.concat()
            ),
        );
        let output = dnsherald(&["backend", "reload", "-c", configuration.path()]);
        (output.status.code(), stdout(&output) + &stderr(&output))
    };
    let (code, said) = reloads("nothing");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("example.org. at {SERVICE}:53: serial 7")), "{said}");
    for zone in ["example.org.", "other.example."] {
        let (code, said) = reloads(zone);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(&format!("zone {zone} at {SERVICE}:53: serial none, before 7")), "{said}");
    }
    fs::remove_file(lost).unwrap();
}
