//! A command of the operator's, run while the services are drained: it comes to its end, and so long the drain lasts.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::sleep;

use super::{Journal, Transaction};
use crate::backend::Trouble;
use crate::control::Request;
use crate::period::Period;
use crate::program::{GRACE, Limit, Program, run_within};

/// Between two prolongations of the drain. What is left of it after a missed one is more than what is needed to see
/// the server back.
const PROLONGED_EACH: Duration = Duration::from_secs(60);

/// Between two looks for an interruption, which is told at once.
const LOOK: Duration = Duration::from_millis(200);

/// When an interruption is heeded.
#[derive(Debug, Default)]
pub(super) struct Heed {
    pub(super) told: Cell<bool>,
    /// Not before what is under way has come to its end.
    pub(super) later: Cell<bool>,
}

impl Transaction<'_> {
    /// Says how long it may take, runs it, and prolongs the drain meanwhile.
    pub(super) async fn run_command(
        &self,
        program: &Program,
        limit: Option<Duration>,
        journal: &mut Journal<'_>,
        heed: &Heed,
    ) -> Result<String, Trouble> {
        journal.notes(&said_before(program, limit));
        let limit = limit.map_or(Limit::Endless, Limit::Terminate);
        let noted = async {
            while !heed.told.get() {
                sleep(LOOK).await;
            }
            journal.notes("interrupted: the command comes to its end first, then the services stay drained");
        };
        let command = meanwhile(run_within(program, limit), PROLONGED_EACH, async || self.prolong().await);
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

    /// Has the drain last as long as at its beginning, unless it was ended meanwhile: that is the operator's word.
    async fn prolong(&self) {
        for name in self.held().await {
            let request = Request::Drain { service: Some(name), order: self.order(self.reason.clone()) };
            if let Err(error) = self.helper.insist(&request).await {
                log::warn!("cannot prolong the drain: {error}");
            }
        }
    }
}

/// What the operator is told before it begins.
fn said_before(program: &Program, limit: Option<Duration>) -> String {
    match limit {
        None => format!("runs {program}, without a limit (--limit sets one); the drain lasts as long"),
        Some(limit) => format!(
            "runs {program}, at most {}: then it gets TERM, and {} later KILL; the drain lasts as long",
            Period(limit),
            Period(GRACE)
        ),
    }
}

/// Does this, and `each` time has passed the other thing as well, as long as it is under way.
async fn meanwhile<T>(this: impl Future<Output = T>, each: Duration, often: impl AsyncFn()) -> T {
    tokio::pin!(this);
    loop {
        tokio::select! {
            biased;
            done = &mut this => return done,
            () = sleep(each) => {}
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
    async fn as_long_as_the_command_runs_the_drain_is_prolonged() {
        let prolonged = Cell::new(0);
        let command = async {
            while prolonged.get() < 3 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        meanwhile(command, Duration::from_millis(1), async || prolonged.set(prolonged.get() + 1)).await;
        assert_eq!(prolonged.get(), 3);
    }

    /// A prolongation that was just missed, and the next that fails, leave the time that it takes to see the server back.
    #[test]
    fn what_is_left_of_the_drain_outlasts_the_verification() {
        assert!(PROLONGED_EACH * 3 < RESTART_LIMIT);
    }

    #[test]
    fn the_limit_is_said_beforehand() {
        let program = Program::new("true", &[]);
        assert_eq!(
            said_before(&program, None),
            "runs true, without a limit (--limit sets one); the drain lasts as long"
        );
        assert_eq!(
            said_before(&program, Some(Duration::from_secs(90))),
            "runs true, at most 1m 30s: then it gets TERM, and 10s later KILL; the drain lasts as long"
        );
    }
}
