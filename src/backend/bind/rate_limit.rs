//! Reads `rate-limit` and `exempt-clients` in what `named-checkconf -p` prints.

use std::iter::Peekable;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::backend::rate_limit::{Limited, RateLimit, Settings, is_cut};
use crate::text::joined;

/// An `acl` may name others, to this depth.
const DEEPEST: usize = 16;

/// The kinds of answers that have a limit.
const LIMITS: [&str; 6] = [
    "responses-per-second",
    "referrals-per-second",
    "nodata-per-second",
    "nxdomains-per-second",
    "errors-per-second",
    "all-per-second",
];

/// One statement: its words, and what its braces contain.
#[derive(Clone, Debug, Default)]
struct Statement {
    words: Vec<String>,
    block: Vec<Self>,
}

/// Whether an address matches a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Match {
    Yes,
    /// A negated element matched first.
    Excluded,
    No,
    /// It depends on what only the server knows.
    Unknown,
}

/// Every view that limits clients has to exempt every management address.
pub(super) fn read(settings: &Settings) -> RateLimit {
    let text = settings.printed.first().map_or("", String::as_str);
    let config = statements(&mut words(text).into_iter().peekable());
    let of = |name: &'static str| config.iter().filter(move |statement| statement.is(name));
    if is_cut(text) && of("view").next().is_some() {
        return RateLimit::not_known("named-checkconf -p prints more than is read here");
    }
    let in_options = of("options").find_map(|options| options.find("rate-limit"));
    // A view has its own limit, or that of the options.
    let mut scopes: Vec<(String, Option<&Statement>)> = of("view")
        .map(|view| {
            let name = view.words.get(1).map_or("", String::as_str);
            (format!("view \"{name}\""), view.find("rate-limit").or(in_options))
        })
        .collect();
    if scopes.is_empty() {
        scopes.push(("options".to_owned(), in_options));
    }
    let limiting =
        scopes.into_iter().filter_map(|(scope, limit)| Some((scope, limit.filter(|limit| limits(limit))?)));
    let limiting: Vec<_> = limiting.collect();
    if limiting.is_empty() {
        return RateLimit::new(Limited::NotLimited, "no `rate-limit` with a rate");
    }
    for (scope, limit) in &limiting {
        let exempt = limit.find("exempt-clients").map_or(&[][..], |exempt| &exempt.block);
        let matched = |address: &IpAddr| matches(exempt, *address, &config, DEEPEST);
        let found: Vec<_> = settings.management.iter().map(|address| (*address, matched(address))).collect();
        let missed = found.iter().filter(|(_, matched)| matches!(matched, Match::No | Match::Excluded));
        let missed: Vec<_> = missed.map(|(address, _)| *address).collect();
        if !missed.is_empty() {
            return RateLimit::not_exempt(
                format!("`rate-limit` applies in {scope}, `exempt-clients` has no {}", joined(&missed, ", ")),
                format!(
                    "set `exempt-clients {{ {}; }};` in that `rate-limit`",
                    joined(&missed, ", ").replace(", ", "; ")
                ),
            );
        }
        if found.iter().any(|(_, matched)| *matched == Match::Unknown) {
            return RateLimit::not_known(format!(
                "`exempt-clients` in {scope} depends on what only named knows"
            ));
        }
    }
    RateLimit::new(Limited::Exempt, "`exempt-clients` of `rate-limit`")
}

/// Whether any kind of answer has a limit that is more than logged.
fn limits(limit: &Statement) -> bool {
    let value = |name: &str| limit.find(name).and_then(|statement| statement.words.get(1));
    let is_logged_only = value("log-only").is_some_and(|word| ["yes", "true", "1"].contains(&word.as_str()));
    !is_logged_only && LIMITS.iter().any(|name| value(name).is_some_and(|rate| rate != "0"))
}

/// The first element that matches decides. The management address is one of this host's own.
fn matches(list: &[Statement], address: IpAddr, config: &[Statement], depth: usize) -> Match {
    for element in list {
        let negated = element.words.first().is_some_and(|word| word == "!");
        let words = &element.words[usize::from(negated)..];
        let nested = |list: &[Statement]| match depth
            .checked_sub(1)
            .map(|depth| matches(list, address, config, depth))
        {
            Some(Match::Excluded) => Match::No,
            Some(found) => found,
            None => Match::Unknown,
        };
        let found = match words.first().map(String::as_str) {
            None => nested(&element.block),
            Some("any" | "localhost" | "localnets") => Match::Yes,
            // Our probes are not signed.
            Some("none" | "key") => Match::No,
            Some("geoip" | "ecs") => Match::Unknown,
            Some(word) => match (word.parse::<IpAddr>(), word.parse::<IpNet>()) {
                (Ok(one), _) if one == address => Match::Yes,
                (_, Ok(network)) if network.contains(&address) => Match::Yes,
                (Ok(_), _) | (_, Ok(_)) => Match::No,
                _ => match config
                    .iter()
                    .find(|acl| acl.is("acl") && acl.words.get(1).is_some_and(|name| name == word))
                {
                    Some(acl) => nested(&acl.block),
                    None => Match::Unknown,
                },
            },
        };
        match found {
            Match::Yes if negated => return Match::Excluded,
            Match::Yes | Match::Unknown => return found,
            Match::No | Match::Excluded => {}
        }
    }
    Match::No
}

impl Statement {
    fn is(&self, name: &str) -> bool {
        self.words.first().is_some_and(|word| word == name)
    }

    fn find(&self, name: &str) -> Option<&Self> {
        self.block.iter().find(|statement| statement.is(name))
    }
}

/// Words, `{`, `}`, `;` and `!`. Quotes are taken off; named-checkconf prints no comments.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![];
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.next() {
        match first {
            '{' | '}' | ';' | '!' => words.push(first.to_string()),
            '"' => {
                let mut word = String::new();
                while let Some(next) = rest.next().filter(|next| *next != '"') {
                    word.push(next);
                    if next == '\\' {
                        word.extend(rest.next());
                    }
                }
                words.push(word);
            }
            _ if first.is_whitespace() => {}
            _ => {
                let mut word = String::from(first);
                while let Some(next) = rest.next_if(|next| !next.is_whitespace() && !"{};\"".contains(*next))
                {
                    word.push(next);
                }
                words.push(word);
            }
        }
    }
    words
}

/// Statements up to the closing brace, or to the end.
fn statements(words: &mut Peekable<impl Iterator<Item = String>>) -> Vec<Statement> {
    let mut all = vec![];
    let mut statement = Statement::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "}" => break,
            "{" => statement.block.extend(statements(words)),
            ";" => all.push(std::mem::take(&mut statement)),
            _ => statement.words.push(word),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACL: &str = "acl \"mine\" {\n\t127.0.5.0/24;\n};\n";

    fn read_config(text: &str) -> RateLimit {
        let management = vec!["127.0.5.1".parse().unwrap()];
        read(&Settings { printed: vec![text.to_owned()], management, ..Settings::default() })
    }

    fn options(exempt: &str) -> String {
        format!(
            "{ACL}options {{\n\tdirectory \"/var/cache/bind\";\n\tlisten-on  {{\n\t\t127.0.5.1/32;\n\t}};\n\trate-limit {{\n\
             \t\texempt-clients {{\n\t\t\t{exempt}\n\t\t}};\n\t\tresponses-per-second 5;\n\t}};\n}};\n"
        )
    }

    #[test]
    fn without_a_rate_there_is_no_limit() {
        for text in [
            "options {\n\tdirectory \"/var/cache/bind\";\n};\n",
            "options {\n\trate-limit {\n\t\tresponses-per-second 0;\n\t};\n};\n",
            "options {\n\trate-limit {\n\t\tlog-only yes;\n\t\tresponses-per-second 5;\n\t};\n};\n",
        ] {
            assert_eq!(read_config(text).state, Limited::NotLimited, "{text}");
        }
    }

    #[test]
    fn the_first_element_that_matches_decides() {
        for (exempt, state) in [
            ("127.0.5.1/32;", Limited::Exempt),
            ("\"mine\";", Limited::Exempt),
            ("!10.0.0.1/32;\n\t\t\t10.0.0.0/8;\n\t\t\t\"localhost\";", Limited::Exempt),
            ("{\n\t\t\t\t10.0.0.0/8;\n\t\t\t\t127.0.5.1/32;\n\t\t\t};", Limited::Exempt),
            ("\"any\";", Limited::Exempt),
            ("!127.0.5.1/32;\n\t\t\t\"any\";", Limited::NotExempt),
            ("!\"mine\";\n\t\t\t\"any\";", Limited::NotExempt),
            ("key \"k\";\n\t\t\t10.0.0.0/8;", Limited::NotExempt),
            ("\"none\";", Limited::NotExempt),
            ("geoip country \"DE\";", Limited::NotKnown),
        ] {
            assert_eq!(read_config(&options(exempt)).state, state, "{exempt}");
        }
    }

    #[test]
    fn a_view_with_a_limit_of_its_own_has_to_exempt_as_well() {
        let text = options("\"mine\";")
            + "view \"inside\" {\n\tmatch-clients {\n\t\t\"any\";\n\t};\n\tzone \"example.org\" {\n\t\ttype primary;\n\
               \t\tfile \"z\";\n\t};\n\trate-limit {\n\t\tresponses-per-second 10;\n\t};\n};\n";
        assert_eq!(
            read_config(&text).to_string(),
            "limited, management address NOT exempt: `rate-limit` applies in view \"inside\", `exempt-clients` has no \
             127.0.5.1\nset `exempt-clients { 127.0.5.1; };` in that `rate-limit`"
        );
    }
}
