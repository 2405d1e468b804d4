"""The lab of tests/lab with booted hosts as its two points of presence: PoP 1 is preferred, PoP 2 takes over."""

import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from addresses import ANYCAST_IPV4, POP1, POP2, PREFIX_IPV4, PREFIXES
from lab import Lab
from hierarchy import Hierarchy
from machine import PATIENCE
from servers import BIND, NSD, UNBOUND, Server
from site_host import SiteHost, Software
from waiting import Unmet, let_pass, wait_until

MED = {POP1: 100, POP2: 200}
# Each round boots its hosts into another hierarchy, if the machine supports it. Debian 12 has version 2 only.
HIERARCHIES = {UNBOUND.kind: Hierarchy.V2, BIND.kind: Hierarchy.V1, NSD.kind: Hierarchy.HYBRID}
QUERIES_PER_SECOND = 500
# Seconds that the client waits: an answer that a busy machine delays does not count as lost.
ANSWER_PATIENCE = 3.0


class HostLab(Lab):
    """The lab of one round. The hosts stay up between cases; each case begins with both announcing."""

    def __init__(self, server: Server, tree: Path, software: Software, number=0):
        """`number` tells apart the labs of one server."""
        self.server = server
        self.tree = tree
        self.software = software
        self.hierarchy = HIERARCHIES[server.kind].possible()
        super().__init__(f"{server.kind}{number or ''}", None, None)

    def build(self):
        super().build()
        self.install()

    def install(self):
        """Creates both hosts anew and boots them."""
        for pop in (self.pop1, self.pop2):
            pop.forget()
            pop.switch_on()
        for pop in (self.pop1, self.pop2):
            pop.wait_until_booted()
            pop.install()
        self.wait_until_ready()

    def wait_until_ready(self, prefixes=PREFIXES):
        """Waits until the router routes to PoP 1 and has the routes of PoP 2 as well."""
        self.until_routed(0, PATIENCE, prefixes=prefixes)
        for prefix in prefixes:
            for pop in (self.pop1, self.pop2):
                wait_until(lambda: self.router.knows_through(pop.site.name, prefix), PATIENCE, f"{pop.site.name} has {prefix}")

    def end_case(self):
        self.client.stop_asking()
        self.session = None

    def until_moved(self, since):
        """Waits until the router routes everything to PoP 2. Returns the seconds since `since`."""
        return self.until_routed(since, PATIENCE, pop=self.pop2)

    def cgroups(self):
        """The cgroup hierarchy of the hosts, and the wanted one if it differs."""
        wanted = HIERARCHIES[self.server.kind]
        missed = "" if wanted is self.hierarchy else f"; this machine does not support {wanted.words}"
        return f"{self.hierarchy.words}{missed}"

    def how_to_look(self):
        """For --keep: the commands that open a shell on each host."""
        shells = "".join(f"    {pop.hostname}: {pop.shell()}\n" for pop in (self.pop1, self.pop2))
        return f"{shells}    the client: ip netns exec {self.client.name} sh\n    Ctrl-C ends the hosts and removes all"

    @contextmanager
    def load(self, prefixes=PREFIXES):
        """Sends queries to the anycast address from before the body until the client is back at PoP 1, for these prefixes.

        Only over IPv4: there the router replaces a route in one step, while for IPv6 it deletes the old one first.
        """
        # A case may use this more than once, so a previous client must stop first.
        self.client.stop_asking()
        self.client.start_asking(QUERIES_PER_SECOND, (ANYCAST_IPV4,), ANSWER_PATIENCE)
        wait_until(lambda: self.client.served_by(POP1.name, 0), PATIENCE, "pop1 answers the client")
        let_pass(1)
        load = Load(self, time.time(), prefixes)
        yield load
        load.end()

    def _pop(self, name, site, folder):
        return SiteHost(name, site, folder, self.tree, self.hierarchy, self.server, self.software, MED[site])


@dataclass
class Load:
    """The queries of a client during a case, and their results."""

    lab: HostLab
    since: float
    prefixes: tuple[str, ...]
    until: float = 0.0

    def end(self):
        """Waits until the client is back at PoP 1 and every query is answered or lost."""
        lab = self.lab
        lab.wait_until_ready(self.prefixes)
        back = lab.router.routes.current(PREFIX_IPV4).time
        wait_until(lambda: lab.client.served_by(POP1.name, max(back, self.since)), PATIENCE, "the client is back at pop1")
        self.until = time.time()
        wait_until(lambda: lab.client.all_settled(self.until), PATIENCE, "every query is answered or lost")

    def asked(self):
        return [query for query in list(self.lab.client.queries) if self.since <= query.asked < self.until]

    def lost(self):
        return self.lab.client.unanswered(self.since, self.until)

    def first_answer_elsewhere(self, since):
        """Seconds between `since` and the first answer of PoP 2."""
        known = [query.known for query in self.asked() if query.pop == POP2.name and query.asked >= since]
        if not known:
            raise Unmet("pop2 never answered")
        return min(known) - since

    def elsewhere(self):
        """Seconds between the first and the last query that PoP 2 answered."""
        asked = [query.asked for query in self.asked() if query.pop == POP2.name]
        return max(asked) - min(asked) if asked else 0.0

    def expect_none_lost(self, report):
        """Fails if a query was lost, or if PoP 2 answered none: then nothing was drained."""
        asked, lost = len(self.asked()), self.lost()
        report.found(f"{lost} of {asked} queries lost; {self.elsewhere():.1f} s at pop2")
        if lost:
            moments = [query.asked - self.since for query in self.asked() if query.pop is None]
            raise Unmet(f"queries were lost from {min(moments):.3f} s to {max(moments):.3f} s")
        if not self.elsewhere():
            raise Unmet("pop2 never answered: nothing was drained")
