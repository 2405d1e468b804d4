"""Cases of hosts that are not as one would wish. Each is told plainly what is missing, and announces as far as it can."""

import json
import time

from addresses import POP1, PREFIX_IPV4, PREFIX_IPV6, PREFIXES
from cases import case
from machine import PATIENCE
from servers import UNBOUND
from site_host import CONFIGURATION, STATE
from waiting import Unmet, let_pass, wait_until

# How each is spoken to.
DIALECTS = {"4.2.21": "announce route", "4.2.25": "neighbor * announce route"}
EXAMPLE = "/usr/share/doc/dnsherald/examples/dual-stack.toml"

# Such a kernel answers as this does: EAFNOSUPPORT.
WITHOUT_IPV6 = ("RestrictAddressFamilies=AF_INET AF_UNIX AF_NETLINK",)
# Neither its sockets, nor the cgroups that it names after units.
WITHOUT_SYSTEMD = ("TemporaryFileSystem=/run/systemd /run/dbus /sys/fs/cgroup", "UnsetEnvironment=NOTIFY_SOCKET")

YEAR = 365 * 86_400
ANOTHER_BOOT = "00000000-0000-4000-8000-000000000000"


def restricted(pop, settings, *command):
    """Runs a command as the unit would be, whatever comes of it."""
    properties = [f"--property={setting}" for setting in settings]
    done = pop.attempt("systemd-run", "--quiet", "--pipe", "--wait", *properties, *command)
    return done.returncode, done.stdout + done.stderr


def until_said(pop, since, *sentences):
    """In the journal of ExaBGP, where its helper writes, too."""
    for sentence in sentences:
        said = lambda: sentence in pop.journal("--unit", "exabgp", f"--since=@{since:.3f}")  # noqa: B023, E731
        wait_until(said, PATIENCE, f"the journal says: {sentence}", poll=0.2)


def expect_said(what, found, *sentences):
    """By a command, however it breaks its lines."""
    words = " ".join(found.split())
    for sentence in sentences:
        if sentence not in words:
            raise Unmet(f"{what}: expected to be told `{sentence}`, but: {found}")


@case("process by its cgroup")
def cgroup(lab, report):
    """In each version of cgroups the main process of the unit is found by them alone, without asking systemd."""
    pop = lab.pop1
    found = pop.run("env", "PATH=/nowhere", "/usr/bin/dnsherald", "check")
    # In parentheses its name, and some servers give themselves another one.
    expect_said("check", found, "check process: passed", f"process {pop.main_pid(lab.server.unit)} (")
    report.found(f"found by {lab.hierarchy.words}")


@case("no IPv6", servers=(UNBOUND,), package=True)
def no_ipv6(lab, report):
    """Nothing can be found out over IPv6, which moves no route; told at once, and as an error after half a minute."""
    pop = lab.pop1
    why = "cannot ask: no IPv6 here"
    with pop.exabgp_with(WITHOUT_IPV6) as since:
        until_said(pop, since, "check dns/answers: unknown: ", why)
        code, found = restricted(pop, WITHOUT_IPV6, "dnsherald", "check")
        expect_said("check", found, "10.1.0.2:53 udp localhost. A ok", why)
        if code != 3:
            raise Unmet(f"check: exit status {code}, expected 3: unknown")
        until_said(pop, since, "no check has found out anything about the server within 30s of the start")
        lab.until_routed(since, PATIENCE)
        report.found("both families in one service: what was acknowledged stands, and told why")
        since = time.time()
        pop.write(CONFIGURATION, pop.run("cat", EXAMPLE))
        pop.run("dnsherald", "reload")
        until_said(pop, since, f"resolver-v4: ANNOUNCED {PREFIX_IPV4}")
        report.found("a service each: IPv4 announced")
        pop.write(CONFIGURATION, pop.configuration())


@case("read-only /var/lib", servers=(UNBOUND,), package=True)
def read_only(lab, report):
    """Announced, drained and restarted as ever; what will be forgotten is said. Here not even the directory is there."""
    pop = lab.pop1
    unsaved = "the state could not be written so far"
    pop.run("sh", "-c", f"rm -r {STATE} && mount --bind /var/lib /var/lib && mount -o remount,bind,ro /var/lib")
    since = pop.start_exabgp_anew()
    until_said(pop, since, f"cannot write the state to {STATE}/dnsherald-", "Read-only file system")
    lab.until_routed(since, PATIENCE)
    since = time.time()
    drained = pop.attempt("dnsherald", "drain", "--wait")
    expect_said("drain", drained.stderr, unsaved)
    lab.until_moved(since)
    since = time.time()
    expect_said("undrain", pop.attempt("dnsherald", "undrain").stderr, unsaved)
    lab.until_routed(since, PATIENCE)
    restarted = pop.attempt("dnsherald", "backend", "restart")
    expect_said("backend restart", restarted.stderr, f"cannot save the configuration for a rollback in {STATE}-rollback/")
    if drained.returncode or restarted.returncode:
        raise Unmet(f"not drained or not restarted: {drained.stdout}{restarted.stdout}{restarted.stderr}")
    report.found("announced, drained, restarted, and told what is forgotten")
    pop.run("umount", "/var/lib")
    pop.start_exabgp_anew()
    wait_until(lambda: any(pop.path(STATE).glob("*.json")), PATIENCE, "the state is written again", poll=0.1)


@case("wrong clock", servers=(UNBOUND,), package=True)
def wrong_clock(lab, report):
    """A clock that is set changes nothing; over a reboot into the past, drains go on, and nothing is adopted.

    The clock of a host cannot be set in a container, so the state is put into the words of another clock.
    """
    pop = lab.pop1
    pop.write(CONFIGURATION, pop.configuration().replace('name = "dns"', 'name = "dns"\nstart = "adopt"'))
    pop.run("dnsherald", "reload")

    since = _restart_with_state(pop, {"saved-at": _milliseconds(10 * YEAR)})
    until_said(pop, since, "service dns: adopting up, acknowledged")
    since = _restart_with_state(pop, {"saved-at": 0})
    until_said(pop, since, "service dns: adopting up, acknowledged")
    report.found("set while the host is up: adopted by the age that it has")

    ahead = {"saved-at": _milliseconds(10 * YEAR), "uptime": {"boot": ANOTHER_BOOT, "milliseconds": 0}}
    since = _restart_with_state(pop, ahead)
    until_said(pop, since, "in the future: the clock of this host is or was wrong; no route is adopted", "starting -> up")
    if "adopting" in pop.journal("--unit", "exabgp", f"--since=@{since:.3f}"):
        raise Unmet("a state of the future was adopted")
    since = time.time()
    pop.run("dnsherald", "drain", "--for", "1h", "--reason", "new disk", "--wait")
    lab.until_moved(since)
    since = _restart_with_state(pop, ahead)
    until_said(pop, since, "in the future", "starting -> drained")
    drain = json.loads(pop.run("dnsherald", "status", "--json"))["services"][0]["drains"][0]
    if not 3000 < drain["expires-in-seconds"] <= 3600:
        raise Unmet(f"the drain should go on for an hour, but: {drain}")
    report.found("over a reboot into the past: told, not adopted, and still drained")
    pop.write(CONFIGURATION, pop.configuration())
    pop.run("dnsherald", "reload")
    pop.run("dnsherald", "undrain")


def _milliseconds(from_now):
    return int((time.time() + from_now) * 1000)


def _restart_with_state(pop, changes):
    """The helper's state gets another date, and the next helper finds it so. Returns since when."""
    file = next(pop.path(STATE).glob("*.json"))
    state = lambda: json.loads(file.read_text())  # noqa: E731
    settled = lambda: state()["services"]["dns"]["acknowledged"] == pop.service_state()  # noqa: E731
    wait_until(settled, PATIENCE, "the state is written", poll=0.1)
    file.write_text(json.dumps(state() | changes))
    since, former = time.time(), pop.helper()
    pop.run("kill", "-KILL", former)
    wait_until(lambda: pop.helper() not in (0, former), PATIENCE, "ExaBGP starts another helper", poll=0.05)
    return since


@case("another ExaBGP", servers=(UNBOUND,), package=True)
def another_exabgp(lab, report):
    """Version 6 is expected, 4.2 is there: it is said, with each line refused, and what to do; then a reload is enough."""
    pop = lab.pop1
    version = pop.run("dpkg-query", "--show", "--showformat=${source:Upstream-Version}", "exabgp")
    understands = f"ExaBGP {version} understands `{DIALECTS[version]}`"
    pop.write(CONFIGURATION, f"[exabgp]\napi = 6\n\n{pop.configuration()}")
    since = pop.start_exabgp_anew()
    until_said(
        *(pop, since, f"{understands}, but exabgp.api in the configuration asks for `peer * announce route`"),
        *("delete `api`", f"ExaBGP refused `peer * announce route {PREFIX_IPV4}", f"refused `peer * announce route {PREFIX_IPV6}"),
    )
    expect_said("status", pop.run("dnsherald", "status"), "spoken to as `peer * announce route`", "NOT acknowledged", "refused")
    # Long enough for a line that is said again.
    let_pass(1.5)
    if any(lab.router.knows_through(POP1.name, prefix) for prefix in PREFIXES):
        raise Unmet("announced, though each line is refused")
    since = time.time()
    pop.write(CONFIGURATION, pop.configuration())
    pop.run("dnsherald", "reload")
    report.took("refused and told; mended: announced", lab.until_routed(since, PATIENCE), target=5)


@case("no systemd", servers=(UNBOUND,), package=True)
def no_systemd(lab, report):
    """The answers decide alone, for the process is not known; what takes systemd is refused with nothing touched."""
    pop = lab.pop1
    with pop.exabgp_with(WITHOUT_SYSTEMD) as since:
        unknown = "is systemd running? Without systemd, set `pid-file`"
        until_said(pop, since, unknown, "starting -> up")
        lab.until_routed(since, PATIENCE)
        since = time.time()
        _, status = restricted(pop, WITHOUT_SYSTEMD, "dnsherald", "backend", "status")
        expect_said("backend status", status, f"unit {lab.server.unit}: systemd does not run this host", "configuration in order")
        code, hooks = restricted(pop, WITHOUT_SYSTEMD, "dnsherald", "backend", "hooks", lab.server.unit)
        expect_said("backend hooks", hooks, f"unit {lab.server.unit}: systemctl cat", "not been booted with systemd")
        refused, restart = restricted(pop, WITHOUT_SYSTEMD, "dnsherald", "backend", "restart")
        remedy = "say how the server is handled here, with `restart`"
        expect_said("backend restart", restart, "systemd does not run this host", remedy, "not touched")
        if (code, refused) != (1, 1):
            raise Unmet(f"exit status of hooks {code} and restart {refused}, expected 1")
        lab.expect_steady(since)
        report.found("announced; a restart is refused before anything is drained")
