"""`dnsherald healthcheck` in place of `exabgp healthcheck`, seen by a real BGP peer."""

import time

from addresses import ANYCAST_IPV4, POP1, PREFIXES
from cases import case

OPTIONS = (
    f"healthcheck --no-syslog --no-ip-setup --ip {ANYCAST_IPV4} --next-hop {POP1.management_ipv4} --up-metric 100"
    " --withdraw-on-down --interval 0.5 --fast-interval 0.1 --timeout 0.3 --rise 2 --fall 2"
    f' --dns "localhost. A" --dns-server {POP1.management_ipv4}'
)

# Seconds: one interval, two failures, and the delay in ExaBGP and BIRD.
WITHDRAWN = 0.5 + 2 * (0.3 + 0.1) + 0.1


@case("healthcheck")
def healthcheck(lab, report):
    """Announces while the check passes and withdraws when it fails, with the command syntax of each ExaBGP version."""
    ipv4 = [prefix for prefix in PREFIXES if ":" not in prefix]
    lab.pop1.unbound.start()
    lab.pop1.unbound.wait_until_ready()
    since = time.time()
    lab.pop1.exabgp.start(words=OPTIONS)
    report.took("announced", lab.until_routed(since, 10, prefixes=ipv4), 10)
    lab.note_session()
    since = time.time()
    lab.pop1.unbound.stop()
    report.took("withdrawn", lab.until_withdrawn(since, WITHDRAWN, prefixes=ipv4), WITHDRAWN)
