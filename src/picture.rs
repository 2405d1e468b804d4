//! Draws a timeline as SVG: outcomes and states of checks, states of services, penalties with their thresholds, and
//! announcements, on one axis of time.
//!
//! Pure: a string without script or external font. It has a column per unit of width, each with the worst of its
//! time, so that its size does not grow with the trace.

use std::collections::BTreeSet;

use crate::engine::dampening::Mode;
use crate::engine::moment::Moment;
use crate::text::joined;
use crate::text::period::Shown;
use crate::timeline::sign::Sign;
use crate::timeline::track::Track;
use crate::timeline::{CheckTrack, ServiceTrack, Timeline};

use self::axis::Axis;
use self::canvas::{Anchor, Canvas, DIM, HEAD, MARGIN, NORMAL, TITLE, WIDTH};
use self::lanes::{BAND, Plot};
use self::xml::{broken, cells};

mod axis;
mod canvas;
mod lanes;
mod legend;
mod style;
#[cfg(test)]
mod tests;
mod xml;

/// The widest name that is not broken into lines, in cells.
const WIDEST: usize = 30;

/// The names of lanes that are no names of checks or prefixes.
const STATE: &str = "state";
const TRUTH: &str = "server, in truth";
const PENALTY: &str = "penalty";

/// Between a name and its lane.
const GAP: u32 = 12;

/// A timeline, and the letter that tells its lanes from those of another; "" if it is the only one.
pub(crate) type Played<'a> = (&'static str, &'a Timeline);

/// A track of one configuration, with its letter.
type Variant<'a, T> = (&'static str, &'a T);

/// Draws the picture of one timeline, or of several on one axis.
pub(crate) fn draw(title: &str, played: &[Played<'_>]) -> String {
    let end = played.iter().map(|(_, timeline)| timeline.end).max().unwrap_or(Moment::START);
    let begin = played.iter().map(|(_, timeline)| timeline.begin).min().unwrap_or(Moment::START);
    let mut picture = Picture::new(played, begin, end);
    let title = format!("{title}, {}", Shown(end.since(begin)));
    for line in broken(&title, TITLE.fit(WIDTH - 2 * MARGIN)) {
        picture.canvas.y += TITLE.line;
        picture.canvas.text(MARGIN, picture.canvas.y, Anchor::Start, TITLE, &line);
    }
    picture.canvas.y += 4;
    let top = picture.canvas.y;
    let services =
        played.iter().flat_map(|(letter, timeline)| timeline.services.iter().map(|s| (*letter, s)));
    for variants in by_name(services, |service| &service.name) {
        picture.service(&variants);
    }
    picture.time(top);
    legend::draw(&mut picture.canvas, &picture.plot.used, picture.plot.marked);
    picture.canvas.finish(&title, &description(played), &picture.behind)
}

/// The announcements in words.
fn description(played: &[Played<'_>]) -> String {
    let services = played.iter().flat_map(|(letter, timeline)| {
        timeline.summary().services.into_iter().map(|service| (*letter, service))
    });
    let facts = services.map(|(letter, service)| {
        format!(
            "{} was announced {:.1} % of the time and withdrawn {} times.",
            lettered(&service.name, letter),
            service.announced * 100.0,
            service.withdrawals
        )
    });
    joined(facts, " ")
}

/// Groups tracks of one name, in the order of the first of each.
fn by_name<'a, T>(
    tracks: impl Iterator<Item = Variant<'a, T>>,
    name: impl Fn(&T) -> &str,
) -> Vec<Vec<Variant<'a, T>>> {
    let mut groups: Vec<Vec<Variant<'a, T>>> = vec![];
    for (letter, track) in tracks {
        // A configuration may have a name twice; each of its tracks has a group.
        let fits = |group: &&mut Vec<Variant<'a, T>>| {
            name(group[0].1) == name(track) && group.iter().all(|(other, _)| *other != letter)
        };
        match groups.iter_mut().find(fits) {
            Some(group) => group.push((letter, track)),
            None => groups.push(vec![(letter, track)]),
        }
    }
    groups
}

/// The name of a lane, with the letter of its configuration.
fn lettered(name: &str, letter: &str) -> String {
    if letter.is_empty() { name.to_owned() } else { format!("{name} {letter}") }
}

/// A picture that is being drawn.
struct Picture {
    canvas: Canvas,
    /// The grid, which is behind the rest.
    behind: Canvas,
    plot: Plot,
    /// The cells of a name in one line.
    names: usize,
    /// The number of configurations that are compared.
    configurations: usize,
}

impl Picture {
    fn new(played: &[Played<'_>], begin: Moment, end: Moment) -> Self {
        let services = || played.iter().flat_map(|(_, timeline)| &timeline.services);
        let widest = |names: &mut dyn Iterator<Item = &str>| names.map(cells).max().unwrap_or(0);
        let checks = widest(&mut services().flat_map(|s| &s.checks).map(|check| check.name.as_str()));
        let routes = widest(&mut services().flat_map(|s| &s.routes).map(|route| route.name.as_str()));
        let letter = if played.len() > 1 { " A".len() } else { 0 };
        let names = (checks.max(routes) + letter).clamp(TRUTH.len(), WIDEST);
        let left = MARGIN + NORMAL.width(&"x".repeat(names)) + GAP;
        let limits = services().filter(|service| lanes::has_penalty(service)).flat_map(lanes::limits);
        let right = limits.map(|(text, _)| DIM.width(&text) + 6).max().unwrap_or(0);
        let columns = WIDTH - left - right - MARGIN;
        let axis = Axis::new(begin, end, columns);
        Self {
            canvas: Canvas::from(MARGIN / 2),
            behind: Canvas::default(),
            plot: Plot { left, axis, used: BTreeSet::new(), marked: [false; 3] },
            names,
            configurations: played.len(),
        }
    }

    /// The lanes of a service, under its name. What its configurations have in common is drawn once, the announcements
    /// of each.
    fn service(&mut self, variants: &[Variant<'_, ServiceTrack>]) {
        self.canvas.y += 8;
        for line in broken(&variants[0].1.name, HEAD.fit(WIDTH - 2 * MARGIN)) {
            self.canvas.y += HEAD.line;
            self.canvas.text(MARGIN, self.canvas.y, Anchor::Start, HEAD, &line);
        }
        self.canvas.y += 4;
        let first = variants[0].1;
        if !first.truth.changes.is_empty() {
            let sign = |serves: bool| if serves { Sign::Good } else { Sign::Down };
            let floor = self.lane(TRUTH, BAND);
            let plot = &mut self.plot;
            plot.band(&mut self.canvas, floor, |from, until| first.truth.least(from, until).map(sign));
        }
        let checks =
            variants.iter().flat_map(|(letter, service)| service.checks.iter().map(|c| (*letter, c)));
        for group in by_name(checks, |check| &check.name) {
            for (name, check) in
                told_apart(&group, self.configurations, &group[0].1.name, |check| &check.states)
            {
                self.check(&name, check);
            }
        }
        for (name, service) in told_apart(variants, self.configurations, STATE, |service| &service.states) {
            let floor = self.lane(&name, BAND);
            self.plot.band(&mut self.canvas, floor, |from, until| service.states.worst(from, until));
        }
        for (letter, service) in variants.iter().filter(|(_, service)| lanes::has_penalty(service)) {
            let name = lettered(PENALTY, letter);
            let floor = self.lane(&format!("{name} ({})", mode_word(service)), lanes::GRAPH);
            self.plot.penalty(&mut self.canvas, floor, service);
        }
        let routes =
            variants.iter().flat_map(|(letter, service)| service.routes.iter().map(|r| (*letter, r)));
        for (letter, route) in by_name(routes, |route| &route.name).into_iter().flatten() {
            let floor = self.lane(&lettered(&route.name, letter), BAND);
            self.plot.band(&mut self.canvas, floor, |from, until| route.states.worst(from, until));
        }
    }

    fn check(&mut self, name: &str, check: &CheckTrack) {
        let floor = self.lane(name, BAND + lanes::MARKS + 2);
        self.plot.band(&mut self.canvas, floor, |from, until| check.states.worst(from, until));
        self.plot.marks(&mut self.canvas, floor - BAND - 2, &check.outcomes);
    }

    /// Begins a lane: writes its name and returns its lower edge.
    fn lane(&mut self, name: &str, height: u32) -> u32 {
        let lines = broken(name, self.names);
        let text = NORMAL.line * u32::try_from(lines.len()).unwrap_or(u32::MAX);
        let top = self.canvas.y;
        let floor = top + height.max(text);
        // A name stands beside its band, or at the top of a graph.
        let first = if height > text && height < lanes::GRAPH { floor - text } else { top };
        for (number, line) in (1..).zip(&lines) {
            self.canvas.text(MARGIN, first + NORMAL.line * number - 3, Anchor::Start, NORMAL, line);
        }
        self.canvas.y = floor + 6;
        let right = self.plot.left + self.plot.axis.columns;
        self.behind.path("class=\"grid\"", &format!("M{} {floor}.5H{right}", self.plot.left));
        floor
    }

    /// The axis, and its grid from `top` on.
    fn time(&mut self, top: u32) {
        let (left, bottom) = (self.plot.left, self.canvas.y);
        let right = left + self.plot.axis.columns;
        self.canvas.path("class=\"line\"", &format!("M{left} {bottom}.5H{right}"));
        for (column, label) in self.plot.axis.ticks() {
            let x = left + column;
            self.behind.path("class=\"grid\"", &format!("M{x}.5 {top}V{bottom}"));
            self.canvas.path("class=\"line\"", &format!("M{x}.5 {bottom}v5"));
            // The last label ends with the axis if it would leave the picture.
            let half = DIM.width(&label) / 2;
            let (x, anchor) = if x + half > WIDTH - MARGIN / 2 {
                (WIDTH - MARGIN / 2, Anchor::End)
            } else {
                (x, Anchor::Middle)
            };
            self.canvas.text(x, bottom + DIM.line + 2, anchor, DIM, &label);
        }
        self.canvas.y = bottom + DIM.line + 10;
    }
}

/// The lanes of tracks: one without a letter if every configuration has the same states, else one of each.
fn told_apart<'a, T>(
    group: &[Variant<'a, T>],
    configurations: usize,
    name: &str,
    states: impl Fn(&T) -> &Track<Sign>,
) -> Vec<(String, &'a T)> {
    let is_common = group.len() == configurations
        && group.iter().all(|(_, track)| states(track).changes == states(group[0].1).changes);
    if is_common {
        return vec![(name.to_owned(), group[0].1)];
    }
    group.iter().map(|(letter, track)| (lettered(name, letter), *track)).collect()
}

/// The mode of dampening, as configurations write it.
fn mode_word(service: &ServiceTrack) -> &'static str {
    match service.penalty.policy.mode {
        Mode::Off => "off",
        Mode::Observe => "observe",
        Mode::Enforce => "enforce",
    }
}
