//! `demo`: the main job in under twenty seconds, without ExaBGP, DNS server or privileges.
//!
//! An embedded DNS server on loopback goes through a script of faults. The daemon is the real one, with real probes and
//! the real engine; a task that answers `done` replaces ExaBGP.

use std::cell::RefCell;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::runtime;
use super::simulate::remark;
use super::simulate::svg::Canvas;
use crate::cli::Demo;
use crate::config::Config;
use crate::daemon::deadman::Deadman;
use crate::daemon::input::Input;
use crate::daemon::output::Output;
use crate::daemon::watchdog::Watchdog;
use crate::daemon::{Daemon, LoopIo, Observer, Supervisor};
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::api_session::Parent;
use crate::engine::api_session::neighbors::Neighbors;
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;
use crate::exabgp::command::ASK_VERSION;
use crate::exit::Exit;
use crate::responder::{Fault, Responder};
use crate::sys::signal_stream::SignalStream;
use crate::sys::signals::STOPS;
use crate::text;
use crate::text::wrap::wrapped;
use crate::timeline::Timeline;
use crate::timeline::text::LEGEND;

/// The width of a line, in characters.
const WIDTH: usize = 80;

/// The number of columns of the timeline, beside the names.
const COLUMNS: u32 = 62;

/// The first column of a message, behind the time and a sign.
const MESSAGE: usize = 11;

/// The faults of the embedded server, each with its duration in milliseconds.
const SCRIPT: [(u64, &str, Fault); 12] = [
    (1500, "answers", Fault::None),
    (1200, "closes its port", Fault::Closed),
    (1500, "is back", Fault::None),
    (1500, "hangs: it receives every question and answers none", Fault::Silent),
    (1500, "is back; after a second fall the return takes twice as long", Fault::None),
    (1200, "answers SERVFAIL; this configuration makes that degraded", Fault::Servfail),
    (1200, "is back", Fault::None),
    (1800, "loses every third packet; no state changes, because fall is 3", Fault::LoseEvery(3)),
    (1000, "loses no more packets", Fault::None),
    (800, "refuses every question; after the third fall dampening suppresses the service", Fault::Refuse),
    (3500, "is back; it returns after its suppression, once its checks have passed for longer", Fault::None),
    (0, "", Fault::None),
];

/// Runs the script, and prints commands and transitions as they happen and a timeline at the end.
///
/// # Errors
/// If loopback cannot be used, nothing can be printed, or the picture cannot be written.
pub(crate) fn run(options: &Demo) -> anyhow::Result<Exit> {
    let canvas = options.svg.as_deref().map(Canvas::open).transpose()?;
    let timeline = runtime()?.block_on(play())?;
    if let Some(canvas) = canvas {
        canvas.write("dnsherald demo", &[("", &timeline)])?;
    }
    Ok(Exit::Success)
}

async fn play() -> anyhow::Result<Timeline> {
    let responder =
        Responder::bind(IpAddr::V4(Ipv4Addr::LOCALHOST)).await.context("cannot listen on loopback")?;
    let toml = configuration(&responder);
    let config = Config::parse(Path::new("demo.toml"), &toml, "demo")?;
    let mut out = text::stdout();
    writeln!(out, "The configuration, for a DNS server on {}:\n", responder.address())?;
    for line in toml.lines() {
        writeln!(out, "    {line}")?;
    }
    writeln!(out, "\nSeconds; `>` a line to ExaBGP, `!` a line of the log, `*` the DNS server:\n")?;
    let narrator = RefCell::new(Narrator {
        out,
        began: Instant::now(),
        timeline: Timeline::new(&config, Moment::START),
        result: Ok(()),
    });

    let (to_exabgp, said) = mpsc::unbounded_channel();
    let (to_us, heard) = mpsc::unbounded_channel();
    tokio::spawn(stand_in(said, to_us));
    let mut io = LoopIo {
        parent: Parent::ExaBgp,
        output: Output::channel(to_exabgp),
        input: Input::channel(heard),
        signals: SignalStream::catch(&STOPS).context("cannot catch signals")?,
        deadman: Deadman::new(std::fs::File::create("/dev/null")?),
        watchdog: Watchdog::default(),
        sessions: Neighbors::default(),
    };
    let daemon = Daemon::new(&config, &mut io, None, Memory::default(), Duration::ZERO);
    let mut audience = Audience(&narrator);
    tokio::select! {
        _ = daemon.run(&mut audience) => {}
        () = follow(&responder, &narrator) => {}
    }
    let mut narrator = narrator.into_inner();
    narrator.result?;
    write!(narrator.out, "\n{}{LEGEND}\n", narrator.timeline.draw(WIDTH, COLUMNS))?;
    Ok(narrator.timeline)
}

fn configuration(responder: &Responder) -> String {
    format!(
        r#"[node]
management = ["127.0.0.1"]

[defaults]
interval = "200ms"
fast-interval = "50ms"
timeout = "150ms"
rise = 3
fall = 3

[[service]]
name = "resolver"
prefixes = ["192.0.2.53/32"]
address = false                   # the prefix is on no interface here
up = {{ med = 100, community = ["64512:100"] }}
degraded = {{ med = 400 }}

[service.dampening]               # as a rule minutes, here seconds
mode = "enforce"
penalty = 1000
suppress = 1900
reuse = 1700
half-life = "10s"
max-suppress = "20s"

[[service.check]]
name = "answers"
on-fail = {{ servfail = "degraded" }}

[service.check.dns]
query = "localhost. A"
server = "{}"
transport = ["udp", "tcp"]
"#,
        responder.address()
    )
}

/// Switches the server between the faults of the script.
async fn follow(responder: &Responder, narrator: &RefCell<Narrator>) {
    for (milliseconds, change, fault) in SCRIPT {
        if milliseconds > 0 {
            narrator.borrow_mut().print(&format!("* the server {change}"));
            responder.set(fault).await;
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
    }
}

/// Replaces ExaBGP: answers every command with `done`.
async fn stand_in(mut said: mpsc::UnboundedReceiver<String>, to_us: mpsc::UnboundedSender<String>) {
    while let Some(line) = said.recv().await {
        if line == ASK_VERSION {
            let _ = to_us.send("exabgp 5.0.15".to_owned());
        }
        let _ = to_us.send("done".to_owned());
    }
}

struct Narrator {
    out: text::Printed<io::Stdout>,
    began: Instant,
    timeline: Timeline,
    result: io::Result<()>,
}

impl Narrator {
    fn print(&mut self, text: &str) {
        let at = self.began.elapsed().as_secs_f64();
        let lines = wrapped(&format!("{at:>8.3} {text}"), WIDTH, MESSAGE);
        let written = writeln!(self.out, "{}", lines.join("\n")).and_then(|()| self.out.flush());
        if self.result.is_ok() {
            self.result = written;
        }
    }
}

struct Audience<'a>(&'a RefCell<Narrator>);

impl Observer for Audience<'_> {
    fn after_actions(&mut self, at: Moment, actions: &[Action], engine: &Engine) {
        let mut narrator = self.0.borrow_mut();
        narrator.timeline.note(at, engine);
        for text in actions.iter().filter_map(remark) {
            narrator.print(&text);
        }
    }
}

impl Supervisor for Audience<'_> {
    fn on_turn(&mut self) -> ControlFlow<()> {
        if self.0.borrow().result.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
