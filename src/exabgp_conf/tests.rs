use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::{ProptestConfig, any, prop, proptest};

use super::environment::Settings;
use super::*;

const USUAL: &str = r#"
# A comment { with braces; }
process dnsherald {
    run /usr/bin/dnsherald run -c "/etc/my dir/x.toml"; # why
    encoder text;
}
template {
    neighbor router {
        hold-time 9;
        family { ipv4 unicast; }
        api { processes [ other ]; }
    }
}
neighbor 10.1.0.1 {
    inherit router;
    description "a; { b } # c";
    manual-eor true;
    adj-rib-out;
    capability { graceful-restart 30; }
    family { ipv6 unicast; ipv4 flow; }
    api speaking { processes [ dnsherald, second ]; neighbor-changes; receive { parsed; update; } }
}
neighbor 2001:db8::1 { hold-time 200; }
"#;

#[test]
fn reads_processes_neighbors_and_templates() {
    let conf = Conf::read(USUAL);
    assert_eq!(conf.not_understood, [""; 0]);
    let process = &conf.processes[0];
    assert_eq!((process.name.as_str(), process.line, process.has_encoder), ("dnsherald", 3, true));
    assert_eq!(process.command().unwrap(), ["run", "-c", "/etc/my dir/x.toml"]);
    let [first, second] = &conf.neighbors[..] else { panic!("{conf:?}") };
    assert_eq!(first.name(), "neighbor 10.1.0.1");
    assert_eq!(first.hold_time, Setting::Set(9), "inherited");
    assert_eq!((first.manual_eor.or(false), first.adj_rib_out.or(true)), (Some(true), Some(false)));
    assert_eq!(first.graceful_restart, Setting::Set(Some(30)));
    assert_eq!((first.has_family(Family::V4), first.has_family(Family::V6)), (Some(true), Some(true)));
    assert_eq!(
        (first.lists("dnsherald"), first.lists("other"), first.lists("x")),
        (Some(true), Some(true), Some(false))
    );
    assert_eq!((second.hold_time.or(180), second.session_is_v6()), (Some(200), Some(true)));
    assert_eq!((second.has_family(Family::V6), second.lists("dnsherald")), (Some(true), Some(false)));
}

#[test]
fn what_is_not_understood_is_named_and_nothing_is_concluded() {
    let conf = Conf::read(
        "group g { neighbor 10.0.0.1 { } }\nneighbor router.example { family { inet4 unicast; } hold-time long; \
         api { processes-match [ dns.* ]; } capability { graceful-restart soon; } adj-rib-out maybe; inherit nothing; }",
    );
    assert_eq!(conf.not_understood, ["line 1: `group g`", "line 2: no template `nothing` is defined"],);
    let neighbor = &conf.neighbors[0];
    assert_eq!(neighbor.name(), "the neighbor in line 2");
    assert_eq!(neighbor.has_family(Family::V4), None);
    assert_eq!((neighbor.hold_time.or(180), neighbor.adj_rib_out.or(true)), (None, None));
    assert_eq!((neighbor.lists("dnsherald"), neighbor.session_is_v6()), (None, None));
    assert_eq!(neighbor.graceful_restart, Setting::Unclear);
    let both =
        Conf::read("template { neighbor t { hold-time 9; } } neighbor 10.0.0.1 { inherit t; hold-time 30; }");
    assert_eq!(both.neighbors[0].hold_time, Setting::Unclear, "which one wins depends on the version");
}

#[test]
fn braces_without_a_partner_are_named() {
    let faults = |text: &str| Conf::read(text).not_understood;
    assert_eq!(faults("neighbor 10.0.0.1 {\n hold-time 9;"), ["line 1: `{` without `}`"]);
    assert_eq!(faults("}\n"), ["line 1: `}` without `{`"]);
    assert_eq!(faults("process p { run x }"), ["line 1: words without `;` before `}`"]);
    assert_eq!(faults("process"), ["line 1: words without `;` or `{` at the end"]);
    assert_eq!(faults(&"a {".repeat(40))[0], "line 1: a block deeper than 16");
}

#[test]
fn a_process_of_3_4_is_within_its_neighbor() {
    let conf = Conf::read("neighbor 10.0.0.1 {\n process p {\n run /opt/dnsherald run;\n }\n}");
    assert!(conf.processes[0].is_ours() && !conf.processes[0].has_encoder);
    assert_eq!(conf.neighbors[0].lists("p"), Some(true));
}

#[test]
fn the_environment_overrides_its_file() {
    let file = Settings::read(
        "[exabgp.api]\nack = false\nRespawn: 'true'\n[exabgp.log]\nack = true\n# ack = true\n",
    );
    assert_eq!(file, Settings { ack: Some(false), respawn: Some(true), ..Settings::default() });
    let settings =
        file.with_variables([("exabgp.api.ack", "true"), ("exabgp_api_respawn", "no"), ("x", "y")]);
    assert_eq!(settings, Settings { ack: Some(true), respawn: Some(false), ..Settings::default() });
    assert_eq!(Settings::read("ack = false"), Settings::default(), "in no section");
}

fn shipped(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().into_string().unwrap();
        if path.is_dir() {
            shipped(&path, found);
        } else if name.starts_with("exabgp") && name.ends_with(".conf") {
            found.push(path);
        }
    }
}

#[test]
fn every_shipped_configuration_is_understood() {
    let mut files = vec![];
    shipped(&Path::new(env!("CARGO_MANIFEST_DIR")).join("exabgp-configs"), &mut files);
    assert!(files.len() >= 10, "{files:?}");
    for file in files {
        let conf = Conf::read(&fs::read_to_string(&file).unwrap());
        assert_eq!(conf.not_understood, [""; 0], "{}", file.display());
        let ours = conf.processes.iter().find(|process| process.is_ours()).unwrap();
        assert!(conf.neighbors.iter().all(|neighbor| neighbor.lists(&ours.name) == Some(true)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Garbage is neither a panic nor an endless list of complaints.
    #[test]
    fn any_text_is_read(text in any::<String>()) {
        assert!(Conf::read(&text).not_understood.len() <= text.len() + 20);
        let _ = Settings::read(&text);
    }

    /// Text of the signs and words of the grammar, which gets further.
    #[test]
    fn any_order_of_words_is_read(words in prop::collection::vec(prop::sample::select(vec![
        "neighbor", "process", "template", "10.0.0.1", "::1", "{", "}", ";", "[", "]", ",", "api", "processes", "family",
        "ipv6", "unicast", "inherit", "hold-time", "9", "\"", "'", "#", "\\", "\n", "capability", "graceful-restart", "run",
    ]), 0..60)) {
        let conf = Conf::read(&words.join(" "));
        assert!(conf.neighbors.len() + conf.processes.len() <= words.len());
    }

    /// What follows a neighbor does not change it, unless a quote is open.
    #[test]
    fn what_comes_after_changes_nothing(text in "[a-z0-9 ;{}\\[\\],#\n]{0,80}") {
        let conf = Conf::read(&format!("{USUAL}\n{text}"));
        assert_eq!(conf.neighbors[..2], Conf::read(USUAL).neighbors[..]);
    }
}
