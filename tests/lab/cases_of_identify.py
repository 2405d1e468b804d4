"""`identify` from the client's host: which point of presence answers, and how the paths of a router split."""

import json
import subprocess
from contextlib import contextmanager

from addresses import ANYCAST_IPV4, ANYCAST_IPV6, POP1, POP2
from cases import case
from process import run
from waiting import PATIENCE, expect, wait_until

MULTIPATH = "net.ipv4.fib_multipath_hash_policy"
MARK_TABLE = "101"
# Every second packet of the client to the anycast address gets a mark, whatever its flow is.
SPREAD_PACKETS = (
    "table ip spread {\nchain prerouting {\ntype filter hook prerouting priority mangle\n"
    f'iifname "client" ip daddr {ANYCAST_IPV4} meta mark set numgen inc mod 2\n}}\n}}'
)


@case("identify", once=True)
def identify(lab, report):
    """One node, two nodes behind equal-cost paths, a path that splits connections, a move: identify tells them apart."""
    with _both_servers(lab):
        with _route(lab, POP1):
            _one_node(lab, report)
            _move(lab, report)
        with _equal_cost_paths(lab):
            _two_nodes(lab, report)
        with _route(lab, POP1), _split_path(lab):
            _broken_connections(lab, report)


def _one_node(lab, report):
    status, found = _identify(lab, ANYCAST_IPV4, "--flows", "8", "--large", "localhost. A")
    expect(status == 0 and found["ok"], f"one node is in order: {found}")
    (address,) = found["addresses"]
    expect(address["nodes"] == ["pop1"], f"pop1 answers alone: {address}")
    expect(address["udp"]["nsid"] == address["tcp"]["id-server"] == "pop1", f"NSID and id.server name it: {address}")
    large = address["large"]
    expect(large["udp"]["rcode"] == "NOERROR" and "tcp" not in large, f"the answer is whole over UDP: {large}")
    fleet = lab.folder / "fleet"
    fleet.write_text("pop2 # the other one\n")
    status, found = _identify(lab, ANYCAST_IPV4, "--expect", fleet)
    expect(status == 1 and "`pop1` answers and is not" in found["findings"][0], f"a foreign node is a fault: {found}")
    status, found = _identify(lab, ANYCAST_IPV6)
    expect(status == 1 and not found["addresses"][0]["udp"]["answered"], f"no route for IPv6 is a fault: {found}")
    report.found("one node")


def _two_nodes(lab, report):
    status, found = _identify(lab, ANYCAST_IPV4, "--flows", "64")
    (address,) = found["addresses"]
    flows = address["flows"]["udp"]["nodes"]
    expect(address["nodes"] == ["pop1", "pop2"] and sum(flows.values()) == 64, f"64 flows meet both nodes: {address}")
    expect(status == 0, f"connections of single flows work: {found}")
    report.found(f"64 flows over equal-cost paths: {flows}")


def _broken_connections(lab, report):
    status, found = _identify(lab, ANYCAST_IPV4, "--timeout", "1s")
    tcp = found["addresses"][0]["tcp"]
    expect(status == 1 and tcp["connected"] and not tcp["answered"], f"the connection carries no answer: {found}")
    expect("split path" in " ".join(found["findings"]), f"the findings name the split path: {found}")
    report.found(f"a split path: {tcp['detail']}")


def _move(lab, report):
    seen = lab.folder / "watched"
    watching = lab.client.start(lab.binary, "identify", ANYCAST_IPV4, "--watch", output=seen)
    try:
        wait_until(lambda: seen.read_text().endswith(": pop1\n"), PATIENCE, "--watch shows pop1")
        lab.router.ip("route", "replace", f"{ANYCAST_IPV4}/32", "via", POP2.management_ipv4)
        wait_until(lambda: "pop1 -> pop2" in seen.read_text(), PATIENCE, "--watch shows the move")
    finally:
        watching.stop()
    report.found("--watch shows a move")


def _identify(lab, *words):
    done = subprocess.run(
        lab.client.inside(lab.binary, "identify", "--json", *words),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    expect(done.stdout, f"identify prints JSON: {done.stderr}")
    return done.returncode, json.loads(done.stdout)


@contextmanager
def _both_servers(lab):
    """Both points of presence answer. ExaBGP does not run: the case sets the routes."""
    for pop in (lab.pop1, lab.pop2):
        pop.unbound.start()
        pop.unbound.wait_until_ready()
    yield


@contextmanager
def _route(lab, site):
    lab.router.ip("route", "replace", f"{ANYCAST_IPV4}/32", "via", site.management_ipv4)
    try:
        yield
    finally:
        lab.router.ip("route", "del", f"{ANYCAST_IPV4}/32")


@contextmanager
def _equal_cost_paths(lab):
    """The router chooses the path of a packet by its addresses and ports."""
    hops = [word for site in (POP1, POP2) for word in ("nexthop", "via", site.management_ipv4)]
    before = lab.router.kernel_parameter(MULTIPATH)
    lab.router.set_kernel_parameters(f"{MULTIPATH}=1")
    lab.router.ip("route", "replace", f"{ANYCAST_IPV4}/32", *hops)
    try:
        yield
    finally:
        lab.router.ip("route", "del", f"{ANYCAST_IPV4}/32")
        lab.router.set_kernel_parameters(f"{MULTIPATH}={before}")


@contextmanager
def _split_path(lab):
    """Every second packet goes to the other point of presence."""
    lab.router.ip("route", "add", f"{ANYCAST_IPV4}/32", "via", POP2.management_ipv4, "table", MARK_TABLE)
    lab.router.ip("rule", "add", "fwmark", "1", "table", MARK_TABLE)
    run(*lab.router.inside("nft", SPREAD_PACKETS))
    try:
        yield
    finally:
        run(*lab.router.inside("nft", "delete", "table", "ip", "spread"))
        lab.router.ip("rule", "del", "fwmark", "1", "table", MARK_TABLE)
        lab.router.ip("route", "flush", "table", MARK_TABLE)
