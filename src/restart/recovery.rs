//! The timeout for recovery after a restart.

use std::time::{Duration, Instant};

use crate::backend::Backend;
use crate::config::Config;

/// Added to what every check needs to pass: the command polls the helper, and the host is busy.
const LEEWAY: Duration = Duration::from_secs(2);

/// Timeout for recovery after a restart: the start of the server, and then the time that the slowest check needs to
/// pass anew.
pub(super) fn timeout(config: &Config, backend: &Backend) -> Duration {
    let checks = config.services_of(backend).flat_map(|service| &service.checks);
    let longest = checks.map(|check| check.timing.timeout + check.timing.returns()).max();
    backend.start_timeout + longest.unwrap_or_default() + LEEWAY
}

/// A recovery under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recovery {
    began: Instant,
    pub(super) timeout: Duration,
}

impl Recovery {
    pub(super) fn start(config: &Config, backend: &Backend) -> Self {
        Self { began: Instant::now(), timeout: timeout(config, backend) }
    }

    pub(super) fn has_timed_out(&self) -> bool {
        self.began.elapsed() >= self.timeout
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_timeout_covers_the_start_and_the_slowest_check() {
        let text = "[node]\nmanagement = [\"10.1.0.2\"]\n[backend.unbound]\nstart-timeout = \"10s\"\n\
            [defaults]\ninterval = \"2s\"\ntimeout = \"1s\"\nrise = 3\n\
            [[service]]\nname = \"resolver\"\nprefixes = [\"192.0.2.53/32\"]\nbackend = \"unbound\"\n";
        let config = Config::parse(Path::new("test.toml"), text, "host").unwrap();
        let recovery = timeout(&config, &config.backends[0]);
        // The check `recursion`, which asks every 10 s.
        assert_eq!(recovery, Duration::from_millis(10_000 + 1_500 + 2 * 10_000) + LEEWAY);
    }
}
