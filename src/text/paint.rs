//! Colors of lines on a terminal: those of the eight that every terminal has.

/// Ends a color.
const END: &str = "\x1b[0m";

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
    /// The line without its color, and that color.
    pub(crate) fn from_line(line: &str) -> (Self, &str) {
        let is_it = |paint: &Self| line.starts_with(paint.on("").trim_end_matches(END));
        let Some(paint) = [Self::Good, Self::Warning, Self::Bad].into_iter().find(is_it) else {
            return (Self::Plain, line);
        };
        let start = paint.on("").len() - END.len();
        (paint, line[start..].trim_end_matches(END))
    }

    /// The line between its escape sequences. The line itself must be escaped already.
    pub(crate) fn on(self, line: &str) -> String {
        let code = match self {
            Self::Plain => return line.to_owned(),
            Self::Good => 32,
            Self::Warning => 33,
            Self::Bad => 31,
        };
        format!("\x1b[{code}m{line}{END}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_painted_line_has_its_color_and_its_text() {
        for paint in [Paint::Plain, Paint::Good, Paint::Warning, Paint::Bad] {
            assert_eq!(Paint::from_line(&paint.on("a line")), (paint, "a line"));
        }
        assert_eq!(Paint::from_line("\x1b[5mblinks"), (Paint::Plain, "\x1b[5mblinks"));
    }
}
