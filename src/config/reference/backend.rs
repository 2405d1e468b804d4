//! The DNS servers of this host.

use super::Preset::{Absent, Value, Words};
use super::forms::{COMMAND, PATH, UNIT};
use super::{COUNT, Key, Kind, PERIOD, Table, at_least, key};

pub(super) const TABLES: &[Table] = &[
    Table {
        path: "backend.NAME",
        title: "[backend.NAME]",
        about: "A DNS server of this host. The kind sets the defaults of the other keys for the packages of Debian; \
                `dnsherald check-config` shows them. Commands are lists of a program and its arguments, run without a shell. NAME \
                has at most 56 letters, digits, `.`, `_` and `-`, a letter or digit first.",
        keys: BACKEND,
    },
    Table {
        path: "backend.NAME.heal",
        title: "[backend.NAME.heal]",
        about: "Restarts a server that is down or hung. Without this table dnsherald never does so.",
        keys: HEAL,
    },
];

/// The default that a kind of server sets.
const OF_KIND: super::Preset = Words("that of the kind");

const BACKEND: &[Key] = &[
    key(
        "kind",
        Kind::Word(&[
            "unbound",
            "bind",
            "nsd",
            "knot",
            "knot-resolver",
            "powerdns",
            "powerdns-recursor",
            "dnsdist",
            "dnsmasq",
            "generic",
        ]),
        Words("NAME"),
        "The kind of server. `generic` is any other, and needs its unit or commands.",
    ),
    key("unit", UNIT, OF_KIND, "The full name of its systemd unit, such as `unbound.service`."),
    key(
        "pid-file",
        PATH,
        Words("found through the unit"),
        "The file with its process ID, if systemd does not tell the process.",
    ),
    key(
        "config-file",
        PATH,
        OF_KIND,
        "The configuration of the server, which a reload or restart checks first.",
    ),
    key("config-check", COMMAND, OF_KIND, "The command that checks this file. Exit status 0: valid."),
    key("reload", COMMAND, OF_KIND, "The command that reloads the server."),
    key("restart", COMMAND, Words("by systemd"), "The command that restarts the server."),
    key(
        "status",
        COMMAND,
        OF_KIND,
        "The command that tells whether the server runs. Exit status 0: it does.",
    ),
    key("version", COMMAND, OF_KIND, "The command that prints the version of the server."),
    key(
        "counters",
        COMMAND,
        OF_KIND,
        "The command that prints the counters of the server, or only the number of queries so far.",
    ),
    key(
        "zone-list",
        COMMAND,
        OF_KIND,
        "The command that lists the zones of the server, as the first word of each line. After a reload or restart the server \
         must serve every listed zone that it served before.",
    ),
    key(
        "timeout",
        at_least("100ms"),
        Value("\"5s\""),
        "The time limit of each of these commands, except `config-check`.",
    ),
    key(
        "config-check-timeout",
        at_least("1s"),
        Value("\"1m\""),
        "The time limit of `config-check`, which loads every zone of some servers.",
    ),
    key("quiet-below", COUNT, Value("5"), "Queries per second below which the server is drained."),
    key(
        "quiet-for",
        at_least("100ms"),
        Value("\"1s\""),
        "How long the rate must stay below `quiet-below`. At most `max-wait`.",
    ),
    key(
        "max-wait",
        at_least("100ms"),
        Value("\"10s\""),
        "The longest wait for that, since some clients never leave.",
    ),
    key("settle", PERIOD, Value("\"3s\""), "The wait after a withdraw if the counters cannot be read."),
    key(
        "start-timeout",
        at_least("1s"),
        Value("\"30s\""),
        "A restart fails if the server does not answer within this time and the time that its checks need.",
    ),
    key("heal", Kind::Table("backend.NAME.heal"), Absent, "Restarts a server that is down or hung."),
];

const HEAL: &[Key] = &[
    key("after", at_least("1s"), Value("\"30s\""), "How long the server is down or hung before a restart."),
    key("at-most", COUNT, Value("3"), "The number of restarts within `per`."),
    key("per", at_least("1s"), Value("\"1h\""), "The time in which restarts are counted."),
];
