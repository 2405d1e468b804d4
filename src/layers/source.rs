//! The code of a source file: comments, literals and test items blanked, lines kept.

/// What is left of a source file when everything that imports nothing in the shipped program is blanked.
pub(super) fn code(source: &str) -> String {
    without_tests(without_text(source))
}

/// Blanks comments, strings and characters.
fn without_text(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let text = length_of_text(rest, code.chars().next_back());
        if text == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            blank(&rest[..text], &mut code);
            rest = &rest[text..];
        }
    }
    code
}

/// How many bytes of this beginning are a comment or a literal; 0 if it begins with code.
fn length_of_text(source: &str, before: Option<char>) -> usize {
    if source.starts_with("//") {
        return source.find('\n').unwrap_or(source.len());
    }
    if source.starts_with("/*") {
        return length_of_comment(source);
    }
    if source.starts_with('"') {
        return length_of_string(source);
    }
    if source.starts_with('\'') {
        return length_of_char(source);
    }
    // A raw string, not an identifier that ends in r.
    let is_word = before.is_some_and(|before| before.is_alphanumeric() || before == '_');
    let Some(raw) = source.strip_prefix('r').filter(|_| !is_word) else { return 0 };
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    if !raw[hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let start = 1 + hashes + 1;
    source[start..].find(&end).map_or(source.len(), |at| start + at + end.len())
}

/// A block comment, with those inside it.
fn length_of_comment(source: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < source.len() {
        match &source.as_bytes()[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// A string with its quotes.
fn length_of_string(source: &str) -> usize {
    let mut escaped = false;
    for (at, c) in source.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    source.len()
}

/// A character with its quotes; 0 for a lifetime.
fn length_of_char(source: &str) -> usize {
    let mut chars = source.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((escaped, _))) => {
            source[escaped + 1..].find('\'').map_or(source.len(), |at| escaped + 1 + at + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// Blanks each item that is compiled for tests only.
fn without_tests(code: String) -> String {
    const MARK: &str = "#[cfg(test)]";
    let Some(start) = code.find(MARK) else { return code };
    let end = start + MARK.len() + length_of_item(&code[start + MARK.len()..]);
    let mut kept = code[..start].to_owned();
    blank(&code[start..end], &mut kept);
    kept.push_str(&code[end..]);
    without_tests(kept)
}

/// An item up to its semicolon or the brace that ends it.
fn length_of_item(code: &str) -> usize {
    let mut depth = 0_i32;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(c, '}' | ';') {
            return at + 1;
        }
    }
    code.len()
}

/// Adds as many lines.
fn blank(text: &str, code: &mut String) {
    code.push(' ');
    code.extend(text.chars().filter(|c| *c == '\n'));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_blanked_and_lines_are_kept() {
        let source = "a // x\nb \"c \\\" // d\n\" e 'f' g '\\'' h '\"' i /* j /* k */ \n */ l r#\"m\"\n\"# var\"n\" for<'a> o";
        let code = code(source);
        assert_eq!(code.split_whitespace().collect::<String>(), "abeghilvarfor<'a>o");
        assert_eq!(code.matches('\n').count(), source.matches('\n').count());
    }

    #[test]
    fn test_items_are_blanked() {
        let source = "use a;\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\n#[allow(x)]\nmod more { fn f() { [1; 2]; } }\n#[cfg(test)]\nfn g(x: [u8; 2]) {}\nuse b;";
        assert_eq!(code(source).split_whitespace().collect::<Vec<_>>(), ["use", "a;", "use", "b;"]);
    }
}
