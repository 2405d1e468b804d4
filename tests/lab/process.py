"""Processes that the lab starts. Each is signaled by its own process ID only."""

import itertools
import os
import resource
import signal
import subprocess
import threading
from pathlib import Path

from waiting import let_pass


def run(*command, may_fail=False):
    """Runs a command and returns its standard output. Raises RuntimeError with its error message if it fails."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        # Ctrl-C must not reach the commands: the lab needs them to clean up.
        start_new_session=True,
    )
    if done.returncode != 0 and not may_fail:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Process:
    """A daemon in the foreground, in its own session: Ctrl-C reaches only the lab, which stops the daemons in order."""

    def __init__(self, command, output, environment=None):
        with open(output, "ab") as log:
            self.popen = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def signal(self, number):
        if self.alive():
            self.popen.send_signal(number)

    def kill(self):
        """Sends SIGKILL, as a crash would end it, and reaps it."""
        self.signal(signal.SIGKILL)
        self.popen.wait(timeout=10)

    def stop(self, patience=3.0):
        """Sends SIGTERM, and SIGKILL after `patience` seconds. SIGCONT lets a stopped process handle SIGTERM."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        try:
            self.popen.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            self.kill()


def follow(command, on_line, **where):
    """Starts a command; a thread passes each line of its output to `on_line` at once."""
    popen = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **where,
    )

    def listen():
        for line in popen.stdout:
            on_line(line)

    threading.Thread(target=listen, daemon=True).start()
    return popen


def children(pid):
    """The process ids of the children of a process, oldest first. Includes zombies that it has not reaped yet."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in task.read_text().split()]
        except OSError:
            pass  # the thread has ended meanwhile
    return sorted(found)


def command_line(pid):
    """The command line of a process; empty once it has exited, even before its parent reaps it."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def is_alive(pid):
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def end(pid, number=signal.SIGKILL):
    """Signals a descendant of the lab by its process ID. It may have exited already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def free_descriptor(pid):
    """The lowest descriptor that a process does not hold permanently; a probe holds one for some milliseconds."""
    kept = {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    for _ in range(20):
        let_pass(0.01)
        kept &= {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    return next(number for number in itertools.count() if number not in kept)


def set_descriptor_limit(pid, soft):
    """Sets the soft limit RLIMIT_NOFILE of a process. Returns the previous limit."""
    former, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    return former
