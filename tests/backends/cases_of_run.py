"""What is to hold of every server while `dnsherald run` announces for it. Each case leaves it as those of `cases` do."""

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

STEPS = ["lock", "configuration", "drain", "quiet", "restart", "process", "listeners", "zones", "checks"]
# Of a line in the log, what comes before the reason.
DOWN = "service dns: up -> down: "


@case
def death_seen(host):
    """Killed: the end of its process is seen, and the route withdrawn for that, not for what a query found."""
    former = host.process.pid
    with announced(host) as run:
        host.signal(signal.SIGKILL)
        expect_said(run, "announce", "withdraw")
        why = wait_until(lambda: reason(run), PATIENCE, "it logs why it has withdrawn")
        host.start()
        expect_said(run, "announce", "withdraw", "announce")
    expect(f"process {former} " in why and " has ended; withdrawing " in why, why)
    return why


def reason(run):
    """Why the service went down, once it has."""
    return next((line.partition(DOWN)[2].strip() for line in run.log().splitlines() if DOWN in line), None)


@case
def restarted(host):
    """Checked, drained, restarted by the operator's script, verified, and announced again."""
    former = host.process.pid
    try:
        with announced(host) as run:
            done = host.backend("restart", configuration="run.toml")
            expect(done.returncode == 0, f"{done.returncode}: {done.stdout} {done.stderr}; {run.log()}")
            steps = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line.startswith("  "))
            expect(list(steps) == STEPS, done.stdout)
            expect(pid(host) != former, f"it is still process {former}")
            expect(f"process {pid(host)} " in done.stdout, f"not process {pid(host)}: {done.stdout}")
            expect_said(run, "announce", "withdraw", "announce")
    finally:
        end_restarted(host, former)
    return f"{done.stdout.strip().splitlines()[-1]}; quiet: {' '.join(steps['quiet'].split())}"


def pid(host):
    return int(host.pid_file.read_text())


def end_restarted(host, former):
    """From what the script has started back to what is a child of ours."""
    host.signal(signal.SIGKILL)
    other = pid(host)
    if other != former:
        # With its children, which share its session. Killed, some would leave behind a lock that the next one minds.
        os.killpg(other, signal.SIGTERM)
        wait_until(lambda: not is_alive(other), PATIENCE, "what the script has started ends")
    host.start()


@contextmanager
def announced(host):
    """`dnsherald run` once it has announced."""
    script = host.folder / "server"
    environment = " ".join(f"{key}={shlex.quote(host.fill(value))}" for key, value in host.server.environment.items())
    script.write_text(SCRIPT.format(command=f"env {environment} {host.fill(host.server.command)}", check="true"))
    script.chmod(0o755)
    # The folder of the host belongs to the user of the server: root puts no sockets there.
    with tempfile.TemporaryDirectory(prefix="dnsherald-run-") as place:
        (host.folder / "run.toml").write_text(configuration(host, script, place))
        with Run(host.namespace.inside(host.binary, "run", "-c", host.folder / "run.toml")) as run:
            expect_said(run, "announce")
            yield run


def expect_said(run, *verbs):
    """Nothing else about the route, from the start on."""
    try:
        wait_until(lambda: len(run.routes) >= len(verbs), PATIENCE, f"it says {', '.join(verbs)}")
    except Unmet as unmet:
        raise Unmet(f"{unmet}, but {run.routes}: {run.log()}") from unmet
    expect(run.said() == list(verbs), f"{run.routes}: {run.log()}")


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
dampening = {{ mode = "off" }}

[[service.check]]
name = "alive"
process = {{}}

[[service.check]]
name = "answers"
dns = {{ query = "{server.name} A", server = ["{ADDRESS}"], expect = {{ rcode = ["{server.rcode}"] }} }}
"""
