"""Cases in which dnsherald restarts the DNS server, or the server dies, under 500 queries per second."""

import json
import os
import re
import shutil
import statistics
import time

from addresses import POP1, PREFIXES
from cases import case
from configuration import Check, ProcessCheck, resolver
from expectations import RATE, TIMING, expect_done, expect_none_lost, expect_served, lost, serve_from_both
from server import BIND, KNOT, NSD, UNBOUND, Server
from unbound import IDENTITY_NAME
from waiting import PATIENCE, Unmet, wait_until

# A process check, and a check with the client's query, which all four servers answer.
CHECKS = (
    ProcessCheck(),
    Check("answers", server=(POP1.management_ipv4, POP1.management_ipv6), query=f"{IDENTITY_NAME} TXT"),
)
# About a dozen are lost on an idle machine. The limit is one second of queries, for busy machines.
MOST_LOST = RATE
UNIT = "unbound.service"
# The exit status of a restart that was rolled back.
ROLLED_BACK = 4
# Seconds on a busy machine; a command that waits for the helper or for a quiet server takes longer.
AT_ONCE = 10.0


@case("restart of Unbound", once=True)
def restart_unbound(lab, report):
    """`backend restart` of Unbound under 500 queries per second loses none."""
    _restart(lab, report, UNBOUND)


@case("restart of BIND", once=True)
def restart_bind(lab, report):
    """`backend restart` of BIND under 500 queries per second loses none."""
    _restart(lab, report, BIND)


@case("restart of NSD", once=True)
def restart_nsd(lab, report):
    """`backend restart` of NSD under 500 queries per second loses none."""
    _restart(lab, report, NSD)


@case("restart of Knot DNS", once=True)
def restart_knot(lab, report):
    """`backend restart` of Knot DNS under 500 queries per second loses none."""
    _restart(lab, report, KNOT)


@case("reload and command", once=True)
def reload_and_command(lab, report):
    """`backend restart --reload` keeps the process, `--command` replaces it; both drain first and lose no query."""
    server = Server(lab.pop1, UNBOUND)
    serve_from_both(lab, _configuration(lab, server), server)
    begun = time.time()
    for words, is_another in ((("--reload",), False), (("--command", f"{server.script} restart"), True)):
        former, since = server.pid(), time.time()
        expect_done(lab.pop1.dnsherald("backend", "restart", *words))
        if (server.pid() != former) != is_another or not lab.left(POP1, since):
            raise Unmet(f"{words[0]}: process {former}, now {server.pid()}; not drained, or the wrong process")
        expect_served(lab, "pop1", time.time())
    expect_none_lost(lab, report, begun)


@case("process killed", once=True)
def process_killed(lab, report):
    """kill -9 of Unbound: the pidfd reports it, the routes are withdrawn, PoP 2 takes over within a dozen queries."""
    server = Server(lab.pop1, UNBOUND)
    serve_from_both(lab, resolver(POP1, timing=TIMING, checks=CHECKS, backend=server.backend()), server)
    missing, moved = [], []
    for _ in range(lab.repeat or 3):
        since, former = time.time(), server.pid()
        server.kill()
        moved.append(expect_served(lab, "pop2", since) - since)
        missing.append(lost(lab, since)[0])
        # The exit of the process must cause it, not failed probes.
        if not re.search(rf"process {former} \(.*\) has ended", lab.pop1.exabgp.helper_says()):
            raise Unmet(f"the helper did not watch process {former}")
        server.run()
        expect_served(lab, "pop1", time.time())
    median, most = statistics.median(missing), max(missing)
    report.found(f"{median:g} queries lost in the median of {len(missing)}, at most {most}")
    report.found(f"pop2 answers after {statistics.median(moved) * 1000:.0f} ms, at most {max(moved) * 1000:.0f}")
    report.found(f"load {os.getloadavg()[0]:.1f}")
    if median > MOST_LOST:
        raise Unmet(f"more than {MOST_LOST} queries lost in the median")


@case("plain restarts", once=True)
def plain_restarts(lab, report):
    """Three restarts of each server without dnsherald: withdrawn at once, back at once, no penalty at either PoP."""
    servers = {pop: Server(pop, UNBOUND) for pop in (lab.pop1, lab.pop2)}
    for pop, dampening in ((lab.pop2, {}), (lab.pop1, {"mode": "enforce"})):
        checks = (CHECKS[0], Check("answers", server=pop.site.management, query=f"{IDENTITY_NAME} TXT"))
        backend = servers[pop].backend()
        pop.start_service(resolver(pop.site, timing=TIMING, checks=checks, dampening=dampening, backend=backend), server=servers[pop])
        _wait_until_up(lab, pop)
    lab.note_session()
    took = []
    for _ in range(lab.repeat or 3):
        for pop, server in servers.items():
            former = server.pid()
            server.stop()
            server.run()
            since = time.time()
            wait_until(lambda: _has_ended(pop, former), PATIENCE, f"{pop.site.name} logs the exit of process {former}")
            _wait_until_up(lab, pop)
            took.append(time.time() - since)
    for pop in servers:
        dampening = pop.status()["services"][0]["dampening"]
        if dampening["falls"] or dampening["penalty"] or dampening["suppressed"]:
            raise Unmet(f"{pop.site.name}: a quick restart must not count as a fall, but the status says {dampening}")
    report.took("back", max(took), TIMING.to_return())


def _has_ended(pop, pid):
    return re.search(rf"process {pid} \(.*\) has ended", pop.exabgp.helper_says())


def _wait_until_up(lab, pop):
    """Waits until the service is up and the router has its routes."""

    def is_up():
        status = pop.status_if_any()
        known = all(lab.router.knows_through(pop.site.name, prefix) for prefix in PREFIXES)
        return known and status and status["services"][0]["state"] == "up"

    wait_until(is_up, PATIENCE, f"{pop.site.name} is up", poll=0.02)


@case("rollback", once=True)
def rollback(lab, report):
    """The new configuration passes the check, but the server does not answer: the old one is restored, no query is lost."""
    server = Server(lab.pop1, UNBOUND)
    serve_from_both(lab, _configuration(lab, server, start_timeout="1s"), server)
    begun = time.time()
    refused = lab.pop1.dnsherald("backend", "restart", "--rollback")
    if refused.returncode != 1 or "no configuration is saved" not in refused.stdout:
        raise Unmet(f"expected a refusal without a saved configuration: exit status {refused.returncode}, {refused.stdout}")
    lab.expect_steady(begun)
    shutil.chown(server.file, group="nsd")
    good = server.file.read_text()
    expect_done(lab.pop1.dnsherald("backend", "restart"))
    server.refuse(POP1.management_ipv4)
    since = time.time()
    done = lab.pop1.dnsherald("backend", "restart", "--rollback", "--json")
    took = time.time() - since
    if done.returncode != ROLLED_BACK or json.loads(done.stdout)["outcome"] != "rolled-back":
        raise Unmet(f"exit status {done.returncode}: {done.stdout} {done.stderr}")
    if server.file.read_text() != good or server.file.group() != "nsd":
        raise Unmet("the configuration was not restored")
    if "refuse" not in server.file.with_name(".server.conf.rolled-back").read_text():
        raise Unmet("the new configuration was not kept beside it")
    expect_served(lab, "pop1", since + took)
    report.found(f"rolled back after {took:.2f} s")
    expect_none_lost(lab, report, begun)


@case("stopped by its unit", once=True)
def stopped_by_unit(lab, report):
    """The drop-in drains before the unit stops and undrains after it has started; no query is lost."""
    server = Server(lab.pop1, UNBOUND)
    configuration = _configuration(lab, server, unit=UNIT)
    serve_from_both(lab, configuration, server)
    since = time.time()
    _drop_in(lab, server, "stopping")
    expect_served(lab, "pop2", time.time())
    drain = lab.pop1.status()["services"][0]["drains"][0]
    if drain["holder"] != UNIT or drain["reason"] != f"{UNIT} stops" or not 0 < drain["expires-in-seconds"] <= 360:
        raise Unmet(f"not the expected drain: {drain}")
    server.stop()
    server.run()
    started = time.time()
    _drop_in(lab, server, "started")
    report.took("back", expect_served(lab, "pop1", started) - started, TIMING.to_return())
    expect_none_lost(lab, report, since)
    elsewhere = configuration.written(control=lab.pop1.folder / "nothing-here")
    for what, text in (("another directory", elsewhere), ("garbage", "nonsense")):
        lab.pop1.write_configuration(text)
        stopping = _drop_in(lab, server, "stopping")
        if not lab.pop1.status("--control", lab.pop1.folder / "control")["services"][0]["drains"]:
            raise Unmet(f"{what}: not drained, {stopping.stderr.strip()!r}")
        _drop_in(lab, server, "started")
        expect_served(lab, "pop1", time.time())
    report.found("the commands find the running helper with a wrong or unreadable file")
    # The BGP session ends with ExaBGP.
    lab.session = None
    lab.pop1.exabgp.stop()
    for what, text in (("without a helper", elsewhere), ("garbage", "nonsense")):
        lab.pop1.write_configuration(text)
        for word in ("stopping", "started"):
            since = time.time()
            said = _drop_in(lab, server, word).stderr.strip()
            if not said or time.time() - since > AT_ONCE:
                raise Unmet(f"{what}, {word}: after {time.time() - since:.2f} s it said {said!r}")
    report.found("without a helper or a configuration the unit stops and starts without delay")


def _drop_in(lab, server, word):
    """Runs the command as systemd does."""
    return expect_done(lab.pop1.dnsherald("backend", word, UNIT, environment={"MAINPID": str(server.pid())}))


def _configuration(lab, server, **keys):
    """A configuration with enforced dampening: a planned restart must not add a penalty."""
    state, backend = lab.pop1.folder / "state", server.backend(**keys)
    return resolver(POP1, timing=TIMING, checks=CHECKS, dampening={"mode": "enforce"}, state=state, backend=backend)


def _restart(lab, report, kind):
    server = Server(lab.pop1, kind)
    serve_from_both(lab, _configuration(lab, server), server)
    begun, took = time.time(), []
    for _ in range(lab.repeat or 1):
        former, since = server.pid(), time.time()
        done = json.loads(expect_done(lab.pop1.dnsherald("backend", "restart", "--json")).stdout)
        took.append(time.time() - since)
        if done["outcome"] != "restarted" or server.pid() == former:
            raise Unmet(f"not restarted: {done}")
        if not lab.left(POP1, since):
            raise Unmet("restarted without a drain")
        expect_served(lab, "pop1", since + took[-1])
    report.found(f"{len(took)} restarts, {statistics.median(took):.2f} s each")
    expect_none_lost(lab, report, begun)
