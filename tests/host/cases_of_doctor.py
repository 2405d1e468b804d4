"""`dnsherald doctor` on a host with systemd: each fault is found with its remedy, and its finding is gone after the remedy."""

import json
from contextlib import contextmanager

from addresses import ANYCAST_IPV4
from cases import case
from cases_of_limited_hosts import wait_for_journal
from machine import PATIENCE
from servers import UNBOUND
from site_host import STATE
from waiting import Unmet, wait_until

EXIT_STATUS = {"warning": 1, "error": 2}
UNITS = "/etc/systemd/system"
HOOKS = f"{UNITS}/{UNBOUND.unit}.d/dnsherald.conf"
OVERRIDES = f"{UNITS}/{UNBOUND.unit}.d/zz.conf"
GROUP = f"{UNITS}/exabgp.service.d/dnsherald-unbound.conf"
USER = f"{UNITS}/exabgp.service.d/user.conf"
DIRECTORIES = "tmpfiles.d/dnsherald.conf"
EXABGP = "/etc/exabgp/exabgp.conf"
TIMEDATECTL = "/usr/bin/timedatectl"
LISTENS = "/etc/unbound/unbound.conf.d/anycast.conf"
AS_STRANGER = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
# A neighbor beside the one that lists the process.
OTHER_NEIGHBOR = "neighbor 10.1.0.9 {\n    local-address 10.1.0.2;\n    local-as 64512;\n    peer-as 64513;\n    hold-time 9;\n}\n"


@case("doctor: units", servers=(UNBOUND,), package=True)
def units(lab, report):
    """Hooks overridden and missing, a helper without its group or its directories, the clock; seen by root and by a stranger."""
    pop, unit = lab.pop1, lab.server.unit
    with clock_said_to_be_synchronized(pop, "no"):
        expect_found(pop, "clock", "install chrony, or `timedatectl set-ntp true`", also=("control-access",))
    with clock_said_to_be_synchronized(pop, "yes"):
        expect_found(pop, also=("control-access",))
    ungrouped = ("control-access", "user `exabgp`", "cannot use /run/unbound.ctl", "SupplementaryGroups=unbound; then systemctl daemon-reload")
    expect_found(pop, *ungrouped)
    unread = expect_found(pop, *ungrouped, user=AS_STRANGER)
    if {it["check"] for it in unread if "run this as root" in it["why"]} != {"ExaBGP and helper", "acknowledgments", "respawn"}:
        raise Unmet(f"a user who may read neither the environment of ExaBGP nor the namespaces: {unread}")
    pop.write(GROUP, "[Service]\nSupplementaryGroups=unbound\n")
    pop.run("systemctl", "daemon-reload")
    # The group of the running helper counts, not that of its unit.
    expect_found(pop, "control-access", "restart ExaBGP when the host may be drained")
    pop.start_exabgp_anew()
    expect_found(pop)
    pop.write(USER, "[Service]\nUser=daemon\nGroup=daemon\n")
    since = pop.start_exabgp_anew()
    # The helper tries to open its sockets before the directory is repaired.
    wait_for_journal(pop, since, "will find no helper")
    copied = f"put a changed copy of /usr/lib/{DIRECTORIES} into /etc/tmpfiles.d"
    expect_found(pop, "directory-access", "user `daemon`", "cannot write to /run/dnsherald", "cannot write to /var/lib/dnsherald", copied)
    pop.write(f"/etc/{DIRECTORIES}", pop.run("cat", f"/usr/lib/{DIRECTORIES}").replace(" exabgp ", " daemon "))
    pop.run("systemd-tmpfiles", "--create", "dnsherald.conf")
    # The helper has started without its sockets.
    expect_found(pop, "helper-missing", "it runs without sockets", "then restart ExaBGP")
    pop.start_exabgp_anew()
    expect_found(pop)
    for path in (USER, f"/etc/{DIRECTORIES}"):
        pop.path(path).unlink()
    pop.run("chown", "--recursive", "exabgp:", STATE)
    pop.start_exabgp_anew()
    expect_found(pop)
    report.found("group and directories of the helper")
    overrides = (f"another drop-in of {unit} ({OVERRIDES}) overrides {HOOKS}", f"`systemctl cat {unit}` shows")
    for lines, found, *words in (
        ("ExecStop=", "drop-in-overridden", "it does not drain before a stop (`ExecStop=`)", *overrides),
        ("ExecStartPost=", "drop-in-overridden", "it does not end the drain after a start (`ExecStartPost=`)", *overrides),
        ("TimeoutStopSec=5", "stop-timeout", f"{unit}: a drain may take 50s, and systemd ends it after 5s (`TimeoutStopSec=`)", f"remove `TimeoutStopSec=` from {OVERRIDES}"),
    ):
        pop.write(OVERRIDES, f"[Service]\n{lines}\n")
        expect_found(pop, "daemon-reload", f"the files of {unit} changed since systemd read them", "systemctl daemon-reload")
        pop.run("systemctl", "daemon-reload")
        expect_found(pop, found, *words)
        pop.path(OVERRIDES).unlink()
        pop.run("systemctl", "daemon-reload")
        expect_found(pop)
    pop.path(HOOKS).unlink()
    pop.run("systemctl", "daemon-reload")
    install = f"dnsherald backend hooks {unit} --install"
    expect_found(pop, "drop-in-missing", f"{unit} has no drop-in of dnsherald", f"`{install}`")
    pop.run(*install.split())
    expect_found(pop)
    report.found("hooks overridden three ways, and missing")
    pop.path(GROUP).unlink()
    pop.start_exabgp_anew()


@case("doctor: service", servers=(UNBOUND,), package=True)
def service(lab, report):
    """`rp_filter`, `respawn false`, neighbors that do not list the process, an address that is missing or not listened at."""
    pop, known = lab.pop1, ("control-access",)
    with another_way_to_clients(pop):
        pop.set_kernel_parameters("net.ipv4.conf.router.rp_filter=1")
        expect_found(pop, "rp-filter", "arrive on router", "sysctl -w net.ipv4.conf.INTERFACE.rp_filter=2", also=known)
        pop.set_kernel_parameters("net.ipv4.conf.router.rp_filter=2")
        expect_found(pop, also=known)
        pop.set_kernel_parameters("net.ipv4.conf.router.rp_filter=0")
    for former, new, *finding in (
        ("encoder text;", "encoder text;\n    respawn false;", "respawn-off", f"{EXABGP}:", "remove `respawn` from the process"),
        ("[ dnsherald ]", "[ other ]", "no-neighbor", "no neighbor lists process `dnsherald`", "add `api { processes [ dnsherald ];"),
        ("\nneighbor ", f"\n{OTHER_NEIGHBOR}neighbor ", "process-not-listed", "neighbor 10.1.0.9", "add `api { processes [ dnsherald ];"),
    ):
        with changed(pop, EXABGP, former, new):
            expect_found(pop, *finding, also=known)
        expect_found(pop, also=known)
    report.found("rp_filter, respawn, neighbors")
    address = (f"{ANYCAST_IPV4}/32", "dev", "lo")
    pop.run("ip", "address", "del", *address)
    missing = (f"service dns: {ANYCAST_IPV4} is not on this host", "`ip address add ADDRESS/32 dev lo`")
    expect_found(pop, "address-missing", *missing, also=known)
    pop.run("ip", "address", "add", *address)
    expect_found(pop, also=known)
    silent = [f"no server listens at {ANYCAST_IPV4}:53 over {protocol}" for protocol in ("UDP", "TCP")]
    with changed(pop, LISTENS, f"    interface: {ANYCAST_IPV4}\n", ""):
        restart_server(pop)
        expect_found(pop, "not-listening", *silent, f"let the server listen at {ANYCAST_IPV4}:53 over UDP and TCP", also=known)
    restart_server(pop)
    expect_found(pop, also=known)
    report.found("address and listener")


def expect_found(pop, *wanted, also=(), user=()):
    """Waits until `doctor` has one kind of finding, those of `also`, and that of the clock of this machine.

    `wanted` is its word, and texts of the findings or their remedies; nothing if there should be none. Returns what `doctor` has not
    checked.
    """
    word, *texts = wanted or ("",)
    is_synchronized = pop.ask("timedatectl", "show", "-p", "NTPSynchronized", "--value") == "yes"
    kinds = {word, *also} - {""} | (set() if is_synchronized else {"clock"})
    documents = []

    def is_found():
        done = pop.attempt(*user, "dnsherald", "doctor", "--json")
        document = json.loads(done.stdout or "{}")
        documents[:] = [document or done.stderr]
        findings = document.get("findings", [])
        said = "\n".join(f"{it['what']}\n{it['remedy']}" for it in findings if it["id"] == word)
        status = max((EXIT_STATUS[it["severity"]] for it in findings), default=0)
        return {it["id"] for it in findings} == kinds and all(text in said for text in texts) and done.returncode == status

    try:
        wait_until(is_found, PATIENCE / 3, f"doctor finds {', '.join(sorted(kinds))} with {texts}", poll=0.2)
    except Unmet as error:
        raise Unmet(f"{error}, but {json.dumps(documents[0], indent=1)}") from None
    return documents[0]["not-checked"]


@contextmanager
def clock_said_to_be_synchronized(pop, answer):
    """A stand-in for timedatectl: hosts have the clock of the machine, and cannot set it."""
    pop.run("mv", TIMEDATECTL, f"{TIMEDATECTL}.kept")
    pop.write(TIMEDATECTL, f"#!/bin/sh\necho {answer}\n", mode=0o755)
    yield
    pop.run("mv", f"{TIMEDATECTL}.kept", TIMEDATECTL)


@contextmanager
def changed(pop, path, former, new):
    """The file with another text in it, restored at the end."""
    text = pop.path(path).read_text()
    if former not in text:
        raise Unmet(f"{path}: no {former!r}")
    pop.write(path, text.replace(former, new, 1))
    yield
    pop.write(path, text)


@contextmanager
def another_way_to_clients(pop):
    """A route to the client that `doctor` looks up, over another interface than that of the router."""
    pop.run("ip", "link", "add", "other", "type", "veth", "peer", "name", "other-end")
    for interface in ("other", "other-end"):
        pop.run("ip", "link", "set", interface, "up")
    pop.run("ip", "address", "add", "10.9.0.1/24", "dev", "other")
    pop.run("ip", "route", "add", "198.41.0.0/24", "via", "10.9.0.2", "dev", "other")
    yield
    pop.run("ip", "link", "delete", "other")


def restart_server(pop):
    """Kills it, so that systemd starts it without a drain."""
    former = pop.main_pid(pop.server.unit)
    pop.run("kill", "-KILL", former)
    wait_until(lambda: pop.main_pid(pop.server.unit) not in (0, former), PATIENCE, "systemd restarts the server", poll=0.05)
