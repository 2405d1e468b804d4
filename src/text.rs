//! Foreign text: what other programs, servers, files and users write, made safe to show.
//!
//! A DNS server, another helper behind a socket, a control program or a file name can contain escape sequences that
//! a terminal obeys, characters that reverse or hide the text after them, and line breaks that forge a line of log.
//! The rule of this project:
//!
//! * **Text that is not ours passes through [`foreign`] where it enters a sentence.** What another process of dnsherald wrote
//!   passes through [`sentence`] or [`sentences`]. All bound its length.
//! * **All output of a command passes through [`stdout`] or [`stderr`]**, and a log line through [`show`]. They escape
//!   the same characters once more, so that a place that forgets the first rule does no harm.
//! * **JSON passes through [`json`]**, which writes these characters as `\u` escapes: a reader gets them unchanged.
//!
//! Each character for which [`is_doubtful`] is true is escaped. Printable text of any script stays as it is. A
//! backslash stays as well, so escaping twice changes nothing.

pub(crate) mod excerpt;
pub(crate) mod fnv;
pub(crate) mod paint;
pub(crate) mod period;
pub(crate) mod similar;
pub(crate) mod words;
pub(crate) mod wrap;

use std::fmt::{self, Write as _};
use std::io::{self, Write};

/// Maximum number of characters of [`foreign`].
const LONGEST: usize = 240;

/// Maximum number of characters of [`sentence`], and of each line of [`sentences`]: an own sentence can contain names and
/// addresses of many services, and ends with what to do.
const LONGEST_SENTENCE: usize = 2000;

/// Maximum number of lines of [`sentences`].
pub(crate) const MOST_LINES: usize = 64;

/// Whether a terminal interprets this character, or a reader cannot see it: control characters (C0, DEL, C1),
/// bidirectional controls, zero-width and other format characters, line and paragraph separators, blanks other than a
/// space, and code points that are private or not assigned.
#[must_use]
pub fn is_doubtful(character: char) -> bool {
    match character {
        ' '..='~' => false,
        '\0'..='\u{9f}' => true,
        // Assigned, with a glyph according to their category, and yet invisible (Default_Ignorable_Code_Point).
        '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{ffa0}'
        | '\u{e0100}'..='\u{e01ef}' => true,
        // The standard library knows the categories: Cc, Cf, Cn, Co, Zl, Zp and Zs are escaped. Behind another
        // character it leaves combining marks as they are.
        _ => {
            let mut buffer = [b'x', 0, 0, 0, 0];
            let length = character.encode_utf8(&mut buffer[1..]).len();
            std::str::from_utf8(&buffer[..=length]).is_ok_and(|pair| pair.escape_debug().count() > 2)
        }
    }
}

/// Appends `character`, or an escape such as `\u{202e}` or `\n` where it is doubtful.
pub(crate) fn show(character: char, out: &mut String) {
    if is_doubtful(character) {
        out.extend(character.escape_default());
    } else {
        out.push(character);
    }
}

/// One line of at most [`LONGEST`] characters. What is left out at the end is shown as `…`.
pub(crate) fn foreign(text: &str) -> String {
    foreign_within(text, LONGEST)
}

/// One line of at most `longest` characters, escapes included. What is left out at the end is shown as `…`.
pub(crate) fn foreign_within(text: &str, longest: usize) -> String {
    let mut shown = String::new();
    let mut length = 0;
    for character in text.chars() {
        let end = shown.len();
        show(character, &mut shown);
        length += shown[end..].chars().count();
        if length > longest {
            shown.truncate(end);
            shown.push('…');
            break;
        }
    }
    shown
}

/// Octets that are supposed to be text, on one line of any length. Those that are no UTF-8 are shown as `\xff`.
pub(crate) fn foreign_octets(octets: &[u8]) -> String {
    let mut shown = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        chunk.valid().chars().for_each(|character| show(character, &mut shown));
        shown.extend(chunk.invalid().iter().flat_map(|octet| octet.escape_ascii()).map(char::from));
    }
    shown
}

/// One line of at most [`LONGEST_SENTENCE`] characters. What is left out at the end is shown as `…`.
pub(crate) fn sentence(text: &str) -> String {
    foreign_within(text, LONGEST_SENTENCE)
}

/// At most [`MOST_LINES`] lines of at most [`LONGEST_SENTENCE`] characters. What is left out is shown as `…`.
pub(crate) fn sentences(text: &str) -> String {
    let mut lines = text.split('\n');
    let mut shown: Vec<_> = lines.by_ref().take(MOST_LINES).map(sentence).collect();
    if lines.next().is_some() {
        shown.push("…".to_owned());
    }
    shown.join("\n")
}

/// The whole text with its line breaks and tabs; every other doubtful character is escaped.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => shown.push(character),
            _ => show(character, &mut shown),
        }
    }
    shown
}

/// Reads a JSON document. All documents pass through text, so that their parser is compiled once.
///
/// # Errors
/// Returns an error if the octets are not UTF-8 or not such a document.
pub(crate) fn parse_json<T: serde::de::DeserializeOwned>(octets: &[u8]) -> serde_json::Result<T> {
    serde_json::from_str(std::str::from_utf8(octets).map_err(serde::de::Error::custom)?)
}

/// A JSON document whose doubtful characters are `\u` escapes. `document` has to be JSON already: there such characters
/// stand in strings only, except for its line breaks.
pub(crate) fn json(document: String) -> String {
    let is_fine = |character: char| character == '\n' || !is_doubtful(character);
    if document.chars().all(is_fine) {
        return document;
    }
    let mut shown = String::with_capacity(document.len());
    for character in document.chars() {
        if is_fine(character) {
            shown.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        }
    }
    shown
}

/// Standard output of a command, which people read.
pub(crate) fn stdout() -> Printed<io::Stdout> {
    Printed(io::stdout())
}

/// Prints a text with escape sequences of its own; everything else in it is escaped already.
///
/// # Errors
/// When standard output cannot be written to.
pub(crate) fn print_painted(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Standard error of a command, which people read.
pub(crate) fn stderr() -> Printed<io::Stderr> {
    Printed(io::stderr())
}

/// Prints an error in the command line, or the help: in color on a terminal, unless it cites a doubtful character.
pub fn usage(error: &clap::Error) {
    let plain = error.to_string();
    // If the reader has closed the pipe, nothing changes.
    let _ = match plain == printable(&plain) {
        true => error.print(),
        false if error.use_stderr() => write!(stderr(), "{plain}"),
        false => write!(stdout(), "{plain}"),
    };
}

/// Moves the cursor of the terminal on standard output. Only text of this program can: it is known when it is compiled.
///
/// # Errors
/// When standard output cannot be written to.
pub(crate) fn move_cursor(sequence: &'static str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(sequence.as_bytes())?;
    stdout.flush()
}

/// Draws these lines, each in its color, from the top of the terminal on standard output, in one write, and clears the
/// rest of the screen. No line may be longer than the terminal is wide.
///
/// # Errors
/// When standard output cannot be written to.
pub(crate) fn redraw<'a>(lines: impl IntoIterator<Item = (paint::Paint, &'a str)>) -> io::Result<()> {
    let mut frame = String::from("\x1b[H");
    for (nth, (paint, line)) in lines.into_iter().enumerate() {
        if nth > 0 {
            frame.push_str("\r\n");
        }
        let mut shown = String::with_capacity(line.len());
        line.chars().for_each(|character| show(character, &mut shown));
        frame.push_str(&paint.on(&shown));
        frame.push_str("\x1b[K");
    }
    frame.push_str("\x1b[J");
    let mut stdout = io::stdout().lock();
    stdout.write_all(frame.as_bytes())?;
    stdout.flush()
}

/// A writer that escapes doubtful characters, except line breaks and tabs.
#[derive(Debug)]
pub(crate) struct Printed<W>(pub(crate) W);

impl<W: Write> Write for Printed<W> {
    /// Accepts all bytes. A character that is split between two calls is shown as octets.
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut shown = String::with_capacity(octets.len());
        for chunk in octets.utf8_chunks() {
            shown.push_str(&printable(chunk.valid()));
            shown.push_str(&foreign_octets(chunk.invalid()));
        }
        self.0.write_all(shown.as_bytes())?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> io::Result<()> {
        self.write_all(arguments.to_string().as_bytes())
    }
}

/// A number with its noun, singular or plural: "1 prefix", "2 prefixes".
pub(crate) fn counted(number: usize, thing: &str) -> String {
    let ending = match number {
        1 => "",
        _ if thing.ends_with(['x', 's']) => "es",
        _ => "s",
    };
    format!("{number} {thing}{ending}")
}

/// A map or a set of these items; of two with one key the last counts. `collect` does the same, but sorts first: some 3 KB of
/// code for each type.
pub(crate) fn ordered<T: Default + Extend<I>, I>(items: impl IntoIterator<Item = I>) -> T {
    let mut ordered = T::default();
    ordered.extend(items);
    ordered
}

/// Lists things in a sentence, with this between them.
pub(crate) fn joined(items: impl IntoIterator<Item: fmt::Display>, between: &str) -> String {
    let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(between)
}

/// A list of strings of TOML.
pub(crate) fn toml_strings<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(|item| toml_string(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// A basic string of TOML. Its escapes are those of JSON, but `\U` for what is beyond 16 bits.
pub(crate) fn toml_string(text: &str) -> String {
    let mut quoted = String::new();
    for character in serde_json::Value::from(text).to_string().chars() {
        let _ = match u32::from(character) {
            _ if !is_doubtful(character) => write!(quoted, "{character}"),
            code @ ..=0xffff => write!(quoted, "\\u{code:04x}"),
            code => write!(quoted, "\\U{code:08x}"),
        };
    }
    quoted
}

#[cfg(test)]
mod tests;
