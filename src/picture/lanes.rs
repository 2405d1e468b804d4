//! The lanes of a picture: bands of states, marks of outcomes, and the graph of a penalty.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, DIM};
use super::style::{OUTCOMES, look};
use crate::engine::moment::Moment;
use crate::timeline::ServiceTrack;
use crate::timeline::outcomes::Outcomes;
use crate::timeline::sign::Sign;

/// The height of a band of states.
pub(super) const BAND: u32 = 15;

/// The height of the marks of outcomes.
pub(super) const MARKS: u32 = 10;

/// The height of the graph of a penalty.
pub(super) const GRAPH: u32 = 72;

/// Where lanes are, and what they have shown.
#[derive(Debug)]
pub(super) struct Plot {
    pub(super) left: u32,
    pub(super) axis: Axis,
    /// The states that a band has shown.
    pub(super) used: BTreeSet<Sign>,
    /// Which of [`OUTCOMES`] a mark has shown.
    pub(super) marked: [bool; 3],
}

/// Whether a service has had a penalty.
pub(super) fn has_penalty(service: &ServiceTrack) -> bool {
    service.penalty.is_on() && service.penalty.peak() > 0.0
}

/// The thresholds of a penalty: text and value, the higher first.
pub(super) fn limits(service: &ServiceTrack) -> [(String, f64); 2] {
    let policy = &service.penalty.policy;
    [("suppress", policy.suppress), ("reuse", policy.reuse)]
        .map(|(name, value)| (format!("{name} {value}"), f64::from(value)))
}

/// Adds a column to runs of columns, each from its first, so wide.
fn extend(runs: &mut Vec<(u32, u32)>, column: u32) {
    match runs.last_mut() {
        Some((from, width)) if *from + *width == column => *width += 1,
        _ => runs.push((column, 1)),
    }
}

impl Plot {
    /// Draws a band that stands on `floor`: in each column the state that `worst` finds in its time.
    pub(super) fn band(
        &mut self,
        canvas: &mut Canvas,
        floor: u32,
        worst: impl Fn(Moment, Moment) -> Option<Sign>,
    ) {
        let mut runs = BTreeMap::<Sign, Vec<(u32, u32)>>::new();
        for column in 0..self.axis.columns {
            let found = worst(self.axis.time(column), self.axis.time(column + 1));
            extend(runs.entry(found.unwrap_or(Sign::Unknown)).or_default(), self.left + column);
        }
        for (sign, columns) in runs {
            self.used.insert(sign);
            canvas.boxes(look(sign), floor, BAND, &columns);
        }
    }

    /// Draws the outcomes of a check as marks that stand on `floor`: in each column the worst.
    pub(super) fn marks(&mut self, canvas: &mut Canvas, floor: u32, outcomes: &Outcomes) {
        let mut worst = BTreeMap::<u32, usize>::new();
        for (at, count) in outcomes.slices() {
            let kind = match count {
                _ if count.failed > 0 => 0,
                _ if count.unknown > 0 => 1,
                _ => 2,
            };
            let column = worst.entry(self.axis.column(at)).or_insert(kind);
            *column = kind.min(*column);
        }
        for (kind, look) in OUTCOMES.into_iter().enumerate() {
            let mut runs = vec![];
            for (column, _) in worst.iter().filter(|(_, found)| **found == kind) {
                extend(&mut runs, self.left + column);
            }
            self.marked[kind] |= !runs.is_empty();
            canvas.boxes(look, floor, MARKS, &runs);
        }
    }

    /// Draws the graph of a penalty, with its thresholds.
    pub(super) fn penalty(&self, canvas: &mut Canvas, floor: u32, service: &ServiceTrack) {
        let penalty = &service.penalty;
        let limits = limits(service);
        let top = penalty.peak().max(limits[0].1) * 1.08;
        let height = |value: f64| f64::from(floor) - value / top * f64::from(GRAPH - 4);
        let right = self.left + self.axis.columns;
        // The curve has the highest penalty of each column.
        let mut curve = String::new();
        for column in 0..self.axis.columns {
            let value = penalty.highest(self.axis.time(column), self.axis.time(column + 1));
            let sign = if column == 0 { 'M' } else { 'L' };
            let _ = write!(curve, "{sign}{} {:.1}", self.left + column, height(value));
        }
        canvas.path("class=\"area\"", &format!("{curve}L{right} {floor}L{} {floor}z", self.left));
        canvas.path("class=\"curve\"", &curve);
        // Labels of close thresholds make room for each other.
        let mut lowest = f64::from(floor - GRAPH);
        for (text, value) in limits {
            let y = height(value);
            canvas.path("class=\"limit\"", &format!("M{} {y:.1}H{right}", self.left));
            let baseline = (y + 4.0).max(lowest + 11.0);
            lowest = baseline + 3.0;
            canvas.text(right + 6, baseline.round() as u32, Anchor::Start, DIM, &text);
        }
    }
}
