"""The stock DNS server of a point of presence: Unbound, and the ways in which it can fail."""

import signal
import time
from pathlib import Path

from addresses import UNREACHABLE_UPSTREAM, Site
from process import run
from waiting import wait_until

# Unbound answers this name from its configuration, so that a client can see which point of presence answered.
IDENTITY_NAME = "which.pop."
# Unbound has to ask its upstream for this name, unless it is told to answer it as the upstream would.
RECURSION_NAME = "recursion.lab."

# How a point of presence is listened on and answers the client.
ANYCAST = f"""\
server:
    interface: {{anycast_ipv4}}
    interface: {{anycast_ipv6}}
    interface: {{management_ipv4}}
    interface: {{management_ipv6}}
    ip-freebind: yes
    outgoing-interface: {{management_ipv4}}
    access-control: 0.0.0.0/0 allow
    access-control: ::0/0 allow
    local-zone: "{IDENTITY_NAME}" static
    local-data: '{IDENTITY_NAME} 0 IN TXT "{{name}}"'
"""

CONFIGURATION = (
    ANYCAST
    + f"""\
    username: ""
    chroot: ""
    directory: "{{folder}}"
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    # No trust anchor and no root servers are needed: the lab has no Internet.
    module-config: "iterator"

    identity: "{{name}}"
    nsid: "ascii_{{name}}"
    # As if the upstream had answered; see upstream_fails().
    local-zone: "{RECURSION_NAME}" static
    local-data: "{RECURSION_NAME} 0 IN A 198.51.100.1"

forward-zone:
    name: "{RECURSION_NAME}"
    forward-addr: {UNREACHABLE_UPSTREAM}

remote-control:
    control-enable: yes
    control-interface: "{{folder}}/unbound.ctl"
    control-use-cert: no
"""
)


class Unbound:
    """Listens on the anycast addresses and on the management addresses of its host."""

    def __init__(self, namespace, site: Site, folder: Path):
        self.namespace = namespace
        self.site = site
        self.folder = folder
        self.file = folder / "unbound.conf"
        self.control_socket = folder / "unbound.ctl"
        self.log = folder / "unbound.log"
        self.process = None

    def start(self, tcp=True, ipv6=True):
        spoken = f"server:\n    do-tcp: {'yes' if tcp else 'no'}\n    do-ip6: {'yes' if ipv6 else 'no'}\n"
        self.file.write_text(CONFIGURATION.format(folder=self.folder, **self.site.words) + spoken)
        # A socket left by a killed predecessor would look as if the new one were ready.
        self.control_socket.unlink(missing_ok=True)
        self.process = self.namespace.start("unbound", "-d", "-c", self.file, output=self.log)

    def become(self, **options):
        """Is replaced by one with other options, and no query is lost: both share the ports until the former one ends.

        Returns the moment when the former one was told to end.
        """
        former = self.process
        self.start(**options)
        self.wait_until_ready()
        moment = time.time()
        former.stop()
        return moment

    def wait_until_ready(self):
        wait_until(self.control_socket.exists, 10, f"Unbound of {self.site.name} starts")

    def stop(self):
        """Ends it as an operator would; its ports are closed afterwards."""
        if self.process:
            self.process.stop()

    def kill(self):
        """Ends it as a crash would."""
        self.process.kill()

    def hang(self):
        """Alive, with open ports, and silent: TCP connections are even accepted, by the kernel."""
        self.process.signal(signal.SIGSTOP)

    def resume(self):
        self.process.signal(signal.SIGCONT)

    def upstream_answers(self):
        """From now on the name that needs recursion is answered."""
        self._control("local_zone", RECURSION_NAME, "static")
        self._control("local_data", RECURSION_NAME, "0", "IN", "A", "198.51.100.1")

    def upstream_fails(self):
        """From now on the name that needs recursion is asked of an upstream that cannot be reached: SERVFAIL."""
        self._control("local_zone_remove", RECURSION_NAME)

    def _control(self, *words):
        run("unbound-control", "-c", self.file, *words)
