"""Expectations that several cases share: of routes, of the client's queries, of dnsherald commands."""

import time

from addresses import POP2, PREFIXES
from configuration import Timing, resolver
from waiting import PATIENCE, Unmet, wait_until

# For cases that need neither a slow rise nor a long interval.
TIMING = Timing(interval=300, rise=2)
# Queries per second: enough to see a loss of 10 ms.
RATE = 500
# Seconds until a restarted helper has probed and ExaBGP has read its commands.
HELPER_RETURNS = 2.0


def expect_withdrawn(lab, report, since, target):
    report.took("withdrawn", lab.until_withdrawn(since, target), target)


def expect_back(lab, report, since, target):
    report.took("back", lab.until_routed(since, target), target)


def serve_from_both(lab, configuration, server=None, rate=RATE):
    """Starts both points of presence; both announce, and the first answers the client."""
    lab.pop2.start_service(resolver(POP2, med=200))
    lab.start_announced(configuration, server=server)
    for prefix in PREFIXES:
        wait_until(lambda: lab.router.knows_through(POP2.name, prefix), 10, f"pop2 announces {prefix} too")
    lab.client.start_asking(rate)
    expect_served(lab, "pop1", 0)


def expect_served(lab, pop, since):
    """Waits until this point of presence answers over both families. Returns the time."""
    return wait_until(lambda: lab.client.served_by(pop, since), 10, f"{pop} answers the client")


def lost(lab, since, until=None):
    """Waits until every query since then is answered or lost. Returns how many were lost and how many were sent."""
    until = until or time.time()
    wait_until(lambda: lab.client.all_settled(until), 10, "every query is answered or lost")
    return lab.client.unanswered(since, until), len(lab.client.asked(since, until))


def expect_none_lost(lab, report, since):
    missing, asked = lost(lab, since)
    report.found(f"{missing} of {asked} queries lost")
    if missing:
        raise Unmet("a query was lost")


def expect_stated(status_of, helper):
    """Waits until this helper has sent each prefix itself. The route alone proves nothing: ExaBGP keeps it."""

    def stated():
        status = status_of()
        if not status or status["pid"] != helper:
            return False
        prefixes = [prefix for service in status["services"] for prefix in service["prefixes"]]
        return prefixes and all(prefix["desired"] and prefix["acknowledged"] == prefix["desired"] for prefix in prefixes)

    wait_until(stated, PATIENCE, f"helper {helper} has stated each prefix, and ExaBGP has acknowledged it", poll=0.05)


def expect_done(done):
    if done.returncode != 0:
        raise Unmet(f"dnsherald {' '.join(map(str, done.args))}: exit status {done.returncode}, {done.stderr.strip()}")
    return done


def expect_still(lab, helper):
    """Fails if the helper or ExaBGP has exited. ExaBGP exits when a helper dies for the sixth time in about a minute."""
    if not lab.pop1.exabgp.alive():
        raise Unmet("ExaBGP has exited")
    if lab.pop1.exabgp.helpers() != [helper]:
        raise Unmet("the helper has exited again")
