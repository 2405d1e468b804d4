"""Cases in which the helper, ExaBGP, the session or the configuration is disturbed."""

import re
import time

from addresses import POP1
from cases import case
from configuration import resolver
from expectations import expect_back, expect_stated, expect_withdrawn
from process import end
from waiting import Unmet, wait_until

# A helper has to be looked for, to probe, and to be heard by ExaBGP.
HELPER_RETURNS = 2.0
# A file that is mended has to be noticed first.
MENDED = 5.0
GARBAGE = "this = is [ not TOML\n"
# ExaBGP waits before it connects again; how long, differs by version.
SESSION_RETURNS = 10.0


@case("helper killed")
def helper_killed(lab, report):
    """kill -9 while Unbound is healthy: the successor states the routes anew, the router notices nothing."""
    lab.start_announced(resolver(POP1))
    former = lab.pop1.exabgp.helper()
    since = time.time()
    end(former)
    expect_stated(lab.pop1.status_if_any, lab.pop1.exabgp.helper_other_than(former))
    lab.watch_steady(since, HELPER_RETURNS)
    report.found("route kept, and stated anew")


@case("helper and unbound killed")
def helper_and_unbound_killed(lab, report):
    """kill -9 of both at the same moment: the successor states the truth, and stays; ExaBGP stays too."""
    lab.start_announced(resolver(POP1))
    former = lab.pop1.exabgp.helper()
    since = time.time()
    lab.pop1.unbound.kill()
    end(former)
    expect_withdrawn(lab, report, since, HELPER_RETURNS)
    successor = lab.pop1.exabgp.helper_other_than(former)
    lab.watch_steady(time.time(), 1.5)
    _expect_still(lab, successor)
    report.found("one successor, ExaBGP runs on")


@case("session cleared")
def session_cleared(lab, report):
    """`birdc restart` on the router: the routes return by themselves."""
    lab.start_announced(resolver(POP1))
    since = time.time()
    lab.router.clear_session(POP1.name)
    wait_until(lambda: lab.all_lost(since), 5, "the router loses the routes with the session")
    expect_back(lab, report, since, SESSION_RETURNS)
    lab.note_session()


@case("reload (SIGUSR1)")
def reload(lab, report):
    """ExaBGP reads its configuration again: the helper stays, the router notices nothing."""
    lab.start_announced(resolver(POP1))
    helper = lab.pop1.exabgp.helper()
    since = time.time()
    lab.pop1.exabgp.reload()
    lab.watch_steady(since, 3.0)
    _expect_still(lab, helper)
    report.found("route kept, same helper")


@case("full reload (SIGUSR2)")
def full_reload(lab, report):
    """ExaBGP replaces the helper, and for a moment there are two: the router notices nothing, and the new one states it anew."""
    exabgp = lab.pop1.exabgp
    lab.start_announced(resolver(POP1))
    former = exabgp.helper()
    since = time.time()
    exabgp.full_reload()
    # ExaBGP 6 replaces a helper only where its own section has changed.
    replaces = not lab.version.startswith("6")
    helper = exabgp.helper_other_than(former) if replaces else former
    expect_stated(lab.pop1.status_if_any, helper)
    lab.watch_steady(since, 4.0)
    _expect_still(lab, helper)
    report.found(f"route kept, {'new' if replaces else 'same'} helper")


@case("configuration mistyped")
def configuration_mistyped(lab, report):
    """An unfinished edit, helper killed: withdrawn, the successor stays and says why; mended: back by itself."""
    configuration = resolver(POP1, state=lab.pop1.folder / "state")
    _outlive(lab, report, configuration, broken=lab.pop1.written(configuration) + '[[service]\nname = "second\n')


@case("configuration garbage")
def configuration_garbage(lab, report):
    """Nothing in the file can be read: the same, from what the former helper has left in the default state directory."""
    _outlive(lab, report, resolver(POP1), broken=GARBAGE)


@case("garbage, state elsewhere")
def configuration_garbage_state_elsewhere(lab, report):
    """The same, where the state directory is another: its name is on the command line, for the file cannot be read."""
    _outlive(lab, report, resolver(POP1), broken=GARBAGE, options=("--state", lab.pop1.folder / "state"))


def _outlive(lab, report, configuration, broken, options=()):
    """The file is broken and the helper killed; later the file is mended."""
    lab.start_announced(configuration, options)
    former = lab.pop1.exabgp.helper()
    said = len(lab.pop1.exabgp.helper_says())
    lab.pop1.write_configuration(broken)
    since = time.time()
    end(former)
    expect_withdrawn(lab, report, since, HELPER_RETURNS)
    successor = lab.pop1.exabgp.helper_other_than(former)
    told = re.compile(rf"ERROR.*{re.escape(str(lab.pop1.file))}")
    wait_until(lambda: told.search(lab.pop1.exabgp.helper_says()[said:]), 5, "an error in the log names the broken file")
    lab.watch_steady(time.time(), 1.5)
    _expect_still(lab, successor)
    since = time.time()
    lab.pop1.write_configuration(lab.pop1.written(configuration))
    expect_back(lab, report, since, MENDED)
    _expect_still(lab, successor)


def _expect_still(lab, helper):
    """ExaBGP ends itself at the sixth death of a helper in about a minute, so after the lab's kill none may follow."""
    if not lab.pop1.exabgp.alive():
        raise Unmet("ExaBGP has ended")
    if lab.pop1.exabgp.helpers() != [helper]:
        raise Unmet("the helper has died again")
