use super::*;

const SECOND: Duration = Duration::from_secs(1);
const LIMITS: Limits =
    Limits { max_lag: Duration::from_secs(300), expire_left: Duration::from_secs(24 * 60 * 60) };
const DAY: u64 = 24 * 60 * 60;

fn at(seconds: u64) -> Moment {
    Moment::after_start(SECOND * u32::try_from(seconds).unwrap())
}

fn soa(serial: u32) -> Soa {
    Soa { serial, refresh: SECOND * 3600, expire: Duration::from_secs(7 * DAY), left: None }
}

fn look(here: u32, reference: u32) -> Look {
    Look { here: Here::Serves(soa(here)), reference: Ok(reference) }
}

fn unanswered(here: u32) -> Look {
    Look { reference: Err("10.1.0.9 does not answer".to_owned()), ..look(here, 0) }
}

/// The standing after these looks, each at its second, at another second.
fn standing(looks: &[(u64, Look)], second: u64) -> ZoneState {
    let mut zone = Zone::new("a.".into());
    for (second, look) in looks {
        zone.learn(at(*second), look.clone(), LIMITS);
    }
    zone.standing(at(second), LIMITS)
}

const fn fresh(seconds: u64) -> ZoneState {
    ZoneState::Fresh { lag: Duration::from_secs(seconds) }
}

#[test]
fn a_zone_is_stale_once_it_lacked_a_serial_for_longer_than_the_limit() {
    let behind = [(0, look(1, 1)), (60, look(1, 2)), (120, look(1, 2))];
    assert_eq!(standing(&behind[..1], 1000), fresh(0));
    assert_eq!(standing(&behind, 360), fresh(300));
    assert_eq!(standing(&behind, 361), ZoneState::Stale { lag: SECOND * 301 });
    let caught_up = [&behind[..], &[(400, look(2, 2))]].concat();
    assert_eq!(standing(&caught_up, 400), fresh(0));
    assert_eq!(standing(&[], 0), ZoneState::NotAsked);
}

#[test]
fn a_zone_that_is_ahead_is_fresh() {
    assert_eq!(standing(&[(0, look(5, 4))], 9999), fresh(0));
    // The primary began anew: RFC 1982 has 2^31 values on either side.
    assert_eq!(standing(&[(0, look(1, 2)), (60, look(1, 1))], 9999), fresh(0));
    assert_eq!(standing(&[(0, look(0, 0x8000_0000))], 9999), fresh(0), "undefined");
    assert_eq!(standing(&[(0, look(u32::MAX, 1))], 301), ZoneState::Stale { lag: SECOND * 301 });
}

#[test]
fn a_zone_that_changes_each_minute_and_follows_is_fresh() {
    let looks: Vec<_> = (0..60).map(|minute| (60 * minute, look(minute as u32, minute as u32 + 1))).collect();
    for (place, (second, _)) in looks.iter().enumerate() {
        assert!(matches!(standing(&looks[..=place], second + 59), ZoneState::Fresh { .. }), "{second}");
    }
}

#[test]
fn a_zone_that_follows_ten_minutes_late_is_stale_all_the_time() {
    // Each minute a serial; this server has the one of ten minutes before, in steps of ten.
    let looks: Vec<_> = (0..90_u32)
        .map(|minute| (60 * u64::from(minute), look((minute / 10 * 10).saturating_sub(10), minute)))
        .collect();
    for place in 30..90 {
        let now = looks[place].0;
        assert!(matches!(standing(&looks[..=place], now), ZoneState::Stale { .. }), "minute {place}");
    }
}

#[test]
fn without_a_reference_nothing_is_known_and_the_clock_goes_on() {
    let looks = [(0, look(1, 2)), (200, unanswered(1)), (400, look(1, 2))];
    assert_eq!(standing(&looks[..2], 9999), ZoneState::Unknown("10.1.0.9 does not answer".to_owned()));
    assert_eq!(standing(&looks, 400), ZoneState::Stale { lag: SECOND * 400 });
    let silent = Look { here: Here::Unknown("no answer".to_owned()), reference: Ok(2) };
    assert_eq!(standing(&[(0, look(1, 2)), (60, silent)], 999), ZoneState::Unknown("no answer".to_owned()));
}

#[test]
fn a_zone_that_is_not_served_lacks_every_serial() {
    let refused = Look { here: Here::ServesNot("answered REFUSED".to_owned()), reference: Ok(7) };
    assert_eq!(standing(&[(0, refused.clone())], 300), fresh(300));
    assert_eq!(standing(&[(0, refused)], 301), ZoneState::Stale { lag: SECOND * 301 });
}

#[test]
fn the_expiry_comes_from_the_edns_option() {
    let told = |left: u64| {
        let soa = Soa { left: Some(Duration::from_secs(left)), ..soa(1) };
        Look { here: Here::Serves(soa), reference: Err("no answer".to_owned()) }
    };
    let expires = |left| ZoneState::Expires { left: Duration::from_secs(left), is_told: true };
    assert_eq!(standing(&[(0, told(DAY))], 0), expires(DAY), "without a reference");
    assert!(matches!(standing(&[(0, told(DAY + 10))], 9), ZoneState::Unknown(_)));
    assert_eq!(standing(&[(0, told(DAY + 10))], 10), expires(DAY));
    assert_eq!(standing(&[(0, told(5))], 100), expires(0));
    // Expire an hour, refresh twenty minutes: twenty minutes have to be left.
    let short = Soa { refresh: SECOND * 1200, expire: SECOND * 3600, left: Some(SECOND * 2400), serial: 1 };
    let look = Look { here: Here::Serves(short), reference: Ok(1) };
    assert_eq!(standing(&[(0, look.clone())], 1199), fresh(0));
    assert_eq!(standing(&[(0, look)], 1200), expires(1200));
}

#[test]
fn a_server_without_the_expire_option_counts_from_its_last_current_serial() {
    let looks = [(0, look(1, 1)), (60, look(1, 2))];
    assert!(matches!(standing(&looks, 6 * DAY - 1), ZoneState::Stale { .. }));
    let left = Duration::from_secs(DAY);
    assert_eq!(standing(&looks, 6 * DAY), ZoneState::Expires { left, is_told: false });
    // Once it has expired, it is not served any more.
    let expired = Look { here: Here::ServesNot("answered SERVFAIL".to_owned()), reference: Ok(2) };
    let looks = [&looks[..], &[(8 * DAY, expired)]].concat();
    assert_eq!(standing(&looks, 8 * DAY), ZoneState::Expires { left: Duration::ZERO, is_told: false });
    // A zone that was never seen current may have been refreshed at any time.
    assert!(matches!(standing(&[(0, look(1, 2))], 30 * DAY), ZoneState::Stale { .. }));
}
