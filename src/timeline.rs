//! Draws the history of a simulation: a row per check, service and prefix, a column per time slice.
//!
//! ```text
//! 0s                                  60s
//! resolver/answers  ./########\____________//###
//! resolver          ..########_____________.####
//! 192.0.2.53/32     ..########______________####
//! ```
//!
//! A column shows the worst state of its slice, so that short changes stay visible.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::config::Config;
use crate::engine::Engine;
use crate::engine::api_session::route_entry::RouteEntry;
use crate::engine::check::Check;
use crate::engine::hysteresis;
use crate::engine::moment::Moment;
use crate::engine::service::{Service, ServiceState};
use crate::exabgp::Advertisement;
use crate::text::period::Shown;

/// The legend, in two lines of less than 80 characters.
pub(crate) const LEGEND: &str = "# up, announced   ~ degraded   _ down, withdrawn   = held by dampening\n\
                          x drained   \\ falling   / rising   . not known yet";

/// Between a name and its row.
const BETWEEN: &str = "  ";

/// The fewest columns that show anything.
const FEWEST: u32 = 20;

/// A state in a column, ordered from best to worst.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Sign {
    Good,
    Unknown,
    Rising,
    Degraded,
    Falling,
    Drained,
    Held,
    Down,
}

impl Sign {
    const fn symbol(self) -> char {
        match self {
            Self::Good => '#',
            Self::Unknown => '.',
            Self::Rising => '/',
            Self::Degraded => '~',
            Self::Falling => '\\',
            Self::Drained => 'x',
            Self::Held => '=',
            Self::Down => '_',
        }
    }

    const fn from_check(check: &Check) -> Self {
        match check.state() {
            hysteresis::CheckState::Unknown => Self::Unknown,
            hysteresis::CheckState::Rising(_) => Self::Rising,
            hysteresis::CheckState::Up => Self::Good,
            hysteresis::CheckState::Falling(_) => Self::Falling,
            hysteresis::CheckState::Down => Self::Down,
        }
    }

    fn from_service(service: &Service) -> Self {
        match service.state() {
            ServiceState::Starting => Self::Unknown,
            ServiceState::Up => Self::Good,
            ServiceState::Degraded => Self::Degraded,
            ServiceState::Drained => Self::Drained,
            ServiceState::Down if service.dampening().holds() => Self::Held,
            ServiceState::Down => Self::Down,
        }
    }

    const fn from_route(entry: &RouteEntry) -> Self {
        match &entry.acknowledged {
            None => Self::Unknown,
            Some(Advertisement::Announce(_)) => Self::Good,
            Some(Advertisement::Withdraw) => Self::Down,
        }
    }
}

/// The state changes of every row.
#[derive(Debug)]
pub(crate) struct Timeline {
    rows: Vec<Row>,
    end: Moment,
}

#[derive(Debug)]
struct Row {
    name: String,
    changes: Vec<(Moment, Sign)>,
}

impl Timeline {
    /// Creates a row for each check, service and prefix of the configuration.
    #[must_use]
    pub(crate) fn new(config: &Config) -> Self {
        let mut names = vec![];
        for service in &config.services {
            names.extend(service.checks.iter().map(|check| format!("{}/{}", service.name, check.name)));
            names.push(service.name.clone());
        }
        for service in &config.services {
            let prefixes: BTreeSet<_> = service.routes.iter().map(|route| route.prefix).collect();
            let names_neighbors = prefixes.len() < service.routes.len();
            names.extend(service.routes.iter().map(|route| match route.neighbors.as_slice() {
                [first, ..] if names_neighbors => format!("{} to {first}", route.prefix),
                _ => route.prefix.to_string(),
            }));
        }
        let row = |name| Row { name, changes: vec![] };
        Self { rows: names.into_iter().map(row).collect(), end: Moment::START }
    }

    /// Records the state of the engine at `now`.
    pub(crate) fn note(&mut self, now: Moment, engine: &Engine) {
        self.extend(now);
        let services = engine.services().iter().flat_map(|service| {
            let checks = service.checks().iter().map(Sign::from_check);
            checks.chain([Sign::from_service(service)])
        });
        let routes = engine.api_session().entries().iter().map(Sign::from_route);
        for (row, sign) in self.rows.iter_mut().zip(services.chain(routes)) {
            if row.changes.last().is_none_or(|(_, last)| *last != sign) {
                row.changes.push((now, sign));
            }
        }
    }

    /// Extends the last states until `end`.
    pub(crate) fn extend(&mut self, end: Moment) {
        self.end = self.end.max(end);
    }

    /// Returns a picture in lines of at most `width` characters, with at most `most` columns beside the names. Where the names
    /// leave less, it has [`FEWEST`].
    #[must_use]
    pub(crate) fn draw(&self, width: usize, most: u32) -> Picture<'_> {
        let names = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let left = width.saturating_sub(names + BETWEEN.len());
        let columns = u32::try_from(left).unwrap_or(u32::MAX).min(most).max(FEWEST);
        let stretch = (self.end.since_start() / columns).max(Duration::from_micros(1));
        Picture { timeline: self, stretch, columns }
    }
}

/// A timeline at one scale. `Display` draws it.
#[derive(Debug)]
pub(crate) struct Picture<'a> {
    timeline: &'a Timeline,
    stretch: Duration,
    columns: u32,
}

impl fmt::Display for Picture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = &self.timeline.rows;
        let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let end = Shown(self.timeline.end.since_start()).to_string();
        let columns = self.columns as usize;
        writeln!(f, "{:width$}{BETWEEN}0s{end:>1$}", "", columns.saturating_sub(2))?;
        for row in rows {
            write!(f, "{:width$}{BETWEEN}", row.name)?;
            for column in 0..self.columns {
                let from = Moment::START + self.stretch * column;
                write!(f, "{}", row.worst(from, from + self.stretch).symbol())?;
            }
            writeln!(f)?;
        }
        writeln!(f, "{:width$}{BETWEEN}one column is {}", "", Shown(self.stretch))
    }
}

impl Row {
    /// The worst sign between `from` and `until`.
    fn worst(&self, from: Moment, until: Moment) -> Sign {
        let after = self.changes.partition_point(|(at, _)| *at <= from);
        let standing = after.checked_sub(1).map(|index| self.changes[index].1);
        let coming = self.changes[after..].iter().take_while(|(at, _)| *at < until).map(|(_, sign)| *sign);
        standing.into_iter().chain(coming).max().unwrap_or(Sign::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_and_its_legend_fit_the_width() {
        let row = |name: &str, sign| Row { name: name.to_owned(), changes: vec![(Moment::START, sign)] };
        let rows = vec![row("resolver/answers", Sign::Good), row("192.0.2.53/32", Sign::Down)];
        let timeline = Timeline { rows, end: Moment::after_start(Duration::from_secs(20)) };
        let lines = |width| timeline.draw(width, 100).to_string();
        let widest = |text: &str| text.lines().map(|line| line.chars().count()).max();
        assert_eq!(widest(&lines(80)), Some(80), "{}", lines(80));
        assert_eq!(widest(&lines(60)), Some(60));
        assert_eq!(widest(&lines(10)), Some("resolver/answers".len() + 2 + 20), "names stay whole");
        assert!(timeline.draw(80, 50).to_string().contains("one column is 400ms"));
        assert!(widest(LEGEND) < Some(80));
    }
}
