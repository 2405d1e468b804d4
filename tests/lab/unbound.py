"""The stock DNS server of a point of presence: Unbound, and the ways in which it can fail."""

import signal
import time
from pathlib import Path

from addresses import UNREACHABLE_UPSTREAM, Site
from process import run
from waiting import wait_until

# Unbound answers this name from its configuration; the answer names the point of presence.
IDENTITY_NAME = "which.pop."
# Unbound asks its upstream for this name unless local data exist for it.
RECURSION_NAME = "recursion.lab."

# The listen addresses of a point of presence, and its answer to the client.
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
    # Without validation: the lab has no Internet, so no trust anchor and no root servers.
    module-config: "iterator"

    identity: "{{name}}"
    nsid: "ascii_{{name}}"
    # Stands for the answer of the upstream; see upstream_fails().
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
        protocols = f"server:\n    do-tcp: {'yes' if tcp else 'no'}\n    do-ip6: {'yes' if ipv6 else 'no'}\n"
        self.file.write_text(CONFIGURATION.format(folder=self.folder, **self.site.words) + protocols)
        # The socket of a killed predecessor would look as if the new process were ready.
        self.control_socket.unlink(missing_ok=True)
        self.process = self.namespace.start("unbound", "-d", "-c", self.file, output=self.log)

    def become(self, **options):
        """Replaces the process by one with other options and loses no query: both share the ports until the old one exits.

        Returns the time when the old one got SIGTERM.
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
        """Stops it with SIGTERM; its ports are closed when this returns."""
        if self.process:
            self.process.stop()

    def kill(self):
        """Sends SIGKILL, as a crash would end it."""
        self.process.kill()

    def hang(self):
        """Stops it with SIGSTOP: its ports stay open, the kernel still accepts TCP connections, but it answers nothing."""
        self.process.signal(signal.SIGSTOP)

    def resume(self):
        self.process.signal(signal.SIGCONT)

    def upstream_answers(self):
        """From now on Unbound answers the name that needs recursion."""
        self._control("local_zone", RECURSION_NAME, "static")
        self._control("local_data", RECURSION_NAME, "0", "IN", "A", "198.51.100.1")

    def upstream_fails(self):
        """From now on Unbound asks an unreachable upstream for that name, and answers SERVFAIL."""
        self._control("local_zone_remove", RECURSION_NAME)

    def _control(self, *words):
        run("unbound-control", "-c", self.file, *words)
