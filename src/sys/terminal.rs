//! The terminal of a command: its size, and the alternate screen.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::panic;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

use crate::text::move_cursor;

/// The sequences that enter the alternate screen without a cursor, and leave it.
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
    /// The size to assume without a terminal that reports one.
    const USUAL: Self = Self { columns: 80, rows: 24 };

    /// The size of the terminal on standard output; 80 by 24 without a terminal that reports one.
    pub(crate) fn from_stdout() -> Self {
        let size = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        size.map_or(Self::USUAL, |size| Self { columns: size.ws_col.into(), rows: size.ws_row.into() })
    }
}

/// Whether standard output is a terminal that can move its cursor.
pub(crate) fn can_be_drawn_on() -> bool {
    io::stdout().is_terminal()
        && std::env::var_os("TERM").is_some_and(|kind| !kind.is_empty() && kind != "dumb")
}

/// Whether standard output is a terminal with colors, and the user wants them (<https://no-color.org>).
pub(crate) fn has_colors() -> bool {
    can_be_drawn_on() && std::env::var_os("NO_COLOR").is_none_or(|word| word.is_empty())
}

/// The alternate screen of the terminal; keys are read one by one, without echo. A drop or a panic restores the
/// terminal.
#[derive(Debug)]
pub(crate) struct Screen {
    before: Option<Termios>,
}

impl Screen {
    /// Returns once this process may set the terminal: as any program, one in the background stops here (SIGTTOU) until it
    /// is in the foreground. Call it before signals are caught: a signal then ends a process that is stopped here.
    ///
    /// # Errors
    /// If the terminal cannot be set, or belongs to a session that has no process left to continue this one.
    pub(crate) fn await_foreground() -> io::Result<()> {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            tcsetattr(&stdin, OptionalActions::Now, &tcgetattr(&stdin)?)?;
        }
        Ok(())
    }

    /// Enters the alternate screen. If standard input is no terminal, no keys are read.
    ///
    /// # Errors
    /// If the terminal cannot be set or written to.
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
            // Ctrl-Z would stop the command and leave the alternate screen on.
            keys.special_codes[SpecialCodeIndex::VSUSP] = 0;
            keys.special_codes[SpecialCodeIndex::VMIN] = 1;
            keys.special_codes[SpecialCodeIndex::VTIME] = 0;
            tcsetattr(&stdin, OptionalActions::Flush, &keys)?;
        }
        move_cursor(ENTER)?;
        Ok(screen)
    }

    /// Whether keys can be read from standard input.
    pub(crate) const fn has_keys(&self) -> bool {
        self.before.is_some()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave(self.before.as_ref());
    }
}

/// Restores the terminal, also from the background, where the signal that ends this process must not stop it. Ignores
/// errors: the terminal may be gone.
fn leave(before: Option<&Termios>) {
    let earlier = SigSet::from(Signal::SIGTTOU).thread_swap_mask(SigmaskHow::SIG_BLOCK);
    let _ = move_cursor(LEAVE);
    if let Some(before) = before {
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Flush, before);
    }
    if let Ok(earlier) = earlier {
        let _ = earlier.thread_set_mask();
    }
}
