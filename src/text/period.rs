//! Durations as an operator reads and writes them: `500ms`, `15m`, `2h`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// The longest period that a file or an option accepts: ten years of 365.25 days, as [`humantime`] counts them. The
/// limit leaves room to multiply a period by any count.
pub(crate) const LONGEST: Duration = Duration::from_secs(10 * 31_557_600);

/// A duration written with its unit, at most ten years.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(into = "String")]
pub(crate) struct Period(pub(crate) Duration);

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match humantime::parse_duration(text) {
            Ok(period) if period <= LONGEST => Ok(Self(period)),
            Ok(_) | Err(humantime::DurationError::NumberOverflow) => {
                Err(format!("`{text}` is longer than ten years, expected at most that"))
            }
            Err(_) => Err(format!(
                "`{text}` is not a period, expected a number with its unit, such as \"500ms\", \"2s\" or \"15m\""
            )),
        }
    }
}

impl Period {
    /// Formats the period without spaces: "1m30s".
    pub(crate) fn in_one_word(self) -> String {
        self.to_string().replace(' ', "")
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;

        impl Visitor<'_> for Seen {
            type Value = Period;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a period such as \"15m\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Seen)
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

/// A measured duration, rounded for display to two units at most: "0.42ms", "1.35s", "14m 30s", "2h 5m".
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown(pub(crate) Duration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let text = if self.0.is_zero() {
            "0s".to_owned()
        } else if seconds < 0.01 {
            format!("{:.2}ms", seconds * 1e3)
        } else if seconds < 1.0 {
            format!("{:.0}ms", seconds * 1e3)
        } else if seconds < 60.0 {
            let text = format!("{seconds:.2}");
            format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
        } else {
            let whole = Duration::from_secs(seconds.round().max(0.0) as u64);
            let text = humantime::format_duration(whole).to_string();
            text.split(' ').take(2).collect::<Vec<_>>().join(" ")
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_number_without_a_unit() {
        assert!("5".parse::<Period>().unwrap_err().contains("\"500ms\""));
        assert_eq!("1h30m".parse(), Ok(Period(Duration::from_secs(5400))));
        assert_eq!("10years".parse(), Ok(Period(LONGEST)));
        assert!("11years".parse::<Period>().unwrap_err().contains("longer than ten years"));
        for huge in ["1000000000years", "1000000000000years", "99999999999999999999years"] {
            assert!(huge.parse::<Period>().unwrap_err().contains("longer than ten years"), "{huge}");
        }
    }

    #[test]
    fn refuses_json_that_is_not_a_string() {
        for json in ["5", "1.5", "true", "[]"] {
            let error = serde_json::from_str::<Period>(json).unwrap_err().to_string();
            assert!(error.contains("expected a period such as \"15m\""), "{error}");
        }
        assert_eq!(serde_json::from_str::<Period>("\"2s\"").unwrap(), Period(Duration::from_secs(2)));
    }

    #[test]
    fn rounds_measured_durations() {
        let shown = |micros| Shown(Duration::from_micros(micros)).to_string();
        assert_eq!(shown(0), "0s");
        assert_eq!(shown(421), "0.42ms");
        assert_eq!(shown(500_000), "500ms");
        assert_eq!(shown(1_350_000), "1.35s");
        assert_eq!(shown(2_000_000), "2s");
        assert_eq!(shown(870_400_000), "14m 30s");
        assert_eq!(shown(2_446_808), "2.45s");
        assert_eq!(shown(7_531_000_000), "2h 5m");
        assert_eq!(shown(7_200_000_000), "2h");
        assert_eq!(shown(183_845_000_000), "2days 3h");
    }
}
