"""Cases in which the DNS server is restarted by dnsherald, or dies, while 500 queries per second are asked."""

import json
import os
import re
import statistics
import time

from addresses import POP1, PREFIX_IPV4, PREFIXES
from cases import case
from configuration import Check, ProcessCheck, Timing, resolver
from expectations import RATE, expect_done, expect_none_lost, expect_served, lost, serve_from_both
from server import BIND, KNOT, NSD, UNBOUND, Server
from unbound import IDENTITY_NAME
from waiting import Unmet, wait_until

TIMING = Timing(interval=300, rise=2)
# On an idle machine it is a dozen; the machines that run this are shared and busy.
MOST_LOST = 60
UNIT = "unbound.service"


@case("restart of Unbound", once=True)
def restart_unbound(lab, report):
    """`backend restart` while 500 queries per second are asked: none is lost."""
    _restart(lab, report, UNBOUND)


@case("restart of BIND", once=True)
def restart_bind(lab, report):
    """The same with BIND."""
    _restart(lab, report, BIND)


@case("restart of NSD", once=True)
def restart_nsd(lab, report):
    """The same with NSD."""
    _restart(lab, report, NSD)


@case("restart of Knot DNS", once=True)
def restart_knot(lab, report):
    """The same with Knot DNS."""
    _restart(lab, report, KNOT)


@case("process killed", once=True)
def process_killed(lab, report):
    """kill -9 of Unbound, whose process is watched: PIDFD, withdraw, PoP 2, in the time of a dozen queries."""
    server = Server(lab.pop1, UNBOUND)
    checks = (ProcessCheck(), *_checks())
    serve_from_both(lab, resolver(POP1, timing=TIMING, checks=checks, backend=server.backend()), server)
    missing, moved = [], []
    for _ in range(lab.repeat or 3):
        since = time.time()
        server.kill()
        moved.append(expect_served(lab, "pop2", since) - since)
        missing.append(lost(lab, since)[0])
        server.run()
        expect_served(lab, "pop1", time.time())
    median, most = statistics.median(missing), max(missing)
    report.found(f"{median:g} queries lost in the median of {len(missing)}, at most {most}")
    report.found(f"answered by pop2 after {statistics.median(moved) * 1000:.0f} ms, at most {max(moved) * 1000:.0f}")
    report.found(f"load {os.getloadavg()[0]:.1f}")
    if median > MOST_LOST:
        raise Unmet(f"more than {MOST_LOST} queries lost in the median")


def _checks():
    """Answered by all four servers: what the client asks."""
    return (Check("answers", server=(POP1.management_ipv4, POP1.management_ipv6), query=f"{IDENTITY_NAME} TXT"),)


def _configuration(lab, server, **keys):
    return resolver(POP1, timing=TIMING, checks=_checks(), state=lab.pop1.folder / "state", backend=server.backend(**keys))


def _restart(lab, report, kind):
    server = Server(lab.pop1, kind)
    serve_from_both(lab, _configuration(lab, server), server)
    begun, took = time.time(), []
    for _ in range(lab.repeat or 1):
        former, since = server.pid(), time.time()
        done = json.loads(expect_done(lab.pop1.dnsherald("backend", "restart", "--json")).stdout)
        took.append(time.time() - since)
        if done["outcome"] != "restarted" or server.pid() == former:
            raise Unmet(f"not restarted: {done}")
        if not lab.left(POP1, since):
            raise Unmet("restarted without having been drained")
        expect_served(lab, "pop1", since + took[-1])
    report.found(f"{len(took)} restarts, {statistics.median(took):.2f} s each")
    expect_none_lost(lab, report, begun)
