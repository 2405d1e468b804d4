//! Compatibility with `exabgp healthcheck`: the consequences of the state of the one check.

use super::Service;
use crate::engine::action::Action;
use crate::engine::compat::HookState;
use crate::engine::moment::Moment;

impl Service {
    /// The actions of `exabgp healthcheck` at a change of its check, and in each round while it is disabled, each as
    /// [`Compat`](crate::engine::compat::Compat) requires.
    pub(super) fn follow_check(&mut self, now: Moment, ticks: bool, out: &mut Vec<Action>) {
        let Some(check) = self.checks.first() else { return };
        let compat = self.compat;
        let hook_state = HookState::new(self.is_disabled(), check.state());
        let again = compat.look_before_each_round.then(|| now + check.timing.interval);
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
