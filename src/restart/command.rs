//! A command of the operator, run while the services are drained. An interruption does not break it off, only `--limit`
//! does. The services stay drained as long as it runs, unless an operator ends the drain.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::sleep;

use super::earlier::renewable;
use super::{Journal, Transaction};
use crate::backend::Trouble;
use crate::program::{GRACE, KEPT_OUTPUT, Limit, Program, run_within};
use crate::text::period::Period;

/// The interval at which the drain is renewed, each time for [`Transaction::longest`]. That time contains
/// [`RESTART_LIMIT`](crate::backend::systemd::RESTART_LIMIT), the limit of a restart of the server, which a command does not
/// need and which is longer than three intervals: even if two renewals fail and the command ends right before the third, the
/// time for the verification is left.
const DRAIN_RENEWAL: Duration = Duration::from_secs(60);

/// The interval at which an interruption is looked for, to report it.
const INTERRUPT_POLL: Duration = Duration::from_millis(200);

/// Whether an interruption was requested, and whether it has to wait.
#[derive(Debug, Default)]
pub(super) struct InterruptGuard {
    pub(super) interrupted: Cell<bool>,
    /// The interruption takes effect only when the operation under way has ended.
    pub(super) deferred: Cell<bool>,
}

impl Transaction<'_> {
    /// Notes how long it may take, runs it, and renews the drain meanwhile.
    pub(super) async fn run_command(
        &self,
        program: &Program,
        limit: Option<Duration>,
        journal: &mut Journal<'_>,
        guard: &InterruptGuard,
    ) -> Result<String, Trouble> {
        journal.note(&announcement(program, limit));
        let limit = limit_of(limit);
        let noted = async {
            while !guard.interrupted.get() {
                sleep(INTERRUPT_POLL).await;
            }
            journal.note("interrupted: waits for the command to end; the services stay drained after it");
        };
        let command = repeat_while(run_within(program, limit, KEPT_OUTPUT), DRAIN_RENEWAL, async || {
            self.renew_drain().await;
        });
        tokio::pin!(command);
        let ended = tokio::select! {
            ended = &mut command => ended,
            () = noted => command.await,
        };
        if ended.succeeded() {
            Ok(format!("{program}: done"))
        } else {
            Err(Trouble::new(format!("{program}: {ended}")))
        }
    }

    /// Makes the drain last as long as at its beginning, unless an operator has ended it meanwhile, or has asked to end it
    /// once the checks pass (`undrain --once-healthy`).
    async fn renew_drain(&self) {
        let document = match self.helper.look().await {
            Ok(document) => document,
            Err(error) => {
                log::warn!(
                    "cannot renew the drain of any service, next attempt in {}: {error:#}",
                    Period(DRAIN_RENEWAL)
                );
                return;
            }
        };
        let kept = self.kept_by_operator(&document);
        for name in renewable(self.drains_in(&document)).filter(|name| !kept.contains(name)) {
            if let Err(trouble) = self.ask(&self.drain_request(name.clone(), &self.drain_reason())).await {
                log::warn!(
                    "{name}: cannot renew the drain, next attempt in {}: {trouble}",
                    Period(DRAIN_RENEWAL)
                );
            }
        }
    }
}

/// The limit of the command: none unless an operator has set one, since an upgrade that is killed in the middle leaves a
/// broken server.
fn limit_of(given: Option<Duration>) -> Limit {
    Limit::Terminate(given.unwrap_or(Duration::MAX))
}

/// The line for the operator before the command starts.
fn announcement(program: &Program, limit: Option<Duration>) -> String {
    match limit {
        None => format!(
            "runs {program}, without a limit (--limit sets one); the services stay drained while it runs"
        ),
        Some(limit) => format!(
            "runs {program}, at most {}: then it gets TERM, and {} later KILL; the services stay drained while it runs",
            Period(limit),
            Period(GRACE)
        ),
    }
}

/// Awaits `this`, and runs `often` at each `interval` meanwhile.
async fn repeat_while<T>(this: impl Future<Output = T>, interval: Duration, often: impl AsyncFn()) -> T {
    tokio::pin!(this);
    loop {
        tokio::select! {
            biased;
            done = &mut this => return done,
            () = sleep(interval) => {}
        }
        tokio::select! {
            biased;
            done = &mut this => return done,
            () = often() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::systemd::RESTART_LIMIT;

    #[tokio::test]
    async fn the_drain_is_renewed_while_the_command_runs() {
        let renewed = Cell::new(0);
        let command = async {
            while renewed.get() < 3 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        repeat_while(command, Duration::from_millis(1), async || renewed.set(renewed.get() + 1)).await;
        assert_eq!(renewed.get(), 3);
    }

    /// Two renewals are missed, and the command ends just before the third.
    #[test]
    fn the_rest_of_the_drain_covers_the_verification() {
        assert!(DRAIN_RENEWAL * 3 < RESTART_LIMIT);
    }

    #[test]
    fn only_the_operator_limits_a_command() {
        assert!(matches!(limit_of(None), Limit::Terminate(Duration::MAX)));
        let minute = Duration::from_secs(60);
        assert!(matches!(limit_of(Some(minute)), Limit::Terminate(limit) if limit == minute));
    }

    #[test]
    fn the_limit_is_announced() {
        let program = Program::new("true", &[]);
        assert_eq!(
            announcement(&program, None),
            "runs true, without a limit (--limit sets one); the services stay drained while it runs"
        );
        assert_eq!(
            announcement(&program, Some(Duration::from_secs(90))),
            "runs true, at most 1m 30s: then it gets TERM, and 10s later KILL; the services stay drained while it runs"
        );
    }
}
