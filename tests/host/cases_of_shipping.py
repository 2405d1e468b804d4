"""Cases of the files in the package: the configuration, the drop-in of exabgp.service, the drain at shutdown."""

import json
import time

from addresses import POP1, PREFIX_IPV4, PREFIXES
from cases import case
from machine import PATIENCE, REBOOT
from servers import UNBOUND
from site_host import CONFIGURATION
from waiting import Unmet, let_pass, wait_until

# Seconds, as in the packaged drop-in. The helper notifies the watchdog four times in this period.
WATCHDOG = 30
LAST_SIGN = WATCHDOG / 4
# For a case that does not depend on the period.
SHORT_WATCHDOG = 6
WITHOUT_RESPAWN = ("Environment=exabgp_api_respawn=false", f"Environment=DNSHERALD_WATCHDOG={SHORT_WATCHDOG}s")


def edited(shipped, values):
    """The shipped configuration with the operator's edits: two values, and `enabled = true`."""
    values = {**values, "enabled": True}
    kept = shipped.splitlines()
    marked = [number for number, line in enumerate(kept) if "# <--" in line]
    if [kept[number].split(" = ")[0] for number in marked] != list(values) or "\nenabled = false" not in shipped:
        raise Unmet(f"expected {', '.join(values)} to be marked, and no service to be enabled, in: {shipped}")
    for number, (key, value) in zip(marked, values.items()):
        kept[number] = f"{key} = {json.dumps(value)}"
    return "\n".join(kept) + "\n"


def expect_drained_first(lab, since):
    """Waits until the traffic is at PoP 2; the session and the server must still be up."""
    lab.until_moved(since)
    if not lab.router.established(POP1.name) or not lab.pop1.main_pid(lab.server.unit):
        raise Unmet("the session or the server ended before the route moved")


@case("as shipped", servers=(UNBOUND,), package=True)
def as_shipped(lab, report):
    """The shipped configuration announces nothing; after the edits that it asks for, it announces the prefixes."""
    pop = lab.pop1
    shipped = pop.run("sh", "-c", f"dpkg-deb --fsys-tarfile {pop.package_file()} | tar -xO .{CONFIGURATION}")
    since = time.time()
    pop.write(CONFIGURATION, shipped)
    pop.run("dnsherald", "reload")
    lab.until_moved(since)
    pop.write(CONFIGURATION, edited(shipped, {"management": pop.site.management, "prefixes": PREFIXES}))
    since = time.time()
    for command in ("check-config", "check", "reload"):
        pop.run("dnsherald", command)
    report.took("edited: announced", lab.until_routed(since, PATIENCE), target=15)
    pop.write(CONFIGURATION, pop.configuration())
    pop.run("dnsherald", "reload")
    lab.wait_until_ready()


@case("systemctl stop exabgp", servers=(UNBOUND,), package=True)
def exabgp_stopped(lab, report):
    """ExecStop drains before ExaBGP closes its session; after a start the route returns."""
    pop = lab.pop1
    with lab.load() as load:
        since = time.time()
        pop.run("systemctl", "stop", "--no-block", "exabgp")
        expect_drained_first(lab, since)
        wait_until(lambda: pop.state("exabgp") == "inactive", PATIENCE, "exabgp.service stops", poll=0.05)
        report.found(f"stopped after {time.time() - since:.1f} s")
        since = time.time()
        pop.run("systemctl", "start", "exabgp")
        report.took("back", lab.until_routed(since, PATIENCE), target=10)
    load.expect_none_lost(report)


@case("reboot", package=True)
def reboot(lab, report):
    """A reboot drains before it stops any unit, and the route returns without any action."""
    pop = lab.pop1
    with lab.load() as load:
        since = time.time()
        pop.run("systemctl", "reboot")
        expect_drained_first(lab, since)
        status = pop.wait_until_off()
        if status != REBOOT:
            raise Unmet(f"systemd-nspawn exited with status {status}, not {REBOOT}")
        report.found(f"down after {time.time() - since:.1f} s")
        pop.switch_off()
        since = time.time()
        pop.switch_on()
        pop.wait_until_booted()
        report.took("back", lab.until_routed(since, PATIENCE), target=15)
    load.expect_none_lost(report)


@case("dnsherald frozen", servers=(UNBOUND,), package=True)
def frozen(lab, report):
    """SIGSTOP of the helper: the watchdog of exabgp.service ends ExaBGP, which withdraws; systemd starts both again."""
    pop = lab.pop1
    since = time.time()
    pop.run("kill", "-STOP", pop.helper())
    moved = lab.until_moved(since)
    report.took("withdrawn", moved, target=WATCHDOG + 1)
    if moved < WATCHDOG - LAST_SIGN - 1:
        raise Unmet("withdrawn before the watchdog can have expired")
    report.took("back", lab.until_routed(since + moved, PATIENCE) + moved, target=WATCHDOG + 15)


@case("helper gone for good", servers=(UNBOUND,), package=True)
def gone_for_good(lab, report):
    """ExaBGP exits after too many deaths of its helper; without respawn, the watchdog ends it.

    In both cases the session and the route end, and systemd starts ExaBGP and its helper again.
    """
    pop = lab.pop1
    since, former, killed = time.time(), pop.main_pid("exabgp"), set()

    def given_up():
        helper = pop.helper()
        if helper and pop.attempt("kill", "-KILL", helper).returncode == 0:
            killed.add(helper)
        return pop.main_pid("exabgp") != former

    wait_until(given_up, PATIENCE, "ExaBGP exits", poll=0.05)
    # The route is newer than `since` only if it was withdrawn.
    report.took(f"{len(killed)} killed: withdrawn, and back", lab.until_routed(since, PATIENCE), target=20)
    with pop.exabgp_with(WITHOUT_RESPAWN) as anew:
        lab.until_routed(anew, PATIENCE)
        since = time.time()
        pop.run("kill", "-KILL", pop.helper())
        moved = lab.until_moved(since)
        report.took("no respawn: withdrawn", moved, target=SHORT_WATCHDOG + 1)
        if moved < SHORT_WATCHDOG * 3 / 4 - 1:
            raise Unmet("withdrawn before the watchdog can have expired")
        if "Watchdog timeout" not in pop.journal("--unit", "exabgp", f"--since=@{since:.3f}"):
            raise Unmet("the watchdog did not end ExaBGP")
        report.took("back", lab.until_routed(since + moved, PATIENCE) + moved, target=SHORT_WATCHDOG + 15)


@case("broken configuration", servers=(UNBOUND,), package=True)
def broken(lab, report):
    """A file with an error: no route changes, and a reload names the line. The next start runs the last good configuration.

    The corrected file replaces it without a change of routes. Without a file the helper withdraws.
    """
    pop = lab.pop1
    lab.note_session()
    since = time.time()
    pop.write(CONFIGURATION, pop.configuration().replace("[[service]]", "[[service]"))
    refused = pop.attempt("dnsherald", "reload")
    if refused.returncode == 0 or f"{CONFIGURATION}:" not in refused.stderr:
        raise Unmet(f"a reload of the broken file: exit status {refused.returncode}, {refused.stdout}{refused.stderr}")
    lab.watch_steady(since, 2)
    lab.expect_session_kept()
    report.found("no route changed; the reload was refused")
    lab.session = None
    since = time.time()
    pop.run("systemctl", "restart", "exabgp")
    report.took("the last good configuration: back", lab.until_routed(since, PATIENCE), target=15)
    said = lambda: pop.journal("--unit", "exabgp", f"--since=@{since:.3f}")  # noqa: E731
    for words in (f"{CONFIGURATION}:", "LAST GOOD CONFIGURATION"):
        wait_until(lambda words=words: words in said(), PATIENCE, f"the journal says {words}", poll=0.2)
    lab.note_session()
    corrected = time.time()
    pop.write(CONFIGURATION, pop.configuration())
    wait_until(lambda: "trouble" not in (pop.status_if_any() or {"trouble": ""}), PATIENCE, "the helper takes the corrected file", poll=0.2)
    lab.watch_steady(corrected, 2)
    lab.expect_session_kept()
    report.found("corrected file taken without a change of routes")
    lab.session = None
    pop.path(CONFIGURATION).unlink()
    since = time.time()
    pop.run("systemctl", "restart", "exabgp")
    lab.until_moved(since)
    # Long enough for `rise` passes.
    let_pass(3)
    if lab.router.routes.current(PREFIX_IPV4).gateway == POP1.management_ipv4:
        raise Unmet("announced without a configuration")
    since = time.time()
    pop.write(CONFIGURATION, pop.configuration())
    report.took("not announced without the file; with it: back", lab.until_routed(since, PATIENCE), target=15)
