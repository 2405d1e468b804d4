"""ExaBGP as the packages ship it, with dnsherald as its helper process."""

import os
import signal
from pathlib import Path

from addresses import POP_AS, ROUTER_AS, Site
from process import children, command_line
from waiting import wait_until

PROCESS = """
process dnsherald {{
    run {binary} {words};
    encoder text;
}}
"""

NEIGHBOR = """
neighbor {router} {{
    router-id {router_id};
    local-address {management};
    local-as {pop_as};
    peer-as {peer_as};
    hold-time 30;
    {keys}

    family {{
        ipv4 unicast;
        ipv6 unicast;
    }}

    api {{
        processes [ dnsherald ];
        neighbor-changes;
    }}
}}
"""

# Of a host that has one session, with the external router.
CONFIGURATION = PROCESS + NEIGHBOR.replace("    {keys}\n", "").replace("{router_id}", "{management}").replace("{peer_as}", "{router_as}")

# Understood by every version from 4.2 to 6. With dots in their names, as the manual writes them, the shell would drop them.
ENVIRONMENT = {
    "exabgp_daemon_user": "root",
    "exabgp_daemon_daemonize": "false",
    "exabgp_api_cli": "false",
    "exabgp_log_level": "INFO",
    "RUST_LOG": os.environ.get("RUST_LOG", "info"),
}

# `ip netns exec` has its own view of the file system. There /var/lib is a folder of the lab, so that the default state
# directory can be tested and that of the machine is left alone.
BEHIND_PRIVATE_STATE = 'mount --bind "$0" /var/lib && exec "$@"'


class ExaBGP:
    """One ExaBGP in a point of presence, and the helper it has started."""

    def __init__(self, namespace, site: Site, folder: Path, program: Path, binary: Path, configuration: Path):
        self.namespace = namespace
        self.site = site
        self.folder = folder
        self.program = program
        self.binary = binary
        self.helper_configuration = configuration
        self.log = folder / "exabgp.log"
        self.helper_log = folder / "dnsherald.log"
        self.process = None

    @property
    def state(self):
        """Where the default state directory of dnsherald really is."""
        return self.folder / "var-lib/dnsherald"

    def start(self, options=(), words=None, internal=False, environment=None):
        """`options` are further words for `dnsherald run`; `words` stand in place of the whole command.

        With `internal` there is a second session, iBGP over IPv6, whose End-of-RIB the helper has to ask for.
        `environment` is more of ExaBGP's own settings.
        """
        self.state.mkdir(parents=True, exist_ok=True)
        file = self.folder / "exabgp.conf"
        text = CONFIGURATION.format(
            binary=self.binary,
            words=words or " ".join(("run -c", str(self.helper_configuration), *map(str, options))),
            router=self.site.router_ipv4,
            management=self.site.management_ipv4,
            pop_as=POP_AS,
            router_as=ROUTER_AS,
        )
        if internal:
            text += NEIGHBOR.format(
                router=self.site.router_ipv6,
                router_id=self.site.management_ipv4,
                management=self.site.management_ipv6,
                pop_as=POP_AS,
                peer_as=POP_AS,
                keys="manual-eor true;",
            )
        file.write_text(text)
        # With a log file of its own ExaBGP leaves standard error to the helper, which inherits it.
        environment = {**ENVIRONMENT, "exabgp_log_destination": str(self.log), **(environment or {})}
        command = ("sh", "-c", BEHIND_PRIVATE_STATE, self.state.parent, self.program, file)
        self.process = self.namespace.start(*command, output=self.helper_log, environment=environment)

    def stop(self):
        """ExaBGP 4.2 waits for its helper without limit, so the helpers are ended too if they do not hear."""
        if self.process:
            self.process.stop()

    def alive(self):
        return self.process.alive()

    def helpers(self):
        """The living helpers, oldest first: one, or two for a moment of ExaBGP's full reload."""
        return [pid for pid in children(self.process.pid) if str(self.helper_configuration) in command_line(pid)]

    def helper(self):
        """The one helper there is."""
        return wait_until(self._only_helper, 10, f"ExaBGP of {self.site.name} has one helper")

    def helper_other_than(self, former):
        """The successor of a helper that was killed or told to go."""
        return wait_until(
            lambda: (pid := self._only_helper()) and pid != former and pid,
            10,
            f"ExaBGP of {self.site.name} has a new helper",
        )

    def reload(self):
        """Reads exabgp.conf again; the helper stays as it is."""
        self._reload(signal.SIGUSR1)

    def full_reload(self):
        """Reads exabgp.conf again and replaces the helper."""
        self._reload(signal.SIGUSR2)

    def signal_all(self, number):
        """Signals the helper and the process group of ExaBGP, as `systemctl kill` signals a whole control group."""
        os.kill(self.helper(), number)
        os.killpg(self.process.pid, number)

    def says(self):
        """All that ExaBGP has logged so far."""
        return self.log.read_text(errors="replace")

    def helper_says(self):
        """All that its helpers have logged so far."""
        return self.helper_log.read_text(errors="replace")

    def _reload(self, number):
        said = len(self.says())
        self.process.signal(number)
        wait_until(lambda: "reload" in self.says()[said:], 10, f"ExaBGP of {self.site.name} reloads")

    def _only_helper(self):
        helpers = self.helpers()
        return helpers[0] if len(helpers) == 1 else None
