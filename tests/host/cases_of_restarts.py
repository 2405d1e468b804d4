"""Cases of planned restarts by several tools: under 500 queries per second none is lost."""

import time

from cases import case
from waiting import Unmet


def restarted(lab, report, *command):
    """Runs a restart under load, with a move to PoP 2 and back. Returns the output of the command."""
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
    """`systemctl restart`: the drop-in drains before the unit stops, and the route returns after its start."""
    restarted(lab, report, "systemctl", "restart", lab.server.unit)


@case("backend restart")
def backend_restart(lab, report):
    """`dnsherald backend restart` drains, restarts and undrains without loss."""
    restarted(lab, report, "dnsherald", "backend", "restart")


@case("apt-get reinstall")
def reinstall(lab, report):
    """An upgrade by apt (here of the same version): its maintainer scripts stop and start the unit without loss."""
    restarted(lab, report, "apt-get", "install", "--reinstall", "--yes", "-q", lab.server.package)
