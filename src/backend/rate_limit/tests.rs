use super::*;
use crate::backend::Kind;

#[test]
fn an_address_is_found_by_itself_in_a_network_and_in_a_range() {
    let address = "10.1.0.2".parse().unwrap();
    for (list, is) in [
        ("10.1.0.2", true),
        ("10.1.0.0/24", true),
        ("127.0.5.0/24 2001:db8::1 10.1.0.1-10.1.0.9", true),
        ("[ \"127.0.5.0/24\", \"10.1.0.2\" ]", true),
        ("10.1.0.3-10.1.0.9", false),
        ("::/0", false),
        ("", false),
    ] {
        assert_eq!(is_listed(address, list), is, "{list}");
    }
}

#[test]
fn the_words_are_the_same_for_every_server() {
    let limit = RateLimit::not_exempt("rrl-ratelimit 200", "set `rrl-ratelimit: 0`");
    assert_eq!(
        limit.to_string(),
        "limited, management address NOT exempt: rrl-ratelimit 200\nset `rrl-ratelimit: 0`"
    );
    assert_eq!(
        RateLimit::not_known("nsd-checkconf: not found").to_string(),
        "not known: nsd-checkconf: not found"
    );
}

/// What a driver reads in these outputs of its tools, for the probes of 127.0.5.1.
fn limit(kind: &str, printed: &[&str], zones: &[(&str, Result<&str, &str>)]) -> RateLimit {
    let text = |text: &str| text.to_owned();
    let settings = Settings {
        printed: printed.iter().map(|printed| text(printed)).collect(),
        zones: zones.iter().map(|(zone, printed)| (text(zone), printed.map(text).map_err(text))).collect(),
        management: vec!["127.0.5.1".parse().unwrap()],
    };
    kind.parse::<Kind>().unwrap().driver().read_rate_limit(&settings)
}

#[test]
fn nsd_exempts_answers_of_zones() {
    let limit = |rates: [&str; 2], zones: &[(&str, Result<&str, &str>)]| limit("nsd", &rates, zones);
    let default = ["200\n", "2000\n"];
    let plain = limit(default, &[("example.org.", Ok("\n"))]);
    assert_eq!(plain.state, Limited::NotExempt);
    assert!(plain.why.contains("rrl-ratelimit 200") && plain.why.ends_with("for example.org"), "{plain}");
    assert!(plain.remedy.as_ref().unwrap().contains("`rrl-whitelist: positive`"), "{plain}");
    let state = |rates, zones: &[(&str, Result<&str, &str>)]| limit(rates, zones).state;
    assert_eq!(state(default, &[]), Limited::NotExempt);
    assert_eq!(
        state(default, &[("a.", Ok("nxdomain\npositive\n"))]),
        Limited::NotExempt,
        "to 2000 per second"
    );
    assert_eq!(state(["200\n", "0\n"], &[("a.", Ok("nxdomain\npositive\n"))]), Limited::Exempt);
    assert_eq!(state(["200\n", "0\n"], &[("a.", Ok("all\n")), ("b.", Ok("nxdomain\n"))]), Limited::NotExempt);
    let unknown = [("a.", Ok("all\n")), ("b.", Err("Zone does not exist: b."))];
    assert_eq!(limit(["200\n", "0\n"], &unknown).to_string(), "not known: Zone does not exist: b.");
    assert_eq!(state(["0\n", "2000\n"], &[("a.", Ok("\n"))]), Limited::NotLimited);
    assert_eq!(state(["0\n", "2000\n"], &[("a.", Ok("all\n"))]), Limited::NotExempt);
    assert_eq!(state(["0\n", "0\n"], &[("a.", Ok("all\n"))]), Limited::NotLimited);
    assert_eq!(state(["Server option not handled: rrl_ratelimit\n", ""], &[]), Limited::NotKnown);
}

#[test]
fn knot_exempts_by_the_whitelist_of_each_module_that_applies() {
    let sections = "mod-rrl.id = default\nmod-rrl[default].rate-limit = 200\nmod-rrl[default].slip = 2\n\
        mod-rrl[default].whitelist = 127.0.5.0/24 2001:db8::1\nmod-rrl.id = other\nmod-rrl[other].rate-limit = 20\n\
        mod-rrl.id = off\nmod-rrl[off].rate-limit = 0\n";
    let templates = "template.id = default\ntemplate[default].global-module = mod-rrl/default\n\
        template[default].storage = /tmp\ntemplate.id = t2\ntemplate[t2].module = mod-rrl/other\n";
    let plain = "template.id = default\ntemplate[default].storage = /tmp\n";
    let zone = |text: &'static str| limit("knot", &[sections, templates], &[("a.", Ok(text))]);
    assert_eq!(zone("zone.domain = a.\n").state, Limited::Exempt);
    let other = zone("zone.domain = a.\nzone[a.].template = t2\n");
    assert_eq!(
        other.to_string(),
        "limited, management address NOT exempt: `mod-rrl` other applies, its `whitelist` has no 127.0.5.1\n\
         set `whitelist: [127.0.5.1]` in that `mod-rrl`"
    );
    assert_eq!(
        zone("zone.domain = a.\nzone[a.].module = mod-rrl/other mod-stats/x\n").state,
        Limited::NotExempt
    );
    assert_eq!(
        zone("zone.domain = a.\nzone[a.].module = mod-rrl/off\n").state,
        Limited::Exempt,
        "the global one"
    );
    let state = |printed: [&str; 2], zone| limit("knot", &printed, &[("a.", zone)]).state;
    assert_eq!(state([sections, plain], Ok("zone.domain = a.\n")), Limited::NotLimited);
    assert_eq!(
        state(["", plain], Ok("zone[a.].module = mod-rrl\n")),
        Limited::NotExempt,
        "with its defaults"
    );
    assert_eq!(state(["", plain], Err("error: (invalid identifier) zone[a.]")), Limited::NotKnown);
}

#[test]
fn unbound_exempts_no_client() {
    assert_eq!(limit("unbound", &["0\n"], &[]).state, Limited::NotLimited);
    assert_eq!(limit("unbound", &["100\n"], &[]).state, Limited::NotExempt);
    assert_eq!(limit("unbound", &["cannot print option\n"], &[]).state, Limited::NotKnown);
}

#[test]
fn a_rule_of_dnsdist_is_named_and_not_judged() {
    let rules = "#   Name                             Matches Rule                                                     Action\n\
        0                                          0 All                                                      set rcode 5\n\
        1                                          0 IP (/32, /48) match for QPS over 100 burst 100           drop\n";
    let found = limit("dnsdist", &[rules], &[]);
    assert_eq!(found.state, Limited::NotKnown);
    assert!(
        found.why.starts_with("rule `1 0 IP (/32, /48) match for QPS over 100 burst 100 drop` may"),
        "{found}"
    );
    assert!(limit("dnsdist", &["#   Name\n"], &[]).why.starts_with("no rule has a rate"));
}
