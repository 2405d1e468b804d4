//! All that may ever appear on standard output, as far as the tests' configurations make use of it.

use std::net::IpAddr;

use ipnet::IpNet;

/// Up to here a write to a pipe is atomic.
const PIPE_BUF: usize = 4096;

/// What is wrong with a line, given with its line break.
pub(crate) fn problem(line: &[u8]) -> Option<String> {
    let shown = || String::from_utf8_lossy(line).into_owned();
    let Some(text) = line.strip_suffix(b"\n") else { return Some(format!("torn: {}", shown())) };
    if line.len() > PIPE_BUF || !text.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return Some(format!("too long, or no ASCII: {}", shown()));
    }
    let text = shown();
    (!is_command(text.trim_end_matches('\n'))).then(|| format!("no command: {text}"))
}

fn is_command(text: &str) -> bool {
    if text.starts_with('#') || text == "system version 0" {
        return true;
    }
    let words: Vec<_> = text.split(' ').collect();
    let command = match &words[..] {
        ["neighbor" | "peer", to, command @ ..] if *to == "*" || to.parse::<IpAddr>().is_ok() => command,
        command => command,
    };
    match *command {
        ["announce", "route", prefix, "next-hop", hop, "med", med] => {
            is_prefix(prefix) && hop.parse::<IpAddr>().is_ok() && med.parse::<u32>().is_ok()
        }
        ["announce", "eor", "ipv4" | "ipv6", "unicast"] => true,
        ["withdraw", "route", prefix] => is_prefix(prefix),
        _ => false,
    }
}

fn is_prefix(text: &str) -> bool {
    text.parse::<IpNet>().is_ok_and(|prefix| prefix == prefix.trunc())
}

#[test]
fn the_grammar_knows_what_is_none() {
    for line in [
        "",
        "announce\n",
        "# x",
        "neighbor * withdraw route 192.0.2.53\n",
        "peer x withdraw route 192.0.2.53/32\n",
        "done\n",
        "# ä\n",
    ] {
        assert!(problem(line.as_bytes()).is_some(), "{line:?}");
    }
    for line in [
        "# x\n",
        "peer * withdraw route 192.0.2.53/32\n",
        "neighbor 10.0.0.1 withdraw route 192.0.2.53/32\n",
        "announce eor ipv4 unicast\n",
    ] {
        assert_eq!(problem(line.as_bytes()), None);
    }
}
