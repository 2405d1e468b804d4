//! `simulate`: runs a trace through the engine in virtual time.

use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use anyhow::Context;

use crate::cli::Simulate;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::event::Event;
use crate::engine::moment::Moment;
use crate::exit::Exit;
use crate::simulate::{Watcher, play};
use crate::text;
use crate::timeline::{LEGEND, Timeline};
use crate::trace::names::Names;
use crate::trace::read::TraceError;
use crate::trace::{Effect, Header, Step, Trace};

/// Characters of a line.
const WIDTH: usize = 80;

/// Columns of the timeline beside the names, unless these leave less.
const COLUMNS: u32 = 60;

/// Plays the trace and prints the results.
///
/// # Errors
/// Returns an error if the trace cannot be read or parsed, or nothing can be printed.
pub(crate) fn run(options: &Simulate) -> anyhow::Result<Exit> {
    let text = read(&options.trace)?;
    let located = |error: TraceError| anyhow::anyhow!("{}: {error}", options.trace.display());
    let header = Header::read(&text).map_err(located)?;
    let (path, toml) = match (&options.config, &header.configuration) {
        (Some(path), _) => {
            (path.as_path(), std::fs::read_to_string(path).context(path.display().to_string())?)
        }
        (None, Some(toml)) => (options.trace.as_path(), toml.clone()),
        (None, None) => anyhow::bail!(
            "{}: the trace contains no configuration (lines that begin with `| `); name one with -c FILE",
            options.trace.display()
        ),
    };
    let config = match Config::parse(path, &toml, header.host.as_deref().unwrap_or("host")) {
        Ok(config) => config,
        Err(error) => {
            let _ = writeln!(text::stderr(), "{error}");
            return Ok(Exit::Config);
        }
    };
    let names = Names::new(&config);
    let trace = Trace::read(&text, &names).map_err(located)?;
    trace.require_start().map_err(|message| anyhow::anyhow!("{}: {message}", options.trace.display()))?;
    if let Some(snapshot) = &trace.header.engine {
        Engine::restored(snapshot, &config.plan())
            .map_err(|why| anyhow::anyhow!("{}: {why}", options.trace.display()))?;
    }
    let mut out = BufWriter::new(text::stdout());
    if options.annotate {
        out.write_all(annotate(&config, &text, &trace).as_bytes())?;
    } else {
        let mut printer =
            Printer { out: &mut out, json: options.json, timeline: Timeline::new(&config), result: Ok(()) };
        play(&config, &trace, &mut printer);
        let Printer { timeline, result, .. } = printer;
        result?;
        if !options.json {
            write!(out, "\n{}{LEGEND}\n", timeline.draw(WIDTH, COLUMNS))?;
        }
    }
    out.flush()?;
    Ok(Exit::Success)
}

fn read(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read the trace {}", path.display()))
}

/// Prints commands to ExaBGP and transitions as they happen.
struct Printer<'a, W> {
    out: &'a mut W,
    json: bool,
    timeline: Timeline,
    result: io::Result<()>,
}

impl<W: Write> Watcher for Printer<'_, W> {
    /// The timeline extends to the `end` of the trace even if nothing happens before.
    fn step(&mut self, at: Moment, step: &Step) {
        if step.what == Effect::End {
            self.timeline.extend(at);
        }
    }

    fn after(&mut self, at: Moment, _event: &Event, actions: &[Action], engine: &Engine) {
        self.timeline.note(at, engine);
        for action in actions {
            let written = if self.json {
                serde_json::to_string(&(at, action))
                    .map_err(io::Error::from)
                    .and_then(|json| writeln!(self.out, "{}", text::json(json)))
            } else {
                match remark(action) {
                    Some(remark) => writeln!(self.out, "{at:>12} {remark}"),
                    None => Ok(()),
                }
            };
            if self.result.is_ok() {
                self.result = written;
            }
        }
    }
}

/// The text of an action in an annotated trace.
#[must_use]
pub(crate) fn remark(action: &Action) -> Option<String> {
    match action {
        Action::Print(line) => Some(format!("> {line}")),
        Action::Log(notice) => Some(format!("! {notice}")),
        Action::Exit => Some("! exit".to_owned()),
        Action::Probe(_) | Action::Enter { .. } | Action::Settled(_) | Action::Said(_) | Action::Save => None,
    }
}

/// The trace with the actions of each line below it. Annotating twice changes nothing.
#[must_use]
pub(crate) fn annotate(config: &Config, text: &str, trace: &Trace) -> String {
    struct Annotator {
        /// The line of the trace that each remark follows, and the remark.
        remarks: Vec<(usize, String)>,
        line: usize,
    }

    impl Watcher for Annotator {
        fn step(&mut self, _at: Moment, step: &Step) {
            self.line = self.line.max(step.line);
        }

        fn after(&mut self, at: Moment, _event: &Event, actions: &[Action], _engine: &Engine) {
            let remarks = actions.iter().filter_map(remark);
            self.remarks.extend(remarks.map(|remark| (self.line, format!("{at:>12} {remark}"))));
        }
    }

    let mut annotator = Annotator { remarks: vec![], line: 0 };
    play(config, trace, &mut annotator);
    let mut remarks = annotator.remarks.into_iter().peekable();
    let mut annotated = String::new();
    for (number, line) in (1..).zip(text.lines()) {
        if is_remark(line) {
            continue;
        }
        annotated.push_str(line);
        annotated.push('\n');
        while let Some((_, remark)) = remarks.next_if(|(after, _)| *after == number) {
            annotated.push_str(&remark);
            annotated.push('\n');
        }
    }
    annotated
}

fn is_remark(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let timed = words.next().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    timed && matches!(words.next(), Some(">" | "!"))
}
