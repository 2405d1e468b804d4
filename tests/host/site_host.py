"""A point of presence on a booted host, installed and configured as the README says."""

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

# The directories that a bare binary needs; the package contains a longer drop-in.
DROP_IN = """\
[Service]
RuntimeDirectory=exabgp dnsherald
RuntimeDirectoryMode=0755
StateDirectory=dnsherald
"""

CONFIGURATION = "/etc/dnsherald/dnsherald.toml"
STATE = "/var/lib/dnsherald"
# systemd reads this drop-in last.
SETTINGS = "/etc/systemd/system/exabgp.service.d/settings.conf"

# With version 1 of cgroups the kernel does not report an empty cgroup inside a container. After ExaBGP was killed, systemd therefore
# waits in vain for the exit of the helper.
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

# The cases cause more falls than a healthy server has.
[service.dampening]
mode = "observe"
"""


@dataclass(frozen=True)
class Software:
    """What to install: the package, or else a binary with a drop-in for exabgp.service."""

    binary: Path
    package: Path | None = None


class SiteHost(Machine):
    """A host that `install` installs and configures. From then on it announces after each boot."""

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
        """Installs and configures everything on the running host."""
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
        """Writes the drop-in that `dnsherald backend hooks` prints."""
        text = self.run("dnsherald", "backend", "hooks", self.server.unit)
        self.write(f"/etc/systemd/system/{self.server.unit}.d/dnsherald.conf", text)

    def start_exabgp_anew(self):
        """Kills ExaBGP without a drain, so that systemd restarts it with its current unit. Returns the time of the kill."""
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "reset-failed", "exabgp")
        since, former = time.time(), self.main_pid("exabgp")
        self.run("kill", "-KILL", former)
        wait_until(lambda: self.main_pid("exabgp") not in (0, former), PATIENCE, "systemd restarts ExaBGP", poll=0.05)
        return since

    @contextmanager
    def exabgp_with(self, settings):
        """Runs ExaBGP in a unit with these settings, and restores the unit at the end. Yields the time of the restart."""
        self.write(SETTINGS, "\n".join(("[Service]", *settings, "")))
        yield self.start_exabgp_anew()
        self.path(SETTINGS).unlink()
        self.start_exabgp_anew()

    def package_file(self):
        """The path of the package on the host. apt accepts a file only by a path with a slash."""
        return f"/var/cache/{self.software.package.name}"

    def helper(self):
        """The process ID of the helper in the host's PID namespace; 0 if there is none."""
        return int((self.ask("pgrep", "--oldest", "--exact", "dnsherald") or "0").split()[0])

    def status_if_any(self):
        """The status document of the helper, or None while no helper answers."""
        try:
            return json.loads(self.ask("dnsherald", "status", "--json"))
        except ValueError:
            return None

    def service_state(self):
        """The state of its one service, or None while no helper answers."""
        status = self.status_if_any()
        return status and status["services"][0]["state"]

    def stop_service(self):
        """Switches the host off at the end of the lab."""
        self.switch_off()

    def forget(self):
        """Switches the host off and deletes everything that was written on it."""
        self.switch_off()
        for folder in ("root", "upper", "work"):
            shutil.rmtree(self.folder / folder, ignore_errors=True)

    def logs(self):
        """The ends of the journals and the console, for the report of a failure."""
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
