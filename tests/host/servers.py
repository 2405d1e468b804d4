"""The stock DNS servers, one for each round: the Debian package, and the files that an operator writes."""

from dataclasses import dataclass

import unbound

ZONE = """\
$TTL 0
@ IN SOA ns.pop. hostmaster.pop. 1 3600 600 86400 0
@ IN NS ns.pop.
ns IN A {anycast_ipv4}
which IN TXT "{name}"
"""


@dataclass(frozen=True)
class Server:
    """A server. Its files are templates for the names and addresses of the host."""

    # The KIND of [backend.KIND].
    kind: str
    package: str
    unit: str
    process: str
    # Lines of [[service]] in dnsherald.toml.
    service: str
    files: dict[str, str]


UNBOUND = Server(
    kind="unbound",
    package="unbound",
    unit="unbound.service",
    process="unbound",
    service="",
    files={
        # Queries wait while a busy machine does not let the server run; by default there is room for half a second of the load.
        "/etc/unbound/unbound.conf.d/anycast.conf": unbound.ANYCAST + "    so-rcvbuf: 4m\n",
    },
)

BIND = Server(
    kind="bind",
    package="bind9",
    unit="named.service",
    process="named",
    service='role = "authoritative"\nzones = ["pop."]',
    files={
        "/etc/bind/named.conf.options": """\
options {{
    directory "/var/cache/bind";
    listen-on {{ {anycast_ipv4}; {management_ipv4}; }};
    listen-on-v6 {{ {anycast_ipv6}; {management_ipv6}; }};
    recursion no;
    dnssec-validation no;
    allow-query {{ any; }};
}};
statistics-channels {{ inet 127.0.0.1 port 8053 allow {{ 127.0.0.1; }}; }};
""",
        "/etc/bind/named.conf.local": 'zone "pop" {{ type primary; file "/etc/bind/db.pop"; }};\n',
        "/etc/bind/db.pop": ZONE,
    },
)

NSD = Server(
    kind="nsd",
    package="nsd",
    unit="nsd.service",
    process="nsd",
    service='zones = ["pop."]',
    files={
        "/etc/nsd/nsd.conf.d/anycast.conf": """\
server:
    ip-address: {anycast_ipv4}
    ip-address: {anycast_ipv6}
    ip-address: {management_ipv4}
    ip-address: {management_ipv6}
    ip-freebind: yes
    # Debian's NSD limits answers to 200 per second for each network, and the client is in one network.
    rrl-ratelimit: 0
remote-control:
    control-enable: yes
    control-interface: /run/nsd/nsd.ctl
zone:
    name: "pop"
    zonefile: "/etc/nsd/pop.zone"
""",
        "/etc/nsd/pop.zone": ZONE,
    },
)

SERVERS = (UNBOUND, BIND, NSD)
