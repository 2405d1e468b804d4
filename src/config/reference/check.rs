//! Checks of every kind, except `dns`.

use super::Preset::{Absent, Required, Value, Words};
use super::forms::{ADDRESS, COMMAND, DEVICE, NAME, PATH, QUERY, SERVER, TEXT, UNIT, ZONE};
use super::{COUNT, EFFECTS, Key, Kind, PERIOD, Table, at_least, key};

pub(super) const TABLES: &[Table] = &[
    Table {
        path: "service.check",
        title: "[[service.check]]",
        about: "A check has exactly one of `dns`, `command`, `process`, `address`, `listener`, `freshness`, `counters`, `route` \
                and `lookup`.",
        keys: CHECK,
    },
    Table {
        path: "service.check.process",
        title: "[service.check.process]",
        about: "The process of the DNS server, whose exit withdraws at once. Empty: that of the backend.",
        keys: &[
            key("pid-file", PATH, Words("that of the backend"), "The file with the process ID."),
            key(
                "unit",
                UNIT,
                Words("that of the backend"),
                "The full name of the systemd unit, such as `unbound.service`.",
            ),
        ],
    },
    Table {
        path: "service.check.address",
        title: "[service.check.address]",
        about: "Whether the service addresses are on this host. It replaces the supplied check, to set its timing or `on-fail`.",
        keys: &[],
    },
    Table {
        path: "service.check.listener",
        title: "[service.check.listener]",
        about: "Whether the sockets at the service addresses are there and read. It replaces the supplied check of its transport.",
        keys: LISTENER,
    },
    Table {
        path: "service.check.freshness",
        title: "[service.check.freshness]",
        about: "Compares the SOA serials of zones with those of other servers. One of `zones`, `zones-file`, `catalog` and \
                `zone-list` lists the zones, one of `primaries` and `siblings` the servers. A failure degrades unless `on-fail` \
                says otherwise.",
        keys: FRESHNESS,
    },
    Table {
        path: "service.check.counters",
        title: "[service.check.counters]",
        about: "Judges the counters of the backend. A failure degrades unless `on-fail` says otherwise; `overload` is observed \
                unless `on-fail` names it.",
        keys: COUNTERS,
    },
    Table {
        path: "service.check.route",
        title: "[service.check.route]",
        about: "Whether this host has routes to its clients and BGP neighbors, over interfaces that are up. A failure degrades \
                unless `on-fail` says otherwise.",
        keys: &[
            key(
                "to",
                Kind::OneOrMany(&ADDRESS),
                Words("an address that the default route reaches"),
                "Addresses of clients, of the families of the service addresses.",
            ),
            key(
                "neighbors",
                Kind::Bool,
                Value("true"),
                "Whether the routes to the BGP neighbors of the service are looked up as well.",
            ),
            key(
                "interfaces",
                Kind::OneOrMany(&DEVICE),
                Absent,
                "Interfaces where queries arrive. Those that lead to the BGP neighbors are known.",
            ),
        ],
    },
    Table {
        path: "service.check.lookup",
        title: "[service.check.lookup]",
        about: "Looks names up as the stub resolver of a client does: retries, further servers, TCP, aliases. A failure degrades \
                unless `on-fail` says otherwise.",
        keys: &[
            key(
                "names",
                Kind::OneOrMany(&QUERY),
                Required,
                "Names with their types. Each must have a record.",
            ),
            key(
                "server",
                Kind::OneOrMany(&SERVER),
                Words("the service addresses"),
                "Servers, tried in turn.",
            ),
            SOURCE,
        ],
    },
];

const SOURCE: Key =
    key("source", Kind::OneOrMany(&ADDRESS), Words("the management addresses"), "Addresses to ask from.");

const EFFECT: Kind = Kind::Word(EFFECTS);

const CHECK: &[Key] = &[
    key("name", NAME, Required, "Its name: one word without `/`, unique in the service."),
    key(
        "on-fail",
        Kind::OneOf(&[EFFECT, Kind::ByCause]),
        Words("`\"down\"`; `\"degraded\"` for `freshness`, `counters`, `route` and `lookup`"),
        "The effect on the service when the check is down: one for its causes, or a table such as `{ servfail = \"degraded\" }`. \
         Unless a table names them, `rate-limited`, `overload` and `probe-only` are observed, and `partly-hung` and `command-warning` degrade at most. \
         `observe` is only shown; `ignore` is its former name.",
    ),
    key(
        "on-unknown",
        EFFECT,
        Value("\"observe\""),
        "The effect of an unknown outcome, which says nothing about the server.",
    ),
    key(
        "once-up",
        Kind::Bool,
        Value("false"),
        "Whether failures are only observed until the check has been up. A start makes it anew, and so does a reload that changes what it asks or expects. A service needs a check without it that decides.",
    ),
    key("interval", at_least("1ms"), OF_DEFAULTS, "From one round of probes to the next."),
    key(
        "fast-interval",
        at_least("1ms"),
        OF_DEFAULTS,
        "The interval while falling, and until the first verdict.",
    ),
    key("timeout", at_least("1ms"), OF_DEFAULTS, "The longest wait for an answer. At most the interval."),
    key("rise", COUNT, OF_DEFAULTS, "Passes in a row that bring the check up."),
    key(
        "fall",
        Kind::OneOf(&[COUNT, Kind::Table("defaults.fall")]),
        OF_DEFAULTS,
        "Failures in a row that bring the check down, or a table that also counts failures among the last rounds.",
    ),
    key("dns", Kind::Table("service.check.dns"), Absent, "Asks DNS questions."),
    key(
        "command",
        Kind::OneOf(&[TEXT, COMMAND]),
        Absent,
        "Runs a program: a string for the shell, or a list of the program and its arguments. Exit status 0 passes.",
    ),
    key(
        "plugin",
        Kind::Bool,
        Value("false"),
        "Whether the exit statuses of `command` are those of a monitoring plugin: 0 up, 1 degraded, 2 down, 3 unknown.",
    ),
    key("process", Kind::Table("service.check.process"), Absent, "Watches the process of the DNS server."),
    key("address", Kind::Table("service.check.address"), Absent, "Watches the service addresses."),
    key("listener", Kind::Table("service.check.listener"), Absent, "Watches the sockets of the DNS server."),
    key("freshness", Kind::Table("service.check.freshness"), Absent, "Compares zones with other servers."),
    key("counters", Kind::Table("service.check.counters"), Absent, "Judges the counters of the backend."),
    key("route", Kind::Table("service.check.route"), Absent, "Looks routes to clients and neighbors up."),
    key("lookup", Kind::Table("service.check.lookup"), Absent, "Looks names up as a client does."),
    key("device", DEVICE, Words("that of the service"), "The VRF that the probes bind to."),
];

/// The timing that the file sets for all checks.
const OF_DEFAULTS: super::Preset = Words("that of `[defaults]`");

const LISTENER: &[Key] = &[
    key("transport", Kind::Word(&["udp", "tcp"]), Value("\"udp\""), "The transport of the sockets."),
    key("port", Kind::Whole { from: 1, to: 65_535 }, Value("53"), "The port of the sockets."),
    key(
        "stall",
        at_least("200ms"),
        Value("\"1s\""),
        "How long a server that uses the CPU, or whose process is not known, may not read.",
    ),
];

const FRESHNESS: &[Key] = &[
    key("zones", Kind::List(&ZONE), Words("those of the service"), "The zones by name."),
    key("zones-file", PATH, Absent, "A file with a zone in each line. `#` begins a comment."),
    key(
        "catalog",
        ZONE,
        Absent,
        "A catalog zone (RFC 9432), transferred without TSIG from the other servers.",
    ),
    key("zone-list", Kind::Bool, Value("false"), "Whether the backend lists the zones."),
    key("server", SERVER, Words("the first service address"), "The server whose zones are compared."),
    SOURCE,
    key(
        "primaries",
        Kind::OneOrMany(&SERVER),
        Absent,
        "Servers to compare with. The newest of their serials counts.",
    ),
    key(
        "siblings",
        Kind::OneOrMany(&SERVER),
        Absent,
        "Servers to compare with. The serial counts that more than half of them have reached.",
    ),
    key(
        "max-lag",
        at_least("1s"),
        Value("\"5m\""),
        "A zone that lacks a serial for longer fails with the cause `stale`.",
    ),
    key(
        "expire-left",
        PERIOD,
        Value("\"1day\""),
        "A zone that expires sooner fails with the cause `expired`.",
    ),
    key("zone-interval", at_least("1s"), Value("\"1m\""), "Each zone is asked for once in this time."),
    key("max-queries-per-second", COUNT, Value("500"), "The rate of queries to all servers together."),
];

const COUNTERS: &[Key] = &[
    key("window", at_least("3s"), Value("\"30s\""), "The time over which shares count."),
    key("min-queries", COUNT, Value("100"), "A server with fewer queries in the window passes."),
    key(
        "max-servfail-share",
        Kind::Share,
        Value("0.5"),
        "A larger share of SERVFAIL has the cause `servfail-share`.",
    ),
    key(
        "max-dropped-share",
        Kind::Share,
        Value("0.1"),
        "A larger share of queries dropped or over a limit has the cause `overload`.",
    ),
    key(
        "request-list",
        Kind::Whole { from: 1, to: u64::MAX },
        Absent,
        "How many queries the server lets wait. Without it the waiting queries are not judged.",
    ),
    key(
        "max-request-list-share",
        Kind::Share,
        Value("0.9"),
        "A larger share of `request-list` in use at every reading of the window has the cause `overload`.",
    ),
];
