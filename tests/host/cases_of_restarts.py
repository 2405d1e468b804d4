"""Planned cases: whoever stops or restarts the server, with 500 queries per second at it, not one of them is lost."""

import time

from cases import case
from waiting import Unmet


def restarted(lab, report, *command):
    """Under load, from PoP 1 to PoP 2 and back. Returns what the command printed."""
    pop, unit = lab.pop1, lab.server.unit
    former = pop.main_pid(unit)
    with lab.load() as load:
        since = time.time()
        said = pop.run(*command)
        report.found(f"took {time.time() - since:.1f} s")
        if pop.main_pid(unit) == former:
            raise Unmet(f"{unit} was not restarted")
    load.expect_none_lost(report)
    return said


@case("systemctl restart")
def systemctl_restart(lab, report):
    """The drop-in drains before the unit stops, and the route is back by itself."""
    restarted(lab, report, "systemctl", "restart", lab.server.unit)


@case("backend restart")
def backend_restart(lab, report):
    """The transaction of `dnsherald backend restart`."""
    restarted(lab, report, "dnsherald", "backend", "restart")


@case("apt-get reinstall")
def reinstall(lab, report):
    """An upgrade by apt, here of the same version: its maintainer scripts stop and start the unit."""
    restarted(lab, report, "apt-get", "install", "--reinstall", "--yes", "-q", lab.server.package)
