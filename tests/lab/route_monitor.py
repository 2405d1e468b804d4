"""The routes in the router's kernel, with the time of each change."""

import re
import subprocess
import threading
from dataclasses import dataclass
from datetime import datetime

from process import follow, run
from waiting import wait_until

CHANGE = re.compile(r"^\[(?P<time>[^\]]+)\] (?P<deleted>Deleted )?(?P<prefix>\S+) via (?P<gateway>\S+) .*proto bird")
REHEARSAL = "198.51.100.255"


@dataclass(frozen=True)
class Change:
    """From `time` on, packets to `prefix` go to `gateway`; None means there is no route."""

    time: float
    prefix: str
    gateway: str | None


class RouteMonitor:
    """Reads `ip monitor route`, whose timestamps are taken when the kernel reports a change."""

    def __init__(self, namespace):
        self.namespace = namespace
        self.changes = []
        self.rehearsed = threading.Event()
        self.popen = None

    def start(self):
        monitoring = ("ip", "-n", self.namespace.name, "-o", "-ts", "monitor", "route")
        self.popen = follow(monitoring, self._on_line, stderr=subprocess.DEVNULL)
        wait_until(self._rehearse, 10, "the route monitor of the router listens")

    def stop(self):
        if self.popen:
            self.popen.kill()
            self.popen.wait(timeout=10)

    def current(self, prefix):
        """The latest change of this prefix, or None if it was never routed."""
        return next((change for change in reversed(self.changes) if change.prefix == prefix), None)

    def routed(self, prefixes, gateways):
        """The time since when every prefix is routed to its gateway; None while one is not."""
        return self._since(zip(prefixes, gateways))

    def unrouted(self, prefixes):
        """The time since when no prefix is routed; None while one is."""
        return self._since((prefix, None) for prefix in prefixes)

    def changes_since(self, moment, prefixes):
        return [change for change in list(self.changes) if change.time >= moment and change.prefix in prefixes]

    def _since(self, expected):
        moments = []
        for prefix, gateway in expected:
            change = self.current(prefix)
            if change is None or change.gateway != gateway:
                return None
            moments.append(change.time)
        return max(moments)

    def _on_line(self, line):
        if REHEARSAL in line:
            self.rehearsed.set()
        matched = CHANGE.match(line)
        if matched:
            self._note(_change_from(matched))

    def _note(self, change):
        """Stores a change of gateway. The kernel also reports a route that BIRD replaced with the same gateway."""
        current = self.current(change.prefix)
        if current is None or current.gateway != change.gateway:
            self.changes.append(change)

    def _rehearse(self):
        """Changes a test route until the monitor reports it: there is no other sign that the monitor has started."""
        run("ip", "-n", self.namespace.name, "route", "replace", "blackhole", REHEARSAL)
        run("ip", "-n", self.namespace.name, "route", "delete", "blackhole", REHEARSAL)
        return self.rehearsed.wait(0.05)


def _change_from(matched):
    prefix = matched["prefix"]
    if "/" not in prefix:
        prefix += "/128" if ":" in prefix else "/32"
    gateway = None if matched["deleted"] else matched["gateway"]
    return Change(datetime.fromisoformat(matched["time"]).timestamp(), prefix, gateway)
