"""Cases of the package itself: upgraded over an older version, and what of it is optional."""

import time

from cases import case
from cases_of_shipping import untouched
from machine import PATIENCE
from servers import UNBOUND
from site_host import CONFIGURATION
from waiting import Unmet, wait_until

# The package that is tested, as an older version would have been: another version, another shipped configuration.
OLDER = """
set -e
rm -rf /root/older && dpkg-deb --raw-extract {package} /root/older
sed -i 's/^Version: .*/Version: 0.0.9-1/' /root/older/DEBIAN/control
echo '# An older version said this.' >> /root/older{configuration}
cd /root/older && find * -path DEBIAN -prune -o -type f -print0 | xargs -0 md5sum > DEBIAN/md5sums
dpkg-deb --root-owner-group --build /root/older /var/cache/dnsherald_0.0.9-1.deb
"""
# What apt asks the operator, answered as most do: keep the file as it is edited.
KEEP = "--option=Dpkg::Options::=--force-confold"
DRAINS = "/usr/share/doc/dnsherald/systemd/backends"
HARDENING = "dnsherald-hardening.conf"


@case("package upgraded", servers=(UNBOUND,), package=True)
def upgraded(lab, report):
    """Over an older version whose configuration was edited: nothing moves, the edits are kept, the next start takes it up."""
    pop = lab.pop1
    version = lambda: pop.run("dpkg-query", "--show", "--showformat=${Version}", "dnsherald")  # noqa: E731
    newer = version()
    pop.run("sh", "-c", OLDER.format(package=pop.package_file(), configuration=CONFIGURATION))
    # The older version's own file is what dpkg has last installed, and the operator's is another.
    pop.path(CONFIGURATION).unlink()
    replace = ("--option=Dpkg::Options::=--force-confmiss", "--allow-downgrades")
    pop.run("apt-get", "install", "--yes", *replace, "/var/cache/dnsherald_0.0.9-1.deb")
    if version() != "0.0.9-1" or "An older version" not in pop.path(CONFIGURATION).read_text():
        raise Unmet(f"the older version is not what is installed, but {version()}")
    pop.write(CONFIGURATION, pop.configuration())
    former = pop.helper()
    untouched(lab, report, "apt-get", "install", "--yes", KEEP, pop.package_file())
    if version() != newer or pop.path(CONFIGURATION).read_text() != pop.configuration() or pop.helper() != former:
        raise Unmet("the upgrade has not kept the configuration, or the helper that runs")
    for command in (("dnsherald", "status"), ("dnsherald", "reload"), ("dnsherald", "check-config")):
        pop.run(*command)
    with lab.load() as load:
        pop.run("systemctl", "restart", "exabgp")
        wait_until(lambda: pop.helper() not in (0, former), PATIENCE, "the new version runs", poll=0.05)
    load.expect_none_lost(report)
    for left in ("/root/older", "/var/cache/dnsherald_0.0.9-1.deb", f"{CONFIGURATION}.dpkg-dist"):
        pop.run("rm", "-rf", left)


@case("drop-in as shipped", package=True)
def drop_in_as_shipped(lab, report):
    """For Debian's unit the package has at hand what `backend hooks` prints on this host."""
    pop, unit = lab.pop1, lab.server.unit
    printed = pop.run("dnsherald", "backend", "hooks", unit)
    shipped = pop.run("cat", f"{DRAINS}/{unit}.d/dnsherald.conf")
    if printed != shipped:
        raise Unmet(f"printed:\n{printed}shipped:\n{shipped}")
    report.found("the same as `backend hooks` prints")


@case("hardened", servers=(UNBOUND,), package=True)
def hardened(lab, report):
    """With the optional drop-in all goes on: announced, status, drained, its end seen at once, stopped without a loss."""
    pop = lab.pop1
    own = f"/etc/systemd/system/exabgp.service.d/{HARDENING}"
    pop.run("install", "-D", "--mode=644", f"/usr/share/doc/dnsherald/systemd/exabgp.service.d/{HARDENING}", own)
    pop.run("systemctl", "daemon-reload")
    with lab.load() as load:
        pop.run("systemctl", "restart", "exabgp")
    load.expect_none_lost(report)
    if pop.ask("systemctl", "show", "--property=ProtectSystem", "--value", "exabgp") != "strict":
        raise Unmet("the drop-in is not in force")
    status = pop.run("dnsherald", "backend", "status")
    if "needs" in status:
        raise Unmet(f"root lacks something: {status}")
    with lab.load() as load:
        since = time.time()
        pop.run("dnsherald", "drain", "--wait")
        lab.until_moved(since)
        pop.run("dnsherald", "undrain")
    load.expect_none_lost(report)
    since = time.time()
    pop.run("kill", "-KILL", pop.main_pid(lab.server.unit))
    report.took("its end: moved", lab.until_moved(since), target=2)
    lab.wait_until_ready()
    warned = pop.journal("--unit", "exabgp", f"--since=@{since - 5:.3f}", "--priority=warning")
    refused = [line for line in warned.splitlines() if "ermission denied" in line or "ead-only" in line]
    if refused:
        raise Unmet("\n".join(refused))
    pop.path(own).unlink()
    pop.run("systemctl", "daemon-reload")
    pop.run("systemctl", "restart", "exabgp")
