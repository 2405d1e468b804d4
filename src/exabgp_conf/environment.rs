//! Settings of `exabgp.env`, and of environment variables, which override the file.

/// The settings that matter to a helper.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Settings {
    /// Whether ExaBGP answers commands; on by default.
    pub(crate) ack: Option<bool>,
    /// Whether it restarts helpers; on by default.
    pub(crate) respawn: Option<bool>,
    /// Whether the version of its API is set, which ExaBGP 6 has.
    pub(crate) has_api_version: bool,
}

impl Settings {
    /// Reads a file of sections and lines `key = value` (Python's configparser).
    pub(crate) fn read(text: &str) -> Self {
        let (mut settings, mut in_api) = (Self::default(), false);
        for line in text.lines() {
            let line = line.trim();
            if line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(section) = line.strip_prefix('[') {
                in_api = section.split(']').next() == Some("exabgp.api");
            } else if let Some((key, value)) = line.split_once(['=', ':'])
                && in_api
            {
                settings.set(&key.trim().to_ascii_lowercase(), value);
            }
        }
        settings
    }

    /// The same with environment variables: `exabgp_api_ack` or `exabgp.api.ack`.
    #[must_use]
    pub(crate) fn with_variables<'a>(
        mut self,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        for (name, value) in variables {
            let name = name.replace('.', "_");
            if let Some(key) = name.strip_prefix("exabgp_api_") {
                self.set(key, value);
            }
        }
        self
    }

    fn set(&mut self, key: &str, value: &str) {
        let word = value.trim().trim_matches(['\'', '"']).to_ascii_lowercase();
        // Whatever is none of these words is false to ExaBGP (`environment/parsing.py`).
        let value = matches!(word.as_str(), "1" | "yes" | "on" | "enable" | "true");
        match key {
            "ack" => self.ack = Some(value),
            "respawn" => self.respawn = Some(value),
            "version" => self.has_api_version = true,
            _ => {}
        }
    }
}
