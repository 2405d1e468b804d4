//! The timeout for recovery after a restart.

use std::time::{Duration, Instant};

use crate::backend::Backend;
use crate::config::Config;
use crate::engine::service::warm_up;

/// Added to what every check needs to pass: the command polls the helper, and the host is busy.
const LEEWAY: Duration = Duration::from_secs(2);

/// Timeout for recovery after a restart: the start of the server, then the time that the slowest check needs to pass
/// anew, then that for the names of `warm-up`.
pub(super) fn timeout(config: &Config, backend: &Backend) -> Duration {
    let checks = config.services_of(backend).flat_map(|service| &service.checks);
    let longest = checks.map(|check| check.timing.timeout + check.timing.returns()).max();
    let warms_up = config.services_of(backend).any(|service| service.warm_up.is_some());
    let warm_up = if warms_up { warm_up::LIMIT } else { Duration::ZERO };
    backend.start_timeout + longest.unwrap_or_default() + warm_up + LEEWAY
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

    /// Looks after each pause until the server is as expected, and returns the finding. After the timeout it returns the
    /// last reason why the server is not.
    pub(super) async fn wait(
        self,
        pause: Duration,
        mut look: impl AsyncFnMut() -> Result<String, String>,
    ) -> Result<String, String> {
        loop {
            match look().await {
                Err(_) if !self.has_timed_out() => tokio::time::sleep(pause).await,
                result => return result,
            }
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn has_timed_out(&self) -> bool {
        self.elapsed() >= self.timeout
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
        let checks = Duration::from_millis(10_000 + 1_500 + 2 * 10_000);
        assert_eq!(recovery, checks + LEEWAY);
        let text = format!("{text}warm-up = \"www.example.org\"\n");
        let config = Config::parse(Path::new("test.toml"), &text, "host").unwrap();
        assert_eq!(timeout(&config, &config.backends[0]), checks + warm_up::LIMIT + LEEWAY);
    }
}
