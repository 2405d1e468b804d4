//! Checks of what runs: ExaBGP, its helper, and the BGP sessions that the helper sees.

use std::time::Duration;

use super::facts::{Facts, HelperFact, Known, known};
use super::finding::{Examined, Id};
use super::neighbors;
use crate::status::{BgpSession, Document, SessionState};
use crate::text::period::Shown;
use crate::text::{foreign, joined};

pub(super) fn helper(facts: &Facts) -> Known<Examined> {
    let mut examined = Examined::default();
    for helper in &facts.elsewhere {
        examined.skip(helper.clone());
    }
    if let Some(two) = &facts.exabgp_twice {
        examined.find(
            Id::ExaBgpTwice,
            format!(
                "{two}: a router keeps one session of each neighbor, and the other ExaBGP sees it down; each has a helper, and \
                 commands reach only the later one"
            ),
            "end the one that is too many: `systemctl status exabgp` shows the process of the unit",
        );
    }
    if let Err(why) = missing(facts, &mut examined) {
        examined.skip(why);
    }
    Ok(examined)
}

/// Finds that no helper of the configuration runs, or no ExaBGP.
fn missing(facts: &Facts, examined: &mut Examined) -> Known<()> {
    let config = facts.usable_config()?;
    let first = |why: &str| foreign(why.split("; ").next().unwrap_or(why));
    let why = match known(&facts.helper)? {
        HelperFact::Answers(_) => return Ok(()),
        HelperFact::Unresponsive(why) => {
            examined.find(
                Id::HelperMissing,
                format!("{}: it is stopped or overloaded, and ExaBGP keeps what it announced", first(why)),
                "`kill -CONT` its process if it is stopped; if it hangs, restart ExaBGP",
            );
            return Ok(());
        }
        HelperFact::Silent(why) => why,
    };
    // Its sockets may be in a container.
    known(&facts.network)?;
    let file = facts.config_path.display();
    // A helper that cannot write to its directory runs without sockets. The check of the permissions finds that.
    let is_denied = |access: &super::facts::Access| access.denied.iter().any(|it| it.backend.is_none());
    if config.is_idle() || facts.access.as_ref().is_ok_and(is_denied) {
        return Ok(());
    }
    if facts.is_exabgp_running {
        examined.find(
            Id::HelperMissing,
            format!(
                "ExaBGP runs, but no helper with {file} answers ({}): it runs without sockets, or it has ended and ExaBGP keeps \
                 what it announced",
                foreign(why.split("; ").next().unwrap_or(why))
            ),
            "see why it does not answer: the log of ExaBGP (`journalctl -u exabgp`) and the other findings; then restart ExaBGP",
        );
    } else {
        examined.find(
            Id::ExaBgpStopped,
            format!("no running ExaBGP is found, and no helper with {file}: nothing is announced"),
            "`systemctl start exabgp`; `systemctl status exabgp` shows why it ended. If another file is in use, name it with \
             -c and --exabgp-conf",
        );
    }
    Ok(())
}

pub(super) fn sessions(facts: &Facts) -> Known<Examined> {
    let mut examined = Examined::default();
    let HelperFact::Answers(document) = known(&facts.helper)? else {
        return Err("no helper answers, which sees the BGP sessions".to_owned());
    };
    let sessions = &document.exabgp.bgp_sessions;
    let are = |state| sessions.iter().filter(move |session| session.state == state);
    if are(SessionState::Unknown).count() == sessions.len() {
        return Err(why_no_session(facts, document));
    }
    let remedy = "see the link and the log of the router, and whether addresses, AS numbers and passwords agree on both \
                  sides; `dnsherald status` shows the sessions";
    if are(SessionState::Down).count() == sessions.len() {
        examined.find(
            Id::SessionsDown,
            format!(
                "every BGP session that ExaBGP has reported is down, so that these routers have no route of this host: {}",
                joined(sessions.iter().map(shown), "; ")
            ),
            remedy,
        );
    } else {
        for session in are(SessionState::Down) {
            examined.find(Id::SessionDown, format!("the BGP session is down: {}", shown(session)), remedy);
        }
    }
    Ok(examined)
}

/// Why ExaBGP has reported no session to the helper.
fn why_no_session(facts: &Facts, document: &Document) -> String {
    let reports = neighbors::of_helpers(facts).map(|(_, neighbor)| neighbor.neighbor_changes.or(false));
    let reports: Vec<_> = reports.collect();
    if reports.contains(&Some(true)) {
        let period = Duration::try_from_secs_f64(document.running_seconds).unwrap_or_default();
        return format!(
            "the helper (process {}) was started {} ago, and no session has changed since: ExaBGP reports only changes \
             (`neighbor-changes`); `exabgp-cli show neighbor summary` shows the sessions",
            document.pid,
            Shown(Duration::from_secs(period.as_secs()))
        );
    }
    if !reports.is_empty() && reports.iter().all(|reports| *reports == Some(false)) {
        return "no neighbor of the helper has `neighbor-changes` in `api`: ExaBGP reports no session to it"
            .to_owned();
    }
    "ExaBGP has reported no BGP session to the helper: `neighbor-changes` in `api` of the neighbors makes it report \
     their changes"
        .to_owned()
}

/// The neighbor of a session that is down, since when, and why.
fn shown(session: &BgpSession) -> String {
    let period = session.for_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let period = period.map_or_else(String::new, |period| format!(" for {}", Shown(period)));
    format!("neighbor {}{period}{}", foreign(&session.neighbor), foreign(&session.because()))
}
