"""Cases that take the whole service together: dampening of a flapping server, and failover as a client sees it."""

import math
import re
import time

from addresses import POP1, POP2, PREFIX_IPV4, PREFIXES
from cases import case
from configuration import Timing, resolver
from report import SLACK
from waiting import Unmet, let_pass, wait_until

HALF_LIFE = 10
MAX_SUPPRESS = 30
DAMPENING = {
    "mode": "enforce",
    "penalty": 1000,
    "suppress": 2000,
    "reuse": 750,
    "half-life": f"{HALF_LIFE}s",
    "max-suppress": f"{MAX_SUPPRESS}s",
}


@case("failover")
def failover(lab, report):
    """Both announce, with different MED; the client's answers move to PoP 2 when Unbound of PoP 1 dies, and back."""
    timing = Timing()
    lab.pop2.start_service(resolver(POP2, med=200))
    lab.start_announced(resolver(POP1))
    for prefix in PREFIXES:
        wait_until(lambda: lab.router.knows_through(POP2.name, prefix), 10, f"pop2 announces {prefix} too")
    lab.client.start_asking()
    wait_until(lambda: lab.client.served_by("pop1", 0), 10, "the client is answered by pop1")
    since = time.time()
    lab.pop1.unbound.kill()
    target = timing.to_notice_an_error()
    moved = _moved(lab, "pop2", since, target)
    report.took("moved to pop2", moved, target)
    _report_unanswered(lab, report, since, since + moved)
    lab.pop1.unbound.start()
    lab.pop1.unbound.wait_until_ready()
    since = time.time()
    target = timing.to_return()
    returned = _moved(lab, "pop1", since, target)
    report.took("back at pop1", returned, target)
    _report_unanswered(lab, report, since, since + returned)


@case("flapping")
def flapping(lab, report):
    """Unbound hangs and recovers every two seconds for a minute: suppressed, and back when the penalty has decayed."""
    timing = Timing(interval=200, timeout=100, rise=2)
    since = time.time() + lab.start_announced(resolver(POP1, timing=timing, dampening=DAMPENING))
    recovered = _flap(lab, seconds=60, every=2.0)
    losses = [change for change in lab.router.routes.changes_since(since, (PREFIX_IPV4,)) if change.gateway is None]
    if not 2 <= len(losses) <= 4:
        raise Unmet(f"the router saw {len(losses)} withdrawals: the third fall should have exceeded the penalty allowed")
    report.found(f"suppressed at fall {len(losses)}")
    told = re.findall(r".*penalty.*", lab.pop1.exabgp.helper_says(), re.IGNORECASE)
    if not any(re.search(r"\d+ ?m?s\b|until", line) for line in told):
        raise Unmet("the log does not say the penalty and when the suppression ends")
    # The last fall added 1000 to more than 750, and came at most one period before the last recovery.
    lab.watch_steady(recovered, HALF_LIFE * math.log2(1750 / 750) - 2.5)
    target = MAX_SUPPRESS + timing.to_return()
    report.took("back", lab.until_routed(recovered, target), target)


def _flap(lab, seconds, every):
    """Hang, recover, hang, …, by the clock. Returns the moment of the last recovery."""
    begin = time.time()
    for turn in range(int(seconds / every)):
        let_pass(begin + turn * every - time.time())
        if turn % 2 == 0:
            lab.pop1.unbound.hang()
        else:
            lab.pop1.unbound.resume()
            recovered = time.time()
    return recovered


def _moved(lab, pop, since, target):
    moment = wait_until(lambda: lab.client.served_by(pop, since), target + SLACK + 0.5, f"answers from {pop}")
    return moment - since


def _report_unanswered(lab, report, since, until):
    """Queries asked before the change was complete; those that are lost are only known to be after a while."""
    wait_until(lambda: lab.client.fate_known(until), 10, "the fate of all queries")
    report.found(f"{lab.client.unanswered(since, until)} queries lost")
