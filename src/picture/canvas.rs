//! Writes shapes and text as SVG, from the top down.

use std::fmt::Write as _;

use super::style::{HATCHES, Look, STYLE};
use super::xml::{cells, escaped};

/// The width of the picture, in its units.
pub(super) const WIDTH: u32 = 960;

/// Around the picture.
pub(super) const MARGIN: u32 = 16;

/// Sizes of text: the class, the width of a cell and the height of a line, each with some room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Font {
    pub(super) class: &'static str,
    pub(super) cell: f64,
    pub(super) line: u32,
}

pub(super) const NORMAL: Font = Font { class: "", cell: 7.9, line: 17 };
pub(super) const HEAD: Font = Font { class: "head", cell: 7.9, line: 18 };
pub(super) const SMALL: Font = Font { class: "small", cell: 7.3, line: 16 };
pub(super) const DIM: Font = Font { class: "small dim", cell: 7.3, line: 16 };
pub(super) const TITLE: Font = Font { class: "title", cell: 9.1, line: 20 };

impl Font {
    /// How wide this text is, rounded up.
    pub(super) fn width(&self, text: &str) -> u32 {
        (cells(text) as f64 * self.cell).ceil() as u32
    }

    /// How many cells fit into this width.
    pub(super) fn fit(&self, width: u32) -> usize {
        (f64::from(width) / self.cell) as usize
    }
}

/// The point of a text that its place names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// The picture so far.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    shapes: String,
    /// The next free line, from the top.
    pub(super) y: u32,
}

impl Canvas {
    /// An empty picture, whose first line is at `y`.
    pub(super) fn from(y: u32) -> Self {
        Self { y, ..Self::default() }
    }

    /// Writes a line of text with its baseline at `y`.
    pub(super) fn text(&mut self, x: u32, y: u32, anchor: Anchor, font: Font, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let class = if font.class.is_empty() { String::new() } else { format!(" class=\"{}\"", font.class) };
        let _ = writeln!(self.shapes, "<text x=\"{x}\" y=\"{y}\"{anchor}{class}>{}</text>", escaped(text));
    }

    /// Draws a path with these attributes.
    pub(super) fn path(&mut self, attributes: &str, data: &str) {
        if !data.is_empty() {
            let _ = writeln!(self.shapes, "<path {attributes} d=\"{data}\"/>");
        }
    }

    /// Draws boxes that stand on the line `floor`: each from a column, so wide. `height` is that of the band.
    pub(super) fn boxes(&mut self, look: Look, floor: u32, height: u32, columns: &[(u32, u32)]) {
        let height = f64::from(height) * look.height;
        let mut data = String::new();
        for (x, width) in columns {
            let _ = write!(data, "M{x} {floor}v-{height:.1}h{width}v{height:.1}z");
        }
        self.path(look.fill, &data);
    }

    /// The complete picture.
    pub(super) fn finish(&self, title: &str, description: &str, behind: &Self) -> String {
        let height = self.y + MARGIN;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" role=\"img\" aria-labelledby=\"title desc\">\n\
             <title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>\n<style>\n{STYLE}</style>\n\
             <defs>\n{HATCHES}</defs>\n<rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>\n{}{}</svg>\n",
            escaped(title),
            escaped(description),
            behind.shapes,
            self.shapes
        )
    }
}
