"""The addresses and AS numbers of the lab: documentation and private ranges only, the same in every lab."""

from dataclasses import dataclass

ANYCAST_IPV4 = "192.0.2.53"
ANYCAST_IPV6 = "2001:db8:53::53"
PREFIX_IPV4 = f"{ANYCAST_IPV4}/32"
PREFIX_IPV6 = f"{ANYCAST_IPV6}/128"
PREFIXES = (PREFIX_IPV4, PREFIX_IPV6)

# For a service with its own BGP session.
INTERNAL_IPV4 = "192.0.2.61/32"
INTERNAL_IPV6 = "2001:db8:53::61/128"
INTERNAL_PREFIXES = (INTERNAL_IPV4, INTERNAL_IPV6)

# For a service that a reload adds.
ADDED_IPV4 = "192.0.2.62/32"

ROUTER_AS = 64513
POP_AS = 64512

# Unbound forwards one name to this address, to which its host has no route: the resolver's upstream is down.
UNREACHABLE_UPSTREAM = "203.0.113.53"


@dataclass(frozen=True)
class Site:
    """A host beside the router, by its number: 0 is the client, 1 and 2 are the points of presence."""

    name: str
    number: int

    @property
    def management_ipv4(self):
        return f"10.{self.number}.0.2"

    @property
    def management_ipv6(self):
        return f"2001:db8:{self.number}::2"

    @property
    def management(self):
        """The management addresses, as in dnsherald's configuration."""
        return (self.management_ipv4, self.management_ipv6)

    def next_hop(self, prefix):
        return self.management_ipv6 if ":" in prefix else self.management_ipv4

    @property
    def words(self):
        """The placeholders in the configuration of its DNS server: its name, and the addresses to listen on."""
        return {
            "name": self.name,
            "anycast_ipv4": ANYCAST_IPV4,
            "anycast_ipv6": ANYCAST_IPV6,
            "management_ipv4": self.management_ipv4,
            "management_ipv6": self.management_ipv6,
        }

    @property
    def router_ipv4(self):
        return f"10.{self.number}.0.1"

    @property
    def router_ipv6(self):
        return f"2001:db8:{self.number}::1"


CLIENT = Site("client", 0)
POP1 = Site("pop1", 1)
POP2 = Site("pop2", 2)
