//! Parsers of numbers in the syntax of the original, with a sign and surrounding spaces, and the meaning of special
//! values.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::exabgp::attributes::PathInformation;

/// Longest period, in seconds: 68 years, the limit of alarm(2).
const LONGEST: f64 = i32::MAX as f64;

/// Parses a whole number.
pub(super) fn whole(text: &str) -> Result<i64, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("`{text}` is not a whole number, expected one such as 3, of 64 bits at most"))
}

/// Parses a number of consecutive results. Values below 1 count as 1.
pub(super) fn count(text: &str) -> Result<NonZeroU32, String> {
    // A count too large for 32 bits is never reached, and neither is the maximum.
    let count = u32::try_from(whole(text)?.max(1)).unwrap_or(u32::MAX);
    Ok(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN))
}

/// Parses a period in seconds, which may be 0.
pub(super) fn period(text: &str) -> Result<Duration, String> {
    match seconds(text)? {
        seconds if seconds < 0.0 => Err(format!("`{text}` is negative, expected 0 or more seconds")),
        seconds => Ok(duration(seconds)),
    }
}

/// A time limit, if there is one.
pub(super) type Limit = Option<Duration>;

/// Parses a time limit in seconds. 0 and negative values stand for no limit.
pub(super) fn limit(text: &str) -> Result<Limit, String> {
    let seconds = seconds(text)?;
    Ok((seconds > 0.0).then(|| duration(seconds)))
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.trim().parse::<f64>().ok().filter(|seconds| !seconds.is_nan());
    let expected = "expected seconds such as 5 or 0.5";
    match seconds {
        Some(seconds) if seconds.abs() > LONGEST => {
            Err(format!("`{text}` is too long, {expected}, up to {LONGEST}"))
        }
        Some(seconds) => Ok(seconds),
        None => Err(format!("`{text}` is not a number of seconds, {expected}")),
    }
}

/// A positive period stays positive, because 0 has a special meaning.
fn duration(seconds: f64) -> Duration {
    let shortest = if seconds > 0.0 { Duration::from_nanos(1) } else { Duration::ZERO };
    Duration::from_secs_f64(seconds.max(0.0)).max(shortest)
}

/// LOCAL_PREF, if there is one.
pub(super) type Preference = Option<u32>;

/// Parses LOCAL_PREF. Negative values stand for none.
pub(super) fn preference(text: &str) -> Result<Preference, String> {
    match whole(text)? {
        ..0 => Ok(None),
        number => unsigned(number).map(Some),
    }
}

/// A path identifier, if there is one.
pub(super) type PathId = Option<PathInformation>;

/// Parses a path identifier. 0 stands for none.
pub(super) fn path_id(text: &str) -> Result<PathId, String> {
    let number = unsigned(whole(text)?)?;
    Ok((number > 0).then_some(PathInformation(number)))
}

/// Checks that a number fits into the 32 bits of BGP.
fn unsigned(number: i64) -> Result<u32, String> {
    u32::try_from(number)
        .map_err(|_| format!("`{number}` does not fit, expected a number from 0 to {}", u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_whole_numbers_as_python_does() {
        for text in ["3", "+3", " 3 ", "003"] {
            assert_eq!(whole(text), Ok(3), "{text}");
        }
        for text in ["", "3.0", "3s", "0x3", "--3", "9223372036854775808"] {
            assert!(
                whole(text).unwrap_err().starts_with(&format!("`{text}` is not a whole number")),
                "{text}"
            );
        }
    }

    #[test]
    fn a_count_below_one_is_one() {
        for (text, count) in [("-5", 1), ("0", 1), ("1", 1), ("3", 3), ("99999999999", u32::MAX)] {
            assert_eq!(self::count(text).unwrap().get(), count);
        }
    }

    #[test]
    fn seconds_are_finite_and_not_negative() {
        for (text, millis) in [("5", 5000), ("0.5", 500), (".5", 500), ("1e1", 10_000), ("0", 0), ("-0", 0)] {
            assert_eq!(period(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(period("1e-300"), Ok(Duration::from_nanos(1)));
        assert!(period("-1").unwrap_err().contains("is negative"));
        assert!(period("nan").unwrap_err().contains("is not a number of seconds"));
        assert!(period("5s").unwrap_err().contains("such as 5 or 0.5"));
        assert!(period("inf").unwrap_err().contains("too long"));
        assert!(period("1e10").unwrap_err().contains("up to 2147483647"));
    }

    #[test]
    fn a_limit_of_zero_is_no_limit() {
        assert_eq!(limit("0"), Ok(None));
        assert_eq!(limit("-1"), Ok(None));
        assert_eq!(limit("1.5"), Ok(Some(Duration::from_millis(1500))));
        assert!(limit("-inf").unwrap_err().contains("too long"));
    }

    #[test]
    fn refuses_numbers_that_bgp_cannot_carry() {
        assert_eq!(preference("-1"), Ok(None));
        assert_eq!(preference("0"), Ok(Some(0)));
        assert!(preference("4294967296").unwrap_err().contains("from 0 to 4294967295"));
        assert_eq!(path_id("0"), Ok(None));
        assert_eq!(path_id("7"), Ok(Some(PathInformation(7))));
        assert!(path_id("-1").unwrap_err().contains("`-1` does not fit"));
    }
}
