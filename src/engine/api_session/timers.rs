//! Deadlines of the API session, and the effect of a blocked standard output.

use super::ApiSession;
use super::conversation::State;
use super::settings::Parent;
use crate::engine::action::Action;
use crate::engine::moment::Moment;
use crate::engine::notice::Notice;

impl ApiSession {
    /// Standard output is blocked: nothing that is due is sent and no reply times out until it is writable. A question that a
    /// late reply causes is queued behind the pending lines.
    pub(crate) fn on_output_blocked(&mut self, out: &mut Vec<Action>) {
        if !self.full {
            self.full = true;
            out.push(Notice::OutputBlocked.into());
        }
    }

    /// Standard output is writable again and has taken the pending line.
    pub(crate) fn on_output_unblocked(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.full = false;
        out.push(Notice::OutputUnblocked.into());
        if self.until.is_some() {
            self.until = Some(now + self.settings.exabgp.ack_timeout);
        }
        self.unblocked_at = now;
        self.unanswered_since = self.unanswered_since.map(|_| now);
        self.proceed(now, out);
    }

    /// The next moment at which [`ApiSession::expire`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        if self.full {
            return None;
        }
        let due =
            matches!(self.state, State::Ready).then(|| self.entries.iter().filter_map(|entry| entry.due));
        [
            self.until,
            self.refresh_at,
            self.resync_at,
            self.confirm_at(),
            self.overtake_at(),
            self.missing_at(),
        ]
        .into_iter()
        .flatten()
        .chain(due.into_iter().flatten())
        .min()
    }

    /// Performs what is due.
    pub(crate) fn expire(&mut self, now: Moment, out: &mut Vec<Action>) {
        if self.full {
            return;
        }
        if self.refresh_at.is_some_and(|at| at <= now) {
            self.plan_refresh(now);
            self.unmarked.append(&mut self.refused_marks);
            self.restate_all(now, out);
        }
        if self.resync_at.is_some_and(|at| at <= now) {
            self.resync_at = None;
            self.restate_all(now, out);
        }
        if self.confirm_at().is_some_and(|at| at <= now) {
            self.confirm(now, out);
        }
        if self.missing_at().is_some_and(|at| at <= now) {
            self.report_missing(out);
        }
        if self.until.is_some_and(|until| until <= now) {
            self.on_timeout(now, out);
        }
        self.proceed(now, out);
    }

    /// Within a tenth of the configured period, so that many hosts do not refresh at the same moment.
    pub(super) fn plan_refresh(&mut self, now: Moment) {
        if self.settings.exabgp.refresh.is_zero() || self.settings.parent == Parent::Terminal {
            return;
        }
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let tenths_of_percent = u32::try_from(900 + self.random % 201).unwrap_or(1000);
        self.refresh_at = Some(now + self.settings.exabgp.refresh * tenths_of_percent / 1000);
    }
}
