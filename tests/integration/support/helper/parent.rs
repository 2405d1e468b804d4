//! Those who stand in the place of ExaBGP.

use std::sync::Arc;

use super::{Server, eventually};

/// What is answered to a line. At `None` it closes its end of the pipe.
pub(crate) type Parent = Box<dyn FnMut(&str) -> Option<String> + Send>;

/// Answers each command at once, as this version does.
pub(crate) fn ideal(version: &'static str) -> Parent {
    Box::new(move |line| Some(answer_of(version, line)))
}

/// Says nothing by itself; the test does it.
pub(crate) fn by_hand() -> Parent {
    Box::new(|_| Some(String::new()))
}

/// As with `exabgp.api.ack` off: it tells its version, and nothing else ever.
pub(crate) fn without_acks(version: &'static str) -> Parent {
    Box::new(move |line| Some(version_for(version, line)))
}

/// Answers a command only once the DNS server has been asked again.
pub(crate) fn reluctant(version: &'static str, server: &Arc<Server>) -> Parent {
    let server = Arc::clone(server);
    Box::new(move |line| {
        let before = server.queries();
        eventually(|| server.queries() > before);
        Some(answer_of(version, line))
    })
}

fn answer_of(version: &str, line: &str) -> String {
    format!("{}done\n", version_for(version, line))
}

fn version_for(version: &str, line: &str) -> String {
    match line {
        "system version 0" if version.starts_with('6') => {
            format!("{{\"version\": \"{version}\", \"application\": \"exabgp\"}}\n")
        }
        "system version 0" => format!("exabgp {version}\n"),
        _ => String::new(),
    }
}
