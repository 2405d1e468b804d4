//! `--svg FILE` of `simulate` and `demo`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::picture::{Played, draw};

/// A file for a picture, opened before anything is played: if it cannot be written, the user need not wait for the
/// error.
#[derive(Debug)]
pub(crate) struct Canvas {
    path: PathBuf,
    file: File,
}

impl Canvas {
    /// Opens the file. An earlier picture is replaced.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .with_context(|| cannot(path))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Draws the picture.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write(mut self, title: &str, played: &[Played<'_>]) -> anyhow::Result<()> {
        let picture = draw(title, played);
        // A device or a pipe has no length.
        let _ = self.file.set_len(0);
        self.file.write_all(picture.as_bytes()).with_context(|| cannot(&self.path))
    }
}

fn cannot(path: &Path) -> String {
    format!("cannot write the picture to {}, expected a file", path.display())
}
