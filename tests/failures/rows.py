"""The failures of a point of presence, and the situations in which no route should move."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import faults
from dns_servers import Bind, Dnsdist, Knot, Nsd, PowerDns, Unbound
from faults import access, changed, filtered
from numbering import MANAGEMENT_IPV4, SECOND_IPV4, SERVICE_IPV4, SERVICE_IPV6, UPSTREAM

# What the helper does, at defaults.
WITHDRAWS, DEGRADES, OBSERVES = "withdraws", "degrades", "observes"
# No check sees it.
UNSEEN = "not seen"
# Clients are served as before: a move would be a false one.
STAYS = "stays"


@dataclass(frozen=True)
class Row:
    name: str
    made: str
    # Makes the server of the PoP.
    server: Callable
    # Breaks the PoP once it is announced. A row without one is broken from the start.
    fault: Callable | None
    expected: str
    # Seconds until the helper must have acted; where it must not, for how long it is watched.
    within: float = 10
    # Seconds from the fault until clients are asked, where a cache hides it at first.
    asked_after: float = 0.3
    # Prepares files before the server starts.
    before: Callable | None = None
    zones: tuple = ()
    # More keys of the service.
    more: str = ""
    # What it does today, where that is known and less than expected.
    known: str = ""

    @property
    def is_failure(self):
        return self.expected != STAYS


nsd = Nsd
secondary = partial(Nsd, secondary=True)

ROWS = [
    Row("control", "nothing is broken, Unbound", Unbound, faults.nothing, STAYS),
    Row("nsd control", "nothing is broken, NSD", nsd, faults.nothing, STAYS),
    # The process.
    Row("unbound killed", "kill -9", Unbound, faults.killed, WITHDRAWS),
    Row("nsd killed", "kill -9 of all its processes", nsd, faults.killed, WITHDRAWS),
    Row("bind killed", "kill -9", Bind, faults.killed, WITHDRAWS),
    Row("unbound hangs", "SIGSTOP", Unbound, faults.stopped, WITHDRAWS),
    Row("nsd child hangs", "SIGSTOP of one of 2 processes with reuseport", partial(nsd, count=2), faults.child_stopped, WITHDRAWS, within=20),
    Row("thread hangs", "one of 2 Unbound threads stopped by ptrace", Unbound, faults.thread_stopped, WITHDRAWS, within=20),
    Row("no descriptors", "prlimit of the server to what is open", Unbound, faults.descriptors_gone, DEGRADES, within=15, asked_after=4),
    Row("slow TCP clients", "400 connections that hardly send, Unbound", Unbound, faults.slow_tcp, DEGRADES, within=12),
    # The firewall.
    Row("UDP dropped", "nft: UDP 53, every interface", Unbound, filtered("udp dport 53 drop"), WITHDRAWS),
    Row("UDP rejected", "nft: the same, rejected", Unbound, filtered("udp dport 53 reject"), WITHDRAWS),
    Row("TCP dropped", "nft: TCP 53, every interface", Unbound, filtered("tcp dport 53 drop"), DEGRADES),
    Row("TCP reset", "nft: TCP 53 reset, every interface", Unbound, filtered("tcp dport 53 reject with tcp reset"), DEGRADES),
    Row("UDP dropped but lo", "nft: `iif lo accept`, then UDP 53 dropped", Unbound, filtered("iif lo accept", "udp dport 53 drop"), UNSEEN),
    Row("replies dropped", "nft output: from the service address", Unbound, filtered(f"ip saddr {SERVICE_IPV4} drop", hook="output"), WITHDRAWS),
    Row("IPv6 dropped", "nft: port 53 over IPv6", Unbound, filtered("meta nfproto ipv6 meta l4proto { tcp, udp } th dport 53 drop"), WITHDRAWS),
    # Addresses.
    Row("address removed", "ip address del from lo", Unbound, faults.link_removed("address", f"{SERVICE_IPV4}/32", "dev", "lo"), WITHDRAWS),
    Row("IPv6 address removed", "ip address del from lo", Unbound, faults.link_removed("address", f"{SERVICE_IPV6}/128", "dev", "lo"), WITHDRAWS),
    Row("not listening", "not on the service address, from the start", partial(Unbound, addresses=faults.without(SERVICE_IPV4)), None, WITHDRAWS),
    Row("not listening on the second", "from the start", partial(Unbound, addresses=faults.without(SECOND_IPV4)), None, WITHDRAWS),
    # Answers.
    Row("REFUSED", "Unbound refuses everyone after a reload", Unbound, access("refuse"), WITHDRAWS),
    Row("REFUSED by BIND", "allow-query none after a reload", Bind, changed(query="none"), WITHDRAWS),
    Row("zone removed", "NSD reconfig", nsd, faults.zone_removed, WITHDRAWS),
    Row("zone of SOA only", "NSD reload", nsd, faults.zone_of_soa, UNSEEN),
    Row("no upstream", "nft output: to the upstream dropped", Unbound, filtered(f"ip daddr {UPSTREAM} drop", hook="output"), UNSEEN, within=14, asked_after=7),
    # False positives.
    Row("probe filtered", "nft: only from the management address", Unbound, filtered(f"ip saddr {MANAGEMENT_IPV4} udp dport 53 drop"), STAYS),
    Row("probe refused", "Unbound refuses the management address only", Unbound, access("allow", ("10.1.0.0/24", "refuse")), STAYS, known="withdraws"),
    Row("helper frozen", "SIGSTOP of the helper for 8 s", Unbound, faults.helper_frozen, STAYS, within=12),
]
