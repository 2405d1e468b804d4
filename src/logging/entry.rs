//! What every log has in common: how urgent a message is.

use log::Level;

/// The severity of syslog (RFC 5424, table 2), which systemd takes as well.
#[must_use]
pub const fn severity(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_more_urgent_than_information() {
        assert!(severity(Level::Error) < severity(Level::Warn));
        assert!(severity(Level::Warn) < severity(Level::Info));
    }
}
