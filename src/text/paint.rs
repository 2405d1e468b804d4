//! Colors of lines on a terminal: those of the eight that every terminal has.

/// The meaning of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Paint {
    /// Nothing in particular.
    Plain,
    /// All is well.
    Good,
    /// Something needs attention.
    Warning,
    /// Traffic is not attracted, or that is not known.
    Bad,
}

impl Paint {
    /// The line between its escape sequences. The line itself must be escaped already.
    #[must_use]
    pub(crate) fn on(self, line: &str) -> String {
        let code = match self {
            Self::Plain => return line.to_owned(),
            Self::Good => 32,
            Self::Warning => 33,
            Self::Bad => 31,
        };
        format!("\x1b[{code}m{line}\x1b[0m")
    }
}
