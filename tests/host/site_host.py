"""A point of presence on a booted host: what its operator installs and writes, following the README."""

import json
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from addresses import ANYCAST_IPV4, ANYCAST_IPV6, POP_AS, PREFIXES, ROUTER_AS, Site
from exabgp import CONFIGURATION as EXABGP_CONFIGURATION
from hierarchy import Hierarchy
from machine import PATIENCE, Machine
from servers import Server
from waiting import wait_until

# What no case with a bare binary can do without; the package brings more.
DROP_IN = """\
[Service]
RuntimeDirectory=exabgp dnsherald
RuntimeDirectoryMode=0755
StateDirectory=dnsherald
"""

CONFIGURATION = "/etc/dnsherald/dnsherald.toml"
STATE = "/var/lib/dnsherald"
# Read last of the drop-ins.
SETTINGS = "/etc/systemd/system/exabgp.service.d/settings.conf"

# With version 1 of cgroups the kernel tells nobody inside a container that a cgroup is empty, and so, when ExaBGP has been
# killed, systemd waits in vain for the end of the helper that has ended.
ON_CGROUP_V1 = "[Service]\nTimeoutStopSec=5\n"

INTERVAL = 0.5
RISE = 3

DNSHERALD_CONFIGURATION = """\
[node]
management = ["{management_ipv4}", "{management_ipv6}"]

[defaults]
interval = "500ms"
timeout = "500ms"
rise = {rise}

[backend.{kind}]

[[service]]
name = "dns"
prefixes = {prefixes}
backend = "{kind}"
{service}
up = {{ med = {med} }}

# The cases let the server fall more often than a healthy one would.
[service.dampening]
mode = "observe"
"""


@dataclass(frozen=True)
class Software:
    """What is installed: a package, or where there is none, a binary and the drop-in for exabgp.service."""

    binary: Path
    package: Path | None = None


class SiteHost(Machine):
    """Has everything installed and configured after `install`; comes up by itself at each boot from then on."""

    def __init__(
        self, name, site: Site, folder: Path, tree: Path, hierarchy: Hierarchy, server: Server, software: Software, med: int
    ):
        super().__init__(name, site.name, folder, tree, hierarchy)
        self.site = site
        self.server = server
        self.software = software
        self.med = med

    def add_anycast_addresses(self):
        self.add_address("lo", f"{ANYCAST_IPV4}/32", f"{ANYCAST_IPV6}/128")

    def install(self):
        """On the host while it runs."""
        words = {
            "name": self.site.name,
            "anycast_ipv4": ANYCAST_IPV4,
            "anycast_ipv6": ANYCAST_IPV6,
            "management_ipv4": self.site.management_ipv4,
            "management_ipv6": self.site.management_ipv6,
        }
        for path, text in self.server.files.items():
            self.write(path, text.format(**words))
        self.run("systemctl", "enable", "--now", self.server.unit)
        self._install_dnsherald()
        self.write(CONFIGURATION, self.configuration())
        self.run("dnsherald", "check-config", CONFIGURATION)
        self.write_hooks()
        self.write("/etc/exabgp/exabgp.conf", self._exabgp_configuration())
        if self.hierarchy is Hierarchy.V1:
            self.write("/etc/systemd/system/exabgp.service.d/container.conf", ON_CGROUP_V1)
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "enable", "exabgp")
        self.run("systemctl", "restart", "exabgp")

    def configuration(self):
        return DNSHERALD_CONFIGURATION.format(
            management_ipv4=self.site.management_ipv4,
            management_ipv6=self.site.management_ipv6,
            kind=self.server.kind,
            service=self.server.service,
            prefixes=str(list(PREFIXES)).replace("'", '"'),
            med=self.med,
            rise=RISE,
        )

    def write_hooks(self):
        """The drop-in that drains before the server stops, as the product prints it."""
        text = self.run("dnsherald", "backend", "hooks", self.server.unit)
        self.write(f"/etc/systemd/system/{self.server.unit}.d/dnsherald.conf", text)

    def start_exabgp_anew(self):
        """With its helper, in the unit as it is now, without waiting for a drain. Returns since when."""
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "reset-failed", "exabgp")
        since, former = time.time(), self.main_pid("exabgp")
        self.run("kill", "-KILL", former)
        wait_until(lambda: self.main_pid("exabgp") not in (0, former), PATIENCE, "systemd starts another ExaBGP", poll=0.05)
        return since

    @contextmanager
    def exabgp_with(self, settings):
        """ExaBGP and its helper in a unit with these settings, and at the end in their own again. Gives since when."""
        self.write(SETTINGS, "\n".join(("[Service]", *settings, "")))
        yield self.start_exabgp_anew()
        self.path(SETTINGS).unlink()
        self.start_exabgp_anew()

    def package_file(self):
        """Where the package is on the host. apt takes a file only by a name with a slash in it."""
        return f"/var/cache/{self.software.package.name}"

    def helper(self):
        """The process id of dnsherald under ExaBGP, in the host's own numbers; 0 if there is none."""
        return int((self.ask("pgrep", "--oldest", "--exact", "dnsherald") or "0").split()[0])

    def status_if_any(self):
        """The status document of the helper; nothing while it cannot be asked."""
        try:
            return json.loads(self.ask("dnsherald", "status", "--json"))
        except ValueError:
            return None

    def service_state(self):
        """What dnsherald says of its one service; nothing while it cannot be asked."""
        status = self.status_if_any()
        return status and status["services"][0]["state"]

    def stop_service(self):
        """At the end of the lab."""
        self.switch_off()

    def forget(self):
        """Off, and everything that was ever written on it is gone."""
        self.switch_off()
        for folder in ("root", "upper", "work"):
            shutil.rmtree(self.folder / folder, ignore_errors=True)

    def logs(self):
        """The end of what is known, for the report of a failure."""
        if self.is_on():
            for unit in ("exabgp", self.server.unit):
                yield f"{self.hostname}: {unit}", self.journal("--unit", unit, "--lines", "40").splitlines()
        if self.console.exists():
            yield f"{self.hostname}: console", self.console.read_text(errors="replace").splitlines()[-10:]

    def _install_dnsherald(self):
        if self.software.package:
            shutil.copy(self.software.package, self.path(self.package_file()))
            self.run("apt-get", "install", "--yes", self.package_file())
            return
        shutil.copy(self.software.binary, self.path("/usr/bin/dnsherald"))
        self.path("/usr/bin/dnsherald").chmod(0o755)
        self.write("/etc/systemd/system/exabgp.service.d/dnsherald.conf", DROP_IN)

    def _exabgp_configuration(self):
        return EXABGP_CONFIGURATION.format(
            binary="/usr/bin/dnsherald",
            words=f"run -c {CONFIGURATION}",
            router=self.site.router_ipv4,
            management=self.site.management_ipv4,
            pop_as=POP_AS,
            router_as=ROUTER_AS,
        )
