//! The terminal of a command: its size, and the screen that a command draws on and gives back.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::panic;

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

use crate::text::move_cursor;

/// The alternate screen, without a cursor, and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// Columns and rows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Size {
    /// Characters of a line.
    pub(crate) columns: usize,
    /// Lines.
    pub(crate) rows: usize,
}

impl Size {
    /// Of a terminal that does not say.
    pub(crate) const USUAL: Self = Self { columns: 80, rows: 24 };

    /// Of the terminal on standard output; `None` where there is none.
    #[must_use]
    pub(crate) fn of_stdout() -> Option<Self> {
        let stdout = io::stdout();
        if !stdout.is_terminal() {
            return None;
        }
        let size = tcgetwinsize(&stdout).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        let size = size.map(|size| Self { columns: size.ws_col.into(), rows: size.ws_row.into() });
        Some(size.unwrap_or(Self::USUAL))
    }
}

/// Whether the terminal on standard output can be drawn on.
#[must_use]
pub(crate) fn can_be_drawn_on() -> bool {
    io::stdout().is_terminal()
        && std::env::var_os("TERM").is_some_and(|kind| !kind.is_empty() && kind != "dumb")
}

/// The alternate screen of the terminal, with keys that are read one by one and not echoed. Dropped, or at a panic, the
/// terminal is as it was before.
#[derive(Debug)]
pub(crate) struct Screen {
    before: Option<Termios>,
}

impl Screen {
    /// Enters it. Where standard input is no terminal, no keys are read.
    ///
    /// # Errors
    /// When the terminal cannot be set or written to.
    pub(crate) fn enter() -> io::Result<Self> {
        let stdin = io::stdin();
        let before = if stdin.is_terminal() { Some(tcgetattr(&stdin)?) } else { None };
        let on_panic = before.clone();
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            leave(on_panic.as_ref());
            report(panic);
        }));
        let screen = Self { before };
        if let Some(before) = &screen.before {
            let mut keys = before.clone();
            keys.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            // Stopped by Ctrl-Z, a command would leave its screen behind.
            keys.special_codes[SpecialCodeIndex::VSUSP] = 0;
            keys.special_codes[SpecialCodeIndex::VMIN] = 1;
            keys.special_codes[SpecialCodeIndex::VTIME] = 0;
            tcsetattr(&stdin, OptionalActions::Flush, &keys)?;
        }
        move_cursor(ENTER)?;
        Ok(screen)
    }

    /// Whether keys can be read from standard input.
    #[must_use]
    pub(crate) const fn has_keys(&self) -> bool {
        self.before.is_some()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave(self.before.as_ref());
    }
}

/// Gives the terminal back. It may be gone, which changes nothing.
fn leave(before: Option<&Termios>) {
    let _ = move_cursor(LEAVE);
    if let Some(before) = before {
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Flush, before);
    }
}
