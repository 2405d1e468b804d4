//! Draws a timeline in text.
//!
//! ```text
//!                   0s                                                        1m
//! resolver/answers  /#####\_____________________////############################
//! resolver          .######_________________________############################
//! 192.0.2.53/32     .######_________________________############################
//!                   one column is 1s
//! ```
//!
//! A column shows the worst state of its slice: a short fault stays visible, a short return does not.

use std::fmt;
use std::time::Duration;

use super::Timeline;
use super::sign::Sign;
use super::track::Track;
use crate::engine::moment::Moment;
use crate::text::period::Shown;

/// The legend, in two lines of less than 80 characters.
pub(crate) const LEGEND: &str = "# up, announced   ~ degraded   _ down, withdrawn   = held by dampening\n\
                          x drained   \\ falling   / rising   . not known yet";

/// Between a name and its row.
const BETWEEN: &str = "  ";

/// The fewest columns that show anything.
const FEWEST: u32 = 20;

/// A row: its name and its states.
type Row<'a> = (String, &'a Track<Sign>);

impl Timeline {
    /// Returns a picture in lines of at most `width` characters, with at most `most` columns beside the names. Where the names
    /// leave less, it has [`FEWEST`].
    pub(crate) fn draw(&self, width: usize, most: u32) -> Drawing<'_> {
        Drawing::new(self.rows(), (self.begin, self.end), width, most)
    }

    /// A row per check, service and prefix.
    fn rows(&self) -> Vec<Row<'_>> {
        let services = self.services.iter().flat_map(|service| {
            let checks = service.checks.iter();
            let checks = checks.map(|check| (format!("{}/{}", service.name, check.name), &check.states));
            checks.chain([(service.name.clone(), &service.states)])
        });
        let routes = self.services.iter().flat_map(|service| &service.routes);
        services.chain(routes.map(|route| (route.name.clone(), &route.states))).collect()
    }
}

/// A timeline at one scale. `Display` draws it.
#[derive(Debug)]
pub(crate) struct Drawing<'a> {
    rows: Vec<Row<'a>>,
    begin: Moment,
    end: Moment,
    stretch: Duration,
    columns: u32,
}

impl<'a> Drawing<'a> {
    fn new(rows: Vec<Row<'a>>, (begin, end): (Moment, Moment), width: usize, most: u32) -> Self {
        let names = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let left = width.saturating_sub(names + BETWEEN.len());
        let columns = u32::try_from(left).unwrap_or(u32::MAX).min(most).max(FEWEST);
        let stretch = (end.since(begin) / columns).max(Duration::from_micros(1));
        Self { rows, begin, end, stretch, columns }
    }
}

impl fmt::Display for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let begin = Shown(self.begin.since_start()).to_string();
        let later = if self.begin == Moment::START { "" } else { " later" };
        let end = format!("{}{later}", Shown(self.end.since(self.begin)));
        let rest = (self.columns as usize).saturating_sub(begin.len());
        writeln!(f, "{:width$}{BETWEEN}{begin}{end:>rest$}", "")?;
        for (name, states) in &self.rows {
            write!(f, "{name:width$}{BETWEEN}")?;
            for column in 0..self.columns {
                let from = self.begin + self.stretch * column;
                let worst = states.worst(from, from + self.stretch).unwrap_or(Sign::Unknown);
                write!(f, "{}", worst.symbol())?;
            }
            writeln!(f)?;
        }
        writeln!(f, "{:width$}{BETWEEN}one column is {}", "", Shown(self.stretch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_begins_with_its_record() {
        let at = |seconds| Moment::after_start(Duration::from_secs(seconds));
        let track = Track { changes: vec![(at(80_000), Sign::Good), (at(80_010), Sign::Down)] };
        let rows = vec![("a".to_owned(), &track)];
        let drawn = Drawing::new(rows, (at(80_000), at(80_020)), 80, 20).to_string();
        let lines: Vec<_> = drawn.lines().collect();
        assert_eq!(lines[0], "   22h 13m    20s later");
        assert_eq!(lines[1], "a  ##########__________");
        assert!(lines[2].ends_with("one column is 1s"), "{drawn}");
    }

    #[test]
    fn a_picture_and_its_legend_fit_the_width() {
        let track = |sign| Track { changes: vec![(Moment::START, sign)] };
        let (up, down) = (track(Sign::Good), track(Sign::Down));
        let end = Moment::after_start(Duration::from_secs(20));
        let draw = |width, most| {
            let rows = vec![("resolver/answers".to_owned(), &up), ("192.0.2.53/32".to_owned(), &down)];
            Drawing::new(rows, (Moment::START, end), width, most).to_string()
        };
        let lines = |width| draw(width, 100);
        let widest = |text: &str| text.lines().map(|line| line.chars().count()).max();
        assert_eq!(widest(&lines(80)), Some(80), "{}", lines(80));
        assert_eq!(widest(&lines(60)), Some(60));
        assert_eq!(widest(&lines(10)), Some("resolver/answers".len() + 2 + 20), "names stay whole");
        assert!(draw(80, 50).contains("one column is 400ms"));
        assert!(widest(LEGEND) < Some(80));
    }
}
