//! Before a service returns from a withdraw, the edge asks its server for the names of `warm-up`, so that its cache has
//! them when the load returns. This delays the return by [`LIMIT`] at most; a name that is not answered delays nothing
//! else.

use std::time::Duration;

use super::{Service, ServiceState};
use crate::engine::moment::Moment;

/// The longest delay of a return.
pub(crate) const LIMIT: Duration = Duration::from_secs(2);

impl Service {
    /// The state instead of `state`: a return waits until the names were asked. A hold does not wait.
    pub(super) fn warm_up(&mut self, now: Moment, state: ServiceState) -> ServiceState {
        if !state.returns_from(self.state_before()) || !self.warms_up || self.is_pinned() {
            self.warms_until = None;
            return state;
        }
        let until = *self.warms_until.get_or_insert_with(|| {
            self.begins_warm_up = true;
            now + LIMIT
        });
        if now < until {
            return self.state;
        }
        self.warms_until = None;
        state
    }

    /// The names were asked.
    pub(in crate::engine) fn on_warmed_up(&mut self, now: Moment) {
        self.warms_until = self.warms_until.map(|until| until.min(now));
    }

    /// Whether to ask for the names now; true only once for each return.
    pub(in crate::engine) const fn take_warm_up(&mut self) -> bool {
        std::mem::replace(&mut self.begins_warm_up, false)
    }
}
