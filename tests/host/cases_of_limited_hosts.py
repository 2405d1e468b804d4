"""Cases of hosts with restrictions. dnsherald names what is missing and announces as far as it can."""

import json
import time

from addresses import POP1, PREFIX_IPV4, PREFIX_IPV6, PREFIXES
from cases import case
from machine import PATIENCE
from servers import UNBOUND
from site_host import CONFIGURATION, STATE
from waiting import Unmet, let_pass, wait_until

# The dialect of each version.
DIALECTS = {"4.2.21": "announce route", "4.2.25": "neighbor * announce route"}
EXAMPLE = "/usr/share/doc/dnsherald/examples/dual-stack.toml"

# Fails like a kernel without IPv6: EAFNOSUPPORT.
WITHOUT_IPV6 = ("RestrictAddressFamilies=AF_INET AF_UNIX AF_NETLINK",)
# Hides systemd's sockets, and the cgroups that it names after units.
WITHOUT_SYSTEMD = ("TemporaryFileSystem=/run/systemd /run/dbus /sys/fs/cgroup", "UnsetEnvironment=NOTIFY_SOCKET")

YEAR = 365 * 86_400
ANOTHER_BOOT = "00000000-0000-4000-8000-000000000000"


def restricted(pop, settings, *command):
    """Runs a command with the unit's settings. Returns its exit status and output."""
    properties = [f"--property={setting}" for setting in settings]
    done = pop.attempt("systemd-run", "--quiet", "--pipe", "--wait", *properties, *command)
    return done.returncode, done.stdout + done.stderr


def wait_for_journal(pop, since, *sentences):
    """Waits until the journal of exabgp.service, with the helper's log, has these sentences."""
    for sentence in sentences:
        said = lambda: sentence in pop.journal("--unit", "exabgp", f"--since=@{since:.3f}")  # noqa: B023, E731
        wait_until(said, PATIENCE, f"the journal says: {sentence}", poll=0.2)


def expect_printed(what, found, *sentences):
    """Fails if the output of a command lacks a sentence, regardless of line breaks."""
    words = " ".join(found.split())
    for sentence in sentences:
        if sentence not in words:
            raise Unmet(f"{what}: expected `{sentence}`, but: {found}")


@case("process by its cgroup")
def cgroup(lab, report):
    """The main process of the unit is found by its cgroup alone, without systemd, in each cgroup version."""
    pop = lab.pop1
    found = pop.run("env", "PATH=/nowhere", "/usr/bin/dnsherald", "check")
    # The name in parentheses is not compared: some servers change it.
    expect_printed("check", found, "check process: passed", f"process {pop.main_pid(lab.server.unit)} (")
    report.found(f"found by {lab.hierarchy.words}")


@case("no IPv6", servers=(UNBOUND,), package=True)
def no_ipv6(lab, report):
    """Checks over IPv6 are unknown, which changes no route; the log says so at once, and as an error after 30 s."""
    pop = lab.pop1
    why = "cannot ask: no IPv6 here"
    with pop.exabgp_with(WITHOUT_IPV6) as since:
        wait_for_journal(pop, since, "check dns/answers: unknown: ", why)
        code, found = restricted(pop, WITHOUT_IPV6, "dnsherald", "check")
        expect_printed("check", found, "192.0.2.53:53 udp 1.0.0.127.in-addr.arpa. PTR ok", why)
        if code != 3:
            raise Unmet(f"check: exit status {code}, expected 3: unknown")
        wait_for_journal(pop, since, "no dns check has had a result within 30s of the start")
        lab.until_routed(since, PATIENCE)
        report.found("both families in one service: the acknowledged route stays, and the log says why")
        since = time.time()
        pop.write(CONFIGURATION, pop.run("cat", EXAMPLE))
        pop.run("dnsherald", "reload")
        wait_for_journal(pop, since, f"resolver-v4: ANNOUNCED {PREFIX_IPV4}")
        report.found("one service for each family: IPv4 announced")
        pop.write(CONFIGURATION, pop.configuration())


@case("read-only /var/lib", servers=(UNBOUND,), package=True)
def read_only(lab, report):
    """Announce, drain and restart work without a state directory; the output says which state will be lost."""
    pop = lab.pop1
    unsaved = "the state is not on disk yet"
    pop.run("sh", "-c", f"rm -r {STATE} && mount --bind /var/lib /var/lib && mount -o remount,bind,ro /var/lib")
    since = pop.start_exabgp_anew()
    wait_for_journal(pop, since, f"cannot write the state to {STATE}/dnsherald-", "Read-only file system")
    lab.until_routed(since, PATIENCE)
    since = time.time()
    drained = pop.attempt("dnsherald", "drain", "--wait")
    expect_printed("drain", drained.stderr, unsaved)
    lab.until_moved(since)
    since = time.time()
    expect_printed("undrain", pop.attempt("dnsherald", "undrain").stderr, unsaved)
    lab.until_routed(since, PATIENCE)
    restarted = pop.attempt("dnsherald", "backend", "restart")
    expect_printed("backend restart", restarted.stderr, f"cannot save the configuration for a rollback in {STATE}-rollback/")
    if drained.returncode or restarted.returncode:
        raise Unmet(f"not drained or not restarted: {drained.stdout}{restarted.stdout}{restarted.stderr}")
    report.found("announced, drained, restarted; the output says which state is lost")
    pop.run("umount", "/var/lib")
    pop.start_exabgp_anew()
    wait_until(lambda: any(pop.path(STATE).glob("*.json")), PATIENCE, "the state is written again", poll=0.1)


@case("wrong clock", servers=(UNBOUND,), package=True)
def wrong_clock(lab, report):
    """Setting the clock changes nothing; after a reboot into the past the drains continue, and no route is adopted.

    A container cannot set its clock, so the test changes the times in the state file instead.
    """
    pop = lab.pop1
    pop.write(CONFIGURATION, pop.configuration().replace('name = "dns"', 'name = "dns"\nstart = "adopt"'))
    pop.run("dnsherald", "reload")

    since = _restart_with_state(pop, {"saved-at": _milliseconds(10 * YEAR)})
    wait_for_journal(pop, since, "service dns: adopting up, acknowledged")
    since = _restart_with_state(pop, {"saved-at": 0})
    wait_for_journal(pop, since, "service dns: adopting up, acknowledged")
    report.found("clock set while the host is up: adopted by the true age")

    ahead = {"saved-at": _milliseconds(10 * YEAR), "uptime": {"boot": ANOTHER_BOOT, "milliseconds": 0}}
    since = _restart_with_state(pop, ahead)
    wait_for_journal(pop, since, "in the future: the clock of this host is or was wrong; no route is adopted", "starting -> up")
    if "adopting" in pop.journal("--unit", "exabgp", f"--since=@{since:.3f}"):
        raise Unmet("a state from the future was adopted")
    since = time.time()
    pop.run("dnsherald", "drain", "--for", "1h", "--reason", "new disk", "--wait")
    lab.until_moved(since)
    since = _restart_with_state(pop, ahead)
    wait_for_journal(pop, since, "in the future", "starting -> drained")
    drain = json.loads(pop.run("dnsherald", "status", "--json"))["services"][0]["drains"][0]
    if not 3000 < drain["expires-in-seconds"] <= 3600:
        raise Unmet(f"the drain should last an hour, but: {drain}")
    report.found("reboot into the past: logged, not adopted, still drained")
    pop.write(CONFIGURATION, pop.configuration())
    pop.run("dnsherald", "reload")
    pop.run("dnsherald", "undrain")


def _milliseconds(from_now):
    return int((time.time() + from_now) * 1000)


def _restart_with_state(pop, changes):
    """Changes the times in the state file and kills the helper. Returns the time of the kill."""
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
    """`api = 6` with ExaBGP 4.2: the log names the mismatch, each refused line and the remedy; a reload then suffices."""
    pop = lab.pop1
    version = pop.run("dpkg-query", "--show", "--showformat=${source:Upstream-Version}", "exabgp")
    understands = f"ExaBGP {version} understands `{DIALECTS[version]}`"
    pop.write(CONFIGURATION, f"[exabgp]\napi = 6\n\n{pop.configuration()}")
    since = pop.start_exabgp_anew()
    wait_for_journal(
        *(pop, since, f"{understands}, but exabgp.api in the configuration asks for `peer * announce route`"),
        *("delete `api`", f"ExaBGP refused `peer * announce route {PREFIX_IPV4}", f"refused `peer * announce route {PREFIX_IPV6}"),
    )
    expect_printed("status", pop.run("dnsherald", "status"), "using dialect `peer * announce route`", "REFUSED by ExaBGP", "refused")
    # Long enough for a line that is sent again.
    let_pass(1.5)
    if any(lab.router.knows_through(POP1.name, prefix) for prefix in PREFIXES):
        raise Unmet("announced although each line is refused")
    since = time.time()
    pop.write(CONFIGURATION, pop.configuration())
    pop.run("dnsherald", "reload")
    report.took("refused and logged; corrected: announced", lab.until_routed(since, PATIENCE), target=5)


@case("no systemd", servers=(UNBOUND,), package=True)
def no_systemd(lab, report):
    """Without systemd the process is unknown and only the answers decide; commands that need systemd touch nothing."""
    pop = lab.pop1
    with pop.exabgp_with(WITHOUT_SYSTEMD) as since:
        unknown = "is systemd running? Without systemd, set `pid-file`"
        wait_for_journal(pop, since, unknown, "starting -> up")
        lab.until_routed(since, PATIENCE)
        since = time.time()
        _, status = restricted(pop, WITHOUT_SYSTEMD, "dnsherald", "backend", "status")
        expect_printed("backend status", status, f"unit {lab.server.unit}: systemd does not run this host", "configuration valid")
        code, hooks = restricted(pop, WITHOUT_SYSTEMD, "dnsherald", "backend", "hooks", lab.server.unit)
        expect_printed("backend hooks", hooks, f"unit {lab.server.unit}: systemctl cat", "not been booted with systemd")
        refused, restart = restricted(pop, WITHOUT_SYSTEMD, "dnsherald", "backend", "restart")
        remedy = "say how the server is handled here, with `restart`"
        expect_printed("backend restart", restart, "systemd does not run this host", remedy, "not touched")
        if (code, refused) != (1, 1):
            raise Unmet(f"exit status of hooks {code} and restart {refused}, expected 1")
        lab.expect_steady(since)
        report.found("announced; a restart is refused before it drains")
