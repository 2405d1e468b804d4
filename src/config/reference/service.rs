//! Services: prefixes, what is announced in each state, and dampening.

use super::Preset::{Absent, Required, Value, Words};
use super::forms::{
    ADDRESS, COMMAND, COMMUNITY, DEVICE, DOTTED, EXTENDED_COMMUNITY, LARGE_COMMUNITY, NAME, NEXT_HOP, PATH,
    PREFIX, QUERY, WARMED, ZONE,
};
use super::{COUNT, Key, Kind, NUMBER, Table, at_least, at_most, key};

pub(super) const TABLES: &[Table] = &[
    Table {
        path: "service",
        title: "[[service]]",
        about: "Prefixes that are announced and withdrawn together, the checks that decide, and the attributes in each state. A \
                service needs a `backend`, a `role` or a check.",
        keys: SERVICE,
    },
    Table {
        path: "service.recursion",
        title: "recursion, validation, large",
        about: "The names for a check of the role, instead of its default names.",
        keys: &[key("names", Kind::OneOrMany(&QUERY), Required, "The names, each with its type.")],
    },
    Table {
        path: "service.up",
        title: "up, degraded, down, drained",
        about: "The attributes of the routes in a state. ExaBGP gets only those that the file names.",
        keys: ATTRIBUTES,
    },
    Table {
        path: "service.announce",
        title: "[[service.announce]]",
        about: "The routes for some neighbors, instead of the keys of the same name of the service. Each neighbor is in one of \
                these tables only.",
        keys: ANNOUNCE,
    },
    Table {
        path: "service.recovery",
        title: "[service.recovery]",
        about: "The way back to `up` after a withdraw. Without this table the service is up at once.",
        keys: &[
            key(
                "after",
                at_most("1h"),
                Value("\"10s\""),
                "How long the service is degraded first. `0s`: not at all.",
            ),
            key(
                "attributes",
                Kind::Word(&["degraded"]),
                Value("\"degraded\""),
                "The state that is announced meanwhile.",
            ),
        ],
    },
    Table {
        path: "service.dampening",
        title: "[service.dampening]",
        about: "Each fall from serving adds a penalty that decays. A failure of a service that is withdrawn or drained is no fall.",
        keys: DAMPENING,
    },
];

/// `"withdraw"` or attributes.
const RUNG: Kind = Kind::OneOf(&[Kind::Word(&["withdraw"]), Kind::Table("service.up")]);
/// `"off"` or names for a check of the role.
const CHECK_NAMES: Kind = Kind::OneOf(&[Kind::Word(&["off"]), Kind::Table("service.recursion")]);

const NEXT_HOP_KEY: Key = key(
    "next-hop",
    Kind::OneOrMany(&NEXT_HOP),
    Words("the management address of the prefix's family"),
    "The next hops, at most one of each family. `self`: the local address of each BGP session.",
);
const MED_INCREASE: Key = key(
    "med-increase",
    NUMBER,
    Value("0"),
    "What is added to the MED of each further prefix. Needs a `med` in `up`.",
);
const UP: Key =
    key("up", Kind::Table("service.up"), Words("no attributes"), "The attributes while the service is up.");
const DEGRADED: Key = key(
    "degraded",
    RUNG,
    Words("the attributes of `up`"),
    "What is announced while the service is degraded. Without it a check that degrades only raises an alarm.",
);
const DOWN: Key = key("down", RUNG, Value("\"withdraw\""), "What is announced while the service is down.");
const DRAINED: Key =
    key("drained", RUNG, Value("\"withdraw\""), "What is announced while the service is drained.");

const SERVICE: &[Key] = &[
    key("name", NAME, Required, "Its name: one word without `/`, unique in the file."),
    key(
        "prefixes",
        Kind::List(&PREFIX),
        Required,
        "The prefixes, each with its length and in one service only. Never the default route.",
    ),
    key(
        "enabled",
        Kind::Bool,
        Value("true"),
        "Whether the service is probed and announced. `false` withdraws what was announced earlier.",
    ),
    key(
        "backend",
        NAME,
        Absent,
        "The NAME of the `[backend.NAME]` that answers. dnsherald watches its process with the checks of the role, takes the role from its kind if the kind \
         has only one, and drains the service before the server stops.",
    ),
    key(
        "role",
        Kind::Word(&["resolver", "authoritative"]),
        Words("that of the backend"),
        "Supplies the checks of this role. With checks of the service's own, the role supplies checks only if this key names it.",
    ),
    key("zones", Kind::List(&ZONE), Absent, "The zones that an authoritative server must serve."),
    key(
        "critical",
        Kind::List(&ZONE),
        Absent,
        "Those of `zones` that each bring the service down. Of the others, a part that fails degrades.",
    ),
    key(
        "sentinel",
        Kind::OneOrMany(&QUERY),
        Absent,
        "Names in `zones`, such as `www.example.org A`, that must be answered with AA and records. All failing bring the service \
         down, some degrade it.",
    ),
    key(
        "client-source",
        Kind::OneOrMany(&ADDRESS),
        Absent,
        "Addresses of this host that access lists treat as clients. The checks of the role ask from them instead of from the \
         management address, which is then only observed.",
    ),
    key(
        "large",
        CHECK_NAMES,
        Words("DNSKEY of the root or of each zone"),
        "The names of the role's check for large answers. `off` leaves the check out.",
    ),
    key(
        "recursion",
        CHECK_NAMES,
        Words("fresh names below com. and org."),
        "The names of the role's check that a resolver asks others, such as `{nonce}.example.net. A`. `off` leaves the check out.",
    ),
    key(
        "validation",
        CHECK_NAMES,
        Words("SOA of com. and org."),
        "The signed names that a resolver must answer with AD. `off` leaves the check out.",
    ),
    NEXT_HOP_KEY,
    key(
        "neighbors",
        Kind::List(&ADDRESS),
        Words("those of `[exabgp]`"),
        "The neighbors that get the routes of this service, a part of `neighbors` in `[exabgp]`.",
    ),
    MED_INCREASE,
    UP,
    DEGRADED,
    DOWN,
    DRAINED,
    key(
        "announce",
        Kind::Tables("service.announce"),
        Absent,
        "A table for each group of neighbors that gets its own routes.",
    ),
    key(
        "start",
        Kind::Word(&["probe", "adopt", "withdraw"]),
        Value("\"probe\""),
        "What to state before the first verdict. `probe`: nothing; `adopt`: the routes that ExaBGP acknowledged last; `withdraw`: \
         a withdraw.",
    ),
    key(
        "adopt-max-age",
        at_least("1s"),
        Value("\"1m\""),
        "The oldest acknowledgment that `start = \"adopt\"` uses.",
    ),
    key(
        "address",
        Kind::OneOf(&[Kind::False, Kind::OneOrMany(&ADDRESS)]),
        Words("every /32 and /128 of `prefixes`"),
        "The service addresses to query and watch. They must be on this host. `false`: the server is in another network namespace \
         or behind DNAT, and nothing is watched.",
    ),
    key("device", DEVICE, Absent, "The VRF of the addresses. The probes bind to it."),
    key(
        "unknown-after",
        at_least("1s"),
        Value("\"30s\""),
        "How long checks may stay unknown. After that, a start no longer waits for them, and a service whose `dns` checks are all \
         unknown is degraded.",
    ),
    key(
        "absorb",
        Kind::Bool,
        Value("false"),
        "Whether causes of overload (`overload`, `lost-in-overload`, `rate-limited`, `slow`, `stalled`) degrade at most, whatever \
         `on-fail` says.",
    ),
    key(
        "recovery",
        Kind::Table("service.recovery"),
        Words("up at once"),
        "The way back to `up` after a withdraw.",
    ),
    key(
        "warm-up",
        Kind::OneOrMany(&WARMED),
        Absent,
        "Names that the server is asked for before the service returns from a withdraw, so that they are in its cache: 1 to 64, \
         for at most 2 s.",
    ),
    key("disable-file", PATH, Absent, "While this file exists the service is drained."),
    key(
        "on-change",
        COMMAND,
        Absent,
        "A program and its arguments that run at each change, with STATE, SERVICE and REASON in the environment. The helper does \
         not wait for it.",
    ),
    key("dampening", Kind::Table("service.dampening"), Absent, "Dampening of repeated falls."),
    key(
        "check",
        Kind::Tables("service.check"),
        Words("those of the role"),
        "The checks. The worst one decides.",
    ),
];

const ANNOUNCE: &[Key] = &[
    key("neighbors", Kind::List(&ADDRESS), Required, "The neighbors that get these routes, at least one."),
    NEXT_HOP_KEY,
    MED_INCREASE,
    UP,
    DEGRADED,
    DOWN,
    DRAINED,
];

const ATTRIBUTES: &[Key] = &[
    key("med", NUMBER, Absent, "The MED. Routers prefer the lowest."),
    key("local-preference", NUMBER, Absent, "LOCAL_PREF, for iBGP. Routers prefer the highest."),
    key(
        "community",
        Kind::OneOrMany(&COMMUNITY),
        Absent,
        "Communities such as `64512:100`, or by name such as `no-export` or `graceful-shutdown`.",
    ),
    key(
        "large-community",
        Kind::OneOrMany(&LARGE_COMMUNITY),
        Absent,
        "Large communities (RFC 8092) such as `64512:1:100`.",
    ),
    key(
        "extended-community",
        Kind::OneOrMany(&EXTENDED_COMMUNITY),
        Absent,
        "Extended communities such as `target:64512:100`.",
    ),
    key("as-path", Kind::List(&NUMBER), Absent, "The whole path. ExaBGP adds nothing to it."),
    key("origin", Kind::Word(&["igp", "egp", "incomplete"]), Absent, "The ORIGIN of the routes."),
    key(
        "path-information",
        Kind::OneOf(&[NUMBER, DOTTED]),
        Absent,
        "The path identifier (ADD-PATH, RFC 7911). The same in every state of a service.",
    ),
];

const DAMPENING: &[Key] = &[
    key(
        "mode",
        Kind::Word(&["enforce", "observe", "off"]),
        Value("\"observe\""),
        "`observe` computes, shows and logs the penalty; `enforce` also suppresses the service.",
    ),
    key("penalty", COUNT, Value("1000"), "The penalty of one fall."),
    key("suppress", COUNT, Value("2000"), "Suppress the service at this penalty."),
    key("reuse", COUNT, Value("750"), "Release the service below this penalty. Below `suppress`."),
    key("half-life", at_least("1s"), Value("\"15m\""), "The time in which the penalty halves."),
    key("max-suppress", at_least("1s"), Value("\"60m\""), "The longest suppression after the last fall."),
    key(
        "max-rise-time",
        at_most("10m"),
        Value("\"60s\""),
        "Each fall within ten minutes doubles the time to return, up to this. `0s`: no doubling.",
    ),
    key(
        "restart-grace",
        at_most("1m"),
        Value("\"3s\""),
        "An exit of the process is no fall if another one runs within this time, three times within ten minutes. `0s`: every exit \
         is a fall.",
    ),
];
