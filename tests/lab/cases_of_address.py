"""A server in another network namespace than dnsherald, reached over a veth pair: `address = false`."""

import json
import time
from contextlib import contextmanager

from addresses import ANYCAST_IPV4, ANYCAST_IPV6, POP1, PREFIXES
from cases import case
from configuration import Check, Configuration, Service, Timing
from expectations import expect_done, expect_served, serve_from_both
from namespace import Namespace
from unbound import Unbound
from waiting import expect, wait_until

# The link between PoP 1 and the namespace of its server.
OUTER_IPV4, INNER_IPV4 = "10.3.0.1", "10.3.0.2"
OUTER_IPV6, INNER_IPV6 = "2001:db8:3::1", "2001:db8:3::2"

WARNING = "another PoP may answer"


@case("server in a namespace", once=True)
def server_in_a_namespace(lab, report):
    """PoP 1 forwards to it. If its route is gone, PoP 2 answers the probes; the expected NSID keeps PoP 1 withdrawn."""
    timing = Timing()
    printed = [expect_done(_check(lab, nsid)).stdout for nsid in (None, "pop1")]
    expect(WARNING in printed[0], f"check-config does not warn that {WARNING}: {printed[0]}")
    expect(WARNING not in printed[1], f"check-config warns that {WARNING}, although an NSID is expected")
    report.found("check-config warns unless the NSID is expected")
    with _server_behind(lab) as server:
        serve_from_both(lab, _configuration("pop1"), server=server)
        report.found("PoP 1 answers the client")
        since = time.time()
        _routes(lab, "del")
        try:
            report.took("moved", lab.until_routed(since, timing.to_notice_silence(), pop=lab.pop2), timing.to_notice_silence())
            moved = time.time()
            # The probes now leave the host, and PoP 2 answers them.
            wait_until(lambda: "`pop2`" in json.dumps(lab.pop1.status()), 10, "the status names PoP 2 by its NSID", poll=0.2)
            lab.watch_steady(moved, 5 * timing.to_return())
            report.found("one move")
        finally:
            back = time.time()
            _routes(lab, "add")
        report.took("back", lab.until_routed(back, timing.to_return()), timing.to_return())
        expect_served(lab, "pop1", back)


def _configuration(nsid):
    check = Check("answers", server=(ANYCAST_IPV4, ANYCAST_IPV6), nsid=nsid)
    return Configuration(POP1, (Service((check,), here=False),))


def _check(lab, nsid):
    lab.pop1.write_configuration(lab.pop1.written(_configuration(nsid)))
    return lab.pop1.dnsherald("check-config")


@contextmanager
def _server_behind(lab):
    """Unbound in its own namespace, with the anycast addresses; the host no longer has them."""
    inner = Namespace(f"{lab.prefix}-inner")
    server = Unbound(inner, POP1, lab.pop1.folder)
    usual = [(name, lab.pop1.kernel_parameter(name)) for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")]
    inner.create()
    try:
        lab.pop1.link("inner", inner, "outer")
        lab.pop1.add_address("inner", f"{OUTER_IPV4}/24", f"{OUTER_IPV6}/64")
        inner.add_address("outer", f"{INNER_IPV4}/24", f"{INNER_IPV6}/64")
        inner.add_address("lo", *PREFIXES)
        inner.ip("-4", "route", "add", "default", "via", OUTER_IPV4)
        inner.ip("-6", "route", "add", "default", "via", OUTER_IPV6)
        lab.pop1.forward_packets()
        for prefix in PREFIXES:
            lab.pop1.ip("address", "del", prefix, "dev", "lo")
        _routes(lab, "add")
        yield server
    finally:
        # Deleting the namespace ends its processes and removes the link with its routes.
        inner.delete()
        lab.pop1.set_kernel_parameters(*(f"{name}={value}" for name, value in usual))
        lab.pop1.add_address("lo", *PREFIXES)


def _routes(lab, change):
    """Adds or deletes the routes of PoP 1 to the anycast addresses."""
    for prefix, gateway in zip(PREFIXES, (INNER_IPV4, INNER_IPV6)):
        lab.pop1.ip("route", change, prefix, "via", gateway)
