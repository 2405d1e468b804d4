//! Words and the signs between them, as ExaBGP reads them (`configuration/core/format.py`).

/// The end of a statement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// `;`
    Statement,
    /// `{`
    Open,
    /// `}`
    Close,
}

/// Words up to an end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Statement {
    /// The line of its end, from 1.
    pub(super) line: usize,
    /// The words, `[`, `]` and `,` among them. Quotes are removed.
    pub(super) words: Vec<String>,
    pub(super) end: End,
}

/// All statements, and the line of words without an end, if there are any. Quotes and comments end with their line.
pub(super) fn statements(text: &str) -> (Vec<Statement>, Option<usize>) {
    let (mut statements, mut words) = (vec![], vec![]);
    let mut last = 1;
    for (nth, line) in text.lines().enumerate() {
        let number = nth + 1;
        let mut reader = Reader::default();
        let mut characters = line.chars();
        while let Some(character) = characters.next() {
            match reader.take(character, &mut characters, &mut words) {
                Taken::Word => {}
                Taken::Comment => break,
                Taken::End(end) => {
                    statements.push(Statement { line: number, words: std::mem::take(&mut words), end });
                }
            }
        }
        reader.finish(&mut words);
        if !words.is_empty() {
            last = number;
        }
    }
    (statements, (!words.is_empty()).then_some(last))
}

enum Taken {
    Word,
    Comment,
    End(End),
}

/// The state within a line.
#[derive(Default)]
struct Reader {
    word: String,
    quote: Option<char>,
}

impl Reader {
    fn take(&mut self, character: char, rest: &mut std::str::Chars<'_>, words: &mut Vec<String>) -> Taken {
        match (character, self.quote) {
            // `\n` and the like stand for characters that no value here has.
            ('\\', _) => self.word.extend(rest.next()),
            (quote, Some(open)) if quote == open => {
                self.quote = None;
                words.push(std::mem::take(&mut self.word));
            }
            (other, Some(_)) => self.word.push(other),
            (quote @ ('"' | '\''), None) => self.quote = Some(quote),
            ('#', None) => return Taken::Comment,
            (sign @ (';' | '{' | '}'), None) => {
                self.finish(words);
                return Taken::End(match sign {
                    ';' => End::Statement,
                    '{' => End::Open,
                    _ => End::Close,
                });
            }
            (sign @ ('[' | ']' | ','), None) => {
                self.finish(words);
                words.push(sign.to_string());
            }
            (blank, None) if blank.is_whitespace() => self.finish(words),
            (other, None) => self.word.push(other),
        }
        Taken::Word
    }

    fn finish(&mut self, words: &mut Vec<String>) {
        if !self.word.is_empty() {
            words.push(std::mem::take(&mut self.word));
        }
    }
}
