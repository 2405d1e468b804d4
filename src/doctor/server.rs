//! Checks of the DNS server: configuration, listeners, access list, rate limit.

use super::facts::{AnswerFact, Facts, Known};
use super::finding::{Examined, Id};
use crate::backend::rate_limit::Limited;
use crate::outcome::{Cause, Outcome};
use crate::text::foreign;

pub(super) fn configuration(facts: &Facts) -> Known<Examined> {
    facts.config_of_this_network()?;
    let mut examined = Examined::default();
    for backend in &facts.backends {
        let name = &backend.name;
        match &backend.broken {
            Ok(None) => {}
            Ok(Some(why)) => examined.find(
                Id::ServerConfiguration,
                format!("backend {name}: {why}; the server does not start with it again"),
                format!("correct the file before the server is restarted; `dnsherald backend check {name}` checks it again"),
            ),
            Err(why) => examined.skip(format!("backend {name}: {why}")),
        }
    }
    Ok(examined)
}

pub(super) fn listeners(facts: &Facts) -> Known<Examined> {
    facts.config_of_this_network()?;
    let mut examined = Examined::default();
    for listener in &facts.listeners {
        match &listener.is_there {
            Ok(true) => {}
            Ok(false) => examined.find(
                Id::NotListening,
                format!(
                    "service {}: no server listens at {} over {}",
                    listener.service,
                    listener.at,
                    listener.protocol.to_string().to_uppercase()
                ),
                format!(
                    "let the server listen at {} over UDP and TCP, and start it; `ss -lntup 'sport = :{}'` shows who listens",
                    listener.at,
                    listener.at.port()
                ),
            ),
            Err(why) => examined.skip(why.clone()),
        }
    }
    Ok(examined)
}

pub(super) fn answers(facts: &Facts) -> Known<Examined> {
    facts.config_of_this_network()?;
    let mut examined = Examined::default();
    for answer in &facts.answers {
        let failure = match &answer.outcome {
            Outcome::Pass { .. } => continue,
            Outcome::Unknown(failure) => {
                examined.skip(format!("{}: {}", answer.probe, foreign(&failure.detail)));
                continue;
            }
            Outcome::Fail(failure) => failure,
        };
        let source = answer.source.map_or_else(|| "this host".to_owned(), |source| source.to_string());
        match failure.cause {
            Cause::Refused => examined.find(
                Id::ProbeRefused,
                format!("the server refuses {} from {source}", answer.probe),
                permission(answer, &source),
            ),
            Cause::Timeout if answer.is_service => examined.find(
                Id::NoAnswer,
                format!("the server does not answer {} from {source}", answer.probe),
                "see whether it runs and reads its sockets (`dnsherald backend status`), and whether an access list or a \
                 firewall drops the probe",
            ),
            // `dnsherald check` shows the others.
            _ => {}
        }
    }
    Ok(examined)
}

/// How the server permits the source of the probes.
fn permission(answer: &AnswerFact, source: &str) -> String {
    match answer.kind {
        "unbound" => format!("`access-control: {source} allow` in its `server:` section"),
        "bind" => format!(
            "add {source} to `allow-query` (and to `allow-recursion` of a resolver), and load the zone"
        ),
        "powerdns-recursor" => format!("add {source} to `allow-from`"),
        "dnsdist" => format!("addACL(\"{source}\")"),
        _ => format!("permit {source} in its access list, and see whether it serves that zone"),
    }
}

pub(super) fn rate_limit(facts: &Facts) -> Known<Examined> {
    facts.config_of_this_network()?;
    let mut examined = Examined::default();
    for backend in &facts.backends {
        let limit = &backend.rate_limit;
        match limit.state {
            Limited::NotLimited | Limited::Exempt => {}
            Limited::NotKnown => examined.skip(format!("backend {}: {}", backend.name, limit.why)),
            Limited::NotExempt => examined.find(
                Id::RateLimit,
                format!(
                    "backend {} limits answers, and the management address is not exempt ({}): queries with forged \
                     addresses can silence the probes",
                    backend.name, limit.why
                ),
                limit.remedy.clone().unwrap_or_else(|| "exempt the management address".to_owned()),
            ),
        }
    }
    Ok(examined)
}
