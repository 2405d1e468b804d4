"""The nine stock servers as Debian's units start them, each with a small configuration on one address."""

from dataclasses import dataclass, field

import authoritative

ADDRESS = "127.0.5.1"
ZONE = "example.org"


@dataclass(frozen=True)
class Server:
    """A server. The texts are templates with `{folder}`, `{address}`, `{zone}`, `{zone_file}`, `{instance}` and `{mark}`, a number that
    shows whether a reload has happened.
    """

    kind: str
    command: str
    file: str
    configuration: str
    # Further files, by name.
    others: dict = field(default_factory=dict)
    # A further file that is part of the configuration, so that the check must read it.
    part: str = ""
    # A line that breaks the configuration.
    garbage: str = "nonsense = nonsense"
    # Whether a program checks its configuration, and whether it can reload it.
    checks: bool = True
    reloads: bool = False
    # Its control socket; empty if the channel is a TCP port or missing.
    control: str = ""
    # Where the mark appears: `serial` of the zone, `identity`, or nowhere.
    mark: str = ""
    # The name in the queries; every server answers it.
    name: str = "localhost."
    # The RCODE of the answer.
    rcode: str = "NOERROR"
    # Further lines of [backend.KIND].
    ours: str = ""
    environment: dict = field(default_factory=dict)
    # The user to which the server drops its privileges; it owns the directory.
    user: str = "root"
    # The group that a user needs for the control channel; empty if every user has access.
    group: str = ""
    # Whether only its group may read the configuration, as in Debian if it contains secrets.
    secret: bool = False


SERVES_THE_ZONE = {"others": {"zone": authoritative.ZONE}, "mark": "serial", "name": f"{ZONE}."}

SERVERS = [
    Server(
        kind="unbound",
        command="unbound -d -p -c {folder}/unbound.conf",
        file="unbound.conf",
        configuration="""\
server:
    interface: {address}
    chroot: ""
    directory: "{folder}"
    use-syslog: no
    # Without validation: the test has no Internet, so no trust anchor.
    module-config: "iterator"
    identity: "mark{mark}"
remote-control:
    control-enable: yes
    control-interface: {folder}/unbound.ctl
""",
        control="{folder}/unbound.ctl",
        reloads=True,
        mark="identity",
        user="unbound",
        group="unbound",
    ),
    Server(
        kind="bind",
        command="named -f -u bind -L {folder}/named.log -c {folder}/named.conf",
        file="named.conf",
        configuration="""\
options {{
    listen-on {{ {address}; }}; listen-on-v6 {{ none; }};
"""
        + authoritative.BIND,
        reloads=True,
        user="bind",
        group="bind",
        **SERVES_THE_ZONE,
    ),
    Server(
        kind="nsd",
        command="nsd -d -P '' -c {folder}/nsd.conf",
        file="nsd.conf",
        configuration="""\
server:
    ip-address: {address}
    username: nsd
"""
        + authoritative.NSD,
        control="{folder}/nsd.ctl",
        reloads=True,
        user="nsd",
        group="nsd",
        **SERVES_THE_ZONE,
    ),
    Server(
        kind="knot",
        command="knotd -c {folder}/knot.conf",
        file="knot.conf",
        configuration="""\
server:
    rundir: {folder}
    user: knot:knot
    listen: {address}@53
"""
        + authoritative.KNOT,
        control="{folder}/knot.sock",
        reloads=True,
        user="knot",
        group="knot",
        **SERVES_THE_ZONE,
    ),
    Server(
        kind="knot-resolver",
        command="kresd -c /usr/lib/x86_64-linux-gnu/knot-resolver/distro-preconfig.lua -c {folder}/kresd.conf -n {folder}",
        file="kresd.conf",
        configuration="""\
net.listen('{address}', 53, {{ kind = 'dns' }})
modules.load('stats')
trust_anchors.remove('.')
cache.size = 10 * MB
""",
        checks=False,
        control="/run/knot-resolver/control/{instance}",
        ours='unit = "kresd@{instance}.service"\n',
        environment={"SYSTEMD_INSTANCE": "{instance}"},
        group="knot-resolver",
    ),
    Server(
        kind="powerdns",
        command="pdns_server --guardian=no --daemon=no --disable-syslog --log-timestamp=no --write-pid=no --config-dir={folder}",
        file="pdns.conf",
        configuration="""\
launch=bind
bind-config={folder}/bind.conf
local-address={address}
socket-dir={folder}
security-poll-suffix=
""",
        others={"zone": authoritative.ZONE, "bind.conf": 'zone "{zone}" {{ type master; file "{zone_file}"; }};\n'},
        control="{folder}/pdns.controlsocket",
        mark="serial",
        name=f"{ZONE}.",
        group="pdns",
        secret=True,
    ),
    Server(
        kind="powerdns-recursor",
        command="pdns_recursor --daemon=no --write-pid=no --disable-syslog --log-timestamp=no --config-dir={folder}",
        file="recursor.conf",
        configuration="local-address={address}\nsocket-dir={folder}\nsecurity-poll-suffix=\ndnssec=off\n",
        control="{folder}/pdns_recursor.controlsocket",
        group="pdns",
        secret=True,
    ),
    Server(
        kind="dnsdist",
        command="dnsdist --supervised --disable-syslog -C {folder}/dnsdist.conf",
        file="dnsdist.conf",
        configuration="""\
setLocal("{address}:53")
controlSocket("127.0.0.1:5199")
setKey("KQ1jSlmQ3ZyBkfnGqsQAW0vkf3Yb3J5MnCqEWxI4Q5E=")
setSecurityPollSuffix("")
addAction(AllRule(), RCodeAction(DNSRCode.REFUSED))
""",
        rcode="REFUSED",
        garbage="nonsense nonsense",
        group="_dnsdist",
        secret=True,
    ),
    Server(
        kind="dnsmasq",
        command="dnsmasq -k -C {folder}/dnsmasq.conf -x {folder}/dnsmasq.pid -7 {folder}/dnsmasq.d,.dpkg-dist,.dpkg-old,.dpkg-new",
        file="dnsmasq.conf",
        configuration="listen-address={address}\nbind-interfaces\nno-resolv\n",
        others={"dnsmasq.d/ours.conf": "no-hosts\nuser=root\n"},
        part="dnsmasq.d/ours.conf",
        rcode="REFUSED",
    ),
]
