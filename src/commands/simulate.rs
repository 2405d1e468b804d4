//! `simulate`: runs a trace through the engine in virtual time.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::cli::Simulate;
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::event::Event;
use crate::engine::moment::Moment;
use crate::exit::Exit;
use crate::simulate::{Watcher, play};
use crate::text;
use crate::timeline::Timeline;
use crate::timeline::summary::Summary;
use crate::timeline::text::LEGEND;
use crate::trace::{Effect, Step};

pub(crate) use self::annotate::remark;

use self::input::{Input, Source};
use self::svg::Canvas;

pub(crate) mod annotate;
mod compare;
mod input;
pub(crate) mod svg;

/// Characters of a line.
const WIDTH: usize = 80;

/// Columns of the timeline beside the names, unless these leave less.
const COLUMNS: u32 = 60;

/// Plays the trace and prints the results.
///
/// # Errors
/// Returns an error if the trace cannot be read or parsed, or nothing can be printed.
pub(crate) fn run(options: &Simulate) -> anyhow::Result<Exit> {
    let source = Source::read(options)?;
    let Some(input) = source.prepare(options.config.as_deref())? else { return Ok(Exit::Config) };
    let second = match &options.compare {
        Some(other) => {
            let Some(second) = source.prepare(Some(other))? else { return Ok(Exit::Config) };
            Some((other, second))
        }
        None => None,
    };
    let canvas = options.svg.as_deref().map(Canvas::open).transpose()?;
    let mut out = BufWriter::new(text::stdout());
    if let Some((other, second)) = &second {
        out.write_all(source.heading().as_bytes())?;
        let first = options.config.as_deref().unwrap_or_else(|| Path::new("the configuration in the trace"));
        let [of_first, of_second] = compare::run(&mut out, [(first, &input), (other, second)])?;
        if let Some(canvas) = canvas {
            let name =
                |path: &Path| path.file_name().map_or_else(String::new, |name| name.display().to_string());
            let title = format!("{}: A {}, B {}", source.title(), name(first), name(other));
            canvas.write(&title, &[("A", &of_first), ("B", &of_second)])?;
        }
    } else if options.annotate {
        out.write_all(annotate::annotate(&input.config, &input.text, &input.trace).as_bytes())?;
    } else {
        show(options, &source, &input, canvas, &mut out)?;
    }
    out.flush()?;
    Ok(Exit::Success)
}

/// Plays the trace; prints lines, timeline and summary, and draws the picture.
fn show(
    options: &Simulate,
    source: &Source,
    input: &Input,
    canvas: Option<Canvas>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let way = match (options.summary, options.json) {
        (true, _) => Way::Silent,
        (false, true) => Way::Json,
        (false, false) => Way::Text,
    };
    if !options.json {
        out.write_all(source.heading().as_bytes())?;
    }
    let mut printer =
        Printer { out, way, timeline: Timeline::new(&input.config, input.trace.begin()), result: Ok(()) };
    play(&input.config, &input.trace, &mut printer);
    let Printer { timeline, result, .. } = printer;
    result?;
    if way == Way::Text {
        writeln!(out, "\n{}{LEGEND}\n", timeline.draw(WIDTH, COLUMNS))?;
    }
    match (options.summary, options.json) {
        (true, true) => writeln!(out, "{}", summary_json(&timeline.summary(), source.seed())?)?,
        (false, true) => {}
        (_, false) => out.write_all(timeline.summary().text().as_bytes())?,
    }
    match canvas {
        Some(canvas) => canvas.write(&source.title(), &[("", &timeline)]),
        None => Ok(()),
    }
}

/// The summary, with the seed of a generated trace.
fn summary_json(summary: &Summary, seed: Option<u64>) -> serde_json::Result<String> {
    let mut value = serde_json::to_value(summary)?;
    if let (Some(seed), Some(object)) = (seed, value.as_object_mut()) {
        object.insert("seed".to_owned(), seed.into());
    }
    serde_json::to_string(&value).map(text::json)
}

/// Records what a line of the trace says about the world.
fn follow(timeline: &mut Timeline, at: Moment, step: &Step) {
    match &step.what {
        // The timeline extends to the `end` of the trace even if nothing happens before.
        Effect::End => timeline.extend(at),
        Effect::Truth(service, serves) => timeline.tell(at, *service, *serves),
        Effect::Event(_) | Effect::Becomes(..) | Effect::Loses(..) => {}
    }
}

/// What the printer prints.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Text,
    Json,
    Silent,
}

/// Prints commands to ExaBGP and transitions as they happen.
struct Printer<'a, W> {
    out: &'a mut W,
    way: Way,
    timeline: Timeline,
    result: io::Result<()>,
}

impl<W: Write> Watcher for Printer<'_, W> {
    fn step(&mut self, at: Moment, step: &Step) {
        follow(&mut self.timeline, at, step);
    }

    fn after(&mut self, at: Moment, _event: &Event, actions: &[Action], engine: &Engine) {
        self.timeline.note(at, engine);
        for action in actions {
            let written = match self.way {
                Way::Silent => Ok(()),
                Way::Json => serde_json::to_string(&(at, action))
                    .map_err(io::Error::from)
                    .and_then(|json| writeln!(self.out, "{}", text::json(json))),
                Way::Text => match remark(action) {
                    Some(remark) => writeln!(self.out, "{at:>12} {remark}"),
                    None => Ok(()),
                },
            };
            if self.result.is_ok() {
                self.result = written;
            }
        }
    }
}
