"""One lab: a client, a router and two points of presence, each in its network namespace, for one version of ExaBGP."""

import os
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from addresses import CLIENT, POP1, POP2, PREFIXES
from client import Client
from pop import Pop
from report import limit
from router import Router
from waiting import Unmet, let_pass, wait_until


class Lab:
    """Built once for all cases of a version; each case starts the services of the points of presence anew."""

    def __init__(self, version, exabgp_program: Path, binary: Path, repeat=None):
        self.version = version
        self.exabgp_program = exabgp_program
        self.binary = binary
        self.repeat = repeat
        self.prefix = f"dnsh-{os.getpid()}-{version}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.prefix}-"))
        self.session = None
        self.client = Client(f"{self.prefix}-client")
        self.router = Router(f"{self.prefix}-router", self._subfolder("router"))
        self.pop1, self.pop2 = (
            self._pop(f"{self.prefix}-{site.name}", site, self._subfolder(site.name)) for site in (POP1, POP2)
        )

    def build(self):
        hosts = {CLIENT: self.client, POP1: self.pop1, POP2: self.pop2}
        for namespace in (self.router, *hosts.values()):
            namespace.create()
        self.router.forward_packets()
        for site, host in hosts.items():
            self.router.link(site.name, host, "router")
            self.router.add_address(site.name, f"{site.router_ipv4}/24", f"{site.router_ipv6}/64")
            host.add_address("router", f"{site.management_ipv4}/24", f"{site.management_ipv6}/64")
            host.ip("-4", "route", "add", "default", "via", site.router_ipv4)
            host.ip("-6", "route", "add", "default", "via", site.router_ipv6)
        for pop in (self.pop1, self.pop2):
            pop.add_anycast_addresses()
        self.router.start_routing([POP1, POP2])
        wait_until(self.router.control.exists, 10, "BIRD starts")

    def remove(self):
        """Removes whatever `build` has created, even if it failed halfway. The steps run from the last one to the first one."""
        with ExitStack() as steps:
            steps.callback(shutil.rmtree, self.folder, ignore_errors=True)
            for namespace in (self.client, self.router, self.pop1, self.pop2):
                steps.callback(namespace.delete)
            steps.callback(self.router.stop_routing)
            for pop in (self.pop1, self.pop2):
                steps.callback(pop.stop_service)
            steps.callback(self.client.stop_asking)

    def how_to_look(self):
        """For --keep: names the directory and the namespaces, and the command that removes them."""
        namespaces = [namespace.name for namespace in (self.client, self.router, self.pop1, self.pop2)]
        return (
            f"    kept: {self.folder}, and the namespaces {' '.join(namespaces)}\n"
            f"    remove them with: for n in {' '.join(namespaces)}; do\n"
            f"        ip netns pids $n | xargs --no-run-if-empty kill -KILL; ip netns delete $n; done; rm -r {self.folder}"
        )

    def end_case(self):
        """Stops the services of both points of presence, and waits until the router has no route to them."""
        self.client.stop_asking()
        self.session = None
        for pop in (self.pop1, self.pop2):
            pop.stop_service()
        wait_until(lambda: not self.routed_at_all(), 10, "the router forgets the routes of the former case")

    def start_announced(self, configuration, options=(), server=None, environment=None):
        """Point of presence 1 with a healthy DNS server, once the router has its routes. Returns how long that took."""
        since = self.pop1.start_service(configuration, options, server, environment=environment)
        took = self.until_routed(since, target=10)
        self.note_session()
        return took

    def note_session(self):
        """From here on the BGP session of point of presence 1 must not be interrupted."""
        self.session = self.router.established(POP1.name)

    def expect_session_kept(self):
        """A withdrawn route proves nothing about dnsherald when it went with the session. Not every case has one."""
        if self.session is None:
            return
        established = self.router.established(POP1.name)
        # BIRD computes the time anew for each answer; the results differ by some milliseconds.
        if not established or established > self.session + 0.1:
            raise Unmet("the BGP session was interrupted")

    def until_routed(self, since, target, pop=None, prefixes=PREFIXES):
        """Waits until the router routes all prefixes to a point of presence. Returns the seconds since `since`."""
        pop = pop or self.pop1
        gateways = [pop.site.next_hop(prefix) for prefix in prefixes]
        return self._until(
            lambda: self.router.routes.routed(prefixes, gateways), since, target, f"routes through {pop.site.name}"
        )

    def until_withdrawn(self, since, target, prefixes=PREFIXES):
        """Waits until the router has none of the prefixes. Returns the seconds since `since`."""
        return self._until(lambda: self.router.routes.unrouted(prefixes), since, target, "routes withdrawn")

    def until_announced_with(self, since, target, med, community, prefixes=PREFIXES):
        """Waits until BIRD has the prefixes with these attributes. Returns the seconds since `since`."""

        def announced():
            routes = [self.router.route(prefix) for prefix in prefixes]
            return all(route and route.med == med and community in route.communities for route in routes) and time.time()

        return self._until(announced, since, target, f"routes with MED {med} and community {community}")

    def expect_steady(self, since, prefixes=PREFIXES):
        """Fails if a route has changed since then."""
        changes = self.router.routes.changes_since(since, prefixes)
        if changes:
            told = ", ".join(
                f"{change.prefix} {f'via {change.gateway}' if change.gateway else 'lost'} after {change.time - since:.2f} s"
                for change in changes
            )
            raise Unmet(f"a route changed that should have stayed: {told}")

    def watch_steady(self, since, seconds, prefixes=PREFIXES):
        """Waits `seconds`, then fails if a route has changed since `since`."""
        let_pass(seconds)
        self.expect_steady(since, prefixes)

    def all_lost(self, since, prefixes=PREFIXES):
        """Whether the router has lost each prefix since then, even for a moment."""
        changes = self.router.routes.changes_since(since, prefixes)
        return {change.prefix for change in changes if change.gateway is None} == set(prefixes)

    def left(self, site, since, prefixes=PREFIXES):
        """Whether each prefix has left this site since then, even for a moment."""
        changes = self.router.routes.changes_since(since, prefixes)
        return {change.prefix for change in changes if change.gateway != site.next_hop(change.prefix)} == set(prefixes)

    def routed_at_all(self):
        return any((change := self.router.routes.current(prefix)) and change.gateway for prefix in PREFIXES)

    def _until(self, moment_of, since, target, what):
        moment = wait_until(lambda: (moment := moment_of()) and moment >= since and moment, limit(target) + 0.5, what)
        return moment - since

    def _pop(self, name, site, folder):
        return Pop(name, site, folder, self.exabgp_program, self.binary)

    def _subfolder(self, name):
        folder = self.folder / name
        folder.mkdir()
        return folder
