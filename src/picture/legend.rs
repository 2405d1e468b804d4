//! The legend of a picture: what was shown, and nothing else.

use std::collections::BTreeSet;

use super::canvas::{Anchor, Canvas, MARGIN, SMALL, WIDTH};
use super::lanes::{BAND, MARKS};
use super::style::{Look, OUTCOMES, look};
use crate::timeline::sign::Sign;

/// The width of a sample.
const SAMPLE: u32 = 22;

/// Draws the legend: states, then outcomes in a line of their own.
pub(super) fn draw(canvas: &mut Canvas, used: &BTreeSet<Sign>, marked: [bool; 3]) {
    let states = Sign::ALL.into_iter().filter(|sign| used.contains(sign)).map(look);
    row(canvas, "States:", states, BAND);
    let outcomes = OUTCOMES.into_iter().zip(marked).filter(|(_, marked)| *marked).map(|(look, _)| look);
    row(canvas, "Rounds:", outcomes.rev(), MARKS);
}

fn row(canvas: &mut Canvas, name: &str, looks: impl Iterator<Item = Look>, height: u32) {
    let first = MARGIN + SMALL.width(name) + 10;
    let mut x = MARGIN;
    for look in looks {
        let width = SAMPLE + 6 + SMALL.width(look.meaning) + 16;
        if x == MARGIN || x + width > WIDTH - MARGIN {
            canvas.y += 22;
            if x == MARGIN {
                canvas.text(MARGIN, canvas.y, Anchor::Start, SMALL, name);
            }
            x = first;
        }
        canvas.boxes(look, canvas.y + 1, height, &[(x, SAMPLE)]);
        canvas.text(x + SAMPLE + 6, canvas.y, Anchor::Start, SMALL, look.meaning);
        x += width;
    }
}
