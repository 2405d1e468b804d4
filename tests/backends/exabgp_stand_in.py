"""`dnsherald run` as ExaBGP starts it, and somebody in the place of ExaBGP, who answers at once."""

import os
import signal
import subprocess
import threading

VERSION = "5.0.15"
# What it is told about a route begins so.
EVERY_NEIGHBOR = "neighbor * "


class Run:
    """Exists as long as its context."""

    def __init__(self, command):
        # As a process group of its own: `ip netns exec` becomes the program.
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        environment = {key: value for key, value in os.environ.items() if key not in ("RUST_LOG", "JOURNAL_STREAM")}
        self.popen = subprocess.Popen(
            list(map(str, command)), cwd="/", env=environment, start_new_session=True, text=True, bufsize=1, **pipes
        )
        self.routes = []
        self._log = []
        self._threads = [threading.Thread(target=each) for each in (self._answer, self._keep)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()
        for thread in self._threads:
            thread.join()

    def log(self):
        return "".join(self._log)

    def said(self):
        """Of each line about a route the verb."""
        return [line.removeprefix(EVERY_NEIGHBOR).split()[0] for line in self.routes]

    def _answer(self):
        for line in self.popen.stdout:
            if line.startswith(EVERY_NEIGHBOR):
                self.routes.append(line.strip())
            version = f"exabgp {VERSION}\n" if line.strip() == "system version 0" else ""
            try:
                self.popen.stdin.write(f"{version}done\n")
            except OSError:
                pass  # it has ended meanwhile

    def _keep(self):
        self._log.extend(self.popen.stderr)
