//! The shipped configurations, the order of findings, and the page that explains them.

use super::*;

/// The shipped files of ExaBGP, each with the one of dnsherald beside it.
#[test]
fn the_shipped_configurations_have_no_finding() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("exabgp-configs");
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let mut seen = 0;
    let entries = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path());
    for place in entries.filter(|path| path.is_dir()).chain([folder.clone()]) {
        let files = fs::read_dir(&place).unwrap().flatten().map(|entry| entry.path());
        let is_exabgp = |path: &Path| path.file_name().unwrap().to_string_lossy().starts_with("exabgp");
        for file in files.filter(|path| path.is_file() && is_exabgp(path)) {
            let conf = Conf::read(&read(&file));
            let version = if file.ends_with("exabgp-6.conf") { "6.0.0" } else { "4.2.21" };
            let own = place.join("dnsherald.toml");
            let config = match own.is_file() {
                true => Config::parse(&own, &read(&own).replace("enabled = false", "enabled = true"), "host")
                    .unwrap(),
                false => gather::options(&conf.processes[0], "host").unwrap(),
            };
            let facts = Facts {
                config_path: "/etc/dnsherald/dnsherald.toml".into(),
                config: Ok(config),
                version: Ok(version.to_owned()),
                confs: Ok(vec![ConfFile { path: file.clone(), conf: Ok(conf) }]),
                ..healthy()
            };
            let report = Report::from_facts(&facts);
            assert_eq!((&report.findings, &report.not_checked), (&vec![], &vec![]), "{}", file.display());
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen}");
}

#[test]
fn the_worst_comes_first() {
    let mut facts = healthy();
    facts.clock = Ok(false);
    facts.listeners = vec![listener(Ok(false))];
    let report = Report::from_facts(&facts);
    let ids: Vec<_> = report.findings.iter().map(|finding| finding.id).collect();
    assert_eq!(ids, [Id::NotListening, Id::Clock]);
    assert_eq!(report.worst(), Some(Severity::Error));
    facts.listeners.clear();
    assert_eq!(Report::from_facts(&facts).worst(), Some(Severity::Warning));
}

#[test]
fn the_page_explains_every_finding() {
    let page = include_str!("../../../docs/doctor.md");
    for id in Id::ALL {
        let word = id.word();
        let severity = if id.severity() == Severity::Error { "error" } else { "warning" };
        assert!(
            page.contains(&format!("| `{word}` | {severity} |")),
            "docs/doctor.md does not explain {word}"
        );
    }
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, Id::ALL.len(), "docs/doctor.md explains what is no finding");
}
