"""Cases in which a process is killed, and one in which the host boots."""

import re
import time

from cases import case
from expectations import expect_stated
from machine import PATIENCE
from site_host import INTERVAL, RISE
from waiting import Unmet, wait_until

# Seconds before which the route must not return after the server: the first of `rise` passes may come at once.
RISES = (RISE - 1) * INTERVAL
# Seconds. Milliseconds are usual, but the machines that run this are shared and busy.
MUCH_TOO_LATE = 5.0


@case("boot")
def boot(lab, report):
    """Power off and on: the host boots and its route returns without any action."""
    lab.pop1.switch_off()
    lab.until_moved(0)
    since = time.time()
    lab.pop1.switch_on()
    lab.pop1.wait_until_booted()
    report.found(f"booted after {time.time() - since:.1f} s")
    report.took("routed", lab.until_routed(since, PATIENCE), target=15)
    failed = lab.pop1.ask("systemctl", "--failed", "--plain", "--no-legend")
    if failed:
        raise Unmet(f"units failed: {failed}")


@case("kill -9 of the server")
def server_killed(lab, report):
    """The other PoP answers within milliseconds; systemd restarts the server; the route returns after `rise` passes."""
    pop, unit = lab.pop1, lab.server.unit
    former = pop.main_pid(unit)
    with lab.load() as load:
        since = time.time()
        pop.run("kill", "-KILL", former)
        moved = lab.until_moved(since)
        wait_until(lambda: pop.main_pid(unit) not in (0, former), PATIENCE, "systemd restarts the server", poll=0.05)
        back = lab.until_routed(since + moved, PATIENCE) + moved
    # Counted from before the start of `kill` on the host, which takes part of the time.
    first = load.first_answer_elsewhere(since)
    report.found(f"first answer from pop2 after {first * 1000:.0f} ms, {load.lost()} of {len(load.asked())} queries lost")
    if first > MUCH_TOO_LATE:
        raise Unmet("pop2 answered too late")
    # The exit of the process must cause it, not failed probes.
    if not re.search(rf"process {former} \(.*\) has ended", pop.journal("--unit", "exabgp", f"--since=@{since:.3f}")):
        raise Unmet("the helper did not watch the process")
    report.found(f"back after {back:.2f} s")
    if back < RISES:
        raise Unmet(f"back before {RISE} checks can have passed")


@case("kill -9 of a server with a command before its start")
def server_killed_with_start_command(lab, report):
    """The processes of `ExecStartPre=` are not taken for the server: one exit, one return, one penalty."""
    pop, unit = lab.pop1, lab.server.unit
    drop_in = f"/etc/systemd/system/{unit}.d/start-command.conf"
    pop.write(drop_in, "[Service]\nExecStartPre=/bin/sleep 0.5\n")
    pop.run("systemctl", "daemon-reload")
    try:
        former = pop.main_pid(unit)
        since = time.time()
        pop.run("kill", "-KILL", former)
        lab.until_moved(since)
        wait_until(lambda: pop.main_pid(unit) not in (0, former), PATIENCE, "systemd restarts the server", poll=0.05)
        lab.until_routed(since, PATIENCE)
        watched = re.findall(r"watching (process \d+ \(.*?\))", pop.journal("--unit", "exabgp", f"--since=@{since:.3f}"))
        expected = re.escape(f"process {pop.main_pid(unit)}")
        if len(watched) != 1 or not re.fullmatch(rf"{expected} \((?!sleep).*\)", watched[0]):
            raise Unmet(f"watched: {watched}, expected only the server, {expected}")
    finally:
        pop.run("rm", "-r", drop_in)
        pop.run("systemctl", "daemon-reload")
    report.found(f"only {watched[0]} counted as the server")


@case("kill -9 of dnsherald")
def helper_killed(lab, report):
    """ExaBGP starts another helper, which announces the route again; session and route stay, and no query is lost."""
    pop = lab.pop1
    former = pop.helper()
    lab.note_session()
    with lab.load() as load:
        since = time.time()
        pop.run("kill", "-KILL", former)
        wait_until(lambda: pop.helper() not in (0, former), PATIENCE, "ExaBGP starts another helper", poll=0.05)
        report.took("another helper", time.time() - since, target=5)
        expect_stated(pop.status_if_any, pop.helper())
        report.took("announced again", time.time() - since, target=10)
    lab.expect_steady(since)
    lab.expect_session_kept()
    report.found(f"route kept; {load.lost()} of {len(load.asked())} queries lost")
    if load.lost():
        raise Unmet("queries were lost")


@case("kill -9 of ExaBGP")
def exabgp_killed(lab, report):
    """The closed session moves the route; the server keeps running, so no query is lost; systemd restarts ExaBGP and its helper."""
    pop = lab.pop1
    former = pop.main_pid("exabgp")
    with lab.load() as load:
        since = time.time()
        pop.run("kill", "-KILL", former)
        moved = lab.until_moved(since)
        report.took("moved to pop2", moved, target=1)
        back = lab.until_routed(since + moved, PATIENCE) + moved
        report.took("back", back, target=15)
        wait_until(lambda: pop.main_pid("exabgp") not in (0, former), PATIENCE, "systemd restarts ExaBGP", poll=0.05)
    report.found(f"{load.lost()} of {len(load.asked())} queries lost")
    if load.lost():
        raise Unmet("queries were lost although the server kept running")
