"""Cases in which Unbound fails, completely or in part, and recovers."""

import re
import time

from addresses import POP1, PREFIX_IPV4, PREFIX_IPV6, PREFIXES
from cases import case
from configuration import DEGRADED_COMMUNITY, DEGRADED_MED, UP_COMMUNITY, Check, Configuration, Service, Timing, resolver
from expectations import expect_back, expect_withdrawn
from unbound import RECURSION_NAME
from waiting import Unmet

TIMING = Timing()
RECURSION = f"{RECURSION_NAME} A"


@case("start")
def start(lab, report):
    """A healthy Unbound: announced in both families with the configured MED, community and next hop; no warning in the log.

    ExaBGP must have the version that `--exabgp` names.
    """
    report.took("announced", lab.start_announced(resolver(POP1)), target=3.0)
    version = lab.pop1.status()["exabgp"]["version"] or "unknown"
    if lab.version[0].isdigit() and not f"{version}.".startswith(f"{lab.version}."):
        raise Unmet(f"ExaBGP reports version {version}, not {lab.version}")
    for prefix in PREFIXES:
        route = lab.router.route(prefix)
        found = (route.med, route.communities, route.next_hop)
        wanted = (100, (UP_COMMUNITY,), POP1.next_hop(prefix))
        if found != wanted:
            raise Unmet(f"{prefix} has MED, community and next hop {found}, not {wanted}")
    report.found(f"MED {route.med}, community {UP_COMMUNITY}, IPv4 and IPv6")
    complaint = re.search(r"^.*\b(WARN|ERROR)\b.*$", lab.pop1.exabgp.helper_says(), re.MULTILINE)
    if complaint:
        raise Unmet(f"a warning or an error although nothing is wrong: {complaint[0]}")


@case("unbound stopped")
def stopped(lab, report):
    """A closed port withdraws; the routes return after a start."""
    lab.start_announced(resolver(POP1))
    since = time.time()
    lab.pop1.unbound.stop()
    expect_withdrawn(lab, report, since, TIMING.to_notice_an_error())
    lab.pop1.unbound.start()
    lab.pop1.unbound.wait_until_ready()
    since = time.time()
    expect_back(lab, report, since, TIMING.to_return())


@case("unbound hangs")
def hangs(lab, report):
    """SIGSTOP withdraws after `fall` timeouts; after SIGCONT the routes return with `rise` passes."""
    lab.start_announced(resolver(POP1))
    since = time.time()
    lab.pop1.unbound.hang()
    expect_withdrawn(lab, report, since, TIMING.to_notice_silence())
    since = time.time()
    lab.pop1.unbound.resume()
    expect_back(lab, report, since, TIMING.to_return())


@case("SERVFAIL withdraws")
def servfail_withdraws(lab, report):
    """SERVFAIL withdraws if the check expects NOERROR; the routes return with the next good answers."""
    lab.start_announced(resolver(POP1, query=RECURSION))
    since = time.time()
    lab.pop1.unbound.upstream_fails()
    expect_withdrawn(lab, report, since, TIMING.to_notice_an_error())
    since = time.time()
    lab.pop1.unbound.upstream_answers()
    expect_back(lab, report, since, TIMING.to_return())


@case("SERVFAIL degrades")
def servfail_degrades(lab, report):
    """SERVFAIL in a check with `on-fail = "degraded"`: still announced, with the degraded attributes."""
    alive = Check("answers", server=(POP1.management_ipv4,))
    recursion = Check("recursion", server=(POP1.management_ipv4,), query=RECURSION, on_fail="degraded")
    lab.start_announced(resolver(POP1, checks=(alive, recursion)))
    settled = since = time.time()
    lab.pop1.unbound.upstream_fails()
    _expect_degraded(lab, report, since)
    since = time.time()
    lab.pop1.unbound.upstream_answers()
    target = TIMING.to_return()
    report.took("up again", lab.until_announced_with(since, target, 100, UP_COMMUNITY), target)
    lab.expect_steady(settled)


@case("on-fail by cause")
def causes(lab, report):
    """One check with `on-fail` by cause: SERVFAIL degrades, silence withdraws."""
    on_fail = {"timeout": "down", "port-closed": "down", "servfail": "degraded"}
    lab.start_announced(resolver(POP1, query=RECURSION, on_fail=on_fail))
    since = time.time()
    lab.pop1.unbound.upstream_fails()
    _expect_degraded(lab, report, since)
    lab.expect_steady(since)
    since = time.time()
    lab.pop1.unbound.hang()
    expect_withdrawn(lab, report, since, TIMING.to_notice_silence())


@case("TCP not answered")
def tcp_refused(lab, report):
    """Unbound stops answering over TCP, which has its own check: announced with the degraded attributes."""
    udp = Check("udp", server=(POP1.management_ipv4,), transport=("udp",))
    tcp = Check("tcp", server=(POP1.management_ipv4,), transport=("tcp",), on_fail="degraded")
    lab.start_announced(resolver(POP1, checks=(udp, tcp)))
    since = lab.pop1.unbound.become(tcp=False)
    _expect_degraded(lab, report, since)
    lab.expect_steady(since)


@case("TCP required")
def tcp_required(lab, report):
    """Unbound stops answering over TCP, and the check needs both transports: withdrawn."""
    lab.start_announced(resolver(POP1))
    since = lab.pop1.unbound.become(tcp=False)
    expect_withdrawn(lab, report, since, TIMING.to_notice_an_error())


@case("IPv6 not answered")
def ipv6_refused(lab, report):
    """One service for each family, and Unbound stops answering over IPv6: only the IPv6 prefix is withdrawn."""
    services = tuple(
        Service((Check("answers", server=(address,)),), name=name, prefixes=(prefix,))
        for name, address, prefix in (
            ("resolver-ipv4", POP1.management_ipv4, PREFIX_IPV4),
            ("resolver-ipv6", POP1.management_ipv6, PREFIX_IPV6),
        )
    )
    lab.start_announced(Configuration(POP1, services))
    since = lab.pop1.unbound.become(ipv6=False)
    target = TIMING.to_notice_an_error()
    report.took("IPv6 withdrawn", lab.until_withdrawn(since, target, prefixes=(PREFIX_IPV6,)), target)
    lab.expect_steady(since, prefixes=(PREFIX_IPV4,))
    report.found("IPv4 kept")


def _expect_degraded(lab, report, since):
    target = TIMING.to_notice_an_error()
    took = lab.until_announced_with(since, target, DEGRADED_MED, DEGRADED_COMMUNITY)
    report.took("degraded", took, target)
