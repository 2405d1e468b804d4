"""What several cases expect of the routes, of the client's queries and of what dnsherald is told."""

import time

from addresses import POP2, PREFIXES
from configuration import Timing, resolver
from waiting import PATIENCE, Unmet, wait_until

# Of cases that need neither a slow rise nor a slow round.
TIMING = Timing(interval=300, rise=2)
# Queries per second: what is lost in a hundredth of a second is seen.
RATE = 500
# A helper has to be started, to probe, and to be heard by ExaBGP.
HELPER_RETURNS = 2.0


def expect_withdrawn(lab, report, since, target):
    report.took("withdrawn", lab.until_withdrawn(since, target), target)


def expect_back(lab, report, since, target):
    report.took("back", lab.until_routed(since, target), target)


def serve_from_both(lab, configuration, server=None, rate=RATE):
    """Both points of presence announce, and the client is answered by the first."""
    lab.pop2.start_service(resolver(POP2, med=200))
    lab.start_announced(configuration, server=server)
    for prefix in PREFIXES:
        wait_until(lambda: lab.router.knows_through(POP2.name, prefix), 10, f"pop2 announces {prefix} too")
    lab.client.start_asking(rate)
    expect_served(lab, "pop1", 0)


def expect_served(lab, pop, since):
    """Waits for the moment when this one answers over both families, and returns it."""
    return wait_until(lambda: lab.client.served_by(pop, since), 10, f"the client is answered by {pop}")


def lost(lab, since, until=None):
    """How many of those asked since were not answered, and how many were asked, once the fate of all is known."""
    until = until or time.time()
    wait_until(lambda: lab.client.fate_known(until), 10, "the fate of all queries")
    return lab.client.unanswered(since, until), len(lab.client.asked(since, until))


def expect_none_lost(lab, report, since):
    missing, asked = lost(lab, since)
    report.found(f"{missing} of {asked} queries lost")
    if missing:
        raise Unmet("a query was lost")


def expect_stated(status_of, helper):
    """Waits until this helper has itself stated each prefix. A mute one keeps the route too: ExaBGP remembers it."""

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
    """ExaBGP ends itself at the sixth death of a helper in about a minute, so after the lab's kill none may follow."""
    if not lab.pop1.exabgp.alive():
        raise Unmet("ExaBGP has ended")
    if lab.pop1.exabgp.helpers() != [helper]:
        raise Unmet("the helper has died again")
