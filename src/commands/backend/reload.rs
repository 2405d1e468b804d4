//! `backend reload`: checks the configuration, reloads, and compares the zones and the answers with those before.

use std::io::Write;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::answered::Answered;
use super::questions::Questions;
use super::status;
use crate::backend::Backend;
use crate::backend::served::Served;
use crate::backend::targets::Targets;
use crate::config::Config;
use crate::control::client::Client;
use crate::exit::Exit;
use crate::restart::{Lock, report_reload};
use crate::text::period::Period;
use crate::text::{self, joined};

/// The interval between two comparisons.
const PAUSE: Duration = Duration::from_millis(250);

/// A server may serve its old zones while it reads the new ones; therefore all must be well for this time.
const SETTLED: Duration = Duration::from_secs(1);

/// Reloads, unless the configuration is invalid or a restart is under way. The helper logs the result, and does not take
/// the questions for those of clients.
pub(super) async fn run(
    config: &Config,
    backend: &Backend,
    helper: &Client,
    removed: &[String],
) -> anyhow::Result<Exit> {
    let name = &backend.name;
    let _lock = match Lock::for_reload(&config.control, name) {
        Ok(lock) => lock,
        Err(trouble) => {
            writeln!(text::stderr(), "{name}: not reloaded, the server was not touched: {trouble}")?;
            return Ok(Exit::Failure);
        }
    };
    if !backend.reload.is_empty()
        && let Err(trouble) = backend.check().await
    {
        writeln!(text::stderr(), "{name}: not reloaded, the server was not touched: {trouble}")?;
        report_reload(
            config,
            backend,
            helper,
            Some(format!("failed: the server was not touched: {trouble}")),
        )
        .await;
        return Ok(Exit::Failure);
    }
    let targets = config.targets_of(backend);
    let mut questions = Questions::new(helper);
    let former = async {
        tokio::join!(Served::now(&targets, backend, removed), Answered::now(config, backend, &targets))
    };
    let (served, answered) = questions.ask(former).await;
    match backend.reload().await {
        Ok(done) => {
            for step in done {
                writeln!(text::stdout(), "{name}: {step}")?;
            }
        }
        Err(trouble) => {
            writeln!(text::stderr(), "{name}: not reloaded: {trouble}")?;
            report_reload(config, backend, helper, Some(format!("failed: {trouble}"))).await;
            return Ok(Exit::Failure);
        }
    }
    // A successful reload command does not prove that each zone was loaded, nor that clients are answered.
    let complaints = complaints_since(&targets, backend, &served, &answered, &mut questions).await;
    let exit = questions.ask(status::run(config, backend, false)).await?;
    report_reload(config, backend, helper, complaints.summary(exit)).await;
    for complaint in complaints.zones.iter().chain(&complaints.questions) {
        writeln!(text::stderr(), "{name}: reloaded, but {complaint}")?;
    }
    if !complaints.zones.is_empty() {
        writeln!(
            text::stderr(),
            "{name}: see the server's log; name a zone that was removed on purpose with --removed ZONE"
        )?;
    }
    if !complaints.questions.is_empty() {
        let mut stderr = text::stderr();
        writeln!(
            stderr,
            "{name}: see the server's log, its access lists and the addresses at which it listens"
        )?;
        writeln!(stderr, "{name}: to return, put the former configuration back and reload again")?;
        writeln!(stderr, "{name}: `dnsherald explain` names what is announced meanwhile")?;
    }
    Ok(if complaints.is_empty() { exit } else { Exit::Failure })
}

/// What is worse than before.
#[derive(Debug)]
struct Complaints {
    zones: Vec<String>,
    questions: Vec<String>,
}

impl Complaints {
    const fn is_empty(&self) -> bool {
        self.zones.is_empty() && self.questions.is_empty()
    }

    /// For the log, after the name of the operation; `None` if nothing is worse and `backend status` ends well.
    fn summary(&self, exit: Exit) -> Option<String> {
        if self.is_empty() {
            return (exit != Exit::Success)
                .then(|| "done, but the server does not run, or is not known to".to_owned());
        }
        Some(format!("done, but {}", joined(self.zones.iter().chain(&self.questions), "; ")))
    }
}

/// The complaints about the zones that were `served` and the questions that were `answered`, after a wait of at most the
/// start timeout of the server.
async fn complaints_since(
    targets: &Targets,
    backend: &Backend,
    served: &Served,
    answered: &Answered<'_>,
    questions: &mut Questions<'_>,
) -> Complaints {
    if served.all().next().is_none() && answered.is_empty() {
        return Complaints { zones: vec![], questions: vec![] };
    }
    let began = Instant::now();
    let (mut settled_since, mut is_told) = (None, false);
    loop {
        let again = async { tokio::join!(served.again(targets, backend.timeout), answered.complaints()) };
        let (zones, unanswered) = questions.ask(again).await;
        let complaints = Complaints { zones: zones.complaints(served), questions: unanswered };
        match (complaints.is_empty(), settled_since) {
            (true, Some(since)) if Instant::now() >= since + SETTLED => return complaints,
            (true, Some(_)) => {}
            (true, None) => settled_since = Some(Instant::now()),
            (false, _) if began.elapsed() >= backend.start_timeout => return complaints,
            (false, _) => {
                settled_since = None;
                if began.elapsed() >= SETTLED && !std::mem::replace(&mut is_told, true) {
                    let (name, limit) = (&backend.name, Period(backend.start_timeout));
                    let _ = writeln!(
                        text::stderr(),
                        "{name}: waiting up to {limit} for the zones and answers of before"
                    );
                }
            }
        }
        sleep(PAUSE).await;
    }
}
