"""Cases that take the whole service together: dampening of a flapping server, and failover as a client sees it."""

import math
import os
import re
import time

from addresses import POP1, PREFIX_IPV4
from cases import case
from configuration import Check, Configuration, Service, Timing, resolver
from expectations import expect_back, expect_served, lost, serve_from_both
from hanging_share import HangingShare
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
    serve_from_both(lab, resolver(POP1), rate=100)
    since = time.time()
    lab.pop1.unbound.kill()
    _expect_moved(lab, report, "moved to", "pop2", since, timing.to_notice_an_error())
    lab.pop1.unbound.start()
    lab.pop1.unbound.wait_until_ready()
    since = time.time()
    _expect_moved(lab, report, "back at", "pop1", since, timing.to_return())


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
    expect_back(lab, report, recovered, MAX_SUPPRESS + timing.to_return())


@case("disable-file hangs", once=True)
def disable_file_hangs(lab, report):
    """It lies on a share that comes to hang, and stays there for longer than the dead-man waits: nothing changes."""
    with HangingShare(lab.folder / "share") as share:
        place, local = lab.folder / "place", lab.folder / "local"
        local.mkdir(exist_ok=True)
        (local / "off").unlink(missing_ok=True)
        _point(place, local)
        checks = (Check("answers", server=POP1.management),)
        lab.start_announced(Configuration(POP1, (Service(checks, disable_file=place / "off"),)))
        since = time.time()
        _point(place, share.folder)
        _wait_until_told(lab, "has not answered within 3s; taken as absent")
        lab.watch_steady(since, 6)
        report.found("still announced")
        _point(place, local)
        share.answer()
        _wait_until_told(lab, "answers again")
        lab.expect_steady(since)
    since = time.time()
    (local / "off").touch()
    # It is looked for every second.
    report.took("drained once it answers", lab.until_withdrawn(since, 1.2), 1.2)


@case("few ports", once=True)
def few_ports(lab, report):
    """Over TCP twice as many probes as there are ports, while each that is closed in order would keep one for a minute."""
    parameter, ports = "net.ipv4.ip_local_port_range", 40
    usual = lab.pop1.kernel_parameter(parameter)
    lab.pop1.set_kernel_parameters(f"{parameter}=40000 {40000 + ports - 1}")
    try:
        timing = Timing(interval=200, timeout=200)
        checks = (Check("answers", server=POP1.management, transport=("tcp",)),)
        lab.start_announced(Configuration(POP1, (Service(checks),), timing))
        since = time.time()
        lab.watch_steady(since, 2 * ports * timing.interval / 1000)
    finally:
        lab.pop1.set_kernel_parameters(f"{parameter}={usual}")
    report.found("still announced")


def _point(link, folder):
    """Has a symbolic link lead to this folder, in one step."""
    draft = link.with_suffix(".new")
    draft.symlink_to(folder)
    os.replace(draft, link)


def _wait_until_told(lab, text):
    wait_until(lambda: text in lab.pop1.exabgp.helper_says(), 20, f"the log says: {text}")


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


def _expect_moved(lab, report, what, pop, since, target):
    """Lost are of the queries that were asked before the move was complete."""
    moment = expect_served(lab, pop, since)
    report.took(f"{what} {pop}", moment - since, target)
    report.found(f"{lost(lab, since, moment)[0]} queries lost")
