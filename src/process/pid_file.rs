//! Reads the file into which a daemon writes its number.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

use crate::text::foreign;

/// Octets that are read: more than any number takes.
const ENOUGH: u64 = 64;

/// The content of a pid-file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Written {
    /// A number. Another process may have it by now.
    pub(crate) pid: i32,
    /// When the file was written.
    pub(crate) at: SystemTime,
}

/// Reads the file.
///
/// # Errors
/// A sentence with the reason, if it holds no number.
pub(crate) fn read(path: &Path) -> Result<Written, String> {
    let shown = path.display();
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => format!("{shown} does not exist"),
        _ => format!("{shown} cannot be read: {error}"),
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(format!("{shown} is no file, expected one that holds the number of a process"));
    }
    let mut text = vec![];
    File::open(path).and_then(|file| file.take(ENOUGH).read_to_end(&mut text)).map_err(unreadable)?;
    let pid = parse(&text).map_err(|what| format!("{shown} {what}"))?;
    Ok(Written { pid, at: metadata.modified().map_err(unreadable)? })
}

fn parse(text: &[u8]) -> Result<i32, String> {
    let text = String::from_utf8_lossy(text);
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty, expected the number of a process".to_owned());
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text);
    let pid = digits.and_then(|digits| digits.parse().ok()).filter(|pid| *pid > 0);
    pid.ok_or_else(|| format!("holds `{}`, expected the number of a process", foreign(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_is_accepted() {
        assert_eq!(parse(b"4711\n"), Ok(4711));
        assert_eq!(parse(b"  17"), Ok(17));
        assert!(parse(b" \n").unwrap_err().contains("empty"));
        for garbage in ["unbound", "-1", "+5", "0", "17 18", "4294967313", "1.5", "17\0"] {
            let refusal = parse(garbage.as_bytes()).unwrap_err();
            assert!(refusal.contains("expected the number"), "{garbage}: {refusal}");
        }
        assert!(parse(&[0xff, b'\n']).unwrap_err().contains('\u{fffd}'));
    }

    #[test]
    fn a_pipe_or_directory_does_not_block() {
        let directory = std::env::temp_dir();
        assert!(read(&directory).unwrap_err().contains("is no file"));
        let pipe = directory.join(format!("dnsherald-pid-file-{}", std::process::id()));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(read(&pipe).unwrap_err().contains("is no file"));
        fs::remove_file(&pipe).unwrap();
        assert!(read(&pipe).unwrap_err().contains("does not exist"));
    }
}
