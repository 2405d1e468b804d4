"""The cases in which `dnsherald run` announces. Each leaves the server running with a good configuration."""

import os
import shlex
import signal
import tempfile
from contextlib import contextmanager

from cases import case
from exabgp_stand_in import Run
from process import is_alive
from server import SCRIPT
from servers import ADDRESS
from waiting import PATIENCE, Unmet, expect, wait_until

STEPS = ["lock", "configuration", "drain", "quiet", "state", "restart", "process", "listeners", "zones", "checks"]
# The text before the reason in a log line.
DOWN = "service dns: up -> down: "


@case
def death_seen(host):
    """A killed server: the exit of its process withdraws the route, not a failed query."""
    former = host.process.pid
    with announced(host) as run:
        host.signal(signal.SIGKILL)
        expect_sent(run, "announce", "withdraw")
        why = wait_until(lambda: reason(run), PATIENCE, "the log has the reason of the withdraw")
        host.start()
        expect_sent(run, "announce", "withdraw", "announce")
    expect(f"process {former} " in why and " has ended; withdrawing " in why, why)
    return why


def reason(run):
    """The reason in the log line for the service going down, or None."""
    return next((line.partition(DOWN)[2].strip() for line in run.log().splitlines() if DOWN in line), None)


@case
def restarted(host):
    """`restart` checks, drains, restarts by the operator's script, verifies, and announces again."""
    former = host.process.pid
    try:
        with announced(host) as run:
            done = host.backend("restart", configuration="run.toml")
            expect(done.returncode == 0, f"{done.returncode}: {done.stdout} {done.stderr}; {run.log()}")
            steps = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line.startswith("  "))
            expect(list(steps) == STEPS, done.stdout)
            expect(pid(host) != former, f"process {former} was not replaced")
            expect(f"process {pid(host)} " in done.stdout, f"not process {pid(host)}: {done.stdout}")
            expect_sent(run, "announce", "withdraw", "announce")
            # The restart ends only after the names of `warm-up`, which dnsdist refuses here.
            expect("dns is up, acknowledged" in done.stdout, done.stdout)
            answered = 1 if host.server.rcode == "NOERROR" else 0
            wait_until(lambda: f"warm-up: {answered} of 1 names answered" in run.log(), PATIENCE, "the log has the warm-up")
    finally:
        end_restarted(host, former)
    return f"{done.stdout.strip().splitlines()[-1]}; quiet: {' '.join(steps['quiet'].split())}"


def pid(host):
    return int(host.pid_file.read_text())


def end_restarted(host, former):
    """Ends the server that the script has started, and starts it as a child of the test again."""
    host.signal(signal.SIGKILL)
    other = pid(host)
    if other != former:
        # Its children share its session. SIGTERM, since some servers leave a lock behind if killed.
        os.killpg(other, signal.SIGTERM)
        wait_until(lambda: not is_alive(other), PATIENCE, "the server of the script exits")
    host.start()


@contextmanager
def announced(host):
    """Starts `dnsherald run` and waits until it has announced."""
    script = host.folder / "server"
    environment = " ".join(f"{key}={shlex.quote(host.fill(value))}" for key, value in host.server.environment.items())
    script.write_text(SCRIPT.format(command=f"env {environment} {host.fill(host.server.command)}", check="true"))
    script.chmod(0o755)
    # The host's directory belongs to the user of the server, so dnsherald refuses to put root's sockets there.
    with tempfile.TemporaryDirectory(prefix="dnsherald-run-") as place:
        (host.folder / "run.toml").write_text(configuration(host, script, place))
        with Run(host.namespace.inside(host.binary, "run", "-c", host.folder / "run.toml")) as run:
            expect_sent(run, "announce")
            yield run


def expect_sent(run, *verbs):
    """Waits for these verbs about the route; there must be no others since the start."""
    try:
        wait_until(lambda: len(run.routes) >= len(verbs), PATIENCE, f"dnsherald sends {', '.join(verbs)}")
    except Unmet as unmet:
        raise Unmet(f"{unmet}, but {run.routes}: {run.log()}") from unmet
    expect(run.verbs() == list(verbs), f"{run.routes}: {run.log()}")


def configuration(host, script, place):
    server = host.server
    return f"""
[node]
management = ["{ADDRESS}"]

[control]
directory = "{place}/run"
state = "{place}/state"

[defaults]
interval = "1s"
fast-interval = "100ms"
rise = 2
fall = 3

{host.table()}
restart = ["{script}", "restart"]
quiet-for = "200ms"
max-wait = "1s"
settle = "100ms"

[[service]]
name = "dns"
prefixes = ["192.0.2.53/32"]
address = false
backend = "{server.kind}"
warm-up = "{server.name} {"SOA" if server.mark == "serial" else "A"}"
dampening = {{ mode = "off" }}

[[service.check]]
name = "alive"
process = {{}}

[[service.check]]
name = "answers"
dns = {{ query = "{server.name} A", server = ["{ADDRESS}"], expect = {{ rcode = ["{server.rcode}"] }} }}
"""
