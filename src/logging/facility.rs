//! Syslog facilities, by the names of Python's logging module.

use std::str::FromStr;

/// A syslog facility (RFC 5424, table 1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Facility(u8);

impl Facility {
    /// The default facility of the original.
    pub(crate) const DAEMON: Self = Self(3);

    /// The number; a message carries it multiplied by eight.
    pub(crate) const fn number(self) -> u8 {
        self.0
    }
}

/// The names, in order of their numbers.
const NAMES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "security", "console", "solcron", "local0", "local1", "local2", "local3", "local4", "local5",
    "local6", "local7",
];

/// The original looks up severities in the same table and uses their numbers as facilities.
const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

impl FromStr for Facility {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let place = |names: &[&str]| names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let number = place(&NAMES).or_else(|| place(&SEVERITIES));
        number.and_then(|number| u8::try_from(number).ok()).map(Self).ok_or_else(|| {
            format!(
                "`{text}` is not a syslog facility, expected one such as daemon, user or local0 to local7"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facilities_have_their_numbers() {
        for (name, number) in [("daemon", 3), ("DAEMON", 3), ("local0", 16), ("local7", 23), ("info", 6)] {
            assert_eq!(name.parse(), Ok(Facility(number)));
        }
        assert_eq!("daemon".parse(), Ok(Facility::DAEMON));
        assert!("".parse::<Facility>().unwrap_err().contains("`` is not a syslog facility"));
    }
}
