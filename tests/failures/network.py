"""Four hosts in network namespaces: client, router, point of presence (PoP) and upstream.

    client ── router ── PoP (eth0, eth1)
                 └───── upstream
"""

from namespace import Namespace
from numbering import (
    AS_CLIENT,
    CLIENT_IPV4,
    MANAGEMENT_IPV4,
    MANAGEMENT_IPV6,
    OTHER_IPV4,
    PREFIXES,
    UPSTREAM,
)

# Interface and address at the router, host, interface and address there.
LINKS = (
    ("clients", "203.0.113.1/24 2001:db8:c::1/64", "client", "eth0", f"{CLIENT_IPV4}/24 2001:db8:c::10/64"),
    ("pop0", "10.1.0.1/24 2001:db8:1::1/64", "pop", "eth0", f"{MANAGEMENT_IPV4}/24 {MANAGEMENT_IPV6}/64"),
    ("pop1", "10.2.0.1/24", "pop", "eth1", f"{OTHER_IPV4}/24"),
    ("upstream", "10.8.0.1/24", "upstream", "eth0", f"{UPSTREAM}/24"),
)
DEFAULT_ROUTES = (
    ("client", "203.0.113.1"),
    ("client", "2001:db8:c::1"),
    ("pop", "10.1.0.1"),
    ("pop", "2001:db8:1::1"),
    ("upstream", "10.8.0.1"),
)


class Network:
    """Exists as long as its context."""

    def __init__(self, name):
        self.client, self.router, self.pop, self.upstream = self.hosts = [
            Namespace(f"{name}-{host}") for host in ("client", "router", "pop", "upstream")
        ]

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for host in self.hosts:
            host.delete()

    def _build(self):
        for host in self.hosts:
            host.create()
        self.router.forward_packets()
        for interface, addresses, name, other_interface, other_addresses in LINKS:
            host = getattr(self, name)
            self.router.link(interface, host, other_interface)
            self.router.add_address(interface, *addresses.split())
            host.add_address(other_interface, *other_addresses.split())
        for name, gateway in DEFAULT_ROUTES:
            getattr(self, name).ip("route", "add", "default", "via", gateway)
        self.pop.add_address("lo", *PREFIXES, f"{AS_CLIENT}/32")
        for prefix in PREFIXES:
            self.router.ip("route", "add", prefix, "via", MANAGEMENT_IPV6 if ":" in prefix else MANAGEMENT_IPV4)
