"""The failures of a point of presence, and the situations in which no route should move."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import faults
from dns_servers import Bind, Dnsdist, DynamicBind, Knot, Nsd, PowerDns, TlsUnbound, Unbound
from faults import access, changed, filtered
from numbering import AS_CLIENT, CLIENT_IPV4, CLIENT_IPV6, CLIENT_NETWORK, MANAGEMENT_IPV4, SECOND_IPV4, SERVICE_IPV4, SERVICE_IPV6, UPSTREAM
from zones import TOP

# What the helper does, at defaults.
WITHDRAWS, DEGRADES, OBSERVES = "withdraws", "degrades", "observes"
# Either, as chance has it.
MOVES = "moves"
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
    # Seconds for which clients ask before the fault, and go on: the helper compares.
    asked_before: float = 0
    # The right address of www.
    address: str = "198.18.0.80"
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

    @property
    def is_default(self):
        """Whether the configuration has no key but those of every row."""
        return not self.more


nsd = Nsd
secondary = partial(Nsd, secondary=True)

LARGE = 'large = { names = ["big.example.com. TXT"] }\n'
AS_CLIENT_SOURCE = f'client-source = ["{AS_CLIENT}"]\n'
BLOCKED = "".join(f'    local-zone: "{zone}." always_nxdomain\n' for zone in TOP)
# What the server reads of clients tells a failure of the probe alone.
CLIENTS = {"asked_before": 6}
# Of what is seen by checks that ask every 10 s.
DEEP = {"within": 22}
BIND_RESOLVER = partial(Bind, role="resolver")
BIND_WITHOUT_LOCALHOST = partial(Bind, role="resolver", localhost=False)
LIMITED_BIND = partial(
    Bind, options="rate-limit { responses-per-second 20; slip 2; exempt-clients { 10.1.0.0/24; 2001:db8:1::/64; }; };"
)
FLOOD = faults.flooded(600, "www.example.org A", "example.org SOA", "abc.w.example.org A", source="203.0.113.20")
FAKED_UNBOUND = partial(Unbound, environment=faults.FAKED_CLOCK)
FRESH = 'role = "authoritative"\n[[service.check]]\nname = "fresh"\n'
FRESH += f'freshness = {{ primaries = ["{UPSTREAM}"], max-lag = "3s", zone-interval = "1s" }}\ninterval = "1s"\n'


def way_back(role, to, interfaces="[]"):
    """A check of the way to an address of the clients, beside those of the role."""
    return f'role = "{role}"\n[[service.check]]\nname = "way-back"\nroute = {{ to = ["{to}"], interfaces = {interfaces} }}\n'


NO_UPSTREAM = filtered(f"ip daddr {UPSTREAM} drop", hook="output")

PROCESS = [
    Row("control", "nothing is broken, Unbound", Unbound, faults.nothing, STAYS),
    Row("nsd control", "nothing is broken, NSD", nsd, faults.nothing, STAYS),
    Row("unbound killed", "kill -9", Unbound, faults.killed, WITHDRAWS),
    Row("nsd killed", "kill -9 of all its processes", nsd, faults.killed, WITHDRAWS),
    Row("knot killed", "kill -9", Knot, faults.killed, WITHDRAWS),
    Row("bind killed", "kill -9", Bind, faults.killed, WITHDRAWS),
    Row("powerdns killed", "kill -9", PowerDns, faults.killed, WITHDRAWS),
    Row("unbound hangs", "SIGSTOP", Unbound, faults.stopped, WITHDRAWS),
    Row("nsd child hangs", "SIGSTOP of one of 2 processes with reuseport", partial(nsd, count=2), faults.child_stopped, WITHDRAWS, within=25),
    Row("thread of 2 hangs", "one of 2 Unbound threads stopped by ptrace", Unbound, faults.thread_stopped, WITHDRAWS, within=25),
    Row("thread of 4 hangs", "one of 4 Unbound threads stopped by ptrace", partial(Unbound, threads=4), faults.thread_stopped, MOVES, within=30),
    Row("knot thread hangs", "one of 2 UDP workers stopped by ptrace", Knot, faults.knot_worker_stopped, WITHDRAWS, within=25),
    Row("log pipe full", "the reader of the log stops, verbosity 4", partial(Unbound, verbosity=4), faults.log_not_read, WITHDRAWS, before=faults.log_pipe, within=15),
    Row("no descriptors", "prlimit of the server to what is open", Unbound, faults.descriptors_gone, DEGRADES, within=15, asked_after=4),
    Row("slow TCP clients", "400 connections that hardly send, Unbound", Unbound, faults.slow_tcp, DEGRADES, within=12),
    Row("slow TCP clients of BIND", "the same, tcp-clients 20", partial(BIND_RESOLVER, options="tcp-clients 20;"), faults.slow_tcp, DEGRADES, within=15),
    Row("crash", "kill -9, started again after 0.3 s", Unbound, faults.restarted, WITHDRAWS, asked_after=0),
]
FIREWALL = [
    Row("UDP dropped", "nft: UDP 53, every interface", Unbound, filtered("udp dport 53 drop"), WITHDRAWS),
    Row("UDP dropped but from itself", 'nft: "ip saddr" the service address "accept", then UDP 53 dropped', Unbound, filtered(f"ip saddr {SERVICE_IPV4} accept", "udp dport 53 drop"), WITHDRAWS, **CLIENTS),
    Row("UDP rejected", "nft: the same, rejected", Unbound, filtered("udp dport 53 reject"), WITHDRAWS),
    Row("TCP dropped", "nft: TCP 53, every interface", Unbound, filtered("tcp dport 53 drop"), DEGRADES),
    Row("TCP reset", "nft: TCP 53 reset, every interface", Unbound, filtered("tcp dport 53 reject with tcp reset"), DEGRADES),
    Row("UDP dropped but lo", 'nft: "iif lo accept", then UDP 53 dropped', Unbound, filtered("iif lo accept", "udp dport 53 drop"), UNSEEN),
    Row("UDP dropped on the uplink", "nft: on eth0", Unbound, filtered('iifname "eth0" udp dport 53 drop'), UNSEEN),
    Row("TCP dropped but lo", 'nft: "iif lo accept", then TCP 53 dropped', Unbound, filtered("iif lo accept", "tcp dport 53 drop"), UNSEEN),
    Row("replies dropped", "nft output: from the service address", Unbound, filtered(f"ip saddr {SERVICE_IPV4} drop", hook="output"), WITHDRAWS, **CLIENTS),
    Row("replies dropped on the uplink", "nft output: on eth0", Unbound, filtered(f'oifname "eth0" ip saddr {SERVICE_IPV4} drop', hook="output"), UNSEEN),
    Row("replies dropped at the end", "nft postrouting: on eth0", Unbound, filtered(f'oifname "eth0" ip saddr {SERVICE_IPV4} drop', hook="postrouting"), UNSEEN),
    Row("DNS over TLS dropped", "nft: TCP 853", TlsUnbound, filtered("tcp dport 853 drop"), DEGRADES, **DEEP),
    Row("IPv6 dropped", "nft: port 53 over IPv6", Unbound, filtered("meta nfproto ipv6 meta l4proto { tcp, udp } th dport 53 drop"), WITHDRAWS),
    Row("30 % lost", "nft numgen, every interface", Unbound, filtered("udp dport 53 numgen random mod 100 < 30 drop"), MOVES, within=180),
    Row("60 % lost", "the same", Unbound, filtered("udp dport 53 numgen random mod 100 < 60 drop"), WITHDRAWS, within=30, **CLIENTS),
    Row("60 % lost on the uplink", "nft numgen on eth0", Unbound, filtered('iifname "eth0" udp dport 53 numgen random mod 100 < 60 drop'), UNSEEN),
    Row("big answers dropped", "nft output: UDP above 1400 octets", Unbound, filtered("udp sport 53 meta length > 1400 drop", hook="output"), UNSEEN),
    Row("big answers dropped, large", "the same, with the name of a large answer", Unbound, filtered("udp sport 53 meta length > 1400 drop", hook="output"), DEGRADES, more=LARGE, **DEEP),
    Row("fragments dropped", "nft at the router", Unbound, faults.fragments_dropped, UNSEEN),
]
HOST = [
    Row("address removed", "ip address del from lo", Unbound, faults.link_removed("address", f"{SERVICE_IPV4}/32", "dev", "lo"), WITHDRAWS),
    Row("IPv6 address removed", "the same", Unbound, faults.link_removed("address", f"{SERVICE_IPV6}/128", "dev", "lo"), WITHDRAWS),
    Row("not listening", "not on the service address, from the start", partial(Unbound, addresses=faults.without(SERVICE_IPV4)), None, WITHDRAWS),
    Row("not listening on the second", "the same", partial(Unbound, addresses=faults.without(SECOND_IPV4)), None, WITHDRAWS),
    Row("another server", "NSD has the port of the service address, from the start", partial(Unbound, addresses=faults.without(SERVICE_IPV4)), None, WITHDRAWS, before=faults.rogue_server),
    Row("no IPv6 default route", "ip -6 route del default", Unbound, faults.link_removed("-6 route", "default"), DEGRADES),
    Row("no default route", "ip route del default, Unbound", Unbound, faults.link_removed("route", "default"), DEGRADES, asked_after=7, **DEEP),
    Row("no default route of NSD", "ip route del default, NSD", nsd, faults.link_removed("route", "default"), DEGRADES),
    Row("blackhole", "a blackhole route to the clients", Unbound, faults.blackhole, OBSERVES, known=UNSEEN),
    Row("reverse path filter", "rp_filter=1, queries come by another interface", Unbound, faults.reverse_path_filter, UNSEEN),
    Row("no IPv6 default route, route", "the same, with a check of the way back", Unbound, faults.link_removed("-6 route", "default"), DEGRADES, more=way_back("resolver", CLIENT_IPV6)),
    Row("no default route of NSD, route", "ip route del default, with a check of the way back", nsd, faults.link_removed("route", "default"), DEGRADES, more=way_back("authoritative", CLIENT_IPV4)),
    Row("blackhole, route", "the same, with a check of the way back", Unbound, faults.blackhole, DEGRADES, more=way_back("resolver", CLIENT_IPV4)),
    Row("reverse path filter, route", "the same, with a check of the way back", Unbound, faults.reverse_path_filter, DEGRADES, more=way_back("resolver", CLIENT_IPV4, '["eth1"]')),
    Row("clients far away", "400 ms more on the way to the clients", Unbound, faults.held("clients", 400), UNSEEN),
    Row("server saturated", "1 % of a core, 3000 queries per second", Unbound, faults.saturated, MOVES, within=15, asked_after=3),
    Row("uplink saturated", "tbf of 24 kbit/s on eth0", Unbound, faults.uplink_saturated, OBSERVES, known=UNSEEN),
]
RESOLVER = [
    Row("REFUSED", "Unbound refuses everyone after a reload", Unbound, access("refuse"), WITHDRAWS, **CLIENTS),
    Row("REFUSED by backend reload", "the same by `backend reload`, but for the service addresses", Unbound, faults.refused_by_reload, WITHDRAWS, asked_after=40, within=42),
    Row("REFUSED by BIND resolver", "allow-query none after a reload", BIND_RESOLVER, changed(query="none"), WITHDRAWS),
    Row("clients refused", "Unbound refuses all but the management network", Unbound, access("refuse", *faults.FOR_MANAGEMENT), UNSEEN),
    Row("clients refused, client-source", "the same, with client-source", Unbound, access("refuse", *faults.FOR_MANAGEMENT), WITHDRAWS, more=AS_CLIENT_SOURCE),
    Row("clients dropped, client-source", "the same, deny in place of refuse", Unbound, access("deny", *faults.FOR_MANAGEMENT), WITHDRAWS, more=AS_CLIENT_SOURCE),
    Row("some clients refused", "Unbound refuses one network", Unbound, access("allow", (CLIENT_NETWORK, "refuse")), UNSEEN),
    Row("rate limit", "ip-ratelimit 2/s", Unbound, changed(extra="    ip-ratelimit: 2\n    ip-ratelimit-factor: 0\n"), MOVES, **CLIENTS),
    Row("no upstream", "nft output: to the upstream dropped", Unbound, NO_UPSTREAM, DEGRADES, asked_after=7, **DEEP),
    Row("no upstream of BIND", "the same, BIND with Debian's zone localhost", BIND_RESOLVER, NO_UPSTREAM, DEGRADES, asked_after=8, **DEEP),
    Row("no upstream of plain BIND", "the same without a zone localhost", BIND_WITHOUT_LOCALHOST, NO_UPSTREAM, DEGRADES, asked_after=8, **DEEP),
    Row("upstream far away", "800 ms more on the way to it", Unbound, faults.held("upstream", 800), MOVES, known=UNSEEN, asked_after=2, **DEEP),
    Row("clock a year ahead", "libfaketime", FAKED_UNBOUND, faults.clock_set("+365d"), DEGRADES, before=faults.clock_set("+0"), asked_after=5, **DEEP),
    Row("wrong trust anchor", "another key, after a reload", Unbound, changed(anchor="other-anchor"), DEGRADES, **DEEP),
    Row("recursion refused", "refuse_non_local after a reload", Unbound, access("refuse_non_local"), DEGRADES, **DEEP),
    Row("recursion off in BIND", "recursion no after a reload", BIND_RESOLVER, changed(recursion="no"), WITHDRAWS),
    Row("bad block list", "com, net and org are NXDOMAIN", Unbound, changed(extra=BLOCKED), DEGRADES, **DEEP),
    Row("one name wrong", "www.example.com redirected", Unbound, changed(extra='    local-data: "www.example.com. A 198.18.66.66"\n'), UNSEEN),
    Row("wrong identity", "NSID pop2 after a reload", Unbound, changed(identity="pop2"), OBSERVES, **DEEP),
    Row("server late", "dnsdist delays each answer by 400 ms", Dnsdist, faults.delayed, OBSERVES),
    Row("dnsdist's backend killed", "kill -9 of the Unbound behind it", Dnsdist, faults.backend_killed, WITHDRAWS, within=15, asked_after=3),
]
AUTHORITATIVE = [
    Row("REFUSED by BIND", "allow-query none after a reload", Bind, changed(query="none"), WITHDRAWS),
    Row("BIND refuses clients", "allow-query for the management network only", Bind, changed(query="10.1.0.0/24; 127.0.0.1; 2001:db8:1::/64"), UNSEEN),
    Row("response rate limit hits clients", "BIND RRL 20/s, 600 queries per second from the clients' /24", LIMITED_BIND, FLOOD, UNSEEN, asked_after=2),
    Row("BIND lost the zone", "it answers from recursion, without AA", Bind, changed(zone=""), WITHDRAWS),
    Row("zone removed", "NSD reconfig", nsd, faults.zone_removed, WITHDRAWS),
    Row("zone expired", "NSD secondary, expire 4 s, no primary", secondary, faults.primary_unreachable, WITHDRAWS, before=faults.short_expiry, within=30, asked_after=15),
    Row("zone expired in Knot", "the same, Knot", partial(Knot, secondary=True), faults.primary_unreachable, WITHDRAWS, before=faults.short_expiry, within=30, asked_after=15),
    Row("old serial", "transfers blocked, the primary moves on", secondary, faults.transfers_blocked, UNSEEN, asked_after=5, address=faults.NEW_ADDRESS),
    Row("transfer disk full", "an update is not taken", secondary, faults.disk_full, UNSEEN, before=faults.small_disk, asked_after=5, address=faults.NEW_ADDRESS),
    Row("old serial, freshness", "the same, compared with the primary", secondary, faults.transfers_blocked, DEGRADES, asked_after=5, address=faults.NEW_ADDRESS, more=FRESH, within=20),
    Row("transfer disk full, freshness", "the same, compared with the primary", secondary, faults.disk_full, DEGRADES, before=faults.small_disk, asked_after=5, address=faults.NEW_ADDRESS, more=FRESH, within=20),
    Row("zone of SOA only", "NSD reload", nsd, faults.zone_of_soa, DEGRADES, **DEEP),
    Row("no NS records", "NSD reload", nsd, faults.zone_without(" NS "), DEGRADES, **DEEP),
    Row("wrong record", "NSD reload with another address", nsd, faults.wrong_address, UNSEEN),
    Row("signatures gone", "a signed zone pushed unsigned", partial(nsd, signed=True), faults.signatures_gone, DEGRADES, **DEEP),
    Row("one zone of two gone", "NSD reconfig", partial(nsd, more_zones=faults.SECOND_ZONE), faults.second_zone_gone, DEGRADES, before=faults.second_zone, zones=("example.org", "example.edu")),
    Row("critical zone gone", "the same, critical", partial(nsd, more_zones=faults.SECOND_ZONE), faults.second_zone_gone, WITHDRAWS, before=faults.second_zone, zones=("example.org", "example.edu"), more='critical = ["example.edu"]\n'),
    Row("database fails", "PowerDNS; caches go on answering", PowerDns, faults.database_fails, WITHDRAWS, within=35, asked_after=4),
]
FALSE_POSITIVES = [
    Row("probe filtered", "nft: only from the management address", Unbound, filtered(f"ip saddr {MANAGEMENT_IPV4} udp dport 53 drop"), STAYS, **CLIENTS),
    Row("probe refused", "Unbound refuses the management address only", Unbound, access("allow", ("10.1.0.0/24", "refuse")), STAYS, within=20, **CLIENTS),
    Row("probe filtered, client-source", "with client-source", Unbound, filtered(f"ip saddr {MANAGEMENT_IPV4} udp dport 53 drop"), STAYS, more=AS_CLIENT_SOURCE),
    Row("probe refused, client-source", "with client-source", Unbound, access("allow", ("10.1.0.0/24", "refuse")), STAYS, more=AS_CLIENT_SOURCE),
    Row("probe limited", "nft: 5/s from the management address", Unbound, filtered(f"ip saddr {MANAGEMENT_IPV4} udp dport 53 limit rate over 5/second burst 5 packets drop"), STAYS),
    Row("renumbered", "another management address", Unbound, faults.renumbered, STAYS),
    Row("helper without descriptors", "prlimit of the helper", Unbound, faults.helper_without_descriptors, STAYS),
    Row("no local ports", "ip_local_port_range of 2", Unbound, faults.no_local_ports, STAYS),
    Row("helper frozen", "SIGSTOP of the helper for 8 s", Unbound, faults.helper_frozen, STAYS, within=14),
    Row("server limits gently", "Unbound ip-ratelimit 30/s", Unbound, changed(extra="    ip-ratelimit: 30\n    ip-ratelimit-factor: 0\n"), STAYS),
    Row("response rate limit", "BIND RRL 5/s, nothing else wrong", partial(Bind, options="rate-limit { responses-per-second 5; slip 2; };"), faults.nothing, STAYS),
    Row("plain BIND", "no zone localhost, nothing wrong", BIND_WITHOUT_LOCALHOST, faults.nothing, STAYS),
    Row("reload of 5000 zones", "SIGHUP of BIND under 300 queries per second", partial(Bind, more_zones=faults.MANY_ZONES), faults.reloaded_under_load, STAYS, before=faults.many_zones, within=14),
    Row("zone frozen", "rndc freeze and thaw of a dynamic zone under 300 queries per second", DynamicBind, faults.frozen_under_load, STAYS),
    Row("log rotation", "log_reopen of Unbound under 300 queries per second, each logged", partial(Unbound, extra="    log-queries: yes\n"), faults.logs_rotated, STAYS),
]

ROWS = [*PROCESS, *FIREWALL, *HOST, *RESOLVER, *AUTHORITATIVE, *FALSE_POSITIVES]
