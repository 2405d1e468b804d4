//! This host, ExaBGP, sockets, metrics and the timing of all checks.

use super::Preset::{Absent, Required, Value, Words};
use super::forms::{ADDRESS, BYTES, LISTEN, PATH, SINCE, TEXT, VERSION};
use super::{COUNT, Key, Kind, NUMBER, SIZE, Table, at_least, key};

pub(super) const TABLES: &[Table] = &[
    Table {
        path: "",
        title: "",
        about: "The configuration of dnsherald, see dnsherald.toml(5).",
        keys: &[
            key("node", Kind::Table("node"), Required, "This host: its name and its management addresses."),
            key("exabgp", Kind::Table("exabgp"), Absent, "How to talk to ExaBGP."),
            key("control", Kind::Table("control"), Absent, "Sockets, state and flight recorder."),
            key("metrics", Kind::Table("metrics"), Absent, "Where metrics are published."),
            key(
                "defaults",
                Kind::Table("defaults"),
                Absent,
                "The timing of all checks, and which supplied ones count.",
            ),
            key("backend", Kind::Named("backend.NAME"), Absent, "The DNS servers of this host."),
            key("service", Kind::Tables("service"), Required, "The services, at least one."),
        ],
    },
    Table { path: "node", title: "[node]", about: "This host.", keys: NODE },
    Table { path: "exabgp", title: "[exabgp]", about: "How to talk to ExaBGP.", keys: EXABGP },
    Table {
        path: "control",
        title: "[control]",
        about: "Sockets, state and flight recorder.",
        keys: CONTROL,
    },
    Table {
        path: "metrics",
        title: "[metrics]",
        about: "Where the helper publishes its metrics in the text format of Prometheus. `dnsherald metrics` prints them in any \
                case.",
        keys: METRICS,
    },
    Table {
        path: "defaults",
        title: "[defaults]",
        about: "The timing of every check that does not set its own, and which supplied checks count. Where only `interval` is set, `fast-interval` and `timeout` \
                are at most the interval.",
        keys: DEFAULTS,
    },
    Table {
        path: "defaults.fall",
        title: "fall",
        about: "Failures in a row, or failures among the last rounds. Half of `failures` degrade. Without their own window, only \
                `dns` checks have one.",
        keys: FALL,
    },
];

const NODE: &[Key] = &[
    key("name", TEXT, Words("the host name"), "The name of this host in messages and in the status."),
    key(
        "management",
        Kind::OneOrMany(&ADDRESS),
        Required,
        "Addresses that only this host has: probe targets, probe sources and next hops. One of each family is enough.",
    ),
];

const EXABGP: &[Key] = &[
    key(
        "api",
        Kind::OneOf(&[Kind::Word(&["auto"]), Kind::Whole { from: 4, to: 6 }, VERSION]),
        Value("\"auto\""),
        "The dialect of the commands. `auto` asks ExaBGP for its version; 4 (up to 4.2.21), 5 (from 4.2.22), 6 or a version \
         such as `4.2.22` pins it.",
    ),
    key(
        "neighbors",
        Kind::List(&ADDRESS),
        Value("[]"),
        "The neighbors that get the routes. Empty: every neighbor whose `api` section names the process.",
    ),
    key(
        "ack-timeout",
        at_least("100ms"),
        Value("\"2s\""),
        "The longest wait for a reply from ExaBGP. A withdraw waits at most 200 ms for the reply to another command.",
    ),
    key(
        "refresh",
        at_least("1s"),
        Value("\"5m\""),
        "How often the helper sends every route again, with a jitter of a tenth. `0s`: never.",
    ),
    key(
        "end-of-rib",
        Kind::Bool,
        Value("false"),
        "Whether to mark the end of the first routes of each session. Needs `manual-eor true` and `neighbor-changes` in \
         exabgp.conf.",
    ),
];

const CONTROL: &[Key] = &[
    key(
        "directory",
        PATH,
        Value("\"/run/dnsherald\""),
        "The directory of the sockets: status.sock for every user, control.sock for its owner and group.",
    ),
    key(
        "state",
        PATH,
        Value("\"/var/lib/dnsherald\""),
        "The directory of the state that survives a restart: drains, holds, penalties, acknowledged routes, history.",
    ),
    key(
        "recorder",
        Kind::OneOf(&[BYTES, SIZE]),
        Value("\"512 KiB\""),
        "The size of the flight recorder, which keeps the last events in memory for `dnsherald history --dump`: 64 KiB to 16 \
         MiB, or 0 for none.",
    ),
];

const METRICS: &[Key] = &[
    key(
        "textfile",
        PATH,
        Absent,
        "A file for the textfile collector of node_exporter, with a name in `.prom`. The helper replaces it every 15 s and at \
         every change. The user of ExaBGP needs write permission on its directory.",
    ),
    key(
        "listen",
        LISTEN,
        Absent,
        "An address and port, such as `10.1.0.2:9353`, at which the helper serves `/metrics` over HTTP, read-only and without \
         authentication.",
    ),
];

const DEFAULTS: &[Key] = &[
    key(
        "since",
        SINCE,
        Value("\"0.2\""),
        "The version of dnsherald that this file was written for, MAJOR.MINOR. A check that a later version supplies is only \
         observed, so that an upgrade moves no route; `dnsherald check-config` names each. Raise it once they have not failed for some days.",
    ),
    key("interval", at_least("1ms"), Value("\"1s\""), "From one round of probes to the next."),
    key(
        "fast-interval",
        at_least("1ms"),
        Value("\"100ms\""),
        "The interval while a check is falling, and until its first verdict. At most the interval.",
    ),
    key(
        "timeout",
        at_least("1ms"),
        Value("\"500ms\""),
        "The longest wait for an answer. At most the interval.",
    ),
    key("rise", COUNT, Value("5"), "Passes in a row that bring a check up."),
    key(
        "fall",
        Kind::OneOf(&[COUNT, Kind::Table("defaults.fall")]),
        Value("3"),
        "Failures in a row that bring a check down, or a table that also counts failures among the last rounds.",
    ),
];

const FALL: &[Key] = &[
    key("consecutive", COUNT, Value("3"), "Failures in a row that bring a check down."),
    key(
        "failures",
        NUMBER,
        Words("30 for `dns` checks"),
        "Failures among the last `of` rounds that bring a check down, in whatever order. At most `of`.",
    ),
    key(
        "of",
        Kind::Whole { from: 0, to: 1000 },
        Words("60 for `dns` checks"),
        "How many rounds the window has. 0: no window.",
    ),
];
