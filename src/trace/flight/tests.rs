use std::path::Path;

use super::*;
use crate::config::Config;
use crate::engine::api_session::Parent;
use crate::engine::event::{CheckId, ServiceId};
use crate::engine::memory::Memory;
use crate::outcome::Outcome;
use crate::trace::{Answering, Trace};

fn config() -> Config {
    let text = "[node]\nmanagement = \"10.1.0.2\"\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.1/32\"]\naddress = false\n\
                [[service.check]]\nname = \"answers\"\ncommand = \"exit 0\"\n";
    Config::parse(Path::new("a.toml"), text, "host").unwrap()
}

/// A recorder after this many seconds of a service that is asked once a second.
fn recorded(room: usize, seconds: u64) -> FlightRecorder {
    let config = config();
    let mut engine = Engine::new(&config.plan(), Parent::Terminal, Memory::default(), Duration::ZERO);
    let mut recorder = FlightRecorder::new(room, Names::new(&config));
    let id = CheckId { service: ServiceId(0), check: 0 };
    let mut wall = SystemTime::UNIX_EPOCH;
    for second in 0..seconds {
        wall += Duration::from_secs(1);
        let at = Moment::START + Duration::from_secs(second);
        let events = [
            (at, if second == 0 { Event::Start } else { Event::Tick }),
            (at + Duration::from_micros(400), Event::Outcome(id, Outcome::pass(Duration::from_micros(400)))),
        ];
        for (at, event) in events {
            recorder.record(at, || wall, &event, &engine);
            drop(engine.handle(at, event));
        }
    }
    recorder
}

fn header() -> Header {
    Header { exabgp: Answering::Recorded(Parent::Terminal), ..Header::default() }
}

fn began(excerpt: Excerpt) -> Moment {
    Trace::read(&excerpt.text(), &Names::new(&config())).unwrap().steps[0].at
}

#[test]
fn the_last_minute_is_in_the_excerpt_and_not_much_more() {
    for seconds in [1, 59, 61, 119, 121, 1000] {
        let recorder = recorded(512 << 10, seconds);
        let now = Duration::from_secs(seconds - 1);
        let back = now.saturating_sub(began(recorder.last_minute(&header()).unwrap()).since_start());
        let expected = now.min(MINUTE)..=now.min(2 * MINUTE);
        assert!(expected.contains(&back), "{back:?} of {now:?}");
        assert_eq!(began(recorder.excerpt(&header()).unwrap()), Moment::START, "all of it fits");
    }
}

#[test]
fn an_hour_of_ticks_and_passes_takes_a_few_bytes_each() {
    let recorder = recorded(512 << 10, 3600);
    let size: usize = recorder.segments.iter().map(Segment::size).sum();
    assert!(size < 2 * 3600 * 8, "{size}");
    assert!(recorder.segments.len() <= NEWEST + 2, "{}", recorder.segments.len());
}

#[test]
fn the_room_is_kept_and_mostly_used() {
    for room in [4096, 64 << 10] {
        let recorder = recorded(room, 20_000);
        let size: usize = recorder.segments.iter().map(Segment::size).sum();
        assert!((room / 2..=room + 64).contains(&size), "{size} of {room}");
        assert!(recorder.segments.len() <= 2 * SHARE + NEWEST, "{}", recorder.segments.len());
    }
}
