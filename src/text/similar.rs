//! The name that was meant by a misspelled one.

/// The most letters that may be wrong, missing or superfluous.
const MAX_WRONG: usize = 2;

/// The only known name that differs least from `name`: by at most two letters, and by less than half of the shorter name.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let close = known.into_iter().filter_map(|known| {
        let wrong = wrong_letters(name, known);
        let shorter = name.chars().count().min(known.chars().count());
        (wrong <= MAX_WRONG && 2 * wrong < shorter).then_some((wrong, known))
    });
    let close: Vec<_> = close.collect();
    let least = close.iter().map(|(wrong, _)| *wrong).min()?;
    let mut nearest = close.into_iter().filter(|(wrong, _)| *wrong == least);
    let (_, only) = nearest.next()?;
    nearest.next().is_none().then_some(only)
}

/// The least number of letters to replace, insert or delete, or of neighbors to exchange, that makes `other` of `name`.
fn wrong_letters(name: &str, other: &str) -> usize {
    let (name, other): (Vec<_>, Vec<_>) = (name.chars().collect(), other.chars().collect());
    // The distances of the beginnings of `other` from the last two beginnings of `name`.
    let mut before: Vec<usize> = vec![];
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in name.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, same) in other.iter().enumerate() {
            let replaced = last[column] + usize::from(letter != same);
            let mut least = replaced.min(last[column + 1] + 1).min(next[column] + 1);
            let is_exchanged =
                row > 0 && column > 0 && *letter == other[column - 1] && name[row - 1] == *same;
            if is_exchanged {
                least = least.min(before[column - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut last, next);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 6] = ["prefixes", "rise", "fall", "interval", "up", "down"];

    #[test]
    fn finds_the_name_that_was_meant() {
        for (typo, meant) in [
            ("prefix", "prefixes"),
            ("rize", "rise"),
            ("intreval", "interval"),
            ("fal", "fall"),
            ("dwon", "down"),
        ] {
            assert_eq!(nearest(typo, KEYS), Some(meant), "{typo}");
        }
    }

    #[test]
    fn guesses_no_name_that_is_far_away_or_one_of_two() {
        for word in ["", "u", "prefer", "timeout", "pp"] {
            assert_eq!(nearest(word, KEYS), None, "{word}");
        }
        assert_eq!(nearest("raise", ["raised", "raises"]), None);
    }
}
