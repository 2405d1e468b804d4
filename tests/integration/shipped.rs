//! Tests the files of the package: complete manual pages, a configuration to start from, units that systemd accepts.

use std::fs;
use std::path::Path;

mod copyright;
mod md5sums;
mod units;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn parses_the_shipped_healthcheck_line() {
    let text = read("exabgp-configs/healthcheck/exabgp.conf");
    let (_, line) = text.split_once("run /usr/bin/dnsherald ").unwrap();
    let (line, _) = line.split_once(';').unwrap();
    // ExaBGP treats quoted text as one word.
    let quoted = line.split('"').enumerate().flat_map(|(number, text)| match number % 2 {
        0 => text.split_whitespace().collect(),
        _ => vec![text],
    });
    let words: Vec<_> = quoted.chain(["--print-config"]).collect();
    let output = crate::cli::dnsherald(&words);
    assert!(output.status.success(), "{}", crate::cli::stderr(&output));
    assert!(crate::cli::stdout(&output).contains("prefixes = [\"192.0.2.53/32\"]"));
}
