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

# For a host with one BGP session, to the external router.
CONFIGURATION = PROCESS + NEIGHBOR.replace("    {keys}\n", "").replace("{router_id}", "{management}").replace("{peer_as}", "{router_as}")

# Every version from 4.2 to 6 reads these. The manual writes the names with dots, but a shell drops such variables.
ENVIRONMENT = {
    "exabgp_daemon_user": "root",
    "exabgp_daemon_daemonize": "false",
    "exabgp_api_cli": "false",
    "exabgp_log_level": "INFO",
    "RUST_LOG": os.environ.get("RUST_LOG", "info"),
}

# `ip netns exec` creates a mount namespace. In it /var/lib is a directory of the lab, so that a case can use the default state
# directory without touching that of the machine. ExaBGP is started in the directory of its file, as by hand.
BEHIND_PRIVATE_STATE = 'mount --bind "$0" /var/lib && cd "$1" && shift && exec "$@"'


class ExaBGP:
    """ExaBGP in a point of presence, and the helper that it starts."""

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
        """The path of dnsherald's default state directory outside the mount namespace."""
        return self.folder / "var-lib/dnsherald"

    def start(self, options=(), words=None, internal=False, environment=None):
        """`options` are added to `dnsherald run`; `words` replace the whole command line.

        With `internal` there is a second session, iBGP over IPv6, for which the helper has to send End-of-RIB.
        `environment` adds settings of ExaBGP.
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
        # ExaBGP logs to a file, so that standard error, which the helper inherits, has only the helper's log.
        environment = {**ENVIRONMENT, "PWD": str(self.folder), "exabgp_log_destination": str(self.log), **(environment or {})}
        command = ("sh", "-c", BEHIND_PRIVATE_STATE, self.state.parent, self.folder, self.program, file.name)
        self.process = self.namespace.start(*command, output=self.helper_log, environment=environment)

    def stop(self):
        """Stops ExaBGP. Version 4.2 waits for its helper without limit, so `Process.stop` kills it after a timeout."""
        if self.process:
            self.process.stop()

    def alive(self):
        return self.process.alive()

    def helpers(self):
        """The process IDs of the running helpers, oldest first: one, or two during ExaBGP's full reload."""
        return [pid for pid in children(self.process.pid) if str(self.helper_configuration) in command_line(pid)]

    def helper(self):
        """Waits until exactly one helper runs. Returns its process ID."""
        return wait_until(self._only_helper, 10, f"ExaBGP of {self.site.name} has one helper")

    def helper_other_than(self, former):
        """Waits for the successor of a helper that was killed or replaced. Returns its process ID."""
        return wait_until(
            lambda: (pid := self._only_helper()) and pid != former and pid,
            10,
            f"ExaBGP of {self.site.name} has a new helper",
        )

    def reload(self):
        """Has ExaBGP read exabgp.conf again; the helper keeps running."""
        self._reload(signal.SIGUSR1)

    def full_reload(self):
        """Has ExaBGP read exabgp.conf again and replace the helper."""
        self._reload(signal.SIGUSR2)

    def signal_all(self, number):
        """Signals the helper and the process group of ExaBGP, as `systemctl kill` signals a whole control group."""
        os.kill(self.helper(), number)
        os.killpg(self.process.pid, number)

    def says(self):
        """The log of ExaBGP so far."""
        return self.log.read_text(errors="replace")

    def helper_says(self):
        """The log of the helpers so far."""
        return self.helper_log.read_text(errors="replace")

    def _reload(self, number):
        said = len(self.says())
        self.process.signal(number)
        wait_until(lambda: "reload" in self.says()[said:], 10, f"ExaBGP of {self.site.name} reloads")

    def _only_helper(self):
        helpers = self.helpers()
        return helpers[0] if len(helpers) == 1 else None
