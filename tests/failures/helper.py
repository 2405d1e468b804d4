"""`dnsherald run` as ExaBGP starts it, with a stand-in that acknowledges each command and notes when each route moved."""

import json
import os
import subprocess
import threading
import time

from process import run
from waiting import PATIENCE

# MED by state, in the configuration.
UP, DEGRADED = 100, 400


class Helper:
    """Exists as long as its context."""

    def __init__(self, host, binary, configuration, output):
        self.host, self.binary, self.configuration, self.output = host, binary, configuration, output
        # Seconds on the monotonic clock, prefix, state: `up`, `degraded` or `withdrawn`.
        self.routes = []

    def __enter__(self):
        command = self.host.inside(self.binary, "run", "-c", self.configuration)
        environment = {name: value for name, value in os.environ.items() if name not in ("RUST_LOG", "JOURNAL_STREAM")}
        with open(self.output, "ab") as log:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
            self.popen = subprocess.Popen(
                list(map(str, command)), cwd="/", env=environment, start_new_session=True, text=True, bufsize=1, **pipes
            )
        self.thread = threading.Thread(target=self._answer)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.popen.kill()
        self.popen.wait(PATIENCE)
        self.thread.join(PATIENCE)

    def _answer(self):
        for line in self.popen.stdout:
            words = line.split()
            if "route" in words:
                prefix = words[words.index("route") + 1]
                state = "withdrawn" if "withdraw" in words else "degraded" if f"med {DEGRADED}" in line else "up"
                self.routes.append((time.monotonic(), prefix, state))
            version = "exabgp 5.0.15\n" if line.startswith("system version") else ""
            try:
                self.popen.stdin.write(f"{version}done\n")
            except OSError:
                return  # the helper has ended

    def state(self, prefix):
        return next((state for _, other, state in reversed(self.routes) if other == prefix), None)

    def moves(self, since):
        """The first move of any prefix, and all later ones: seconds since the fault, prefix, state."""
        states, found = {}, []
        for at, prefix, state in list(self.routes):
            if at > since and states.get(prefix) not in (None, state):
                found.append((at - since, prefix, state))
            states[prefix] = state
        return found

    def checks(self):
        """Each check by its name, as the status has it; none while the helper does not answer."""
        try:
            words = (self.binary, "status", "--json", "-c", self.configuration)
            document = json.loads(run(*self.host.inside(*words), may_fail=True))
            return {check["name"]: check for service in document["services"] for check in service["checks"]}
        except (ValueError, KeyError, subprocess.TimeoutExpired):
            return {}

    def log(self):
        return self.output.read_text(errors="replace")
