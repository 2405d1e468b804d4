//! The `dns` table of a check.

use super::Preset::{Absent, Required, Value, Words};
use super::forms::{ADDRESS, PIN, QUERY, RCODE, RECORD, REGEX, SERVER, TEXT, URL_PATH};
use super::{Key, Kind, PERIOD, SIZE, Table, key};

pub(super) const TABLES: &[Table] = &[
    Table {
        path: "service.check.dns",
        title: "[service.check.dns]",
        about: "Sends every query to every server over every transport, each from a new socket. It needs `query`, `queries` or \
                `validates`.",
        keys: DNS,
    },
    Table {
        path: "service.check.dns.validates",
        title: "[service.check.dns.validates]",
        about: "Proves that a resolver validates. The good name must be answered with AD, the bogus one with SERVFAIL, and with \
                CD as usual.",
        keys: &[
            key("good", QUERY, Required, "A name whose signatures are valid."),
            key("bogus", QUERY, Required, "A name whose signatures are not valid."),
        ],
    },
    Table {
        path: "service.check.dns.tls",
        title: "[service.check.dns.tls]",
        about: "What is expected of the certificate over `tls` and `https`, which must be valid now in any case. Its issuer is not verified.",
        keys: TLS,
    },
    Table {
        path: "service.check.dns.expect",
        title: "[service.check.dns.expect]",
        about: "What is expected of each answer.",
        keys: EXPECT,
    },
];

const DNS: &[Key] = &[
    key(
        "query",
        QUERY,
        Absent,
        "A question, the type by name or as `TYPE123`. `{nonce}` in the name becomes a fresh label each time.",
    ),
    key("queries", Kind::List(&QUERY), Absent, "Several questions, in place of `query`."),
    key(
        "validates",
        Kind::Table("service.check.dns.validates"),
        Absent,
        "Two names that prove validation, in place of a question.",
    ),
    key(
        "server",
        Kind::OneOrMany(&SERVER),
        Words("the management addresses"),
        "The servers to ask, with a port if it is not that of the transport. A link-local address needs its interface by number, \
         as in `[fe80::1%2]:53`.",
    ),
    key(
        "source",
        Kind::OneOrMany(&ADDRESS),
        Words("the management addresses"),
        "Addresses to ask from. The first of the family of the server is used, with `each-source` each.",
    ),
    key(
        "each-source",
        Kind::Bool,
        Value("false"),
        "Whether a server is asked from each address of its family in `source`.",
    ),
    key(
        "transport",
        Kind::OneOrMany(&Kind::Word(&["udp", "tcp", "tls", "https"])),
        Value("\"udp\""),
        "The transports: UDP and TCP at port 53, TLS at 853, HTTPS (HTTP/2) at 443.",
    ),
    key("tls", Kind::Table("service.check.dns.tls"), Absent, "What is expected of the certificate."),
    key("pass", Kind::Whole { from: 1, to: u64::MAX }, Words("all"), "How many probes must pass."),
    key(
        "max-in-flight",
        Kind::Whole { from: 1, to: u64::MAX },
        Value("64"),
        "How many probes are in flight at once. The others are spread over the interval.",
    ),
    key(
        "partial",
        Kind::Bool,
        Value("false"),
        "Whether the cause is `partial` where each server answers some of the queries.",
    ),
    key(
        "once-seen",
        Kind::Bool,
        Value("false"),
        "Whether only a query whose answer has passed can fail. A start makes the check anew, and so does a reload that changes what it asks or expects.",
    ),
    key("recursion-desired", Kind::Bool, Value("true"), "The RD bit of the question."),
    key("checking-disabled", Kind::Bool, Value("false"), "The CD bit of the question."),
    key("authentic-data", Kind::Bool, Value("false"), "The AD bit of the question."),
    key("dnssec-ok", Kind::Bool, Value("false"), "The DO bit of the question."),
    key(
        "edns",
        Kind::OneOf(&[Kind::Word(&["none"]), Kind::Whole { from: 512, to: 65_535 }]),
        Words("1232 where another key needs EDNS"),
        "The octets that EDNS offers for an answer over UDP. `none`: no EDNS.",
    ),
    key(
        "cookie",
        Kind::Bool,
        Value("false"),
        "Whether the question has a cookie (RFC 7873), and from the first answer on that of the server.",
    ),
    key(
        "follow-truncation",
        Kind::Bool,
        Value("false"),
        "Whether the answer over TCP replaces a truncated one over UDP.",
    ),
    key("expect", Kind::Table("service.check.dns.expect"), Absent, "What is expected of each answer."),
];

const TLS: &[Key] = &[
    key(
        "name",
        TEXT,
        Words("not compared"),
        "A name or address that the certificate is for, also sent as SNI.",
    ),
    key(
        "pin",
        Kind::OneOrMany(&PIN),
        Words("not compared"),
        "The hash of the public key, `sha256/` and base64. One of several must match.",
    ),
    key("certificate-left", PERIOD, Absent, "How long the certificate must still be valid."),
    key("path", URL_PATH, Value("\"/dns-query\""), "The path of a request over HTTPS."),
];

const EXPECT: &[Key] = &[
    key(
        "rcode",
        Kind::OneOrMany(&RCODE),
        Value("\"NOERROR\""),
        "The response codes that pass, by name or number. `!SERVFAIL`: any other code.",
    ),
    key(
        "flags",
        Kind::OneOrMany(&Kind::Word(&["aa", "tc", "ra", "ad", "!aa", "!tc", "!ra", "!ad"])),
        Absent,
        "Flags that the answer must have, or with `!` must not have.",
    ),
    key(
        "not-empty",
        Kind::Bool,
        Value("false"),
        "Whether NOERROR needs a record of any type in the answer. The cause is `too-few-answers`.",
    ),
    key("min-answers", SIZE, Value("0"), "The least number of records of the type asked."),
    key("max-answers", SIZE, Absent, "The greatest number of records of the type asked."),
    key("min-authority", SIZE, Absent, "The least number of records in the authority section."),
    key("max-authority", SIZE, Absent, "The greatest number of records in the authority section."),
    key("min-additional", SIZE, Absent, "The least number of records in the additional section."),
    key("max-additional", SIZE, Absent, "The greatest number of records in the additional section."),
    key(
        "all-of",
        Kind::OneOrMany(&RECORD),
        Absent,
        "Record data that must all be present, as a zone file writes it or as `\\# LENGTH HEX` (RFC 3597).",
    ),
    key("any-of", Kind::OneOrMany(&RECORD), Absent, "Record data of which one must be present."),
    key("exactly", Kind::OneOrMany(&RECORD), Absent, "All record data of the type asked, in any order."),
    key("matches", REGEX, Absent, "A regular expression that the data of one record must match."),
    key("no-cname", Kind::Bool, Value("false"), "Whether a CNAME in the answer fails."),
    key("min-ttl", PERIOD, Absent, "The least TTL of each record of the answer. The cause is `ttl`."),
    key("max-ttl", PERIOD, Absent, "The greatest TTL of each record of the answer. The cause is `ttl`."),
    key("min-size", SIZE, Absent, "The least number of octets of the answer. The cause is `size`."),
    key("max-size", SIZE, Absent, "The greatest number of octets of the answer. The cause is `size`."),
    key(
        "signature-left",
        PERIOD,
        Absent,
        "How long each record set must have a valid RRSIG from now on. Its dates are compared, not the signature. The cause is \
         `signature`.",
    ),
    key(
        "nsid",
        TEXT,
        Absent,
        "The name server identifier (RFC 5001). `{node}` in it is the name of this node.",
    ),
    key(
        "max-latency",
        PERIOD,
        Words("the timeout"),
        "A later answer has the cause `slow`, which is observed unless `on-fail` is a word or names it.",
    ),
];
