"""Cases of the package: upgraded, reinstalled, removed, purged, and its optional parts."""

import re
import time
from pathlib import Path

from addresses import POP1
from cases import case
from cases_of_shipping import LAST_SIGN, WATCHDOG
from machine import PATIENCE
from servers import UNBOUND
from site_host import CONFIGURATION, STATE
from waiting import Unmet, let_pass, wait_until

# Builds an older version of the tested package: another version number and another shipped configuration.
OLDER = """
set -e
rm -rf /root/older && dpkg-deb --raw-extract {package} /root/older
sed -i 's/^Version: .*/Version: 0.0.9-1/' /root/older/DEBIAN/control
echo '# An older version said this.' >> /root/older{configuration}
cd /root/older && find * -path DEBIAN -prune -o -type f -print0 | xargs -0 md5sum > DEBIAN/md5sums
dpkg-deb --root-owner-group -Znone --build /root/older /var/cache/dnsherald_0.0.9-1.deb
"""
# Answers apt's question about the edited file: keep it.
KEEP = "--option=Dpkg::Options::=--force-confold"
DRAINS = "/usr/share/doc/dnsherald/examples/systemd/backends"
SCHEMA = "/usr/share/dnsherald/dnsherald.schema.json"
HARDENING = "dnsherald-hardening.conf"

DRAIN_UNIT = "dnsherald-drain.service"
# The drop-in that a removed package leaves until the next boot: systemd still accepts messages of the running helper.
NOTIFY_DROP_IN = "/run/systemd/system/exabgp.service.d/dnsherald-removed.conf"
# The operator's own files.
OF_OTHERS = {"/etc/dnsherald", f"/etc/systemd/system/{UNBOUND.unit}.d/dnsherald.conf"}

DISABLE_FILE = "/etc/dnsherald/held.off"
DISABLED_PREFIX = "192.0.2.61/32"
DISABLED = f"""
[[service]]
name = "held"
prefixes = ["{DISABLED_PREFIX}"]
# No interface has this address; the check asks the management address.
address = false
disable-file = "{DISABLE_FILE}"
[[service.check]]
name = "answers"
dns = {{ query = "localhost. A" }}
"""


@case("package upgraded", servers=(UNBOUND,), package=True)
def upgraded(lab, report):
    """An upgrade over an edited configuration: no route changes, the edits stay, the next start runs the new version."""
    pop = lab.pop1
    version = lambda: pop.run("dpkg-query", "--show", "--showformat=${Version}", "dnsherald")  # noqa: E731
    newer = version()
    pop.run("sh", "-c", OLDER.format(package=pop.package_file(), configuration=CONFIGURATION))
    # dpkg must have installed the older version's file last, and the operator's file must differ.
    pop.path(CONFIGURATION).unlink()
    replace = ("--option=Dpkg::Options::=--force-confmiss", "--allow-downgrades")
    pop.run("apt-get", "install", "--yes", *replace, "/var/cache/dnsherald_0.0.9-1.deb")
    if version() != "0.0.9-1" or "An older version" not in pop.path(CONFIGURATION).read_text():
        raise Unmet(f"version {version()} is installed, expected 0.0.9-1 with its configuration")
    pop.write(CONFIGURATION, pop.configuration())
    former = pop.helper()
    untouched(lab, report, "apt-get", "install", "--yes", KEEP, pop.package_file())
    if version() != newer or pop.path(CONFIGURATION).read_text() != pop.configuration() or pop.helper() != former:
        raise Unmet("the upgrade has changed the configuration or replaced the running helper")
    for command in (("dnsherald", "status"), ("dnsherald", "reload"), ("dnsherald", "check-config")):
        pop.run(*command)
    pop.run("sh", "-c", f"dnsherald config-schema | cmp - {SCHEMA}")
    with lab.load() as load:
        pop.run("systemctl", "restart", "exabgp")
        wait_until(lambda: pop.helper() not in (0, former), PATIENCE, "the new version runs", poll=0.05)
    load.expect_none_lost(report)
    for left in ("/root/older", "/var/cache/dnsherald_0.0.9-1.deb", f"{CONFIGURATION}.dpkg-dist"):
        pop.run("rm", "-rf", left)


@case("package reinstalled", servers=(UNBOUND,), package=True)
def installed_again(lab, report):
    """A reinstallation changes no route and restarts neither ExaBGP nor the server."""
    pop = lab.pop1
    untouched(lab, report, "apt-get", "install", "--reinstall", "--yes", pop.package_file())


@case("package removed", servers=(UNBOUND,), package=True)
def removed(lab, report):
    """A removal without purge keeps the running helper and the configuration; after a new installation it is replaced without loss."""
    pop = lab.pop1
    former = pop.helper()
    untouched(lab, report, "apt-get", "remove", "--yes", "dnsherald")
    if pop.path("/usr/bin/dnsherald").exists() or pop.state(DRAIN_UNIT) != "inactive":
        raise Unmet(f"the program is still there, or {DRAIN_UNIT} is {pop.state(DRAIN_UNIT)}")
    if pop.path(CONFIGURATION).read_text() != pop.configuration() or not any(pop.path(STATE).glob("*.json")):
        raise Unmet("the configuration or the state was removed")
    untouched(lab, report, "apt-get", "install", "--yes", pop.package_file())
    if pop.path(CONFIGURATION).read_text() != pop.configuration() or pop.helper() != former or pop.service_state() != "up":
        raise Unmet("the configuration or the helper has changed, or the service is not up")
    if pop.state(DRAIN_UNIT) != "active" or pop.path(NOTIFY_DROP_IN).exists():
        raise Unmet(f"{DRAIN_UNIT} is {pop.state(DRAIN_UNIT)}, or {NOTIFY_DROP_IN} is left")
    with lab.load() as load:
        pop.run("systemctl", "restart", "exabgp")
        wait_until(lambda: pop.helper() not in (0, former), PATIENCE, "a helper of the installed program runs", poll=0.05)
    load.expect_none_lost(report)


@case("package purged", servers=(UNBOUND,), package=True)
def purged(lab, report):
    """ExaBGP and the server keep running, the server can still be restarted, and only the operator's files are left.

    They run for longer than the timeout of the watchdog, which the helper must keep resetting. A service that the operator's
    disable-file drains stays drained.
    """
    pop = lab.pop1
    pop.write(DISABLE_FILE, "")
    pop.write(CONFIGURATION, pop.configuration() + DISABLED)
    pop.run("dnsherald", "reload")
    drained = lambda: (pop.status_if_any() or {"services": [{}]})["services"][-1].get("state") == "drained"  # noqa: E731
    wait_until(drained, PATIENCE, "the disable-file drains", poll=0.1)
    ours, network = pop.run("dpkg", "--listfiles", "dnsherald").splitlines(), network_of(pop)
    untouched(lab, report, "apt-get", "purge", "--yes", "dnsherald", lasting=WATCHDOG + LAST_SIGN)
    if network_of(pop) != network:
        raise Unmet(f"addresses or routes before:\n{network}and after:\n{network_of(pop)}")
    expect_nothing_left(pop, ours)
    if lab.router.knows_through(POP1.name, DISABLED_PREFIX):
        raise Unmet("a service drained by its disable-file is announced")
    pop.path(DISABLE_FILE).unlink()
    announced = lambda: lab.router.knows_through(POP1.name, DISABLED_PREFIX)  # noqa: E731
    wait_until(announced, PATIENCE, "the helper announces the service without its disable-file", poll=0.1)
    report.found("drained as long as the disable-file was there")
    pop.run("systemctl", "restart", lab.server.unit)
    lab.wait_until_ready()
    pop.install()
    report.found("server restarted without dnsherald, which was then installed again")


def network_of(pop):
    """The addresses and routes of the host, as `ip` prints them."""
    return "".join(pop.run("ip", "-o", *what) for what in (("address",), ("-4", "route"), ("-6", "route")))


def expect_nothing_left(pop, ours):
    """Fails if files of the package or of the helper, or the group, are left. Files of the operator may stay."""
    left = [path for path in ours if pop.path(path).is_file()]
    left += pop.run("find", "/etc", "/run", "/usr", "/var", "-xdev", "-name", "*dnsherald*").splitlines()
    left = set(left) - OF_OTHERS - {NOTIFY_DROP_IN, pop.package_file()}
    group = pop.ask("getent", "group", "dnsherald")
    etc = pop.ask("ls", "-A", Path(CONFIGURATION).parent)
    if left or group or etc != Path(DISABLE_FILE).name:
        raise Unmet(f"left over: {', '.join(sorted(left))} {group}; in the directory of the configuration: {etc}")


def untouched(lab, report, *command, lasting=0):
    """Runs a command under load. Fails if a route, the session or a process changes up to `lasting` seconds later, or a query is lost."""
    pop = lab.pop1
    before = [pop.main_pid(unit) for unit in ("exabgp", lab.server.unit)]
    lab.note_session()
    with lab.load() as load:
        since = time.time()
        pop.run(*command)
        let_pass(lasting)
    lab.expect_steady(since)
    lab.expect_session_kept()
    if [pop.main_pid(unit) for unit in ("exabgp", lab.server.unit)] != before:
        raise Unmet("ExaBGP or the server was restarted")
    report.found(f"nothing changed for {time.time() - since:.0f} s; {load.lost()} of {len(load.asked())} queries lost")
    if load.lost():
        raise Unmet("queries were lost")


@case("drop-in as shipped", package=True)
def drop_in_as_shipped(lab, report):
    """The drop-in in the package for Debian's unit equals the output of `backend hooks`."""
    pop, unit = lab.pop1, lab.server.unit
    printed = pop.run("dnsherald", "backend", "hooks", unit)
    shipped = pop.run("cat", f"{DRAINS}/{unit}.d/dnsherald.conf")
    if printed != shipped:
        raise Unmet(f"printed:\n{printed}shipped:\n{shipped}")
    report.found("the same as `backend hooks` prints")


@case("hardened", servers=(UNBOUND,), package=True)
def hardened(lab, report):
    """The optional hardening drop-in breaks nothing: announce, status, drain, pidfd, and a stop without loss."""
    pop = lab.pop1
    own = f"/etc/systemd/system/exabgp.service.d/{HARDENING}"
    pop.run("install", "-D", "--mode=644", f"/usr/share/doc/dnsherald/examples/systemd/exabgp.service.d/{HARDENING}", own)
    pop.run("systemctl", "daemon-reload")
    with lab.load() as load:
        pop.run("systemctl", "restart", "exabgp")
    load.expect_none_lost(report)
    if pop.ask("systemctl", "show", "--property=ProtectSystem", "--value", "exabgp") != "strict":
        raise Unmet("the drop-in is not in force")
    status = pop.run("dnsherald", "backend", "status")
    if "needs" in status:
        raise Unmet(f"root lacks a privilege: {status}")
    with lab.load() as load:
        since = time.time()
        pop.run("dnsherald", "drain", "--wait")
        lab.until_moved(since)
        pop.run("dnsherald", "undrain")
    load.expect_none_lost(report)
    since, former = time.time(), pop.main_pid(lab.server.unit)
    pop.run("kill", "-KILL", former)
    report.took("killed: moved", lab.until_moved(since), target=2)
    if not re.search(rf"process {former} \(.*\) has ended", pop.journal("--unit", "exabgp", f"--since=@{since:.3f}")):
        raise Unmet("the helper did not watch the process")
    lab.wait_until_ready()
    warned = pop.journal("--unit", "exabgp", f"--since=@{since - 5:.3f}", "--priority=warning")
    refused = [line for line in warned.splitlines() if "ermission denied" in line or "ead-only" in line]
    if refused:
        raise Unmet("\n".join(refused))
    pop.path(own).unlink()
    pop.run("systemctl", "daemon-reload")
    pop.run("systemctl", "restart", "exabgp")
