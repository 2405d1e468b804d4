//! Numbers in the syntax of the original, with a sign and surrounding spaces, and the meaning of special values.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use crate::exabgp::attributes::PathInformation;

/// Longest period, in seconds: 68 years, the limit of alarm(2).
const LONGEST: f64 = i32::MAX as f64;

/// A whole number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Whole(pub(crate) i64);

impl FromStr for Whole {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.trim().parse().map(Self);
        number.map_err(|_| {
            format!("`{text}` is not a whole number, expected one such as 3, of 64 bits at most")
        })
    }
}

/// A number of consecutive results. Values below 1 count as 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Count(pub(crate) NonZeroU32);

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Whole(number) = text.parse()?;
        // A count too large for 32 bits is never reached, and neither is the maximum.
        let count = u32::try_from(number.max(1)).unwrap_or(u32::MAX);
        Ok(Self(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)))
    }
}

/// A period, which may be 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Seconds(pub(crate) Duration);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match seconds(text)? {
            seconds if seconds < 0.0 => Err(format!("`{text}` is negative, expected 0 or more seconds")),
            seconds => Ok(Self(duration(seconds))),
        }
    }
}

/// A time limit. 0 and negative values stand for no limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Limit(pub(crate) Option<Duration>);

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds = seconds(text)?;
        Ok(Self((seconds > 0.0).then(|| duration(seconds))))
    }
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

/// LOCAL_PREF. Negative values stand for none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Preference(pub(crate) Option<u32>);

impl FromStr for Preference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse()? {
            Whole(..0) => Ok(Self(None)),
            Whole(number) => Ok(Self(Some(unsigned(number)?))),
        }
    }
}

/// A path identifier. 0 stands for none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct PathId(pub(crate) Option<PathInformation>);

impl FromStr for PathId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Whole(number) = text.parse()?;
        let number = unsigned(number)?;
        Ok(Self((number > 0).then_some(PathInformation(number))))
    }
}

/// Checks that a number fits into the 32 bits of BGP.
fn unsigned(number: i64) -> Result<u32, String> {
    u32::try_from(number)
        .map_err(|_| format!("`{number}` does not fit, expected a number from 0 to {}", u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: FromStr<Err = String> + std::fmt::Debug>(text: &str) -> String {
        text.parse::<T>().unwrap_err()
    }

    #[test]
    fn accepts_whole_numbers_as_python_does() {
        for text in ["3", "+3", " 3 ", "003"] {
            assert_eq!(text.parse(), Ok(Whole(3)), "{text}");
        }
        for text in ["", "3.0", "3s", "0x3", "--3", "9223372036854775808"] {
            assert!(refused::<Whole>(text).starts_with(&format!("`{text}` is not a whole number")), "{text}");
        }
    }

    #[test]
    fn a_count_below_one_is_one() {
        for (text, count) in [("-5", 1), ("0", 1), ("1", 1), ("3", 3), ("99999999999", u32::MAX)] {
            assert_eq!(text.parse::<Count>().unwrap().0.get(), count);
        }
    }

    #[test]
    fn seconds_are_finite_and_not_negative() {
        for (text, millis) in [("5", 5000), ("0.5", 500), (".5", 500), ("1e1", 10_000), ("0", 0), ("-0", 0)] {
            assert_eq!(text.parse(), Ok(Seconds(Duration::from_millis(millis))), "{text}");
        }
        assert_eq!("1e-300".parse(), Ok(Seconds(Duration::from_nanos(1))));
        assert!(refused::<Seconds>("-1").contains("is negative"));
        assert!(refused::<Seconds>("nan").contains("is not a number of seconds"));
        assert!(refused::<Seconds>("5s").contains("such as 5 or 0.5"));
        assert!(refused::<Seconds>("inf").contains("too long"));
        assert!(refused::<Seconds>("1e10").contains("up to 2147483647"));
    }

    #[test]
    fn a_limit_of_zero_is_no_limit() {
        assert_eq!("0".parse(), Ok(Limit(None)));
        assert_eq!("-1".parse(), Ok(Limit(None)));
        assert_eq!("1.5".parse(), Ok(Limit(Some(Duration::from_millis(1500)))));
        assert!(refused::<Limit>("-inf").contains("too long"));
    }

    #[test]
    fn refuses_numbers_that_bgp_cannot_carry() {
        assert_eq!("-1".parse(), Ok(Preference(None)));
        assert_eq!("0".parse(), Ok(Preference(Some(0))));
        assert!(refused::<Preference>("4294967296").contains("from 0 to 4294967295"));
        assert_eq!("0".parse(), Ok(PathId(None)));
        assert_eq!("7".parse(), Ok(PathId(Some(PathInformation(7)))));
        assert!(refused::<PathId>("-1").contains("`-1` does not fit"));
    }
}
