//! Exit codes, by name.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// The command did what it was told.
    Success,
    /// It could not.
    Failure,
    /// The command line makes no sense.
    Usage,
    /// A restart failed, and the services stay drained.
    LeftDrained,
    /// A restart failed, and the server is back with the configuration before.
    RolledBack,
    /// `drain --wait`: the withdraws were sent, and ExaBGP does not report whether it carried them out.
    Unacknowledged,
    /// The configuration is refused (EX_CONFIG of sysexits).
    Config,
    /// `check`, as monitoring plugins do: the service is degraded. `status`: something needs attention.
    Warning,
    /// `check`: the service is down. `status`: traffic is not attracted, or it is unknown whether it is.
    Critical,
    /// `check`: a check that asks the server has no result, the result cannot be shown, or the usage or the configuration is
    /// bad. `status`: no helper runs.
    Unknown,
}

impl Exit {
    /// The number for the parent process.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure | Self::Warning => 1,
            Self::Usage | Self::Critical => 2,
            Self::Unknown | Self::LeftDrained => 3,
            Self::RolledBack => 4,
            Self::Unacknowledged => 5,
            Self::Config => 78,
        }
    }

    /// The word of monitoring plugins for this status.
    pub(crate) const fn plugin_word(self) -> &'static str {
        match self {
            Self::Success => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            _ => "UNKNOWN",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_that_scripts_rely_on() {
        let codes = [Exit::Success, Exit::Failure, Exit::Usage, Exit::Config].map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 78]);
        assert_eq!([Exit::LeftDrained, Exit::RolledBack, Exit::Unacknowledged].map(Exit::code), [3, 4, 5]);
        let plugin = [Exit::Success, Exit::Warning, Exit::Critical, Exit::Unknown].map(Exit::code);
        assert_eq!(plugin, [0, 1, 2, 3]);
    }
}
