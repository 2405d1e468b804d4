"""Cases of a whole service: dampening of a flapping server, failover as a client sees it, several BGP sessions."""

import math
import os
import re
import time

from addresses import ANYCAST_IPV4, ANYCAST_IPV6, INTERNAL_PREFIXES, POP1, PREFIX_IPV4, PREFIXES
from cases import case
from configuration import PROPAGATION, UP_COMMUNITY, Check, Configuration, Service, Timing, resolver
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

# For a server that flaps every two seconds.
FLAPPING = Timing(interval=200, timeout=100, rise=2)

EXTERNAL = {"med": 100, "community": (UP_COMMUNITY, "64512:101"), "as-path": (64512, 64512)}
EXTERNAL_SEEN = {"as_path": "64512 64512", "med": "100", "community": "(64512,100) (64512,101)", "origin": "IGP"}
INTERNAL = {
    "origin": "incomplete",
    "as-path": (64500, 64501),
    "local-preference": 250,
    "med": 30,
    "community": ("64512:61", "64512:100"),
    "large-community": ("64512:1:2",),
    "extended-community": ("target:64512:53",),
}
INTERNAL_SEEN = {
    "origin": "Incomplete",
    "as_path": "64500 64501",
    "local_pref": "250",
    "med": "30",
    "community": "(64512,61) (64512,100)",
    "large_community": "(64512, 1, 2)",
    "ext_community": "(rt, 64512, 53)",
}


@case("failover")
def failover(lab, report):
    """Both PoPs announce with different MED: the client moves to PoP 2 when Unbound of PoP 1 dies, and back."""
    timing = Timing()
    serve_from_both(lab, resolver(POP1), rate=100)
    since = time.time()
    lab.pop1.unbound.kill()
    _expect_moved(lab, report, "moved to", "pop2", since, timing.to_notice_an_error())
    lab.pop1.unbound.start()
    lab.pop1.unbound.wait_until_ready()
    since = time.time()
    _expect_moved(lab, report, "back at", "pop1", since, timing.to_return())


@case("address removed")
def address_removed(lab, report):
    """The service address is removed from PoP 1 under load: the routes move once, although PoP 2 answers at that address."""
    timing = Timing()
    serve_from_both(lab, resolver(POP1, checks=(Check("answers", server=(ANYCAST_IPV4, ANYCAST_IPV6)),)))
    since = time.time()
    lab.pop1.ip("address", "del", PREFIX_IPV4, "dev", "lo")
    try:
        report.took("moved", lab.until_routed(since, PROPAGATION, pop=lab.pop2), PROPAGATION)
        moved = time.time()
        # Five times as long as a return takes.
        lab.watch_steady(moved, 5 * timing.to_return())
        report.found("one move")
        if not _log_lines(lab, f"{ANYCAST_IPV4} is not on this host"):
            raise Unmet("the log does not say that the address is missing")
    finally:
        back = time.time()
        lab.pop1.add_address("lo", PREFIX_IPV4)
    report.took("back", lab.until_routed(back, timing.to_return()), timing.to_return())


@case("flapping")
def flapping(lab, report):
    """Unbound hangs and recovers every two seconds, default dampening: each fall doubles the return time, no suppression."""
    since = time.time() + lab.start_announced(resolver(POP1, timing=FLAPPING, dampening={}))
    recovered = _flap(lab, seconds=40, every=2.0)
    falls = _falls(lab, since)
    # Unbound hung ten times. The fourth return takes longer than Unbound answers.
    if not 2 <= falls <= 5:
        raise Unmet(f"the router saw {falls} withdrawals")
    report.found(f"{falls} falls")
    if not _log_lines(lab, r"returns in .* after \d+ falls within 10m"):
        raise Unmet("the log does not say when the service returns, and after how many falls")
    returns = FLAPPING.rise * FLAPPING.interval / 1000 * 2 ** (falls - 1)
    took = lab.until_routed(recovered, returns)
    report.took("back", took, returns + FLAPPING.timeout / 1000 + PROPAGATION)
    # The first of the passes may come at once.
    if took < returns / 2:
        raise Unmet(f"back after {took:.2f} s already, expected {returns:.2f} s")
    dampening = lab.pop1.status()["services"][0]["dampening"]
    if dampening["mode"] != "observe" or dampening["suppressed"] or dampening["falls"] != falls:
        raise Unmet(f"the status says {dampening}, expected {falls} falls and mode observe")


@case("flapping, enforced")
def flapping_enforced(lab, report):
    """With `mode = "enforce"` the third fall suppresses the service until its penalty has decayed."""
    since = time.time() + lab.start_announced(resolver(POP1, timing=FLAPPING, dampening=DAMPENING))
    recovered = _flap(lab, seconds=12, every=2.0)
    falls = _falls(lab, since)
    if falls != 3:
        raise Unmet(f"the router saw {falls} withdrawals: the third fall should have exceeded the penalty allowed")
    report.found("suppressed at fall 3")
    if not any(re.search(r"\d+ ?m?s\b|until", line) for line in _log_lines(lab, "penalty")):
        raise Unmet("the log names neither the penalty nor the end of the suppression")
    # The penalty was above 2000 at the last fall, which came at most one period before the last recovery.
    held = HALF_LIFE * math.log2(DAMPENING["suppress"] / DAMPENING["reuse"]) - 2.0
    lab.watch_steady(recovered, recovered + held - time.time())
    if not lab.pop1.status()["services"][0]["dampening"]["suppressed"]:
        raise Unmet("the status does not say that the service is suppressed")
    expect_back(lab, report, recovered, MAX_SUPPRESS + FLAPPING.to_return())


@case("two sessions")
def two_sessions(lab, report):
    """eBGP and iBGP, one service each: every attribute as configured, and End-of-RIB after the first routes."""
    services = tuple(
        Service((Check("answers", server=(POP1.management_ipv4,)),), name=name, prefixes=prefixes, up=up, neighbors=(neighbor,))
        for name, prefixes, up, neighbor in (
            ("external", PREFIXES, EXTERNAL, POP1.router_ipv4),
            ("internal", INTERNAL_PREFIXES, INTERNAL, POP1.router_ipv6),
        )
    )
    log = lab.router.log
    before = len(log.read_text())
    since = lab.pop1.start_service(Configuration(POP1, services, end_of_rib=True), internal=True)
    lab.until_routed(since, 10, prefixes=(*PREFIXES, *INTERNAL_PREFIXES))
    lab.note_session()
    for prefixes, wanted, session, other in (
        (PREFIXES, EXTERNAL_SEEN, "pop1", "pop1_internal"),
        (INTERNAL_PREFIXES, INTERNAL_SEEN, "pop1_internal", "pop1"),
    ):
        for prefix in prefixes:
            route = lab.router.route(prefix)
            found = {name: route.attributes.get(name) for name in wanted}
            if (found, route.session) != (wanted, session) or lab.router.knows_through(other, prefix):
                raise Unmet(f"{prefix} has {found} from session {route.session}, expected {wanted} from {session} only")
    report.found(f"{len(INTERNAL_SEEN)} attributes, each service through its session")
    received = lambda: re.findall(r"pop1_internal: Got (UPDATE|END-OF-RIB)", log.read_text()[before:])  # noqa: E731
    wait_until(lambda: received().count("END-OF-RIB") >= 2, 10, "End-of-RIB for both families")
    # BIRD logs each marker as an UPDATE, too.
    if received().index("END-OF-RIB") <= len(INTERNAL_PREFIXES):
        raise Unmet(f"End-of-RIB before the last route: {received()}")
    report.found("End-of-RIB last")


@case("disable-file hangs", once=True)
def disable_file_hangs(lab, report):
    """The disable-file is on a share that hangs for longer than the dead-man timeout: no route changes."""
    with HangingShare(lab.folder / "share") as share:
        place, local = lab.folder / "place", lab.folder / "local"
        local.mkdir(exist_ok=True)
        (local / "off").unlink(missing_ok=True)
        _point(place, local)
        checks = (Check("answers", server=POP1.management),)
        lab.start_announced(Configuration(POP1, (Service(checks, disable_file=place / "off"),)))
        since = time.time()
        _point(place, share.folder)
        _wait_for_log(lab, "has not answered within 3s; assuming it is absent")
        lab.watch_steady(since, 6)
        report.found("still announced")
        _point(place, local)
        share.answer()
        _wait_for_log(lab, "answers again")
        lab.expect_steady(since)
    since = time.time()
    (local / "off").touch()
    # The helper checks the disable-file every second.
    report.took("drained once the share answers", lab.until_withdrawn(since, 1.2), 1.2)


@case("few ports", once=True)
def few_ports(lab, report):
    """Twice as many TCP probes as there are local ports: no probe leaves a port in TIME_WAIT."""
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
    """Points a symbolic link at this directory atomically."""
    draft = link.with_suffix(".new")
    draft.symlink_to(folder)
    os.replace(draft, link)


def _wait_for_log(lab, text):
    wait_until(lambda: text in lab.pop1.exabgp.helper_says(), 20, f"the log says: {text}")


def _flap(lab, seconds, every):
    """Stops and resumes Unbound in turn, every `every` seconds. Returns the time of the last recovery."""
    begin = time.time()
    for turn in range(int(seconds / every)):
        let_pass(begin + turn * every - time.time())
        if turn % 2 == 0:
            lab.pop1.unbound.hang()
        else:
            lab.pop1.unbound.resume()
            recovered = time.time()
    return recovered


def _falls(lab, since):
    """How often the router has lost the route since then."""
    return sum(change.gateway is None for change in lab.router.routes.changes_since(since, (PREFIX_IPV4,)))


def _log_lines(lab, pattern):
    """The lines of the helper's log that match the pattern."""
    return [line for line in lab.pop1.exabgp.helper_says().splitlines() if re.search(pattern, line, re.IGNORECASE)]


def _expect_moved(lab, report, what, pop, since, target):
    """Reports the time of the move, and the lost queries of those sent before it was complete."""
    moment = expect_served(lab, pop, since)
    report.took(f"{what} {pop}", moment - since, target)
    report.found(f"{lost(lab, since, moment)[0]} queries lost")
