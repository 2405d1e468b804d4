"""`backend restart` is interrupted or killed at each of its steps: the service is then announced as before, or drained."""

import re
import signal
import time
from dataclasses import dataclass

from addresses import POP1
from cases import case
from configuration import Check, resolver
from expectations import TIMING, expect_done
from process import end
from server import UNBOUND, Server
from unbound import IDENTITY_NAME
from waiting import Unmet, wait_until

HOLDER = "backend/unbound"
LEFT_DRAINED = 3


@dataclass(frozen=True)
class Stop:
    """A point at which the restart is interrupted."""

    step: str
    # Where the script of the server blocks.
    held: str = ""
    # The state of the server at that point: as it was, dead, or alive and refusing the checks.
    server: str = "as it was"

    @property
    def is_harmless(self):
        return self.step in ("configuration", "quiet")


STOPS = (
    Stop("configuration", held="check"),
    Stop("quiet", held="count"),
    Stop("restart", held="restart"),
    Stop("restart", held="dead", server="dead"),
    Stop("listeners", server="dead"),
    Stop("checks", server="refuses"),
)


@case("restart interrupted", once=True)
def interrupted(lab, report):
    """SIGINT and SIGTERM at each step: undrained if the server was not touched, otherwise drained until it is healthy."""
    _interrupt_everywhere(lab, report, (signal.SIGINT, signal.SIGTERM))


@case("restart killed", once=True)
def killed(lab, report):
    """SIGKILL at each step: the drain, if it had begun, stays with its reason, and with an end; a dead server is never announced."""
    _interrupt_everywhere(lab, report, (signal.SIGKILL,))


@case("restart interrupted twice", once=True)
def interrupted_twice(lab, report):
    """A second restart that is interrupted before it touches the server keeps the drain of the failed first one."""
    server = _announced(lab)
    for stop in (Stop("restart", held="dead", server="dead"), Stop("quiet", held="count")):
        _interrupt(lab, server, stop, signal.SIGINT)
    _expect_drained(lab)
    report.found("still drained")
    _repair(lab, server, Stop("restart", server="dead"))
    report.found("repaired")


@case("rollback interrupted", once=True)
def rollback_interrupted(lab, report):
    """A rollback excludes a second restart; interrupted with the server dead, it leaves the service drained."""
    server = _announced(lab, start_timeout="1s")
    expect_done(lab.pop1.dnsherald("backend", "restart"))
    server.refuse(POP1.management_ipv4)
    refusing = server.file.read_text()
    restart, output = _begin_restart(lab, "--rollback")
    wait_until(lambda: _has_shown(output, "zones"), 20, "the restart waits for the checks")
    server.hold("dead")
    wait_until(lambda: server.is_held("dead"), 20, "the restart rolls back")
    second = lab.pop1.dnsherald("backend", "restart")
    if second.returncode != 1 or "another restart is under way" not in second.stdout:
        raise Unmet(f"a second restart: exit status {second.returncode}, {second.stdout}")
    restart.send_signal(signal.SIGTERM)
    restart.communicate(timeout=20)
    if restart.returncode != LEFT_DRAINED or server.file.read_text() == refusing:
        raise Unmet(f"exit status {restart.returncode}: {output.read_text()}")
    _expect_drained(lab)
    server.abandon("dead")
    _repair(lab, server, Stop("restart", server="dead"))
    report.found("the second restart refused, drained, repaired")


@case("helper killed in a restart", once=True)
def helper_killed(lab, report):
    """kill -9 of the helper while the restart waits for its checks: the successor keeps the drain, the restart finishes."""
    server = _announced(lab)
    server.refuse(POP1.management_ipv4)
    restart, output = _begin_restart(lab)
    wait_until(lambda: _has_shown(output, "zones"), 20, "the restart waits for the checks")
    since, former = time.time(), lab.pop1.exabgp.helper()
    end(former)
    lab.pop1.exabgp.helper_other_than(former)
    lab.watch_steady(since, TIMING.to_notice_an_error())
    lab.until_withdrawn(0, 0)
    server.stop()
    server.start()
    restart.communicate(timeout=60)
    if restart.returncode != 0:
        raise Unmet(f"exit status {restart.returncode}: {output.read_text()}")
    lab.until_routed(since, 5.0)
    report.found("the successor keeps the drain; back after the restart")


def _announced(lab, **keys):
    server = Server(lab.pop1, UNBOUND)
    checks = (Check("answers", server=(POP1.management_ipv4,), query=f"{IDENTITY_NAME} TXT"),)
    backend = server.backend(
        config_check=(str(server.script), "check"),
        counters=(str(server.script), "count"),
        quiet_for="100ms",
        **keys,
    )
    state = lab.pop1.folder / "state"
    lab.start_announced(resolver(POP1, timing=TIMING, checks=checks, state=state, backend=backend), server=server)
    return server


def _interrupt_everywhere(lab, report, signals):
    server = _announced(lab)
    for stop in STOPS:
        for number in signals:
            try:
                since = time.time()
                _interrupt(lab, server, stop, number)
                _expect_left(lab, stop, number, since)
                _repair(lab, server, stop)
            except Unmet as unmet:
                raise Unmet(f"{number.name} at {stop.step}, server {stop.server}: {unmet}") from unmet
    report.found(f"{len(STOPS) * len(signals)} interruptions, each with the expected state")


def _interrupt(lab, server, stop, number):
    if stop.server == "refuses":
        server.refuse(POP1.management_ipv4)
    if stop.step == "listeners":
        server.does_not_start()
    if stop.held:
        server.hold(stop.held)
    restart, output = _begin_restart(lab)

    def is_reached():
        # The output shows that the previous step is finished.
        before = {"listeners": "process", "checks": "zones"}.get(stop.step)
        return server.is_held(stop.held) if stop.held else _has_shown(output, before)

    wait_until(is_reached, 20, f"the restart reaches {stop.step}")
    if not stop.is_harmless:
        lab.until_withdrawn(0, 0)
    restart.send_signal(number)
    restart.communicate(timeout=20)
    ends = {signal.SIGKILL: -signal.SIGKILL}.get(number, 1 if stop.is_harmless else LEFT_DRAINED)
    if restart.returncode != ends:
        raise Unmet(f"exit status {restart.returncode}, not {ends}: {output.read_text()}")
    if stop.held:
        server.abandon(stop.held)


def _begin_restart(lab, *options):
    """Starts `backend restart`. Returns the process and the file with its output."""
    output = lab.pop1.folder / "restart.log"
    return lab.pop1.begin_dnsherald("backend", "restart", *options, output=output), output


def _has_shown(output, step):
    return re.search(rf"^  {step} ", output.read_text(), re.MULTILINE)


def _is_as_before(service):
    return service["state"] == "up" and not service["drains"]


def _expect_left(lab, stop, number, since):
    """Checks the status after an interruption."""
    if stop.step == "configuration":
        lab.expect_steady(since)
    if stop.step == "configuration" or (stop.is_harmless and number != signal.SIGKILL):
        # The route may not have changed at all, or not yet.
        wait_until(lambda: _is_as_before(lab.pop1.status()["services"][0]), 20, "the service is up, and not drained")
        lab.until_routed(0, 5.0)
        return
    _expect_drained(lab, ends=number == signal.SIGKILL)


def _expect_drained(lab, ends=False):
    """Drained in the name of the restart; after SIGKILL the drain has an end, after a failure it has none."""
    lab.until_withdrawn(0, 0)
    service = lab.pop1.status()["services"][0]
    held = [drain for drain in service["drains"] if drain["holder"] == HOLDER]
    if service["state"] != "drained" or not held:
        raise Unmet(f"not drained: {service['state']}, {service['reason']}")
    expires = held[0]["expires-in-seconds"]
    has_right_end = 0 < (expires or 0) < 900 if ends else expires is None
    if not held[0]["reason"].startswith("restart unbound") or not has_right_end:
        raise Unmet(f"the drain has no proper reason or end: {held[0]}")


def _repair(lab, server, stop):
    """Ends the drain by `undrain` or by its end: the route returns only once the server is healthy."""
    if stop.is_harmless or stop.server == "as it was":
        expect_done(lab.pop1.dnsherald("undrain", "--once-healthy", "--quiet-if-none"))
    else:
        since = time.time()
        if stop.step == "listeners":
            # Shortens the drain instead of waiting for its end.
            expect_done(lab.pop1.dnsherald("drain", "--as", HOLDER, "--for", "1s"))
            wait_until(lambda: not lab.pop1.status()["services"][0]["drains"], 10, "the drain expires")
        else:
            expect_done(lab.pop1.dnsherald("undrain"))
        lab.watch_steady(since, 2 * TIMING.to_notice_an_error())
        lab.until_withdrawn(0, 0)
        if stop.step == "listeners":
            server.starts_again()
        if server.is_alive():
            server.stop()
        server.start()
    lab.until_routed(0, 5.0)
    wait_until(lambda: lab.pop1.status()["services"][0]["state"] == "up", 10, "the service is up")
