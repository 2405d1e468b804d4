//! Pictures of any timeline are well-formed, and their texts neither overlap nor leave them.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::canvas::{DIM, Font, HEAD, NORMAL, SMALL, TITLE, WIDTH};
use super::xml::cells;
use super::*;
use crate::config::Config;
use crate::engine::moment::Moment;
use crate::outcome::{Cause, Outcome};

/// A text of a picture.
#[derive(Debug)]
struct Label {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    text: String,
}

/// Names and values.
type Attributes = Vec<(String, String)>;

/// The elements of XML: tag, attributes and the text behind it. Panics where it is not well-formed.
fn elements(xml: &str) -> Vec<(String, Attributes, String)> {
    let mut open = vec![];
    let mut found = vec![];
    for piece in xml.trim().split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap_or_else(|| panic!("`<` in text: {piece}"));
        assert!(!text.contains('>') || text.starts_with('\n'), "`>` in text: {text}");
        for entity in [tag, text].concat().split('&').skip(1) {
            let (name, _) = entity.split_once(';').unwrap_or_else(|| panic!("`&` in text: {entity}"));
            assert!(["amp", "lt", "gt", "quot"].contains(&name), "{name}");
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "{piece}");
            continue;
        }
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = vec![];
        while let Some((key, value)) = rest.split_once("=\"") {
            let (value, after) = value.split_once('"').unwrap();
            attributes.push((key.trim().to_owned(), value.to_owned()));
            rest = after;
        }
        assert!(rest.trim().is_empty(), "{tag}");
        if !is_empty {
            open.push(name.to_owned());
        }
        found.push((name.to_owned(), attributes, text.to_owned()));
    }
    assert!(open.is_empty(), "{open:?} are open at the end");
    found
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

fn labels(svg: &str) -> (Vec<Label>, f64) {
    let elements = elements(svg);
    let get = |attributes: &[(String, String)], key: &str| {
        attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let height = get(&elements[0].1, "height").parse().unwrap();
    let texts = elements.iter().filter(|(name, ..)| name == "text").map(|(_, attributes, text)| {
        let class = get(attributes, "class");
        let fonts: [Font; 5] = [NORMAL, HEAD, SMALL, DIM, TITLE];
        let font = fonts.into_iter().find(|font| font.class == class).unwrap();
        let text = unescaped(text);
        let (x, y): (f64, f64) =
            (get(attributes, "x").parse().unwrap(), get(attributes, "y").parse().unwrap());
        let width = cells(&text) as f64 * font.cell;
        let left = match get(attributes, "text-anchor").as_str() {
            "middle" => x - width / 2.0,
            "end" => x - width,
            _ => x,
        };
        Label { left, right: left + width, top: y - 10.0, bottom: y + 3.0, text }
    });
    (texts.collect(), height)
}

/// Panics if texts overlap or leave the picture.
fn holds(svg: &str) {
    let (labels, height) = labels(svg);
    for (place, one) in labels.iter().enumerate() {
        assert!(one.left >= 0.0 && one.right <= f64::from(WIDTH), "{one:?}");
        assert!(one.top >= 0.0 && one.bottom <= height, "{one:?} in {height}");
        for other in &labels[place + 1..] {
            let apart = one.right <= other.left
                || other.right <= one.left
                || one.bottom <= other.top
                || other.bottom <= one.top;
            assert!(apart, "`{}` overlaps `{}`: {one:?} {other:?}", one.text, other.text);
        }
    }
}

/// A timeline of so many services and checks, all with these names.
fn timeline(services: usize, checks: usize, name: &str, end: Duration) -> Timeline {
    let mut toml = "[node]\nmanagement = [\"10.1.0.2\"]\n".to_owned();
    for service in 0..services {
        let _ = writeln!(
            toml,
            "[[service]]\nname = \"s{service}\"\nprefixes = [\"192.0.2.{service}/32\", \"2001:db8::{service}/128\"]"
        );
        for check in 0..checks {
            let _ = writeln!(
                toml,
                "[[service.check]]\nname = \"c{check}\"\ndns = {{ query = \"localhost. A\" }}"
            );
        }
    }
    let toml = toml.replace("[\"10.1.0.2\"]", "[\"10.1.0.2\", \"2001:db8:1::2\"]");
    let config = Config::parse(Path::new("picture.toml"), &toml, "host").unwrap();
    let mut timeline = Timeline::new(&config, Moment::START);
    timeline.extend(Moment::START + end);
    for service in &mut timeline.services {
        name.clone_into(&mut service.name);
        for check in &mut service.checks {
            check.name = format!("{name}-{}", check.name);
        }
    }
    timeline
}

/// Changes every state so many times.
fn change(timeline: &mut Timeline, times: u32) {
    let step = timeline.end.since_start() / times.max(1);
    for number in 0..times {
        let at = Moment::START + step * number;
        for (place, service) in timeline.services.iter_mut().enumerate() {
            let sign = Sign::ALL[(number as usize + place) % Sign::ALL.len()];
            service.states.note(at, sign);
            service.truth.note(at, number % 2 == 0);
            for check in &mut service.checks {
                check.states.note(at, sign);
                let outcome = match number % 3 {
                    0 => Outcome::pass(Duration::ZERO),
                    1 => Outcome::from_cause(Cause::Timeout, "no answer"),
                    _ => Outcome::from_cause(Cause::Local, "no socket"),
                };
                check.outcomes.note(at, &outcome);
            }
            for route in &mut service.routes {
                route.states.note(at, sign);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn texts_of_any_picture_are_apart_and_inside(
        services in 1_usize..4,
        checks in 1_usize..13,
        name in "[a-z<&\"'>é日 \u{7}-]{0,70}",
        end in prop::sample::select(vec![0_u64, 1, 999, 1_000_000, 59_000_000, 2_400_000_000, 315_576_000_000_000]),
        times in 0_u32..200,
    ) {
        let mut timeline = timeline(services, checks, &name, Duration::from_micros(end));
        change(&mut timeline, times);
        holds(&draw(&name, &[("", &timeline)]));
        let mut other = self::timeline(services, checks, &name, Duration::from_micros(end / 2));
        change(&mut other, times / 2);
        holds(&draw(&name, &[("A", &timeline), ("B", &other)]));
    }
}

#[test]
fn markup_in_names_stays_text() {
    let svg = draw("a <b>", &[("", &timeline(1, 1, "<script>&\"", Duration::from_secs(60)))]);
    assert!(!svg.contains("<script") && svg.contains("&lt;script&gt;&amp;&quot;"), "{svg}");
    assert!(svg.contains("<title id=\"title\">a &lt;b&gt;, 1m</title>"), "{svg}");
    assert!(svg.contains("<desc id=\"desc\">"), "{svg}");
}

/// A million changes of each state take no more room than a column each.
#[test]
fn the_size_of_a_picture_is_bounded() {
    let mut timeline = timeline(1, 2, "resolver", Duration::from_secs(100_000));
    change(&mut timeline, 1_000_000);
    let size = draw("large", &[("", &timeline)]).len();
    assert!(size < 300_000, "{size}");
}

/// A change that is shorter than a column is seen, as long as no worse one is beside it.
#[test]
fn a_short_failure_stays_visible() {
    let mut timeline = timeline(1, 1, "resolver", Duration::from_secs(86_400));
    let track = &mut timeline.services[0].states;
    track.note(Moment::START, Sign::Good);
    track.note(Moment::START + Duration::from_secs(40_000), Sign::Down);
    track.note(Moment::START + Duration::from_millis(40_000_100), Sign::Good);
    assert!(draw("short", &[("", &timeline)]).contains("class=\"bad\""));
}

/// A check that only one of two configurations has is not drawn as common to both.
#[test]
fn a_service_of_one_configuration_has_its_letter() {
    let minute = Duration::from_secs(60);
    let (one, two) = (timeline(1, 1, "one", minute), timeline(1, 1, "two", minute));
    let svg = draw("compared", &[("A", &one), ("B", &two)]);
    assert!(svg.contains(">two-c0 B<") && svg.contains(">one-c0 A<"), "{svg}");
}
