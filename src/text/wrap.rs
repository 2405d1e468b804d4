//! Lines of a certain width.

/// Breaks `text` at blanks where a line would have more than `width` characters; further lines are indented by
/// `indent`. A word that is longer than a line stays whole, so that it can be copied.
pub(crate) fn wrapped(text: &str, width: usize, indent: usize) -> Vec<String> {
    let mut lines = vec![];
    let mut line = String::new();
    for piece in text.split_inclusive(' ') {
        let length = line.chars().count() + piece.trim_end().chars().count();
        if length > width && !line.trim().is_empty() {
            lines.push(line.trim_end().to_owned());
            line = " ".repeat(indent);
        }
        line.push_str(piece);
    }
    lines.push(line.trim_end().to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_blanks_and_words_stay_whole() {
        assert_eq!(wrapped("  name  some value", 12, 4), ["  name  some", "    value"]);
        assert_eq!(wrapped("a 2001:db8::53/128 b", 8, 2), ["a", "  2001:db8::53/128", "  b"]);
        assert_eq!(wrapped("", 8, 2), [""]);
        assert_eq!(wrapped("ääää ö", 6, 0), ["ääää ö"], "characters count, not octets");
    }
}
