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
# Each round boots its hosts into another one, as far as the machine has it. Debian 12 has version 2 alone.
HIERARCHIES = {UNBOUND.kind: Hierarchy.V2, BIND.kind: Hierarchy.V1, NSD.kind: Hierarchy.HYBRID}
QUERIES_PER_SECOND = 500
# Of the client. An answer that a busy machine delays is not a lost one.
ANSWER_PATIENCE = 3.0


class HostLab(Lab):
    """One for each round. The hosts stay booted from case to case; each case begins with both announcing."""

    def __init__(self, server: Server, tree: Path, software: Software):
        self.server = server
        self.tree = tree
        self.software = software
        self.hierarchy = HIERARCHIES[server.kind].possible()
        super().__init__(server.kind, None, None)

    def build(self):
        super().build()
        self.install()

    def install(self):
        """Both hosts from nothing."""
        for pop in (self.pop1, self.pop2):
            pop.forget()
            pop.switch_on()
        for pop in (self.pop1, self.pop2):
            pop.wait_until_booted()
            pop.install()
        self.wait_until_ready()

    def wait_until_ready(self, prefixes=PREFIXES):
        """The client goes to PoP 1, and PoP 2 stands by."""
        self.until_routed(0, PATIENCE, prefixes=prefixes)
        for prefix in prefixes:
            for pop in (self.pop1, self.pop2):
                wait_until(lambda: self.router.knows_through(pop.site.name, prefix), PATIENCE, f"{pop.site.name} has {prefix}")

    def end_case(self):
        self.client.stop_asking()
        self.session = None

    def until_moved(self, since):
        """How long after `since` the router has sent everything to PoP 2."""
        return self.until_routed(since, PATIENCE, pop=self.pop2)

    def cgroups(self):
        """Which the hosts have, and which they should have had."""
        wanted = HIERARCHIES[self.server.kind]
        missed = "" if wanted is self.hierarchy else f"; this machine cannot give them {wanted.words}"
        return f"{self.hierarchy.words}{missed}"

    def how_to_look(self):
        """For --keep."""
        shells = "".join(f"    {pop.hostname}: {pop.shell()}\n" for pop in (self.pop1, self.pop2))
        return f"{shells}    the client: ip netns exec {self.client.name} sh\n    Ctrl-C ends the hosts and removes all"

    @contextmanager
    def load(self, prefixes=PREFIXES):
        """Queries to the anycast address, from before what happens inside until everybody is back at PoP 1, for these prefixes.

        Only over IPv4: there the router replaces a route in one step, while for IPv6 it deletes the former one first.
        """
        # A case may do so more than once, and whoever asked before would go on.
        self.client.stop_asking()
        self.client.start_asking(QUERIES_PER_SECOND, (ANYCAST_IPV4,), ANSWER_PATIENCE)
        wait_until(lambda: self.client.served_by(POP1.name, 0), PATIENCE, "the client is answered by pop1")
        let_pass(1)
        load = Load(self, time.time(), prefixes)
        yield load
        load.end()

    def _pop(self, name, site, folder):
        return SiteHost(name, site, folder, self.tree, self.hierarchy, self.server, self.software, MED[site])


@dataclass
class Load:
    """What the client saw."""

    lab: HostLab
    since: float
    prefixes: tuple[str, ...]
    until: float = 0.0

    def end(self):
        """Everybody is back at PoP 1, and the fate of each query is known."""
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
        """How long after `since` the first query was answered by PoP 2."""
        known = [query.known for query in self.asked() if query.pop == POP2.name and query.asked >= since]
        if not known:
            raise Unmet("pop2 never answered")
        return min(known) - since

    def elsewhere(self):
        """For how long PoP 2 answered."""
        asked = [query.asked for query in self.asked() if query.pop == POP2.name]
        return max(asked) - min(asked) if asked else 0.0

    def expect_none_lost(self, report):
        """Planned: not one query, and PoP 2 had its turn, or the case would prove nothing."""
        asked, lost = len(self.asked()), self.lost()
        report.found(f"{lost} of {asked} queries lost; {self.elsewhere():.1f} s at pop2")
        if lost:
            moments = [query.asked - self.since for query in self.asked() if query.pop is None]
            raise Unmet(f"queries were lost from {min(moments):.3f} s to {max(moments):.3f} s")
        if not self.elsewhere():
            raise Unmet("pop2 never answered: nothing was drained")
