//! Looks names up much as the stub resolver of a client does: it tries each server in turn, twice, after a timeout and after
//! SERVFAIL, REFUSED, NOTIMP and FORMERR, repeats a truncated answer over TCP, and follows aliases (CNAME), within an answer
//! and by further questions. glibc (`getaddrinfo`) does not go on after FORMERR, and asks no further question for an alias.
//!
//! A probe of a `dns` check judges one answer; a lookup says whether the servers together give a client what it wants.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hickory_resolver::proto::op::{Message, ResponseCode};

use self::chain::End;
use super::deadline::Deadline;
use super::dns::{DnsProbe, Expectation, Query, Question, Rcode, Transport};
use super::locality::Locality;
use crate::outcome::{Cause, Class, Failure, Outcome};
use crate::text::joined;

mod chain;
#[cfg(test)]
mod tests;

/// How often each server is tried, as in resolv.conf(5).
const ATTEMPTS: u32 = 2;

/// Further questions for the target of an alias, at most.
const FOLLOWED: u32 = 8;

/// Names to look up.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LookupProbe {
    /// At least one.
    pub(crate) names: Vec<Query>,
    /// At least one, in the order in which they are tried; each with the address that asks it.
    pub(crate) servers: Vec<(SocketAddr, Option<IpAddr>)>,
    /// Timeout of the whole lookup of a name.
    pub(crate) timeout: Duration,
    /// The addresses of this host; a question to one of them must not leave it.
    pub(crate) locality: Arc<Locality>,
}

impl LookupProbe {
    /// Looks all names up. A failure has the cause that `severity` ranks highest, and of equals that of the first name.
    pub(crate) async fn ask<K: Ord>(&self, severity: impl Fn(Cause) -> K) -> Outcome {
        let found: Vec<_> = self.ask_all().await.into_iter().map(|(_, outcome)| outcome).collect();
        let slowest = found.iter().filter_map(|outcome| match outcome {
            Outcome::Pass { latency, .. } => Some(*latency),
            Outcome::Fail(_) | Outcome::Unknown(_) => None,
        });
        // A failure says more than an unknown outcome.
        let rank = |failure: &&Failure| (failure.cause.class() != Class::Unknown, severity(failure.cause));
        // Of equals it returns the last.
        match found.iter().rev().filter_map(Outcome::failure).max_by_key(rank) {
            Some(worst) => worst.clone().into(),
            None => Outcome::pass(slowest.max().unwrap_or_default()),
        }
    }

    /// Looks all names up at the same time, and returns the outcome of each with its label.
    pub(crate) async fn ask_all(&self) -> Vec<(String, Outcome)> {
        join_all(self.names.iter().map(async |name| (format!("lookup {name}"), self.look_up(name).await)))
            .await
    }

    async fn look_up(&self, name: &Query) -> Outcome {
        let (began, deadline) = (Instant::now(), Deadline::after(self.timeout));
        let explain = |Failure { cause, detail }: Failure| {
            Outcome::from_cause(cause, format!("lookup of {name}: {detail}"))
        };
        match tokio::time::timeout(self.timeout, self.follow(name)).await {
            Ok(Ok(())) => Outcome::pass(began.elapsed()),
            Ok(Err(failure)) => explain(failure),
            Err(_) => explain(deadline.missed(Instant::now())),
        }
    }

    /// Resolves the name and the targets of its aliases, until there is a record of the type.
    async fn follow(&self, name: &Query) -> Result<(), Failure> {
        let (mut query, mut aliases) = (name.clone(), vec![]);
        for _ in 0..=FOLLOWED {
            let answer = self.resolve(&query).await?;
            match chain::follow(&answer, query.record_type()) {
                _ if answer.response_code != ResponseCode::NoError => {
                    let rcode = Rcode::from(answer.response_code);
                    let detail = format!("answered {rcode} for {query}, expected records");
                    return Err(Failure::new(Cause::Rcode, detail));
                }
                End::Found => return Ok(()),
                End::Nothing => {
                    let detail = format!("answered no record for {query}");
                    return Err(Failure::new(Cause::TooFewAnswers, detail));
                }
                End::Alias(target) if !aliases.contains(&target) => {
                    query = Query::from_parts(&target, query.record_type());
                    aliases.push(target);
                }
                End::Alias(target) => {
                    let detail = format!("the aliases (CNAME) lead back to {target}");
                    return Err(Failure::new(Cause::WrongAnswer, detail));
                }
            }
        }
        let detail = format!("answered more than {FOLLOWED} aliases (CNAME) one after the other");
        Err(Failure::new(Cause::WrongAnswer, detail))
    }

    /// Asks each server in turn, until one answers.
    async fn resolve(&self, query: &Query) -> Result<Box<Message>, Failure> {
        let question = Question::new(query.clone(), true, Expectation::anything());
        let question = Arc::new(question.map_err(|why| Failure::new(Cause::WrongAnswer, why))?);
        let tries = ATTEMPTS * u32::try_from(self.servers.len()).unwrap_or(u32::MAX / ATTEMPTS).max(1);
        let mut last = Failure::new(Cause::Local, "no server");
        for _ in 0..ATTEMPTS {
            for (server, source) in &self.servers {
                let probe = DnsProbe {
                    question: Arc::clone(&question),
                    server: *server,
                    source: *source,
                    transport: Transport::Udp,
                    timeout: self.timeout / tries,
                    locality: Arc::clone(&self.locality),
                };
                last = match probe.attempt().await {
                    Ok(answer) => match refusal(answer.response_code) {
                        None => return Ok(answer),
                        Some(cause) => {
                            let rcode = Rcode::from(answer.response_code);
                            Failure::new(cause, format!("{probe}: answered {rcode}"))
                        }
                    },
                    Err(failure) => failure,
                };
            }
        }
        Err(last)
    }
}

/// The cause of an answer after which a stub resolver tries the next server.
const fn refusal(code: ResponseCode) -> Option<Cause> {
    match code {
        ResponseCode::ServFail => Some(Cause::Servfail),
        ResponseCode::Refused => Some(Cause::Refused),
        ResponseCode::NotImp | ResponseCode::FormErr => Some(Cause::Rcode),
        _ => None,
    }
}

impl fmt::Display for LookupProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers = joined(self.servers.iter().map(|(server, _)| server), ", then ");
        write!(f, "{} at {servers}", joined(&self.names, ", "))
    }
}
