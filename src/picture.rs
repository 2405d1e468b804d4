//! Draws a timeline as SVG: outcomes and states of checks, states of services, penalties with their thresholds, and
//! announcements, on one axis of time.
//!
//! Pure: a string without script or external font. It has a column per unit of width, each with the worst of its
//! time, so that its size does not grow with the trace.

use std::collections::BTreeSet;

use crate::engine::dampening::Mode;
use crate::text::period::Shown;
use crate::timeline::sign::Sign;
use crate::timeline::{CheckTrack, ServiceTrack, Timeline};

use self::axis::Axis;
use self::canvas::{Anchor, Canvas, DIM, Font, HEAD, MARGIN, NORMAL, TITLE, WIDTH};
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

/// Draws the picture.
#[must_use]
pub(crate) fn draw(title: &str, timeline: &Timeline) -> String {
    let mut picture = Picture::new(timeline);
    let title = format!("{title}, {}", Shown(timeline.end.since_start()));
    for line in broken(&title, TITLE.fit(WIDTH - 2 * MARGIN)) {
        picture.canvas.y += TITLE.line;
        picture.canvas.text(MARGIN, picture.canvas.y, Anchor::Start, TITLE, &line);
    }
    picture.canvas.y += 4;
    let top = picture.canvas.y;
    for service in &timeline.services {
        picture.service(service);
    }
    picture.time(top);
    legend::draw(&mut picture.canvas, &picture.plot.used, picture.plot.marked);
    let facts = timeline.summary().services.into_iter().map(|service| {
        format!(
            "{} was announced {:.1} % of the time and withdrawn {} times.",
            service.name,
            service.announced * 100.0,
            service.withdrawals
        )
    });
    let description = facts.collect::<Vec<_>>().join(" ");
    picture.canvas.finish(&title, &description, &picture.behind)
}

/// A picture that is being drawn.
struct Picture {
    canvas: Canvas,
    /// The grid, which is behind the rest.
    behind: Canvas,
    plot: Plot,
    /// The cells of a name in one line.
    names: usize,
}

impl Picture {
    fn new(timeline: &Timeline) -> Self {
        let services = &timeline.services;
        let widest = |names: &mut dyn Iterator<Item = &str>| names.map(cells).max().unwrap_or(0);
        let checks = widest(&mut services.iter().flat_map(|s| &s.checks).map(|check| check.name.as_str()));
        let routes = widest(&mut services.iter().flat_map(|s| &s.routes).map(|route| route.name.as_str()));
        let names = checks.max(routes).clamp(TRUTH.len(), WIDEST);
        let left = MARGIN + NORMAL.width(&"x".repeat(names)) + GAP;
        let limits = services.iter().filter(|service| lanes::has_penalty(service)).flat_map(lanes::limits);
        let right = limits.map(|(text, _)| DIM.width(&text) + 6).max().unwrap_or(0);
        let columns = WIDTH - left - right - MARGIN;
        let axis = Axis::new(timeline.end, columns);
        Self {
            canvas: Canvas::from(MARGIN / 2),
            behind: Canvas::default(),
            plot: Plot { left, axis, used: BTreeSet::new(), marked: [false; 3] },
            names,
        }
    }

    /// The lanes of a service, under its name.
    fn service(&mut self, service: &ServiceTrack) {
        self.canvas.y += 8;
        for line in broken(&service.name, HEAD.fit(WIDTH - 2 * MARGIN)) {
            self.canvas.y += HEAD.line;
            self.canvas.text(MARGIN, self.canvas.y, Anchor::Start, HEAD, &line);
        }
        self.canvas.y += 4;
        if !service.truth.changes.is_empty() {
            let sign = |serves: bool| if serves { Sign::Good } else { Sign::Down };
            let floor = self.lane(TRUTH, BAND);
            let plot = &mut self.plot;
            plot.band(&mut self.canvas, floor, |from, until| service.truth.least(from, until).map(sign));
        }
        for check in &service.checks {
            self.check(check);
        }
        let floor = self.lane(STATE, BAND);
        self.plot.band(&mut self.canvas, floor, |from, until| service.states.worst(from, until));
        if lanes::has_penalty(service) {
            let mode = mode_word(service);
            let floor = self.lane(&format!("{PENALTY} ({mode})"), lanes::GRAPH);
            self.plot.penalty(&mut self.canvas, floor, service);
        }
        for route in &service.routes {
            let floor = self.lane(&route.name, BAND);
            self.plot.band(&mut self.canvas, floor, |from, until| route.states.worst(from, until));
        }
    }

    fn check(&mut self, check: &CheckTrack) {
        let floor = self.lane(&check.name, BAND + lanes::MARKS + 2);
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
        let font: Font = DIM;
        for (column, label) in self.plot.axis.ticks() {
            let x = left + column;
            self.behind.path("class=\"grid\"", &format!("M{x}.5 {top}V{bottom}"));
            self.canvas.path("class=\"line\"", &format!("M{x}.5 {bottom}v5"));
            // The last label ends with the axis if it would leave the picture.
            let half = font.width(&label) / 2;
            let (x, anchor) = if x + half > WIDTH - MARGIN / 2 {
                (WIDTH - MARGIN / 2, Anchor::End)
            } else {
                (x, Anchor::Middle)
            };
            self.canvas.text(x, bottom + font.line + 2, anchor, font, &label);
        }
        self.canvas.y = bottom + font.line + 10;
    }
}

/// The mode of dampening, as configurations write it.
fn mode_word(service: &ServiceTrack) -> &'static str {
    match service.penalty.policy().mode {
        Mode::Off => "off",
        Mode::Observe => "observe",
        Mode::Enforce => "enforce",
    }
}
