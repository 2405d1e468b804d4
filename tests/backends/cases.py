"""What is to hold of every server, in the order of its life. Each case leaves the server running and its files in order.

Some cases are for servers that have something, or lack it. What each has stands in `servers`, and nothing is decided by
what is found while it runs.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass, replace

from host import TIMEOUT
from waiting import PATIENCE, expect, wait_until

CASES = []


def braced(text):
    """For a configuration whose braces are doubled, since it is a format."""
    return text.replace("{", "{{").replace("}", "}}")


# How many queries make a counter grow.
COUNT = 20
# Rate limits of BIND and Knot DNS that exempt these addresses.
RRL = "rate-limit {{ responses-per-second 5; exempt-clients {{ {0}; }}; }}; directory"
MOD_RRL = "mod-rrl:\n  - id: ours\n    rate-limit: 100\n    whitelist: {0}\ntemplate:\n  - id: default\n    module: mod-rrl/ours\n"
# For some servers: what is replaced in the configuration, by what, and the state of the limit that follows.
EXEMPTIONS = {
    "unbound": [
        (("server:", "server:"), "not-limited"),
        (("server:", "server:\n    ip-ratelimit: 100"), "not-exempt"),
    ],
    "bind": [
        (("directory", "directory"), "not-limited"),
        (("directory", braced(RRL.format("127.0.5.0/24"))), "exempt"),
        (("directory", braced(RRL.format("10.0.0.0/8"))), "not-exempt"),
    ],
    "nsd": [
        (("server:", "server:"), "not-exempt"),
        (("server:", "server:\n    rrl-ratelimit: 0"), "not-limited"),
        (("server:", "pattern:\n    name: probed\n    rrl-whitelist: positive\nserver:\n    rrl-whitelist-ratelimit: 0"), "not-exempt"),
        (
            (
                '    zonefile: "{zone_file}"\n',
                '    zonefile: "{zone_file}"\n    rrl-whitelist: positive\nserver:\n    rrl-whitelist-ratelimit: 0\n',
            ),
            "exempt",
        ),
    ],
    "knot": [
        (("template:", "template:"), "not-limited"),
        (("template:\n  - id: default\n", MOD_RRL.format("127.0.5.1")), "exempt"),
        (("template:\n  - id: default\n", MOD_RRL.format("10.0.0.1-10.0.0.9")), "not-exempt"),
    ],
}


@dataclass(frozen=True)
class Case:
    name: str
    summary: str
    run: Callable
    is_for: Callable


def case_of(is_for):
    """Puts a function of the host on the list, for those servers."""

    def register(function):
        CASES.append(Case(function.__name__, function.__doc__, function, is_for))
        return function

    return register


case = case_of(lambda server: True)


@case
def running(host):
    """It is up: state, process, version, listeners, and the configuration in order."""
    status = host.status()
    expect(status["process"].get("found", {}).get("pid") == host.process.pid, f"process {status['process']}")
    expect(status["version"].get("found"), f"version {status['version']}")
    expect(any("127.0.5.1:53" == each["address"] for each in status["listeners"]), f"listeners {status['listeners']}")
    configuration = status["configuration"]
    in_order = configuration == ({"found": "in order"} if host.server.checks else {"not-found": "nothing checks it"})
    expect(in_order, f"configuration {configuration}")
    expect(not status["needs"], f"root needs {status['needs']}")
    sockets, declared = sorted(map(str, host.sockets())), [str(host.control)] if host.control else []
    expect(sockets == declared, f"its control sockets are {sockets}, not {declared}")
    shown = host.backend("status")
    expect(shown.returncode == 0 and "running" in shown.stdout, shown.stdout)
    return f"version {status['version']['found']}, identity {status['identity']}"


@case
def counters(host):
    """The counter grows by the queries asked; nothing else asks but we ourselves, for zones and identity."""
    before = host.status()["queries"]
    expect("found" in before, f"queries {before}")
    expect(host.asked(COUNT) == COUNT, "not every query was answered")
    after = host.status()["queries"]["found"]["total"]
    more = after - before["found"]["total"]
    expect(COUNT <= more <= COUNT + 10, f"{COUNT} queries made the counter grow by {more}")
    return f"{COUNT} queries counted as {more}"


@case_of(lambda server: server.kind in EXEMPTIONS)
def rate_limit(host):
    """Whether it limits its answers, and whether the management address is exempt, is read from its configuration."""
    plain, found = host.server, []
    try:
        for settings, state in EXEMPTIONS[plain.kind]:
            old, new = settings
            expect(old in plain.configuration, f"`{old}` is not in the configuration")
            host.server = replace(plain, configuration=plain.configuration.replace(old, new, 1))
            host.write()
            if plain.kind == "knot":
                # It is asked what is in force.
                done = host.backend("reload")
                expect(done.returncode == 0, f"{done.returncode}: {done.stdout} {done.stderr}")
            limit = host.status()["rate-limit"]
            expect(limit["state"] == state, f"with `{new}`: {limit}")
            expect(("remedy" in limit) == (state == "not-exempt"), f"remedy of {limit}")
            found.append(state)
    finally:
        host.server = plain
        host.write()
        if plain.kind == "knot":
            host.backend("reload")
    return ", ".join(found)


@case_of(lambda server: server.checks)
def checked(host):
    """A good configuration is in order, a broken one is not, and says where."""
    good = host.backend("check")
    expect(good.returncode == 0, f"good: {good.returncode}, {good.stderr}")
    expect("nothing checks it" not in good.stdout, good.stdout)
    host.write(broken=True)
    broken = host.backend("check")
    host.write()
    expect(broken.returncode == 1, f"broken: {broken.returncode}, {broken.stdout}")
    expect("is broken" in broken.stderr, broken.stderr)
    if host.server.part:
        with open(host.folder / host.server.part, "a") as part:
            part.write(f"{host.server.garbage}\n")
        in_part = host.backend("check")
        host.write()
        expect(in_part.returncode == 1 and "is broken" in in_part.stderr, f"{host.server.part}: {in_part.stdout}")
    return broken.stderr.strip().splitlines()[-1]


@case_of(lambda server: not server.checks)
def not_checked(host):
    """Nothing checks its configuration, and that is said."""
    done = host.backend("check")
    expect(done.returncode == 0 and "nothing checks it" in done.stdout, f"{done.returncode}: {done.stdout} {done.stderr}")
    return done.stdout.strip().splitlines()[0]


@case_of(lambda server: server.reloads)
def reloaded(host):
    """A reload takes up what changed, without another process."""
    host.mark += 1
    host.write()
    done = host.backend("reload")
    expect(done.returncode == 0, f"{done.returncode}: {done.stdout} {done.stderr}")
    wait_until(lambda: mark(host) == str(host.mark), PATIENCE, f"it serves mark {host.mark}, not {mark(host)}")
    expect(host.status()["process"]["found"]["pid"] == host.process.pid, "it is another process")
    return done.stdout.strip().splitlines()[0]


@case_of(lambda server: not server.reloads)
def without_reload(host):
    """It reads its configuration at its start only, and so no reload is said to be one."""
    done = host.backend("reload")
    expect(done.returncode == 1 and "has no reload" in done.stderr, f"{done.returncode}: {done.stderr}")
    return done.stderr.strip().splitlines()[0]


def mark(host):
    status = host.status()
    if host.server.mark == "serial":
        return str(status["zones"][0].get("serial"))
    return (status["identity"] or "").removeprefix("mark").split()[0]


@case_of(lambda server: server.checks and server.reloads)
def not_reloaded(host):
    """With a broken configuration nothing is touched: the same process answers, and is known to run."""
    host.write(broken=True)
    done = host.backend("reload")
    status = host.status()
    answered = host.asked(1)
    host.write()
    expect(done.returncode == 1 and "not touched" in done.stderr, f"{done.returncode}: {done.stderr}")
    expect(host.process.alive() and answered == 1, "it does not answer any more")
    expect(status["state"] == "running", f"{status['state']}: {status['why']}")
    expect("is broken" in status["configuration"].get("not-found", ""), f"configuration {status['configuration']}")
    return status["why"].splitlines()[0]


@case_of(lambda server: not server.group)
def open_to_everybody(host):
    """Here it lets everybody in, and so nobody needs a group."""
    status = host.status(user="nobody")
    expect(status["state"] == "running" and status["answers"], f"{status['state']}: {status['why']}")
    expect(not status["needs"], f"nobody needs {status['needs']}")
    return status["why"].splitlines()[0]


@case_of(lambda server: server.group)
def unprivileged(host):
    """Who lacks a privilege is told which group would let him in."""
    status = host.status(user="nobody")
    remedies = "\n".join(need["remedy"] for need in status["needs"])
    expect(f"SupplementaryGroups={host.server.group}\n" in remedies, f"needs {status['needs']}")
    # By the pid file, though its control channel is closed to us.
    expect(status["state"] == "running", f"{status['state']}: {status['why']}")
    if host.server.secret:
        # Some tools call in order what they cannot read.
        checked = host.backend("check", user="nobody")
        expect(checked.returncode == 1 and "cannot be read" in checked.stderr, f"{checked.stdout} {checked.stderr}")
    return status["why"].splitlines()[0]


@case
def hung(host):
    """Alive and silent: seen as such, and within the time that it is given."""
    host.signal(signal.SIGSTOP)
    try:
        status = host.status()
    finally:
        host.signal(signal.SIGCONT)
    expect(status["state"] == "hung", f"{status['state']}: {status['why']}")
    expect(status["process"]["found"]["is-stopped"], f"process {status['process']}")
    expect(status["seconds"] < PATIENCE, f"it took {status['seconds']:.1f} s")
    wait_until(lambda: host.asked(1) == 1, PATIENCE, "it answers again")
    host.wait_until_running()
    return f"known after {status['seconds']:.1f} s, timeout {TIMEOUT} s"


@case_of(lambda server: server.control)
def without_control(host):
    """The socket of its control channel is gone, but not the server: that is no stopped server."""
    away = host.control.with_suffix(".away")
    host.control.rename(away)
    try:
        status = host.status()
    finally:
        away.rename(host.control)
    expect(status["state"] == "running" and not status["answers"], f"{status['state']}: {status['why']}")
    return status["why"].splitlines()[0]


@case
def stopped(host):
    """Ended in order: known to be stopped. And killed: the same."""
    why = []
    for number in (signal.SIGTERM, signal.SIGKILL):
        host.signal(number)
        status = host.status()
        expect(status["state"] == "stopped", f"after {number.name} {status['state']}: {status['why']}")
        expect("not-found" in status["process"], f"process {status['process']}")
        # BIND counts over a channel of its own. Of any other it is not said to count nothing because it is stopped.
        counts = [need for need in status["needs"] if need["of"] == ["queries"]]
        expect(host.server.kind == "bind" or not counts, f"needs {counts}")
        why.append(status["why"].splitlines()[0])
        host.start()
    return why[0]
