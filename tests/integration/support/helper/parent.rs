//! Those who stand in the place of ExaBGP.

use std::sync::Arc;

use super::{Server, eventually};

/// What is answered to a line. At `None` it closes its end of the pipe.
pub(crate) type Parent = Box<dyn FnMut(&str) -> Option<String> + Send>;

/// Answers each command at once, as this version does.
pub(crate) fn ideal(version: &'static str) -> Parent {
    Box::new(move |line| Some(answer_of(version, line)))
}

/// Says nothing, unless the test does.
pub(crate) fn silent() -> Parent {
    Box::new(|_| Some(String::new()))
}

/// Answers the first `commands`, and then says nothing, unless the test does.
pub(crate) fn until(commands: usize, version: &'static str) -> Parent {
    let mut heard = 0;
    Box::new(move |line| {
        heard += 1;
        Some(if heard > commands { String::new() } else { answer_of(version, line) })
    })
}

/// Answers the greeting and the question for the version, and nothing after.
pub(crate) fn once_greeted(version: &'static str) -> Parent {
    until(2, version)
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

/// What this version answers to a line.
pub(crate) fn answer_of(version: &str, line: &str) -> String {
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
