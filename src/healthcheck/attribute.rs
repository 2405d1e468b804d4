//! Parsers of route attributes as operators write them for ExaBGP: several words in one value, with or without brackets.
//!
//! The original passes such a value to ExaBGP unchecked. This program parses it first and refuses an invalid value at
//! start, not when the announcement fails.

use crate::exabgp::attributes::{Community, ExtendedCommunity, LargeCommunity};

/// Communities of a route.
pub(super) type Communities = Vec<Community>;

/// Parses communities: `64512:100 no-export`. As ExaBGP does, it accepts well-known names in any case, some with
/// underscores, and both numbers as one, which is hexadecimal if it begins with `0x`.
pub(super) fn communities(text: &str) -> Result<Communities, String> {
    let usual = |word: &str| match word.to_ascii_lowercase().replace('_', "-").as_str() {
        "nopeer" => "no-peer".to_owned(),
        name => name.to_owned(),
    };
    let community = |word: &&str| match one_number(word) {
        Some(number) => Ok(Community::from(number)),
        None => usual(word).parse().or_else(|_| word.parse()),
    };
    words(text)?.iter().map(community).collect()
}

/// Extended communities of a route.
pub(super) type ExtendedCommunities = Vec<ExtendedCommunity>;

/// Parses extended communities: `target:64512:100 bandwidth:64512:125000000`. `64512:100` is a `target`.
pub(super) fn extended_communities(text: &str) -> Result<ExtendedCommunities, String> {
    let community = |word: &&str| match word.matches(':').count() {
        1 => format!("target:{word}").parse().or_else(|_| word.parse()),
        _ => word.parse(),
    };
    words(text)?.iter().map(community).collect()
}

fn one_number(word: &str) -> Option<u32> {
    let (digits, radix) = match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (word, 10),
    };
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, radix).ok())?
}

/// Large communities of a route.
pub(super) type LargeCommunities = Vec<LargeCommunity>;

/// Parses large communities: `64512:1:100`. As ExaBGP does, it accepts all three numbers as one.
pub(super) fn large_communities(text: &str) -> Result<LargeCommunities, String> {
    let community = |word: &&str| match word.parse::<u128>() {
        Ok(number) if word.bytes().all(|byte| byte.is_ascii_digit()) => {
            let parts = [number >> 64, number >> 32 & 0xFFFF_FFFF, number & 0xFFFF_FFFF];
            parts.map(|part| part.to_string()).join(":").parse()
        }
        _ => word.parse(),
    };
    words(text)?.iter().map(community).collect()
}

/// The AS numbers of a path; `None` leaves the path to ExaBGP.
pub(super) type AsPath = Option<Vec<u32>>;

/// Parses an AS path: `64512 64512`, optionally with commas. The empty text leaves the path to ExaBGP; empty brackets are an
/// empty path.
pub(super) fn as_path(text: &str) -> Result<AsPath, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let text = text.replace(',', " ");
    let numbers = words(&text)?.into_iter().map(|word| {
        as_number(word).ok_or_else(|| {
            format!(
                "`{word}` is not an AS number, expected one such as 64512 or 1.10; AS sets are not supported"
            )
        })
    });
    numbers.collect::<Result<_, _>>().map(Some)
}

/// An AS number, in plain or dotted notation (RFC 5396).
fn as_number(word: &str) -> Option<u32> {
    if !word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    match word.split_once('.') {
        Some((high, low)) => {
            Some(u32::from(high.parse::<u16>().ok()?) << 16 | u32::from(low.parse::<u16>().ok()?))
        }
        None => word.parse().ok(),
    }
}

/// Splits a value into words, without brackets around all of them. The words become part of a command to ExaBGP, where
/// a line break would start a second command; so control characters are refused.
fn words(text: &str) -> Result<Vec<&str>, String> {
    if let Some(odd) = text.chars().find(|character| !matches!(character, '\t' | ' '..='~')) {
        return Err(format!("`{}` contains {odd:?}, expected printable ASCII", text.escape_debug()));
    }
    let text = text.trim();
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    Ok(inner.unwrap_or(text).split_whitespace().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn community(text: &str) -> Result<Vec<String>, String> {
        Ok(communities(text)?.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn accepts_communities_with_and_without_brackets() {
        let two = Ok(vec!["64512:1".to_owned(), "64512:2".to_owned()]);
        for text in ["64512:1 64512:2", "[64512:1 64512:2]", " [ 64512:1\t64512:2 ] "] {
            assert_eq!(community(text), two, "{text}");
        }
        for text in ["", " ", "[]", "[ ]"] {
            assert_eq!(community(text), Ok(vec![]), "{text}");
        }
    }

    #[test]
    fn accepts_the_well_known_names_of_exabgp() {
        for text in ["no-export", "NO_EXPORT", "No-Export"] {
            assert_eq!(community(text).unwrap(), ["65535:65281"], "{text}");
        }
        assert_eq!(community("nopeer blackhole").unwrap(), ["65535:65284", "65535:666"]);
        assert_eq!(community("0xFFFF029a 4227858532").unwrap(), ["65535:666", "64512:100"]);
        for text in ["4294967296", "0x100000000", "0x", "+1", "0x+1", "fc00"] {
            assert!(community(text).unwrap_err().contains("is no community"), "{text}");
        }
    }

    #[test]
    fn refuses_text_that_is_not_a_community() {
        assert!(community("64512:1, 64512:2").unwrap_err().starts_with("`64512:1,` is no community"));
        assert!(community("64512:1 ] med 5").is_err());
        assert!(community("64512:1\n64512:2").unwrap_err().contains(r"`64512:1\n64512:2` contains '\n'"));
        assert!(community("64512:1\u{a0}").unwrap_err().contains("expected printable ASCII"));
    }

    #[test]
    fn an_extended_community_without_a_kind_is_a_target() {
        let list = extended_communities("64512:1 origin:192.0.2.1:2").unwrap();
        let shown: Vec<_> = list.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["target:64512:1", "origin:192.0.2.1:2"]);
        assert!(extended_communities("bandwidth:64512").unwrap_err().contains("`bandwidth:64512:125000000`"));
    }

    #[test]
    fn a_large_community_may_be_one_number() {
        let list = large_communities("1:2:3 18446744082299486211").unwrap();
        let shown: Vec<_> = list.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["1:2:3", "1:2:3"]);
        for text in ["79228162514264337593543950336", "+1", "0x1"] {
            assert!(large_communities(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_is_a_list_of_numbers() {
        for text in ["64512 65546", "64512,1.10", "[ 64512, 65546 ]"] {
            assert_eq!(as_path(text), Ok(Some(vec![64512, 65546])), "{text}");
        }
        assert_eq!(as_path(""), Ok(None));
        assert_eq!(as_path("[ ]"), Ok(Some(vec![])));
        for text in ["AS64512", "+1", "4294967296", "1.65536", "1.2.3", "( 64512 )", "-1"] {
            assert!(as_path(text).unwrap_err().contains("is not an AS number"), "{text}");
        }
    }
}
