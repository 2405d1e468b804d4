//! Explains the state of a service: the chain from its probes to its routes, in sentences.
//!
//! ```text
//!   asked ─► answered ─► counted ─► decided (by which rule) ─► sent to ExaBGP ─► next, and how to change it
//! ```
//!
//! Pure functions of the status document. [`shown`] writes the chain for people.

use serde::Serialize;

use self::rule::Rule;
use super::time::Time;
use super::view::View;
use super::{Document, Service};
use crate::engine::service::ServiceState;

mod advice;
mod checks;
mod next;
mod remedies;
mod routes;
mod rule;
pub(crate) mod shown;
mod waiting;

/// The chain of one service.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Explanation {
    /// As configured.
    pub(crate) service: String,
    /// The state.
    pub(crate) state: ServiceState,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Time>,
    /// For how long.
    pub(crate) for_seconds: f64,
    /// The rule that decided.
    pub(crate) rule: Rule,
    /// The chain, in its order.
    pub(crate) steps: Vec<Step>,
}

/// One step of the chain.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Step {
    /// Its stage.
    pub(crate) stage: Stage,
    /// The check, the prefixes or the neighbor that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
    /// The sentence, without its subject.
    pub(crate) text: String,
    /// The time in it, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Time>,
}

/// A stage of the chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    /// The questions of a check.
    Asked,
    /// The outcome of the last round of a check.
    Answered,
    /// The counters of the check, and their effect on the service.
    Counted,
    /// The rule that decides the state of the service.
    Decided,
    /// The last command to ExaBGP, and its answer.
    #[serde(rename = "told")]
    Sent,
    /// The state of a BGP session.
    Session,
    /// The possible next changes, each with its earliest time.
    Next,
    /// The command that changes it, or that none is needed. There is at least one.
    Remedy,
}

impl Step {
    fn new(stage: Stage, subject: Option<&str>, text: impl Into<String>, at: Option<Time>) -> Self {
        Self { stage, subject: subject.map(ToOwned::to_owned), text: text.into(), at }
    }
}

/// Why a restart of the helper could not use its configuration file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FileFault {
    /// It has errors, or is gone.
    Broken,
    /// The user of the helper may not read it.
    Denied,
}

/// The chains of the services in this document: of all, or of the one with this name; `None` if there is none. With
/// a `fault` a restart of the helper could not use its configuration file.
pub(crate) fn explain(
    document: &Document,
    name: Option<&str>,
    fault: Option<FileFault>,
    view: &View,
) -> Option<Vec<Explanation>> {
    let concerned = document.services.iter().filter(|service| name.is_none_or(|name| service.name == name));
    let chains: Vec<_> = concerned.map(|service| chain(document, service, fault, view)).collect();
    (name.is_none() || !chains.is_empty()).then_some(chains)
}

fn chain(document: &Document, service: &Service, fault: Option<FileFault>, view: &View) -> Explanation {
    let rule = Rule::from_service(service);
    let mut steps: Vec<_> =
        service.checks.iter().flat_map(|check| checks::steps(service, check, view)).collect();
    steps.push(rule.step(service, view));
    steps.extend(unusable(document));
    let failure = service.reload_failure().map(|failure| format!("WARNING: {failure}"));
    steps.extend(failure.map(|failure| Step::new(Stage::Decided, None, failure, None)));
    steps.extend(routes::steps(&document.exabgp, service, view));
    steps.extend(next::steps(service, remedies::for_service(document, service, rule, fault), view));
    Explanation {
        service: service.name.clone(),
        state: service.state,
        since: service.since,
        for_seconds: service.for_seconds,
        rule,
        steps,
    }
}

/// What is in force instead of a configuration file that cannot be used.
fn unusable(document: &Document) -> Option<Step> {
    let (trouble, file) = (document.trouble.as_ref()?, document.configuration.display());
    let text = match &document.last_good {
        Some(kept) => format!(
            "by the LAST GOOD CONFIGURATION in {}, until {file} is corrected: {trouble}",
            kept.display()
        ),
        None => format!("{file} cannot be used, {}: {trouble}", document.without_configuration()),
    };
    Some(Step::new(Stage::Decided, None, text, None))
}

#[cfg(test)]
mod tests;
