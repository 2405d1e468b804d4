"""The cases for the servers, in order. Each case leaves the server running with a good configuration.

Some cases apply only to servers with or without a feature. `servers` lists the features; no case is skipped for what it finds at
run time.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass, replace

from host import TIMEOUT
from waiting import PATIENCE, expect, wait_until

CASES = []


def braced(text):
    """Doubles the braces, for a configuration that is a format string."""
    return text.replace("{", "{{").replace("}", "}}")


# The number of queries that a counter must count.
COUNT = 20
# Rate limits of BIND and Knot DNS that exempt these addresses.
RRL = "rate-limit {{ responses-per-second 5; exempt-clients {{ {0}; }}; }}; directory"
MOD_RRL = "mod-rrl:\n  - id: ours\n    rate-limit: 100\n    whitelist: {0}\ntemplate:\n  - id: default\n    module: mod-rrl/ours\n"
# For some servers: the text to replace in the configuration, its replacement, and the expected state of the rate limit.
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
    """Registers a case, a function that takes the host, for the servers that `is_for` accepts."""

    def register(function):
        CASES.append(Case(function.__name__, function.__doc__, function, is_for))
        return function

    return register


case = case_of(lambda server: True)


@case
def running(host):
    """`status` of a running server shows state, process, version, listeners and a valid configuration."""
    status = host.status()
    expect(status["process"].get("found", {}).get("pid") == host.process.pid, f"process {status['process']}")
    expect(status["version"].get("found"), f"version {status['version']}")
    expect(any("127.0.5.1:53" == each["address"] for each in status["listeners"]), f"listeners {status['listeners']}")
    configuration = status["configuration"]
    in_order = configuration == ({"found": "valid"} if host.server.checks else {"not-found": "nothing checks it"})
    expect(in_order, f"configuration {configuration}")
    expect(not status["needs"], f"root needs {status['needs']}")
    sockets, declared = sorted(map(str, host.sockets())), [str(host.control)] if host.control else []
    expect(sockets == declared, f"control sockets {sockets}, expected {declared}")
    shown = host.backend("status")
    expect(shown.returncode == 0 and "running" in shown.stdout, shown.stdout)
    return f"version {status['version']['found']}, identity {status['identity']}"


@case
def counters(host):
    """The query counter grows by the queries sent, plus a few of dnsherald's own for zones and identity."""
    before = host.status()["queries"]
    expect("found" in before, f"queries {before}")
    expect(host.asked(COUNT) == COUNT, "not every query was answered")
    after = host.status()["queries"]["found"]["total"]
    more = after - before["found"]["total"]
    expect(COUNT <= more <= COUNT + 10, f"{COUNT} queries made the counter grow by {more}")
    return f"{COUNT} queries counted as {more}"


@case_of(lambda server: server.kind in EXEMPTIONS)
def rate_limit(host):
    """`status` reads from the configuration whether the server limits its rate and exempts the management address."""
    plain, found = host.server, []
    try:
        for settings, state in EXEMPTIONS[plain.kind]:
            old, new = settings
            expect(old in plain.configuration, f"`{old}` is not in the configuration of the test")
            host.server = replace(plain, configuration=plain.configuration.replace(old, new, 1))
            host.write()
            if plain.kind == "knot":
                # dnsherald asks Knot DNS for the configuration in force.
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
    """`check` accepts a good configuration, and refuses a broken one with its place."""
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
    """`check` says that no program checks this server's configuration."""
    done = host.backend("check")
    expect(done.returncode == 0 and "nothing checks it" in done.stdout, f"{done.returncode}: {done.stdout} {done.stderr}")
    return done.stdout.strip().splitlines()[0]


@case_of(lambda server: server.reloads)
def reloaded(host):
    """`reload` puts a change in force and keeps the process."""
    host.mark += 1
    host.write()
    done = host.backend("reload")
    expect(done.returncode == 0, f"{done.returncode}: {done.stdout} {done.stderr}")
    wait_until(lambda: mark(host) == str(host.mark), PATIENCE, f"the server answers with mark {host.mark}, not {mark(host)}")
    expect(host.status()["process"]["found"]["pid"] == host.process.pid, "the process was replaced")
    return done.stdout.strip().splitlines()[0]


@case_of(lambda server: not server.reloads)
def without_reload(host):
    """`reload` fails for a server that reads its configuration only at its start."""
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
    """`reload` with a broken configuration touches nothing: the same process answers, and `status` shows it running."""
    host.write(broken=True)
    done = host.backend("reload")
    status = host.status()
    answered = host.asked(1)
    host.write()
    expect(done.returncode == 1 and "not touched" in done.stderr, f"{done.returncode}: {done.stderr}")
    expect(host.process.alive() and answered == 1, "the server no longer answers")
    expect(status["state"] == "running", f"{status['state']}: {status['why']}")
    expect("is broken" in status["configuration"].get("not-found", ""), f"configuration {status['configuration']}")
    return status["why"].splitlines()[0]


@case_of(lambda server: not server.group)
def open_control(host):
    """The control channel is open to every user: user nobody needs no group."""
    status = host.status(user="nobody")
    expect(status["state"] == "running" and status["answers"], f"{status['state']}: {status['why']}")
    expect(not status["needs"], f"user nobody needs {status['needs']}")
    return status["why"].splitlines()[0]


@case_of(lambda server: server.group)
def unprivileged(host):
    """`status` names the group that a user without privileges needs."""
    status = host.status(user="nobody")
    remedies = "\n".join(need["remedy"] for need in status["needs"])
    expect(f"SupplementaryGroups={host.server.group}\n" in remedies, f"needs {status['needs']}")
    # The pid file shows that it runs, although the control channel refuses the user.
    expect(status["state"] == "running", f"{status['state']}: {status['why']}")
    if host.server.secret:
        # Some tools accept a configuration that they cannot read.
        checked = host.backend("check", user="nobody")
        expect(checked.returncode == 1 and "cannot be read" in checked.stderr, f"{checked.stdout} {checked.stderr}")
    return status["why"].splitlines()[0]


@case
def hung(host):
    """`status` shows a stopped process (SIGSTOP) as hung, within its timeouts."""
    host.signal(signal.SIGSTOP)
    try:
        status = host.status()
    finally:
        host.signal(signal.SIGCONT)
    expect(status["state"] == "hung", f"{status['state']}: {status['why']}")
    expect(status["process"]["found"]["is-stopped"], f"process {status['process']}")
    expect(status["seconds"] < PATIENCE, f"it took {status['seconds']:.1f} s")
    wait_until(lambda: host.asked(1) == 1, PATIENCE, "the server answers again")
    host.wait_until_running()
    return f"hung, shown after {status['seconds']:.1f} s, timeout {TIMEOUT} s"


@case_of(lambda server: server.control)
def without_control(host):
    """`status` shows a server without its control socket as running."""
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
    """`status` shows a server as stopped after SIGTERM and after SIGKILL."""
    why = []
    for number in (signal.SIGTERM, signal.SIGKILL):
        host.signal(number)
        status = host.status()
        expect(status["state"] == "stopped", f"after {number.name} {status['state']}: {status['why']}")
        expect("not-found" in status["process"], f"process {status['process']}")
        # BIND has its own channel for counters. For the others, a stopped server must not add a need for counters.
        counts = [need for need in status["needs"] if need["of"] == ["queries"]]
        expect(host.server.kind == "bind" or not counts, f"needs {counts}")
        why.append(status["why"].splitlines()[0])
        host.start()
    return why[0]
