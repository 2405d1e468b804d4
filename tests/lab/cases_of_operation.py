"""What an operator sees of a situation: `status`, `explain`, `metrics` and `history` tell the same."""

import json
import re
import time

from addresses import POP1, PREFIX_IPV4
from cases import case
from configuration import PROPAGATION, Timing, resolver
from expectations import TIMING, expect_done, expect_stated
from process import end
from waiting import PATIENCE, expect, wait_until

# The first fall suppresses for half a minute.
SUPPRESSED_AT_ONCE = {
    "mode": "enforce",
    "half-life": "30s",
    "suppress": 500,
    "reuse": 250,
    "max-suppress": "2m",
}
SERVICE = 'service="resolver"'


@case("shown: drain", once=True)
def drain(lab, report):
    """A drain with holder and reason: four commands show it, and its end."""
    since = time.time()
    lab.start_announced(resolver(POP1, timing=TIMING))
    expect_done(lab.pop1.dnsherald("drain", "--wait", "--as", "alice", "--reason", "new disk", "--for", "1h"))
    status, table, chain, metrics, history = _seen(lab.pop1)
    expect(status["state"] == "drained" and status["drains"][0]["holder"] == "alice", f"status: {status}")
    _shows("status", table, "DRAINED", "alice", "new disk")
    expect(chain["rule"] == "drain", f"explain names the rule: {chain}")
    _shows("explain", _text(chain), "decided by a drain", "new disk", "it answered `done`", "dnsherald undrain --as alice")
    _measures(metrics, _state("drained"), 1)
    _measures(metrics, _state("up"), 0)
    _measures(metrics, _prefix("desired_announced"), 0)
    _measures(metrics, _prefix("acknowledged"), 1)
    expect(f'dnsherald_drain_age_seconds{{{SERVICE},holder="alice"}}' in metrics, "metrics have the age of the drain")
    _happened(history, since, ("drain", "new disk"), ("transition", "DRAINED"), ("route", PREFIX_IPV4))
    expect_done(lab.pop1.dnsherald("undrain", "--as", "alice", "--wait"))
    status, _, chain, metrics, history = _seen(lab.pop1)
    expect(status["state"] == "up" and not status["drains"], f"status after the drain: {status}")
    expect(chain["rule"] == "worst-check", f"explain after the drain: {chain}")
    _measures(metrics, _state("up"), 1)
    expect("dnsherald_drain_age_seconds{" not in metrics, "metrics have no drain any more")
    report.found("in status, explain, metrics and history, and its end")


@case("shown: suppression", once=True)
def suppression(lab, report):
    """One fall suppresses: four commands show it, until when, and how to end it; `undampen` ends it."""
    since = time.time()
    timing = Timing(interval=300, rise=2, fall=2)
    lab.start_announced(resolver(POP1, timing=timing, dampening=SUPPRESSED_AT_ONCE))
    fell = time.time()
    lab.pop1.unbound.hang()
    lab.until_withdrawn(fell, timing.to_notice_silence() + PROPAGATION)
    lab.pop1.unbound.resume()
    wait_until(lambda: _chain(lab.pop1)["rule"] == "dampening", PATIENCE, "explain names dampening", poll=0.05)
    status, table, chain, metrics, history = _seen(lab.pop1)
    expect(status["state"] == "down" and status["dampening"]["suppressed"], f"status: {status}")
    expect(status["dampening"]["reuse-in-seconds"] > 0, f"status says until when: {status}")
    _shows("status", table, "DOWN", "suppressed")
    _shows("explain", _text(chain), "the checks pass", "dnsherald undampen resolver")
    ahead = [step for step in chain["steps"] if step["stage"] == "next"]
    expect(ahead and "at" in ahead[0], f"explain says when it can return at the earliest: {ahead}")
    _measures(metrics, f"dnsherald_dampening_suppressed{{{SERVICE}}}", 1)
    _measures(metrics, _state("down"), 1)
    expect(_value(metrics, f"dnsherald_dampening_penalty{{{SERVICE}}}") > 250, "metrics show the penalty")
    _happened(history, since, ("transition", "DOWN"), ("dampening", "penalty"), ("incident", "dnsherald simulate --trace"))
    undampened = time.time()
    expect_done(lab.pop1.dnsherald("undampen"))
    lab.until_routed(undampened, PROPAGATION)
    _, _, _, metrics, history = _seen(lab.pop1)
    _measures(metrics, f"dnsherald_dampening_suppressed{{{SERVICE}}}", 0)
    expect(history[-1]["kind"] in ("dampening", "transition", "route"), f"history ends with the return: {history[-1]}")
    report.found("in status, explain, metrics and history, and its end")


@case("shown: session lost", once=True)
def session_lost(lab, report):
    """The router shuts the BGP session down: the service stays up, and four commands show that no neighbor has its routes."""
    since = time.time()
    lab.start_announced(resolver(POP1, timing=TIMING))
    wait_until(lambda: _session(lab.pop1, "up"), PATIENCE, "the status shows the session up", poll=0.05)
    lost = time.time()
    lab.router.close_session(POP1.name)
    wait_until(lambda: lab.all_lost(lost), 5, "the router loses the routes with the session")
    session = wait_until(lambda: _session(lab.pop1, "down"), PATIENCE, "the status shows the session down", poll=0.05)
    neighbor = session["neighbor"]
    status, table, chain, metrics, history = _seen(lab.pop1)
    expect(status["state"] == "up", f"the checks pass: {status}")
    _shows("status", table, f"BGP {neighbor}", "DOWN since ")
    sessions = [step for step in chain["steps"] if step["stage"] == "session"]
    expect(sessions and "this neighbor has no route from here" in sessions[0]["text"], f"explain: {sessions}")
    _measures(metrics, f'dnsherald_bgp_session_state{{neighbor="{neighbor}",state="down"}}', 1)
    _measures(metrics, f'dnsherald_bgp_session_state{{neighbor="{neighbor}",state="up"}}', 0)
    _happened(history, lost, ("session", neighbor))
    lab.router.open_session(POP1.name)
    wait_until(lambda: _session(lab.pop1, "up"), 2 * PATIENCE, "the status shows the session up again", poll=0.05)
    lab.until_routed(lost, 2 * PATIENCE)
    lab.note_session()
    _happened(_history(lab.pop1), since, ("session", "up"))
    report.found(f"in status, explain, metrics and history: {session.get('reason')}")


@case("shown: last good configuration", once=True)
def last_good(lab, report):
    """A file with an error and a new helper: four commands show the error and the configuration in force."""
    since = time.time()
    pop, configuration = lab.pop1, resolver(POP1, timing=TIMING)
    lab.start_announced(configuration)
    wait_until(lambda: next(pop.exabgp.state.glob("*.last-good.toml"), None), PATIENCE, "the helper saves its configuration")
    right = pop.written(configuration)
    former = pop.exabgp.helper()
    pop.write_configuration(right.replace("rise = ", "rize = "))
    end(former)
    expect_stated(pop.status_if_any, pop.exabgp.helper_other_than(former))
    document = pop.status()
    expect("last-good" in document and "`rize`" in document["trouble"], f"status: {document}")
    status, table, chain, metrics, history = _seen(pop)
    expect(status["state"] == "up", f"the last good configuration announces: {status}")
    _shows("status", table, "LAST GOOD CONFIGURATION", "rize")
    expect(chain["state"] == "up", f"explain: {chain}")
    _shows("explain", _text(chain), "LAST GOOD CONFIGURATION", "rize")
    _measures(metrics, "dnsherald_last_good_configuration_in_force", 1)
    _measures(metrics, "dnsherald_configuration_valid", 0)
    _happened(history, since, ("start", "LAST GOOD CONFIGURATION"))
    pop.write_configuration(right)
    wait_until(lambda: _value(_metrics(pop), "dnsherald_configuration_valid") == 1, PATIENCE, "the corrected file is taken", poll=0.1)
    _measures(_metrics(pop), "dnsherald_last_good_configuration_in_force", 0)
    wait_until(lambda: _history(pop)[-1]["kind"] == "reload", PATIENCE, "the history names the reload", poll=0.1)
    report.found("in status, explain, metrics and history, and its end")


def _seen(pop):
    """The service in the status, the table, the chain of reasons, the metrics and the history."""
    status = pop.status()["services"][0]
    return status, expect_done(pop.dnsherald("status")).stdout, _chain(pop), _metrics(pop), _history(pop)


def _chain(pop):
    found = json.loads(expect_done(pop.dnsherald("explain", "--json")).stdout)
    return found[0] if isinstance(found, list) else found["services"][0]


def _text(chain):
    return "\n".join(step["text"] for step in chain["steps"])


def _metrics(pop):
    return expect_done(pop.dnsherald("metrics")).stdout


def _history(pop):
    return [json.loads(line) for line in expect_done(pop.dnsherald("history", "--json")).stdout.splitlines()]


def _session(pop, state):
    """The BGP session of this point of presence, if it is in this state."""
    sessions = pop.status()["exabgp"]["bgp-sessions"]
    return next((session for session in sessions if session["state"] == state), None)


def _state(state):
    return f'dnsherald_service_state{{{SERVICE},state="{state}"}}'


def _prefix(what):
    return f'dnsherald_prefix_{what}{{{SERVICE},prefix="{PREFIX_IPV4}"}}'


def _value(metrics, sample):
    found = re.search(rf"^{re.escape(sample)} (\S+)$", metrics, re.MULTILINE)
    expect(found, f"the metrics have {sample}")
    return float(found[1])


def _measures(metrics, sample, wanted):
    found = _value(metrics, sample)
    expect(found == wanted, f"the metrics say {sample} {found}, expected {wanted}")


def _shows(command, text, *words):
    # A table breaks its lines at the width of the terminal.
    text = " ".join(text.split())
    for each in words:
        expect(each.lower() in text.lower(), f"{command} shows `{each}`: {text}")


def _happened(history, since, *entries):
    """The history has an entry of each kind, with these words, of the time since then."""
    for kind, words in entries:
        of_kind = [entry for entry in history if entry["kind"] == kind and words.lower() in entry["text"].lower()]
        expect(of_kind, f"the history has a {kind} with `{words}`: {history}")
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since - 1))
        expect(stamp <= of_kind[-1]["at"] <= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 1)) + "Z", f"the time of {of_kind[-1]} is right")
