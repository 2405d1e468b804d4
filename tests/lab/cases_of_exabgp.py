"""Cases with faults of the helper, of ExaBGP or of the BGP session."""

import re
import signal
import time
from datetime import datetime

from addresses import POP1
from cases import case
from configuration import Timing, resolver
from expectations import HELPER_RETURNS, expect_back, expect_done, expect_stated, expect_still, expect_withdrawn
from process import end, free_descriptor, set_descriptor_limit
from waiting import PATIENCE, Unmet, let_pass, wait_until

# Seconds until ExaBGP has connected again; the delay depends on its version.
SESSION_RETURNS = 10.0
# The exit status of a command whose effect ExaBGP has not confirmed.
OUTCOME_UNKNOWN = 5


@case("helper killed")
def helper_killed(lab, report):
    """kill -9 of the helper: its successor announces the routes again, and no route changes at the router."""
    lab.start_announced(resolver(POP1))
    former = lab.pop1.exabgp.helper()
    since = time.time()
    end(former)
    expect_stated(lab.pop1.status_if_any, lab.pop1.exabgp.helper_other_than(former))
    lab.watch_steady(since, HELPER_RETURNS)
    report.found("route kept and announced again")


@case("helper and unbound killed")
def helper_and_unbound_killed(lab, report):
    """kill -9 of both at once: the successor withdraws and keeps running, and so does ExaBGP."""
    lab.start_announced(resolver(POP1))
    former = lab.pop1.exabgp.helper()
    since = time.time()
    lab.pop1.unbound.kill()
    end(former)
    expect_withdrawn(lab, report, since, HELPER_RETURNS)
    successor = lab.pop1.exabgp.helper_other_than(former)
    lab.watch_steady(time.time(), 1.5)
    expect_still(lab, successor)
    report.found("one successor, ExaBGP still runs")


@case("session cleared")
def session_cleared(lab, report):
    """`birdc restart` on the router: the routes return without any action."""
    lab.start_announced(resolver(POP1))
    since = time.time()
    lab.router.clear_session(POP1.name)
    wait_until(lambda: lab.all_lost(since), 5, "the router loses the routes with the session")
    expect_back(lab, report, since, SESSION_RETURNS)
    lab.note_session()


@case("session shown")
def session_shown(lab, report):
    """The status shows the BGP session with its state and since when: up, down, up again; `not known` after a restart of the helper."""
    started = time.time()
    lab.start_announced(resolver(POP1))
    up = _wait_for_session(lab, "up", started, time.time())
    since = time.time()
    lab.router.close_session(POP1.name)
    wait_until(lambda: lab.all_lost(since), 5, "the router loses the routes with the session")
    down = _wait_for_session(lab, "down", since, since + 5)
    report.found(f"down: {down.get('reason')}")
    shown = lab.pop1.dnsherald("status").stdout
    if f"BGP {up['neighbor']}" not in shown or "DOWN since " not in shown:
        raise Unmet(f"the table does not show the session: {shown}")
    # Connection attempts that the router refuses must not change `since`.
    let_pass(3)
    again = _session(lab)
    if again["state"] != "down" or abs(_moment(again["since"]) - _moment(down["since"])) > 0.5:
        raise Unmet(f"down since {down['since']}, and later {again}")
    reopened = time.time()
    lab.router.open_session(POP1.name)
    expect_back(lab, report, reopened, SESSION_RETURNS)
    _wait_for_session(lab, "up", reopened, time.time())
    former = lab.pop1.exabgp.helper()
    end(former)
    expect_stated(lab.pop1.status_if_any, lab.pop1.exabgp.helper_other_than(former))
    if lab.pop1.status()["exabgp"]["bgp-sessions"] or "BGP sessions            not known" not in lab.pop1.dnsherald("status").stdout:
        raise Unmet(f"the successor shows a session that it cannot know: {lab.pop1.status()['exabgp']}")
    lab.note_session()


def _session(lab):
    sessions = lab.pop1.status()["exabgp"]["bgp-sessions"]
    return sessions[0] if len(sessions) == 1 else None


def _moment(text):
    return datetime.fromisoformat(text).timestamp()


def _wait_for_session(lab, state, after, before):
    """Waits until the session is in this state. Fails if its `since` is not between these times."""
    session = wait_until(lambda: (found := _session(lab)) and found["state"] == state and found, PATIENCE, f"the session is {state}")
    if not after - 0.5 <= _moment(session["since"]) <= before + 0.5:
        raise Unmet(f"{state} since {session['since']}, expected between {after:.1f} and {before:.1f}")
    return session


@case("reload (SIGUSR1)")
def reload(lab, report):
    """ExaBGP reads its configuration again: the helper keeps running and no route changes at the router."""
    lab.start_announced(resolver(POP1))
    helper = lab.pop1.exabgp.helper()
    since = time.time()
    lab.pop1.exabgp.reload()
    lab.watch_steady(since, 3.0)
    expect_still(lab, helper)
    report.found("route kept, same helper")


@case("full reload (SIGUSR2)")
def full_reload(lab, report):
    """ExaBGP replaces the helper: no route changes at the router, and the new helper announces them again."""
    exabgp = lab.pop1.exabgp
    lab.start_announced(resolver(POP1))
    former = exabgp.helper()
    since = time.time()
    exabgp.full_reload()
    # ExaBGP 6 replaces a helper only if its own section has changed.
    replaces = not lab.version.startswith("6")
    helper = exabgp.helper_other_than(former) if replaces else former
    expect_stated(lab.pop1.status_if_any, helper)
    lab.watch_steady(since, 4.0)
    expect_still(lab, helper)
    report.found(f"route kept, {'new' if replaces else 'same'} helper")


@case("SIGUSR1 ignored")
def sigusr1_ignored(lab, report):
    """SIGUSR1 to all processes, as `systemctl kill` sends it: the helper logs that it ignores it; no route changes."""
    lab.start_announced(resolver(POP1))
    helper = lab.pop1.exabgp.helper()
    since = time.time()
    lab.pop1.exabgp.signal_all(signal.SIGUSR1)
    wait_until(lambda: "ignored signal SIGUSR1" in lab.pop1.exabgp.helper_says(), PATIENCE, "the helper logs SIGUSR1")
    lab.watch_steady(since, 3.0)
    expect_still(lab, helper)
    report.found("route kept, same helper")


@case("acks off")
def acks_off(lab, report):
    """With exabgp.api.ack=false ExaBGP acknowledges nothing: the status says unknown, `drain --wait` exits with status 5."""
    lab.start_announced(resolver(POP1), environment={"exabgp_api_ack": "false"})
    helper = lab.pop1.exabgp.helper()
    said = re.compile(r"resolver: ANNOUNCED .* \(NOT acknowledged: (.*?)\)")
    why = wait_until(lambda: said.search(lab.pop1.exabgp.helper_says()), PATIENCE, "the log says that nothing is acknowledged")[1]
    _expect_unknown(lab, "announce")
    since = time.time()
    drained = lab.pop1.dnsherald("drain", "--wait", "--reason", "new disk")
    if drained.returncode != OUTCOME_UNKNOWN or "not acknowledged" not in drained.stdout + drained.stderr:
        raise Unmet(f"drain --wait: exit status {drained.returncode}, {drained.stdout.strip()} {drained.stderr.strip()}")
    report.took("withdrawn", lab.until_withdrawn(since, 1.0), 1.0)
    _expect_unknown(lab, "withdraw")
    since = time.time()
    expect_done(lab.pop1.dnsherald("undrain"))
    expect_back(lab, report, since, Timing().to_begin_anew())
    expect_still(lab, helper)
    report.found(f"exit status {drained.returncode}, status unknown ({why})")


def _expect_unknown(lab, desired):
    """The status must show this desired state for each prefix, and `unknown` as acknowledged."""
    for prefix in lab.pop1.status()["services"][0]["prefixes"]:
        if not (prefix["desired"] or "").startswith(desired) or prefix["acknowledged"] != "unknown":
            raise Unmet(f"the status says {prefix}, expected {desired} and unknown")


@case("descriptors run out", once=True)
def descriptors_run_out(lab, report):
    """A helper without free descriptors: the check is unknown, the route stays; status and drain work."""
    lab.start_announced(resolver(POP1))
    helper = lab.pop1.exabgp.helper()
    since = time.time()
    former = set_descriptor_limit(helper, free_descriptor(helper))
    wait_until(lambda: "unknown: " in lab.pop1.exabgp.helper_says(), PATIENCE, "the log says that the check is unknown")
    check = lab.pop1.status()["services"][0]["checks"][0]
    if check.get("unknown-for-seconds") is None or check["last"]["cause"] != "local":
        raise Unmet(f"the status does not say that the check is unknown: {check}")
    # Twice the time after which a silent server is withdrawn.
    lab.watch_steady(since, 2 * Timing().to_notice_silence())
    set_descriptor_limit(helper, former)
    known = lambda: lab.pop1.status()["services"][0]["checks"][0].get("unknown-for-seconds") is None  # noqa: E731
    wait_until(known, PATIENCE, "the check is known again", poll=0.05)
    lab.expect_steady(since)
    # A drain needs no descriptor either.
    set_descriptor_limit(helper, free_descriptor(helper))
    since = time.time()
    lab.pop1.dnsherald("drain")
    expect_withdrawn(lab, report, since, 1.0)
    set_descriptor_limit(helper, former)
    expect_still(lab, helper)
    report.found("route kept, check unknown, known again")
