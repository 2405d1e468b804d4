//! Files in the repository that the program generates: generating them again must not change them.

use std::fs;
use std::path::Path;

/// The first difference between a stored file and the generated one. With `UPDATE_KEPT=1` the file is rewritten; review
/// the difference like code.
pub(crate) fn difference(path: &Path, made: &str) -> Option<String> {
    if std::env::var_os("UPDATE_KEPT").is_some() {
        fs::write(path, made).unwrap();
    }
    let kept = fs::read_to_string(path).unwrap_or_default();
    (kept != made).then(|| first_place(path, &kept, made))
}

/// The first different line, with its context.
fn first_place(path: &Path, kept: &str, made: &str) -> String {
    let pairs = kept.lines().zip(made.lines());
    let at = pairs.take_while(|(kept, made)| kept == made).count();
    let around =
        |text: &str| text.lines().skip(at.saturating_sub(2)).take(5).collect::<Vec<_>>().join("\n  ");
    format!(
        "{}: from line {} on\nkept:\n  {}\nmade:\n  {}\nif it is to be so: UPDATE_KEPT=1",
        path.display(),
        at + 1,
        around(kept),
        around(made)
    )
}
