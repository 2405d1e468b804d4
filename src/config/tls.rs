//! The expectations of a `dns` table about a certificate.

use toml::Spanned;

use super::file;
use super::resolve::{Resolver, Result};
use crate::probe::dns::{Tls, tls_name};

/// Maximum length of a path, in characters.
const LONGEST_PATH: usize = 255;

impl Resolver<'_> {
    /// The table `tls`, or its defaults.
    pub(super) fn tls(&self, written: Option<&Spanned<file::Tls>>) -> Result<Tls> {
        let Some(written) = written.map(Spanned::get_ref) else { return Ok(Tls::default()) };
        let read = |name: &Spanned<String>| {
            tls_name(name.get_ref()).map_err(|message| self.value_error(&name.span(), message))
        };
        let name = written.name.as_ref().map(read).transpose();
        let path = match &written.path {
            Some(path) if !is_path(path.get_ref()) => {
                let message = format!(
                    "`{}` is not a path, expected one such as `/dns-query`",
                    path.get_ref().escape_debug()
                );
                Err(self.value_error(&path.span(), message))
            }
            path => Ok(path.as_ref().map(|path| path.get_ref().clone())),
        };
        Ok(Tls {
            path: path?.unwrap_or_else(|| Tls::default().path),
            name: name?,
            pins: written.pin.values(),
            left: file::value(&written.certificate_left).map(|left| left.0),
        })
    }
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.len() <= LONGEST_PATH && text.bytes().all(|octet| octet.is_ascii_graphic())
}
