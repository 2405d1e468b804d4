//! The configurations of DNS servers and routers in the pages, checked by the programs of these servers.

use std::fs;
use std::process::Command;

use crate::cli::{File, dnsherald, stderr, stdout};
use crate::support::docs::{Page, pages};
use crate::support::lacks;

/// A server's program that checks a configuration.
struct Checker {
    /// The language of the blocks, and for Lua the page that they are in.
    language: &'static str,
    page: &'static str,
    /// The name that the file needs.
    file: &'static str,
    /// The command; `DIR` is the directory of the file.
    command: &'static [&'static str],
}

const fn checker(
    language: &'static str,
    page: &'static str,
    file: &'static str,
    command: &'static [&'static str],
) -> Checker {
    Checker { language, page, file, command }
}

/// Knot Resolver has no such program, and a second one must not run beside the first.
const CHECKERS: [Checker; 10] = [
    checker("unbound", "", "unbound.conf", &["unbound-checkconf", "DIR/unbound.conf"]),
    checker("bind", "", "named.conf", &["named-checkconf", "DIR/named.conf"]),
    checker("nsd", "", "nsd.conf", &["nsd-checkconf", "DIR/nsd.conf"]),
    checker("knot", "", "knot.conf", &["knotc", "-c", "DIR/knot.conf", "conf-check"]),
    checker("powerdns", "", "pdns.conf", &["pdns_server", "--config-dir=DIR", "--config=check"]),
    checker("recursor", "", "recursor.conf", &["pdns_recursor", "--config-dir=DIR", "--config=check"]),
    checker("lua", "dnsdist", "dnsdist.conf", &["dnsdist", "--check-config", "-C", "DIR/dnsdist.conf"]),
    checker("frr", "", "frr.conf", &["vtysh", "-C", "-f", "DIR/frr.conf"]),
    checker("bird", "", "bird.conf", &["bird", "-p", "-c", "DIR/bird.conf"]),
    checker("dnsmasq", "", "dnsmasq.conf", &["dnsmasq", "--test", "-C", "DIR/dnsmasq.conf"]),
];

#[test]
fn the_servers_accept_every_configuration_in_the_pages() {
    let folder = std::env::temp_dir().join(format!("dnsherald-docs-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let place = folder.to_str().unwrap();
    for Checker { language, page: name, file, command } in CHECKERS {
        let mut count = 0;
        for page in pages().into_iter().filter(|page| page.path.contains(name)) {
            for block in page.blocks().into_iter().filter(|block| block.language == language) {
                fs::write(folder.join(file), &block.text).unwrap();
                let arguments = command[1..].iter().map(|word| word.replace("DIR", place));
                // Debian has servers in /usr/sbin, which users may not have in their PATH.
                let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
                let Ok(output) = Command::new(command[0]).args(arguments).env("PATH", path).output() else {
                    lacks(command[0]);
                    continue;
                };
                let said = [output.stdout, output.stderr].concat();
                let said = String::from_utf8_lossy(&said);
                assert!(output.status.success(), "{}:{}: {said}", page.path, block.line);
                count += 1;
            }
        }
        assert!(count > 0 || std::env::var_os("DNSHERALD_FULL").is_none(), "no block is marked {language}");
    }
    fs::remove_dir_all(folder).unwrap();
}

/// The first word in code of the row of a page's table.
fn cell<'a>(page: &'a Page, row: &str) -> &'a str {
    let head = format!("| {row} | ");
    let line = page.text.lines().find_map(|line| line.strip_prefix(&head));
    let line = line.unwrap_or_else(|| panic!("{}: no row {row}", page.path));
    line.split('`').nth(1).unwrap_or_default()
}

#[test]
fn the_pages_of_servers_tell_what_their_configuration_does() {
    let pages = pages();
    let pages = pages.iter().filter(|page| page.path.starts_with("docs/servers/"));
    let pages: Vec<_> = pages.filter(|page| !page.path.ends_with("README.md")).collect();
    assert_eq!(pages.len(), 9);
    for page in pages {
        let toml = page.blocks().into_iter().find(|block| block.language == "toml").unwrap().text;
        let file = File::new("server.toml", &format!("{toml}\n[node]\nmanagement = [\"10.1.0.2\"]\n"));
        let shown = dnsherald(&["check-config", file.path()]);
        assert!(shown.status.success(), "{}: {}", page.path, stderr(&shown));
        let shown = stdout(&shown);
        // The page of BIND names the question of a resolver, and shows an authoritative server.
        let question = match cell(page, "probe that decides") {
            _ if toml.contains("zones") => "example.org. SOA",
            question => question,
        };
        for words in [&format!("unit {}\n", cell(page, "unit")), &format!(":53 udp {question} ")] {
            assert!(shown.contains(words), "{}: `{words}` is not in\n{shown}", page.path);
        }
    }
}
