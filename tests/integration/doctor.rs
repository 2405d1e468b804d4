//! Tests `doctor` with files, a program that claims to be ExaBGP, and real servers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use dnsherald::responder::Fault;
use serde_json::Value;

use crate::cli::{stderr, stdout};
use crate::support::binary;
use crate::support::helper::eventually;
use crate::support::server::Server;

pub(crate) mod running;

/// A host: a folder with the files of dnsherald and of ExaBGP.
struct Host(PathBuf);

impl Host {
    const OF_THE_MACHINE: [&str; 9] = [
        // Most tests start none, and another one may run on this machine.
        "exabgp-stopped",
        "helper-missing",
        "clock",
        "drop-in-missing",
        "drop-in-overridden",
        "stop-timeout",
        "daemon-reload",
        "directory-access",
        "control-access",
    ];

    /// With a server at this address and port, and ExaBGP of this version.
    fn new(name: &str, server: &str, version: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("dnsherald-doctor-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        let host = Self(folder);
        // An option up to 4.2, a command from 5.0 on.
        let asked = if version.starts_with('4') { "--version" } else { "version" };
        host.write("exabgp", &format!("#!/bin/sh\n[ \"$*\" = {asked} ] && echo 'ExaBGP : {version}'\n"));
        fs::set_permissions(host.path("exabgp"), fs::Permissions::from_mode(0o755)).unwrap();
        host.write(
            "dnsherald.toml",
            &format!(
                "[node]\nmanagement = [\"127.1.0.1\"]\n[exabgp]\n[control]\ndirectory = \"{0}\"\nstate = \"{0}\"\n\
                 [[service]]\nname = \"dns\"\nprefixes = [\"127.0.0.0/24\"]\naddress = [\"127.0.0.1\"]\n[[service.check]]\n\
                 name = \"answers\"\ndns = {{ query = \"localhost. A\", server = \"{server}\", transport = [\"udp\"] }}\n",
                host.0.display()
            ),
        );
        let configuration = host.path("dnsherald.toml");
        host.write(
            "exabgp.conf",
            &format!(
                "process dnsherald {{\n    run /usr/bin/dnsherald run -c {};\n    encoder text;\n}}\n\
                 neighbor 127.0.0.2 {{\n    hold-time 9;\n    family {{ ipv4 unicast; }}\n    api {{ processes [ dnsherald ]; }}\n}}\n",
                configuration.display()
            ),
        );
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn replace(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{from}");
        self.write(name, &text.replace(from, to));
    }

    fn doctor(&self, options: &[&str]) -> Output {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(binary());
        command.arg("doctor").arg("--exabgp-conf").arg(self.path("exabgp.conf")).args(options);
        command.env("PATH", format!("{}:{path}", self.0.display())).output().unwrap()
    }

    /// The identifiers of the findings that do not depend on the machine of the test.
    fn findings(&self) -> Vec<String> {
        let mut found = self.all_findings();
        found.retain(|id| !Self::OF_THE_MACHINE.contains(&id.as_str()));
        found
    }

    /// How many findings have this identifier.
    fn all_of(&self, id: &str) -> usize {
        self.all_findings().iter().filter(|found| *found == id).count()
    }

    fn all_findings(&self) -> Vec<String> {
        let output = self.doctor(&["--json"]);
        let document: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
        let findings = document["findings"].as_array().unwrap();
        let worst = findings.iter().map(|finding| match finding["severity"].as_str().unwrap() {
            "warning" => 1,
            "error" => 2,
            other => panic!("{other}"),
        });
        assert_eq!(output.status.code(), Some(worst.max().unwrap_or(0)), "{document}");
        findings.iter().map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_host_in_order_has_no_finding_and_nothing_is_written() {
    let server = Server::with(Fault::None);
    let host = Host::new("good", &server.address().to_string(), "5.0.15");
    let listed = || {
        let mut names: Vec<_> =
            fs::read_dir(&host.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = listed();
    assert_eq!(host.findings(), [""; 0]);
    assert_eq!(listed(), before);
}

#[test]
fn a_refusing_a_mute_and_a_stopped_server_are_told_apart() {
    let server = Server::with(Fault::Refuse);
    let host = Host::new("refusing", &server.address().to_string(), "5.0.15");
    assert_eq!(host.findings(), ["probe-refused"]);
    let server = Server::with(Fault::Silent);
    let host = Host::new("mute", &server.address().to_string(), "5.0.15");
    assert_eq!(host.findings(), ["no-answer"]);
    let address = server.address().to_string();
    drop(server);
    let host = Host::new("stopped", &address, "5.0.15");
    assert_eq!(host.findings(), ["not-listening", "not-listening"], "over UDP and TCP");
}

#[test]
fn the_files_of_exabgp_are_read() {
    let server = Server::with(Fault::None);
    let host = Host::new("files", &server.address().to_string(), "4.2.21");
    host.replace("exabgp.conf", "encoder text;", "respawn false;");
    host.replace("exabgp.conf", "hold-time 9;", "capability { graceful-restart 60; } adj-rib-out;");
    host.replace("exabgp.conf", "ipv4 unicast", "ipv6 unicast");
    host.write("exabgp.env", "[exabgp.api]\nack = false\n");
    host.replace("dnsherald.toml", "[exabgp]\n", "[exabgp]\napi = 6\n");
    let errors = ["dialect", "acks-off", "encoder-missing", "respawn-off", "family-missing"];
    let warnings = ["graceful-restart", "hold-time", "adj-rib-out"];
    assert_eq!(host.findings(), [&errors[..], &warnings].concat());
    host.replace("exabgp.conf", "dnsherald ];", "other ];");
    assert!(host.findings().contains(&"no-neighbor".to_owned()));
}

#[test]
fn a_missing_address_and_a_refused_file_are_found() {
    let server = Server::with(Fault::None);
    let host = Host::new("elsewhere", &server.address().to_string(), "5.0.15");
    host.replace("dnsherald.toml", "\"127.1.0.1\"]", "\"127.1.0.1\", \"198.51.100.77\"]");
    host.replace("dnsherald.toml", "127.0.0.0/24\"]", "127.0.0.0/24\", \"203.0.113.0/24\"]");
    host.replace(
        "dnsherald.toml",
        "address = [\"127.0.0.1\"]",
        "address = [\"127.0.0.1\", \"203.0.113.78\"]",
    );
    let mut found = host.findings();
    found.sort();
    assert_eq!(found, ["address-missing", "management-missing"]);
    host.write("dnsherald.toml", "garbage");
    assert_eq!(host.findings(), ["configuration"]);
}

#[test]
fn what_cannot_be_read_is_not_checked() {
    let server = Server::with(Fault::None);
    let host = Host::new("unread", &server.address().to_string(), "5.0.15");
    host.write("exabgp.conf", "group all { }\n");
    assert_eq!(
        host.findings(),
        ["configuration"],
        "no process names a file, and there is none at the default place"
    );
    let configuration = host.path("dnsherald.toml");
    let table = stdout(&host.doctor(&["-c", configuration.to_str().unwrap()]));
    // Where a line breaks depends on the length of the path.
    let words: Vec<_> = table.split_whitespace().collect();
    assert!(words.join(" ").contains("line 1: `group all` is not understood"), "{table}");
    assert!(!table.contains("process-missing"), "{table}");
    let last = table.lines().last().unwrap();
    assert!(last.contains(" of 25 checks made: "), "{table}");
    fs::remove_file(host.path("exabgp.conf")).unwrap();
    let table = stdout(&host.doctor(&["-c", configuration.to_str().unwrap()]));
    assert!(table.contains("not checked: "), "{table}");
    assert!(!table.contains("process-missing"), "{table}");
}

#[test]
fn the_table_has_the_worst_first_with_its_remedy_and_fits_80_columns() {
    let server = Server::with(Fault::Refuse);
    let host = Host::new("table", &server.address().to_string(), "5.0.15");
    host.replace("exabgp.conf", "hold-time 9;", "");
    let output = host.doctor(&[]);
    let table = stdout(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stderr.is_empty(), "{}", stderr(&output));
    assert!(table.starts_with("ERROR "), "{table}");
    let place = |text: &str| table.find(text).unwrap_or_else(|| panic!("no `{text}` in {table}"));
    assert!(place("ERROR probe-refused: ") < place("warning hold-time: "), "{table}");
    assert!(place("ERROR probe-refused: ") < place("    remedy: permit 127.1.0.1"), "{table}");
    // A path or an address is one word, and stays whole.
    let is_long = |line: &&str| line.chars().count() > 80 && line.trim().contains(' ');
    let long: Vec<_> =
        table.lines().filter(is_long).filter(|line| line.split(' ').all(|word| word.len() < 30)).collect();
    assert_eq!(long, [""; 0]);
}

/// A process that looks like ExaBGP; dropped, it ends.
struct FakeExaBgp(Child);

impl Drop for FakeExaBgp {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Started in the folder of the host, with these files.
fn exabgp(host: &Host, files: &[&str]) -> FakeExaBgp {
    exabgp_with(files, "PWD", host)
}

/// `variable` has the folder in which it was started.
fn exabgp_with(files: &[&str], variable: &str, host: &Host) -> FakeExaBgp {
    // Waits for the end of its standard input.
    let mut command = Command::new("cat");
    command.arg0("exabgp").args(files).arg("-").current_dir("/").env_remove("PWD").env(variable, &host.0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    FakeExaBgp(command.spawn().unwrap())
}

/// ExaBGP changes to the root directory once it has read its file.
#[test]
fn the_file_of_a_running_exabgp_counts_from_where_it_was_started() {
    let server = Server::with(Fault::None);
    let host = Host::new("running", &server.address().to_string(), "5.0.15");
    // A name that no other ExaBGP of the machine has.
    let name = "doctor-running.conf";
    fs::rename(host.path("exabgp.conf"), host.path(name)).unwrap();
    let not_checked = |options: &[&str], variable: &str| {
        let exabgp = exabgp_with(&[name], variable, &host);
        let output = Command::new(binary()).args(["doctor", "--json"]).args(options).output().unwrap();
        drop(exabgp);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        document["not-checked"].to_string()
    };
    let path = host.path(name);
    let known = not_checked(&[], "PWD");
    assert!(!known.contains("no ExaBGP runs") && !known.contains(name), "{known}");
    // The processes of other tests have files that are found.
    let lost = format!("runs with `{name}`, found neither in");
    assert!(eventually(|| not_checked(&[], "OLDPWD").contains(&lost)), "{}", not_checked(&[], "OLDPWD"));
    let named = not_checked(&["--exabgp-conf", path.to_str().unwrap()], "OLDPWD");
    assert!(!named.contains("no running ExaBGP") && !named.contains("found neither"), "{named}");
}
