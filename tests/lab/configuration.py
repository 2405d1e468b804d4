"""The configuration file of dnsherald for a case, and the times that follow from it."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from addresses import PREFIXES, Site

# Seconds added to the time that follows from the configuration: from the helper through ExaBGP and BIRD to the kernel.
PROPAGATION = 0.1


@dataclass(frozen=True)
class Timing:
    """The `[defaults]` of a configuration in milliseconds, and the times that follow from them in seconds."""

    interval: int = 500
    fast_interval: int = 100
    timeout: int = 300
    rise: int = 3
    fall: int = 3

    def to_notice_an_error(self):
        """Until a closed port or a wrong answer withdraws: each probe fails at once, `fall` times."""
        return (self.interval + self.fall * self.fast_interval) / 1000 + PROPAGATION

    def to_notice_silence(self):
        """Until a silent server withdraws: each probe times out, `fall` times."""
        return (self.interval + self.fall * (self.timeout + self.fast_interval)) / 1000 + PROPAGATION

    def to_begin_anew(self):
        """Until a drained service is back: it probes at `fast-interval`, as after a start."""
        return (self.timeout + (self.rise - 1) * self.fast_interval) / 1000 + PROPAGATION

    def to_return(self):
        """Until a recovered service is back: it rises at `interval`, after the timeout of the last failed probe."""
        return (self.timeout + self.rise * self.interval) / 1000 + PROPAGATION


@dataclass(frozen=True)
class Check:
    """One `[[service.check]]` with a DNS probe."""

    name: str
    server: tuple[str, ...]
    query: str = "localhost. A"
    transport: tuple[str, ...] = ("udp", "tcp")
    on_fail: str | dict = "down"
    # The expected NSID.
    nsid: str | None = None

    def written(self):
        expect = {"rcode": ("NOERROR",), **({"nsid": self.nsid} if self.nsid else {})}
        probe = {"query": self.query, "server": self.server, "transport": self.transport, "expect": expect}
        return {"name": self.name, "on-fail": self.on_fail, "dns": probe}


@dataclass(frozen=True)
class ProcessCheck:
    """One `[[service.check]]` that watches the main process of the backend."""

    name: str = "alive"

    def written(self):
        return {"name": self.name, "process": {}}


@dataclass(frozen=True)
class Backend:
    """One `[backend.NAME]`, used by every service."""

    name: str
    keys: dict


@dataclass(frozen=True)
class Service:
    """One `[[service]]`: its prefixes, attributes and checks."""

    checks: tuple[Check | ProcessCheck, ...]
    name: str = "resolver"
    prefixes: tuple[str, ...] = PREFIXES
    med: int = 100
    dampening: dict = field(default_factory=lambda: {"mode": "off"})
    disable_file: Path | None = None
    # The attributes while it is up, and the neighbors it is announced to: all if empty.
    up: dict | None = None
    neighbors: tuple[str, ...] = ()
    # False if the server is in another network namespace.
    here: bool = True


DEGRADED_MED = 400
DEGRADED_COMMUNITY = "64512:400"
UP_COMMUNITY = "64512:100"


@dataclass(frozen=True)
class Configuration:
    """A complete configuration file."""

    site: Site
    services: tuple[Service, ...]
    timing: Timing = Timing()
    # The state directory; None for the default one.
    state: Path | None = None
    backend: Backend | None = None
    end_of_rib: bool = False

    def written(self, control: Path):
        """The TOML text. `control` is the directory of the control socket."""
        timing = self.timing
        lines = [
            "[node]",
            *_assignments({"name": self.site.name, "management": self.site.management}),
            *(["[exabgp]", "end-of-rib = true"] if self.end_of_rib else []),
            "[control]",
            *_assignments({"directory": str(control), **({"state": str(self.state)} if self.state else {})}),
            "[defaults]",
            *_assignments(
                {
                    "interval": f"{timing.interval}ms",
                    "fast-interval": f"{timing.fast_interval}ms",
                    "timeout": f"{timing.timeout}ms",
                    "rise": timing.rise,
                    "fall": timing.fall,
                }
            ),
        ]
        if self.backend:
            lines += [f"[backend.{self.backend.name}]", *_assignments(self.backend.keys)]
        for service in self.services:
            up = service.up or {"med": service.med, "community": (UP_COMMUNITY,)}
            degraded = {"med": DEGRADED_MED, "community": (DEGRADED_COMMUNITY,)}
            lines += ["[[service]]"]
            lines += _assignments({"name": service.name, "prefixes": service.prefixes, "up": up, "degraded": degraded})
            # The hosts of the lab have no other addresses than the anycast ones.
            lines += ["address = false"] if not (service.here and set(service.prefixes) <= set(PREFIXES)) else []
            lines += _assignments({"backend": self.backend.name}) if self.backend else []
            lines += _assignments({"disable-file": str(service.disable_file)}) if service.disable_file else []
            lines += _assignments({"neighbors": service.neighbors}) if service.neighbors else []
            lines += ["[service.dampening]", *_assignments(service.dampening)]
            for check in service.checks:
                lines += ["[[service.check]]", *_assignments(check.written())]
        return "\n".join(lines) + "\n"


def resolver(site: Site, med=100, timing=Timing(), dampening=None, checks=None, state=None, backend=None, **check):
    """The usual configuration: one service for both families, by default with one check on the IPv4 management address.

    An empty `dampening` keeps the defaults of dnsherald; None switches dampening off.
    """
    checks = checks or (Check("answers", server=(site.management_ipv4,), **check),)
    dampening = {"mode": "off"} if dampening is None else dampening
    return Configuration(site, (Service(checks, med=med, dampening=dampening),), timing, state, backend)


def _assignments(table):
    return [f"{key} = {_value(value)}" for key, value in table.items()]


def _value(value):
    """A value in TOML; tables inline, as the documentation of dnsherald writes them."""
    if isinstance(value, dict):
        return "{ " + ", ".join(_assignments(value)) + " }"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)
