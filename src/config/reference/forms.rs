//! The forms of strings in the configuration.

use super::{Form, Kind};

const fn form(one: &'static str, many: &'static str, pattern: &'static str) -> Form {
    Form { one, many, pattern }
}

macro_rules! octet {
    () => {
        "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
    };
}

macro_rules! ipv4 {
    () => {
        concat!(octet!(), r"(\.", octet!(), "){3}")
    };
}

macro_rules! ipv6 {
    () => {
        "[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*"
    };
}

macro_rules! address {
    () => {
        concat!(ipv4!(), "|", ipv6!())
    };
}

/// A period: numbers, each with its unit, as [`humantime`] reads them.
pub(super) const PERIOD: &str = concat!(
    "^ *([0-9]+ *(nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds|second|secs|sec|s|minutes|minute|mins|min|m",
    "|hours|hour|hrs|hr|h|days|day|d|weeks|week|wks|wk|w|months|month|M|years|year|yrs|yr|y) *)+$"
);

/// The name of a backend, which is part of file names and of the holder of its drains.
pub(super) const BACKEND: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,55}$";

pub(super) const TEXT: Kind = Kind::Text(&form("string", "strings", ""));
/// A word of an operator, in log lines and states.
pub(super) const NAME: Kind = Kind::Text(&form("name", "names", r"^[^/\s]+$"));
pub(super) const ADDRESS: Kind = Kind::Text(&form("address", "addresses", concat!("^(", address!(), ")$")));
pub(super) const PREFIX: Kind = Kind::Text(&form(
    "prefix",
    "prefixes",
    concat!("^(", ipv4!(), "/([1-9]|[12][0-9]|3[0-2])|", ipv6!(), "/([1-9][0-9]?|1[01][0-9]|12[0-8]))$"),
));
pub(super) const SERVER: Kind = Kind::Text(&form(
    "server",
    "servers",
    concat!("^(", address!(), r"|[0-9.]+:[0-9]{1,5}|\[[^\]]+\]:[0-9]{1,5})$"),
));
pub(super) const NEXT_HOP: Kind = Kind::Text(&form(
    "address or `\"self\"`",
    "addresses or `\"self\"`",
    concat!("^(self|", address!(), ")$"),
));
pub(super) const LISTEN: Kind =
    Kind::Text(&form("address with port", "addresses with ports", r"^([0-9.]+|\[[^\]]+\]):[0-9]{1,5}$"));
pub(super) const PATH: Kind = Kind::Text(&form("absolute path", "absolute paths", "^/"));
pub(super) const DEVICE: Kind = Kind::Text(&form("device", "devices", r"^[^/:\s]{1,15}$"));
pub(super) const UNIT: Kind = Kind::Text(&form(
    "systemd unit",
    "systemd units",
    r"^[A-Za-z0-9:_\\@]([A-Za-z0-9:_.\\@-]*[A-Za-z0-9:_.\\-])?\.service$",
));
pub(super) const QUERY: Kind =
    Kind::Text(&form("`NAME TYPE [CLASS]`", "`NAME TYPE [CLASS]`", r"^\s*\S+\s+\S+(\s+\S+)?\s*$"));
pub(super) const WARMED: Kind =
    Kind::Text(&form("`NAME [TYPE [CLASS]]`", "`NAME [TYPE [CLASS]]`", r"^\s*\S+(\s+\S+){0,2}\s*$"));
pub(super) const ZONE: Kind = Kind::Text(&form("zone", "zones", r"^\s*\S+\s*$"));
pub(super) const VERSION: Kind =
    Kind::Text(&form("version of ExaBGP", "versions of ExaBGP", r"^[3-6](\.[0-9]+){0,2}$"));
pub(super) const SINCE: Kind =
    Kind::Text(&form("version of dnsherald", "versions of dnsherald", r"^[0-9]+\.[0-9]+$"));
pub(super) const BYTES: Kind =
    Kind::Text(&form("size such as `\"512 KiB\"`", "sizes", "^[0-9]+ *(MiB|KiB|B)?$"));
pub(super) const COMMUNITY: Kind = Kind::Text(&form(
    "community",
    "communities",
    "^([0-9]{1,5}:[0-9]{1,5}|graceful-shutdown|blackhole|no-export|no-advertise|no-export-subconfed|no-peer)$",
));
pub(super) const LARGE_COMMUNITY: Kind =
    Kind::Text(&form("large community", "large communities", "^[0-9]+:[0-9]+:[0-9]+$"));
pub(super) const EXTENDED_COMMUNITY: Kind = Kind::Text(&form(
    "extended community",
    "extended communities",
    "^([a-z0-9-]+:[0-9.]+:[0-9]+|0x[0-9A-Fa-f]{16})$",
));
pub(super) const DOTTED: Kind =
    Kind::Text(&form("its dotted form", "dotted forms", r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$"));
pub(super) const RCODE: Kind = Kind::Text(&form("response code", "response codes", "^!?[A-Za-z0-9]+$"));
pub(super) const RECORD: Kind = Kind::Text(&form("record data", "record data", ""));
pub(super) const PIN: Kind = Kind::Text(&form("pin", "pins", "^sha256/[A-Za-z0-9+/]{43}=$"));
pub(super) const REGEX: Kind = Kind::Text(&form("regular expression", "regular expressions", ""));
pub(super) const URL_PATH: Kind = Kind::Text(&form("path of a URL", "paths of URLs", "^/"));
/// A program and its arguments, without a shell.
pub(super) const COMMAND: Kind = Kind::List(&TEXT);
