//! A day of a scripted fleet of three PoPs in a real Prometheus: each panel of the dashboard has data, and shows the events
//! at their times.
//!
//! The engines run in virtual time. Their metrics, as the exposition has them each two minutes, become blocks of
//! Prometheus. The picture of the panels is in docs/pictures; with `UPDATE_KEPT=1` it is written anew.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::kept::difference;
use super::lacks::lacks;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::event::Event;
use crate::engine::moment::Moment;
use crate::metrics::exposition;
use crate::metrics::tally::Tally;
use crate::simulate::{Watcher, play};
use crate::status::Document;
use crate::status::time::Clock;
use crate::status::totals::ListenerTotals;
use crate::trace::Trace;
use crate::trace::names::Names;

/// 2026-11-26T00:00:00Z.
const MIDNIGHT: u64 = 1_795_651_200;

/// Between two samples, as of a Prometheus that scrapes seldom.
const SCRAPE: Duration = Duration::from_secs(120);

/// Between two points of a panel.
const STEP: u64 = 300;

const LONG: Duration = Duration::from_secs(20);

/// The PoPs. Each has a trace in `fleet_day`.
const FLEET: [&str; 3] = ["ams1", "fra1", "sin1"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The metrics of a PoP over the day, in the format of OpenMetrics.
struct Scraped<'a> {
    pop: &'a str,
    tally: Tally,
    next: Moment,
    text: &'a mut String,
}

impl Watcher for Scraped<'_> {
    fn after(&mut self, at: Moment, event: &Event, actions: &[Action], engine: &Engine) {
        self.tally.count_event(engine, event);
        actions.iter().for_each(|action| self.tally.count_action(action));
        if at < self.next {
            return;
        }
        self.next = at + SCRAPE;
        let wall = UNIX_EPOCH + Duration::from_secs(MIDNIGHT) + at.since_start();
        let mut document =
            Document::from_engine(engine, &Clock::new(at, wall), self.pop, Path::new("/etc/a.toml"));
        document.totals = self.tally.totals().clone();
        // The loop adds what the engine does not know: the sockets of the server.
        let second = at.since_start().as_secs();
        let slow = if self.pop == "fra1" { 20 * 3600..21 * 3600 } else { 0..0 };
        let queue = if slow.contains(&second) { 90_000 } else { 768 };
        let drops = 2 * (second.clamp(slow.start, slow.end) - slow.start);
        document.totals.listeners = vec![ListenerTotals {
            address: "192.0.2.53:53".to_owned(),
            transport: "udp".to_owned(),
            sockets: 2,
            queue,
            drops,
        }];
        self.add(wall, &exposition(document));
    }
}

impl Scraped<'_> {
    /// Adds the samples of an exposition, with the labels that a scrape adds and their time.
    fn add(&mut self, wall: SystemTime, exposition: &str) {
        let at = wall.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        for line in exposition.lines().filter(|line| !line.starts_with('#')).chain(["up 1"]) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) =
                series.strip_suffix('}').map_or((series, ""), |s| s.split_once('{').unwrap());
            let instance = format!("instance=\"{}\",job=\"dnsherald\"", self.pop);
            let comma = if labels.is_empty() { "" } else { "," };
            *self.text += &format!("{name}{{{instance}{comma}{labels}}} {value} {at:.3}\n");
        }
    }
}

/// The metrics of all PoPs.
fn day() -> String {
    let read = |name: &str| fs::read_to_string(root().join("tests/logic/fleet_day").join(name)).unwrap();
    let mut text = String::new();
    for pop in FLEET {
        let config = Config::parse(Path::new("pop.toml"), &read("pop.toml"), pop).unwrap();
        let trace = Trace::read(&read(&format!("{pop}.trace")), &Names::new(&config)).unwrap();
        play(
            &config,
            &trace,
            &mut Scraped { pop, tally: Tally::default(), next: Moment::START, text: &mut text },
        );
    }
    text + "# EOF\n"
}

/// A Prometheus with these blocks, and its directory.
struct Prometheus {
    child: Child,
    port: u16,
}

impl Prometheus {
    fn start(folder: &Path) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs::write(folder.join("prometheus.yml"), "{}\n").unwrap();
        let mut command = Command::new("prometheus");
        command.arg("--config.file=prometheus.yml").arg("--storage.tsdb.path=data");
        command
            .arg("--storage.tsdb.retention.time=100y")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = Self { child: command.spawn().ok()?, port };
        let began = Instant::now();
        while started.get("/-/ready").is_none() {
            assert!(began.elapsed() < LONG, "Prometheus is not ready");
            std::thread::yield_now();
        }
        Some(started)
    }

    /// The body of an answer with status 200.
    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(LONG)).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.contains(" 200 ").then(|| body.to_owned())
    }

    /// The series of an expression over the day.
    fn over_the_day(&self, expression: &str) -> Value {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let (start, end) = (MIDNIGHT + STEP, MIDNIGHT + 24 * 3600);
        let path = format!("/api/v1/query_range?query={encoded}&start={start}&end={end}&step={STEP}");
        let answer = self.get(&path).unwrap_or_else(|| panic!("no answer to {expression}"));
        serde_json::from_str::<Value>(&answer).unwrap()["data"]["result"].clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory that is removed when the test ends.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The value of the series with these labels at this time of day; `None` without one.
fn value(series: &Value, labels: &[(&str, &str)], hour: u64, minute: u64) -> Option<f64> {
    let is_it = |series: &&Value| labels.iter().all(|(key, value)| series["metric"][key] == **value);
    let found = series.as_array().unwrap().iter().find(is_it)?;
    let at = MIDNIGHT + hour * 3600 + minute * 60;
    let points = found["values"].as_array().unwrap();
    let point = points.iter().find(|point| point[0].as_f64() == Some(at as f64))?;
    point[1].as_str().unwrap().parse().ok()
}

/// Whether a point of a series is a number.
fn has_data(series: &Value) -> bool {
    let series = series.as_array().into_iter().flatten();
    let mut points = series.flat_map(|series| series["values"].as_array().into_iter().flatten());
    points.any(|point| point[1].as_str().is_some_and(|value| value != "NaN"))
}

#[test]
fn a_day_of_a_fleet_is_seen_in_the_dashboard() {
    let folder = Folder(std::env::temp_dir().join(format!("dnsherald-day-{}", std::process::id())));
    fs::create_dir_all(&folder.0).unwrap();
    fs::write(folder.0.join("day.om"), day()).unwrap();
    let mut promtool = Command::new("promtool");
    promtool.args(["tsdb", "create-blocks-from", "openmetrics", "day.om", "data"]).current_dir(&folder.0);
    let Ok(made) = promtool.output() else { return lacks("promtool") };
    assert!(made.status.success(), "{made:?}");
    let Some(prometheus) = Prometheus::start(&folder.0) else { return lacks("prometheus") };

    let dashboard = fs::read_to_string(root().join("examples/monitoring/dashboard.json")).unwrap();
    let mut dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    for panel in dashboard["panels"].as_array_mut().unwrap() {
        let series = prometheus.over_the_day(panel["targets"][0]["expr"].as_str().unwrap());
        assert!(has_data(&series), "no data: {}", panel["title"]);
        panel["series"] = series;
    }
    let panels = dashboard["panels"].as_array().unwrap();
    let panel = |title: &str| &panels.iter().find(|panel| panel["title"] == *title).unwrap()["series"];
    shows_the_events(&panel);

    // What was found stays in `target`, for a look at it.
    let kept = root().join("target/fleet-day");
    fs::create_dir_all(&kept).unwrap();
    let (data, picture) = (kept.join("panels.json"), kept.join("dashboard.svg"));
    fs::write(&data, dashboard.to_string()).unwrap();
    let mut draw = Command::new("python3");
    let Ok(drawn) = draw.arg(root().join("docs/pictures/draw-dashboard")).args([&data, &picture]).output()
    else {
        return lacks("python3");
    };
    assert!(drawn.status.success(), "{drawn:?}");
    let made = fs::read_to_string(picture).unwrap();
    assert_eq!(difference(&root().join("docs/pictures/dashboard.svg"), &made), None);
}

/// The events of the traces, in the panels that an operator looks at.
fn shows_the_events<'a>(panel: &dyn Fn(&str) -> &'a Value) {
    // The drain of fra1, the failure of ams1, the suppression of sin1: not up, and not announced.
    for title in ["State of each service", "Prefixes to be announced", "Prefixes acknowledged as announced"] {
        let at = |pop, hour, minute| value(panel(title), &[("instance", pop)], hour, minute);
        for (pop, hour, minute, expected) in [
            ("fra1", 1, 55, 1.0),
            ("fra1", 2, 5, 0.0),
            ("fra1", 3, 25, 0.0),
            ("fra1", 3, 40, 1.0),
            ("ams1", 7, 55, 1.0),
            ("ams1", 8, 5, 0.0),
            ("ams1", 8, 35, 0.0),
            ("ams1", 8, 50, 1.0),
            ("sin1", 13, 55, 1.0),
            ("sin1", 14, 40, 0.0),
            ("sin1", 23, 55, 1.0),
            ("ams1", 14, 40, 1.0),
        ] {
            assert_eq!(at(pop, hour, minute), Some(expected), "{title}: {pop} at {hour}:{minute}");
        }
    }
    let states =
        |state, hour, minute| value(panel("PoPs by state of the service"), &[("state", state)], hour, minute);
    assert_eq!((states("drained", 2, 30), states("up", 2, 30)), (Some(1.0), Some(2.0)));
    assert_eq!((states("down", 8, 30), states("drained", 8, 30)), (Some(1.0), Some(0.0)));
    // The drain, with its holder and its age.
    let drain = |hour, minute| {
        value(panel("Drains by holder, age"), &[("instance", "fra1"), ("holder", "alice")], hour, minute)
    };
    assert!(drain(2, 30).is_some_and(|age| (1600.0..=1800.0).contains(&age)), "{:?}", drain(2, 30));
    assert_eq!((drain(1, 55), drain(3, 40)), (None, None));
    // The penalty of sin1 passes the threshold and decays; that of fra1 stays, since a drain is no fall.
    let penalty =
        |pop, hour, minute| value(panel("Dampening penalty"), &[("instance", pop)], hour, minute).unwrap();
    assert!(
        penalty("sin1", 14, 15) > 2000.0 && penalty("sin1", 23, 0) < 100.0,
        "{}",
        penalty("sin1", 14, 15)
    );
    assert_eq!((penalty("sin1", 13, 0), penalty("fra1", 2, 30)), (0.0, 0.0));
    // The session of ams1.
    let session =
        |pop, hour, minute| value(panel("BGP sessions up"), &[("instance", pop)], hour, minute).unwrap();
    assert_eq!((session("ams1", 18, 30), session("fra1", 18, 30), session("ams1", 19, 0)), (0.0, 1.0, 1.0));
    // The slow hour of fra1, and the cause of the failure of ams1.
    let mean = |hour, minute| {
        let labels = [("instance", "fra1"), ("check", "answers")];
        value(panel("Probe duration of each check, mean"), &labels, hour, minute).unwrap()
    };
    assert!(mean(20, 30) > 0.04 && mean(19, 0) < 0.001, "{} {}", mean(20, 30), mean(19, 0));
    let refused = [("instance", "ams1"), ("cause", "refused")];
    let rate = value(panel("Rounds that did not pass, by cause"), &refused, 8, 30);
    assert!(rate.is_some_and(|rate| rate > 0.0), "{rate:?}");
}
