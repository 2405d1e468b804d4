"""Runs `dnsherald run` as ExaBGP does, and acknowledges each command at once."""

import os
import signal
import subprocess
import threading

VERSION = "5.0.15"
# The beginning of a command about a route.
EVERY_NEIGHBOR = "neighbor * "


class Run:
    """Runs within its context."""

    def __init__(self, command):
        # In its own process group: `ip netns exec` replaces itself with the program.
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        environment = {key: value for key, value in os.environ.items() if key not in ("RUST_LOG", "JOURNAL_STREAM")}
        self.popen = subprocess.Popen(
            list(map(str, command)), cwd="/", env=environment, start_new_session=True, text=True, bufsize=1, **pipes
        )
        self.routes = []
        self._log = []
        self._threads = [threading.Thread(target=each) for each in (self._answer, self._read_log)]

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

    def verbs(self):
        """The verb of each line about a route."""
        return [line.removeprefix(EVERY_NEIGHBOR).split()[0] for line in self.routes]

    def _answer(self):
        for line in self.popen.stdout:
            if line.startswith(EVERY_NEIGHBOR):
                self.routes.append(line.strip())
            version = f"exabgp {VERSION}\n" if line.strip() == "system version 0" else ""
            try:
                self.popen.stdin.write(f"{version}done\n")
            except OSError:
                pass  # it has exited meanwhile

    def _read_log(self):
        self._log.extend(self.popen.stderr)
