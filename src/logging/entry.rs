//! The urgency of messages, for every log.

use std::fmt;

use log::{Level, Record};

use super::fields::Fields;

/// Messages of this target are notices: more urgent than information, but no action is needed. (The `log` crate has no
/// level for them.) `RUST_LOG=dnsherald=info` shows them as it does all of `dnsherald`.
const NOTICE: &str = "dnsherald::notice";

/// The urgency of a message, with the severity of syslog (RFC 5424, table 2), which systemd takes as well.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Urgency {
    /// An action that failed, such as a route that ExaBGP refuses.
    Error = 3,
    /// A fall: a route that is withdrawn, or soon may be.
    Warning = 4,
    /// A return: the end of a warning.
    Notice = 5,
    /// Regular operation.
    Info = 6,
    /// For developers.
    Debug = 7,
}

impl Urgency {
    /// The urgency of a message on its way to the log.
    pub(crate) fn from_record(record: &Record<'_>) -> Self {
        match record.level() {
            Level::Error => Self::Error,
            Level::Warn => Self::Warning,
            Level::Info if record.target() == NOTICE => Self::Notice,
            Level::Info => Self::Info,
            Level::Debug | Level::Trace => Self::Debug,
        }
    }

    pub(crate) fn log(self, message: fmt::Arguments<'_>) {
        self.log_with(&Fields::default(), message);
    }

    /// Logs a message with fields.
    pub(crate) fn log_with(self, fields: &Fields, message: fmt::Arguments<'_>) {
        let (level, target) = match self {
            Self::Error => (Level::Error, module_path!()),
            Self::Warning => (Level::Warn, module_path!()),
            Self::Notice => (Level::Info, NOTICE),
            Self::Info => (Level::Info, module_path!()),
            Self::Debug => (Level::Debug, module_path!()),
        };
        let mut record = Record::builder();
        record.level(level).target(target).key_values(fields);
        log::logger().log(&record.args(message).build());
    }

    /// Its number in syslog.
    pub(crate) const fn severity(self) -> u8 {
        self as u8
    }

    /// The name in a log of data, as syslog and `journalctl -p` have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Error => "err",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    /// The word in a log without severities; at most five characters.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warning => "WARN",
            Self::Notice => "NOTE",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_more_urgent_than_information() {
        let urgencies = [Urgency::Error, Urgency::Warning, Urgency::Notice, Urgency::Info, Urgency::Debug];
        assert_eq!(urgencies.map(Urgency::severity), [3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_target_marks_a_notice() {
        let record = |target| Record::builder().level(Level::Info).target(target).build();
        assert_eq!(Urgency::from_record(&record(NOTICE)), Urgency::Notice);
        assert_eq!(Urgency::from_record(&record("dnsherald::daemon::report")), Urgency::Info);
    }
}
