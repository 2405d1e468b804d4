//! How long it is waited for that all is well again.

use std::time::{Duration, Instant};

use crate::backend::Backend;
use crate::config::Config;

/// On top of what every check needs to pass: the helper is asked now and then, and the host is busy.
const LEEWAY: Duration = Duration::from_secs(2);

/// How long after a restart it is waited for that everything is as it should be: the server has its time to start, and
/// then every check the time that it needs to pass anew.
pub(super) fn return_limit(config: &Config, backend: &Backend) -> Duration {
    let checks = config.services_of(backend).flat_map(|service| &service.checks);
    let longest = checks.map(|check| check.timing.timeout + check.timing.returns()).max();
    backend.start_timeout + longest.unwrap_or_default() + LEEWAY
}

/// The same, from now on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    began: Instant,
    pub(super) limit: Duration,
}

impl Patience {
    pub(super) fn until_well(config: &Config, backend: &Backend) -> Self {
        Self { began: Instant::now(), limit: return_limit(config, backend) }
    }

    pub(super) fn is_at_its_end(&self) -> bool {
        self.began.elapsed() >= self.limit
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_server_has_its_time_to_start_and_the_slowest_check_its_time_to_pass() {
        let text = "[node]\nmanagement = [\"10.1.0.2\"]\n[backend.unbound]\nstart-timeout = \"10s\"\n\
            [defaults]\ninterval = \"2s\"\ntimeout = \"1s\"\nrise = 3\n\
            [[service]]\nname = \"resolver\"\nprefixes = [\"192.0.2.53/32\"]\nbackend = \"unbound\"\n";
        let config = Config::parse(Path::new("test.toml"), text, "host").unwrap();
        let limit = return_limit(&config, &config.backends[0]);
        assert_eq!(limit, Duration::from_secs(10 + 1 + 3 * 2) + LEEWAY);
    }
}
