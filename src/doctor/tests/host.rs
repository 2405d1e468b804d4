//! Findings about the host: permissions, addresses, answers, drop-ins.

use super::*;

#[test]
fn permissions() {
    let denied = |backend: Option<&str>| {
        found(|facts| {
            let backend = backend.map(str::to_owned);
            let group = Some("unbound".to_owned());
            let denied = vec![Denied { path: "/run/x".into(), backend, group, is_granted: false }];
            facts.access = Ok(Access { user: "exabgp".to_owned(), may_read_config: true, denied });
        })
    };
    assert_eq!(denied(None), ["directory-access"]);
    assert_eq!(denied(Some("unbound")), ["control-access"]);
    for (is_granted, remedy) in [(false, "SupplementaryGroups=unbound; then"), (true, "restart ExaBGP when")]
    {
        let (backend, group) = (Some("unbound".to_owned()), Some("unbound".to_owned()));
        let denied = vec![Denied { path: "/run/x".into(), backend, group, is_granted }];
        let facts = Facts {
            access: Ok(Access { user: "exabgp".to_owned(), may_read_config: true, denied }),
            ..healthy()
        };
        assert!(Report::from_facts(&facts).findings[0].remedy.contains(remedy), "{facts:?}");
    }
}

#[test]
fn addresses_listeners_and_the_clock() {
    let missing = |service: Option<&str>| {
        found(|facts| {
            let missing = Ok(Some("192.0.2.53 is not on this host".to_owned()));
            facts.addresses = vec![AddressFact { service: service.map(str::to_owned), missing }];
        })
    };
    assert_eq!(missing(Some("dns")), ["address-missing"]);
    assert_eq!(missing(None), ["management-missing"]);
    assert_eq!(found(|facts| facts.listeners = vec![listener(Ok(false))]), ["not-listening"]);
    assert_eq!(found(|facts| facts.reverse_path = Ok(Some("rp_filter drops".to_owned()))), ["rp-filter"]);
    assert_eq!(found(|facts| facts.clock = Ok(false)), ["clock"]);
}

#[test]
fn answers_and_rate_limits() {
    let cause = |cause| found(move |facts| facts.answers = vec![answer(Outcome::from_cause(cause, ""))]);
    assert_eq!(cause(Cause::Refused), ["probe-refused"]);
    assert_eq!(cause(Cause::Timeout), ["no-answer"]);
    assert_eq!(cause(Cause::Servfail), [""; 0], "`check` shows it");
    assert_eq!(cause(Cause::Local), [""; 0]);
    let silent_elsewhere = found(|facts| {
        let answer = answer(Outcome::from_cause(Cause::Timeout, ""));
        facts.answers = vec![AnswerFact { is_service: false, ..answer }];
    });
    assert_eq!(silent_elsewhere, [""; 0], "the server need not listen at the management address");
    let limited =
        |state| found(move |facts| facts.backends[0].rate_limit = rate_limit(state, Some("ip-ratelimit: 0")));
    assert_eq!(limited(Limited::NotExempt), ["rate-limit"]);
    assert_eq!(limited(Limited::Exempt), [""; 0]);
}

#[test]
fn drop_ins_of_exabgp() {
    let changed = |change: fn(&mut UnitFact)| {
        found(|facts| {
            let mut unit = exabgp_unit();
            change(&mut unit);
            facts.exabgp_unit = Ok(unit);
        })
    };
    assert_eq!(changed(|unit| *unit = self::unit("exabgp.service")), ["drop-in-overridden"], "an empty file");
    assert_eq!(changed(|unit| unit.notify_access = "main".to_owned()), ["drop-in-overridden"]);
    assert_eq!(changed(|unit| unit.environment = String::new()), ["drop-in-overridden"]);
    assert_eq!(changed(|unit| unit.environment = "DNSHERALD_WATCHDOG=0s".to_owned()), [""; 0]);
    assert_eq!(changed(|unit| unit.is_stale = true), ["daemon-reload"]);
    assert_eq!(changed(|unit| unit.stop_timeout = "5s".to_owned()), ["stop-timeout"]);
    let none = |unit: &mut UnitFact| (unit.drop_ins, unit.exec_stop) = (String::new(), String::new());
    assert_eq!(changed(none), ["drop-in-missing"]);
}

#[test]
fn a_drain_that_is_longer_than_the_default_of_systemd_needs_a_line() {
    let mut facts = healthy();
    facts.backends[0].longest_drain = Duration::from_secs(100);
    facts.exabgp_unit = Ok(UnitFact { stop_timeout: "1min 30s".to_owned(), ..exabgp_unit() });
    let report = Report::from_facts(&facts);
    let [finding] = report.findings.as_slice() else { panic!("{:?}", report.findings) };
    assert_eq!(finding.id, Id::StopTimeout);
    assert!(
        finding.what.ends_with("may take 1m 40s, and systemd ends it after 1m 30s (`TimeoutStopSec=`)"),
        "{finding:?}"
    );
    assert!(
        finding.remedy.starts_with("write `TimeoutStopSec=105` in a drop-in of exabgp.service"),
        "{finding:?}"
    );
}

#[test]
fn the_drop_in_that_overrides_has_a_name() {
    let words = |drop_ins: &str| {
        let unit = UnitFact { drop_ins: drop_ins.to_owned(), ..unit("exabgp.service") };
        let facts = Facts { exabgp_unit: Ok(unit), ..healthy() };
        let mut findings = Report::from_facts(&facts).findings;
        (findings.remove(0).what, findings.len())
    };
    let (what, others) = words("/etc/d/a.conf /usr/d/dnsherald.conf /etc/d/zz.conf");
    assert!(
        what.starts_with(
            "another drop-in of exabgp.service (/etc/d/zz.conf) overrides /usr/d/dnsherald.conf: "
        )
    );
    assert_eq!(others, 0);
    let (what, _) = words("/etc/d/a.conf /etc/d/dnsherald.conf");
    assert!(
        what.starts_with("/etc/d/dnsherald.conf lacks lines of the drop-in of dnsherald: a stop does not"),
        "{what}"
    );
}

#[test]
fn drop_ins_of_backends() {
    let changed = |change: fn(&mut UnitFact)| {
        found(|facts| {
            let mut unit = backend_unit();
            change(&mut unit);
            facts.backends[0].unit = Some(Ok(unit));
        })
    };
    assert_eq!(changed(|unit| unit.exec_stop = String::new()), ["drop-in-overridden"]);
    assert_eq!(changed(|unit| unit.exec_start_post = String::new()), ["drop-in-overridden"]);
    let within = |time: &str| {
        found(|facts| {
            let unit = UnitFact { stop_timeout: time.to_owned(), ..backend_unit() };
            facts.backends[0].unit = Some(Ok(unit));
        })
    };
    assert_eq!(within("5s"), ["stop-timeout"], "a drain may take 50 s");
    assert!(within("1min 30s").is_empty() && within("infinity").is_empty() && within("").is_empty());
    let none = |unit: &mut UnitFact| {
        *unit = UnitFact { drop_ins: String::new(), ..self::unit("unbound.service") };
    };
    assert_eq!(changed(none), ["drop-in-missing"]);
}
