//! What every log has in common: how urgent a message is, and that it cannot make a terminal do anything.

use std::fmt::Write as _;

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

/// Appends `character`, or an escape for what a terminal would obey.
pub fn show(character: char, out: &mut String) {
    match character {
        // These change the direction of what follows.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => {
            let _ = write!(out, "{}", character.escape_unicode());
        }
        _ if character.is_control() => out.extend(character.escape_default()),
        _ => out.push(character),
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
