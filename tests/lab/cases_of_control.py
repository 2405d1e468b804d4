"""Cases of the operator's commands: `drain`, `undrain`, `reload`."""

import re
import time

from addresses import ADDED_IPV4, INTERNAL_IPV4, POP1, PREFIX_IPV4, PREFIX_IPV6
from cases import case
from configuration import Check, Configuration, Service, resolver
from expectations import TIMING, expect_done, expect_none_lost, expect_served, expect_withdrawn, serve_from_both
from server import UNBOUND, Server
from waiting import Unmet


@case("drain moves the traffic", once=True)
def drain_moves(lab, report):
    """`drain --wait` moves 500 queries per second to PoP 2 and loses none; `undrain` moves them back."""
    server = Server(lab.pop1, UNBOUND)
    serve_from_both(lab, resolver(POP1, timing=TIMING, backend=server.backend()), server)
    since = time.time()
    done = expect_done(lab.pop1.dnsherald("drain", "--wait", "--reason", "new disk"))
    took = time.time() - since
    expect_served(lab, "pop2", time.time())
    if not re.search(r"^unbound: \d+\.\d queries per second$", done.stdout, re.MULTILINE):
        raise Unmet(f"drain --wait does not print the query rate of unbound: {done.stdout.strip()}")
    report.found(f"drained and quiet after {took:.2f} s")
    status = lab.pop1.status()["services"][0]
    if status["state"] != "drained" or "new disk" not in status["reason"]:
        raise Unmet(f"the status says {status['state']}: {status['reason']}")
    undrained = time.time()
    expect_done(lab.pop1.dnsherald("undrain"))
    report.took("back at pop1", expect_served(lab, "pop1", undrained) - undrained, 1.0)
    expect_none_lost(lab, report, since)


@case("drain expires", once=True)
def drain_expires(lab, report):
    """`drain --for 2s` withdraws, and the drain ends after two seconds."""
    lab.start_announced(resolver(POP1, timing=TIMING))
    since = time.time()
    expect_done(lab.pop1.dnsherald("drain", "--for", "2s"))
    expect_withdrawn(lab, report, since, 1.0)
    noted = time.time()
    took = lab.until_routed(since, 3.0)
    report.took("back", took, 2.0 + (noted - since) + TIMING.to_begin_anew())
    if took < 2.0:
        raise Unmet(f"back after {took:.2f} s already")


CHANGED, REMOVED, ADDED = PREFIX_IPV6, INTERNAL_IPV4, ADDED_IPV4


@case("reload of the configuration", once=True)
def reload(lab, report):
    """A reload adds, removes and changes only the services that differ; a file with an error changes nothing."""
    check = Check("answers", server=(POP1.management_ipv4,))

    def configuration(**services):
        written = (Service((check,), name=name, prefixes=(prefix,), med=med) for name, (prefix, med) in services.items())
        return Configuration(POP1, tuple(written), TIMING)

    before = configuration(kept=(PREFIX_IPV4, 100), changed=(CHANGED, 100), removed=(REMOVED, 100))
    after = lab.pop1.written(configuration(kept=(PREFIX_IPV4, 100), changed=(CHANGED, 300), added=(ADDED, 100)))
    lab.start_announced(before)
    lab.until_routed(0, 3.0, prefixes=(REMOVED,))
    helper = lab.pop1.exabgp.helper()
    since = time.time()
    lab.pop1.write_configuration(after)
    expect_done(lab.pop1.dnsherald("reload"))
    report.took("added", lab.until_routed(since, 2.0, prefixes=(ADDED,)), 2.0)
    report.took("removed", lab.until_withdrawn(since, 2.0, prefixes=(REMOVED,)), 2.0)
    report.took("changed", lab.until_announced_with(since, 2.0, 300, "64512:100", prefixes=(CHANGED,)), 2.0)
    lab.pop1.write_configuration(after + "\nnonsense\n")
    refused = lab.pop1.dnsherald("reload")
    if refused.returncode == 0 or "nothing is changed" not in refused.stderr:
        raise Unmet(f"a bad file: exit status {refused.returncode}, {refused.stderr.strip()}")
    # The changed prefix gets other attributes with the same next hop, so its kernel route stays.
    lab.watch_steady(since, 1.0, prefixes=(PREFIX_IPV4, CHANGED))
    if lab.pop1.exabgp.helper() != helper:
        raise Unmet("the helper was replaced")
    report.found("the other routes kept, a file with an error changes nothing")


@case("reload of the neighbors")
def reload_neighbors(lab, report):
    """A neighbor that keeps the prefix gets no withdraw if a reload announces the prefix to more neighbors."""
    check = Check("answers", server=(POP1.management_ipv4,))

    def configuration(med, neighbors):
        return Configuration(POP1, (Service((check,), med=med, neighbors=neighbors),), TIMING)

    lab.start_announced(configuration(100, (POP1.router_ipv4,)))
    before = lab.router.withdraws("pop1")
    changed = time.time()
    lab.pop1.write_configuration(lab.pop1.written(configuration(300, ())))
    expect_done(lab.pop1.dnsherald("reload"))
    lab.until_announced_with(changed, 2.0, 300, "64512:100")
    withdraws = lab.router.withdraws("pop1") - before
    if withdraws:
        raise Unmet(f"the router received {withdraws} withdraws")
    report.found("other attributes without a withdraw")
