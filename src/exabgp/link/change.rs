//! Another configuration while the conversation goes on.

use super::entry::Entry;
use super::{Link, Settings, State, Subject};
use crate::engine::action::Action;
use crate::engine::moment::Moment;
use crate::engine::notice::Notice;
use crate::exabgp::Route;

impl Link {
    /// From now on these are the settings and the routes. What is known of a route that stays is kept; one that is no
    /// longer wanted and may be announced is withdrawn.
    pub fn change(&mut self, now: Moment, settings: Settings, routes: Vec<Route>, out: &mut Vec<Action>) {
        let spoken = self.dialect();
        let refresh = self.settings.refresh;
        self.settings = settings;
        self.change_routes(now, routes, out);
        if self.settings.refresh != refresh {
            self.refresh_at = None;
            self.plan_refresh(now);
        }
        if self.dialect() != spoken {
            self.restate_all(now, out);
        }
        self.proceed(now, out);
    }

    fn change_routes(&mut self, now: Moment, routes: Vec<Route>, out: &mut Vec<Action>) {
        let in_flight = match &self.state {
            State::Sending(Subject::Route(route, ..)) => Some(self.entries[*route].route.clone()),
            _ => None,
        };
        let mut before = std::mem::take(&mut self.entries);
        for route in routes {
            let known = before.iter().position(|entry| entry.route.is_the_same_as(&route));
            self.entries.push(known.map_or_else(
                || Entry::new(route.clone()),
                |place| before.swap_remove(place).become_route(now, route.clone()),
            ));
        }
        for entry in before {
            let is_in_flight = in_flight.as_ref().is_some_and(|route| entry.route.is_the_same_as(route));
            if !entry.perhaps_announced && !is_in_flight {
                continue;
            }
            if !entry.left_behind {
                out.push(Notice::LeftBehind { prefix: entry.route.prefix.to_string() }.into());
            }
            self.entries.push(entry.become_unwanted(now));
        }
        // The command in flight is about the same route, which may have another place.
        if let (State::Sending(Subject::Route(route, ..)), Some(subject)) = (&mut self.state, in_flight) {
            let place = self.entries.iter().position(|entry| entry.route.is_the_same_as(&subject));
            *route = place.unwrap_or(*route);
        }
    }
}
