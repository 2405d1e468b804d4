"""Cases in which a helper starts with a configuration file that it cannot use."""

import re
import time

from addresses import POP1, POP2
from cases import case
from configuration import resolver
from expectations import (
    HELPER_RETURNS,
    expect_back,
    expect_none_lost,
    expect_stated,
    expect_still,
    expect_withdrawn,
    serve_from_both,
)
from process import end
from waiting import PATIENCE, Unmet, wait_until

# Seconds until a corrected file is in force: the helper checks the file once a second.
CORRECTED = 5.0
GARBAGE = "this = is [ not TOML\n"
IN_FORCE = "running the LAST GOOD CONFIGURATION"
TAKEN = "replaces the last good one"


@case("configuration mistyped")
def mistyped(lab, report):
    """The helper is killed during an edit: its successor runs the last good configuration, then takes the corrected file."""
    configuration = resolver(POP1, state=lab.pop1.folder / "state")
    _keep_route(lab, report, configuration, broken=lab.pop1.written(configuration) + '[[service]]\nname = "second\n')


@case("configuration garbage")
def garbage(lab, report):
    """The file is not TOML at all: the successor runs the last good configuration from the default state directory."""
    _keep_route(lab, report, resolver(POP1), broken=GARBAGE)


@case("garbage, state elsewhere")
def garbage_state_elsewhere(lab, report):
    """The file is not TOML at all: the successor finds the last good configuration in the directory of `--state`."""
    _keep_route(lab, report, resolver(POP1), broken=GARBAGE, options=("--state", lab.pop1.folder / "state"))


@case("garbage, no last good")
def garbage_without_last_good(lab, report):
    """Without a last good configuration the successor withdraws and logs why; it announces again once the file is corrected."""
    configuration = resolver(POP1)
    lab.start_announced(configuration)
    _wait_until_saved(lab.pop1, lab.pop1.exabgp.state).unlink()
    since = time.time()
    successor = _restart_helper(lab.pop1, GARBAGE)
    expect_withdrawn(lab, report, since, HELPER_RETURNS)
    _wait_for_log(lab.pop1, rf"ERROR.*{re.escape(str(lab.pop1.file))}")
    lab.watch_steady(time.time(), 1.5)
    expect_still(lab, successor)
    since = time.time()
    lab.pop1.write_configuration(lab.pop1.written(configuration))
    expect_back(lab, report, since, CORRECTED)
    expect_still(lab, successor)


@case("typo on both PoPs", once=True)
def typo_on_both(lab, report):
    """The same typo on both PoPs, both helpers killed: no withdraw, no query lost; the corrected file is taken once."""
    serve_from_both(lab, resolver(POP1))
    pops = (lab.pop1, lab.pop2)
    right = {pop: pop.file.read_text() for pop in pops}
    for pop in pops:
        _wait_until_saved(pop, pop.exabgp.state)
    begun, withdrawn = time.time(), _withdraws(lab)
    successors = {pop: _restart_helper(pop, right[pop].replace("rise = ", "rize = ")) for pop in pops}
    for pop in pops:
        _expect_on_last_good(pop, successors[pop], "`rize`")
    for pop in pops:
        pop.write_configuration(right[pop])
    for pop in pops:
        _expect_taken_once(pop, successors[pop])
    lab.expect_steady(begun)
    if _withdraws(lab) != withdrawn:
        raise Unmet("the router has received a withdraw")
    report.found("no withdraw, the error in both logs, the corrected file taken once")
    expect_none_lost(lab, report, begun)


def _keep_route(lab, report, configuration, broken, options=()):
    """Breaks the file and kills the helper; later corrects the file."""
    lab.start_announced(configuration, options)
    _wait_until_saved(lab.pop1, options[1] if options else configuration.state or lab.pop1.exabgp.state)
    since = time.time()
    successor = _restart_helper(lab.pop1, broken)
    _expect_on_last_good(lab.pop1, successor, str(lab.pop1.file))
    lab.watch_steady(since, 1.5)
    expect_still(lab, successor)
    lab.pop1.write_configuration(lab.pop1.written(configuration))
    _expect_taken_once(lab.pop1, successor)
    lab.expect_steady(since)
    expect_still(lab, successor)
    report.found("route kept, the error in log and status, the corrected file taken")


def _wait_until_saved(pop, state):
    """Waits until the helper has saved its last good configuration. Returns the path."""
    return wait_until(lambda: next(state.glob("*.last-good.toml"), None), PATIENCE, f"{pop.site.name} saves its configuration")


def _restart_helper(pop, text):
    """Replaces the file and kills the helper. Returns the process ID of its successor."""
    former = pop.exabgp.helper()
    pop.write_configuration(text)
    end(former)
    return pop.exabgp.helper_other_than(former)


def _expect_on_last_good(pop, helper, error):
    """Waits until this helper has sent each prefix; its log and status must name the error and the last good configuration."""
    expect_stated(pop.status_if_any, helper)
    _wait_for_log(pop, rf"WARN.*{IN_FORCE}|ERROR.*{IN_FORCE}")
    status = pop.status()
    if "last-good" not in status or error not in status.get("trouble", ""):
        raise Unmet(f"the status says trouble {status.get('trouble')}, last-good {status.get('last-good')}; expected {error}")
    shown = pop.dnsherald("status").stdout
    if "LAST GOOD CONFIGURATION" not in shown:
        raise Unmet(f"the table of the status does not name the last good configuration: {shown}")


def _expect_taken_once(pop, helper):
    """Waits until this helper has taken the corrected file; it must do so once."""
    _wait_for_log(pop, TAKEN)
    expect_stated(lambda: (status := pop.status_if_any()) and "trouble" not in status and status, helper)
    reloads = len(re.findall("configuration reloaded", pop.exabgp.helper_says()))
    if reloads != 1 or pop.exabgp.helper_says().count(TAKEN) != 1:
        raise Unmet(f"the log has {reloads} reloads, expected 1")


def _wait_for_log(pop, pattern):
    wait_until(lambda: re.search(pattern, pop.exabgp.helper_says()), PATIENCE, f"the log of {pop.site.name} says {pattern}")


def _withdraws(lab):
    """How many withdraws the router has received from each point of presence."""
    return [lab.router.withdraws(site.name) for site in (POP1, POP2)]
