//! Compatibility with `exabgp healthcheck`: what follows from the state of the service's one check.

use super::Service;
use crate::engine::action::Action;
use crate::engine::compat::HookState;
use crate::engine::moment::Moment;

impl Service {
    /// What `exabgp healthcheck` does when its check changes, and in each round while it is disabled: each part of it as
    /// [`Compat`](crate::engine::compat::Compat) says.
    pub(super) fn follow_check(&mut self, now: Moment, ticks: bool, out: &mut Vec<Action>) {
        let Some(check) = self.checks.first() else { return };
        let compat = self.compat;
        let hook_state = HookState::new(self.is_disabled(), check.state());
        let again = compat.look_before_each_round.then(|| now + check.timing().interval);
        if hook_state != self.hook_state {
            let reason = check.failure().unwrap_or("passed").to_owned();
            self.hook_state = hook_state;
            self.restate |= compat.repeat_each_verdict && hook_state.has_route();
            self.paused_round_at = again;
            if compat.hooks_follow_check {
                out.push(self.enter(hook_state.word().to_owned(), reason));
            }
        } else if ticks && self.probing_paused() && self.paused_round_at.is_some_and(|at| at <= now) {
            self.restate |= compat.repeat_each_round;
            self.paused_round_at = again;
        }
    }
}
