"""A process the lab has started, with its output in a file. It is only ever signaled by its own process id."""

import itertools
import os
import resource
import signal
import subprocess
import threading
from pathlib import Path

from waiting import let_pass


def run(*command, may_fail=False):
    """Runs a command to its end and returns what it printed; a failing command is an error with its message."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        # Ctrl-C is for the lab, which still needs its commands to clean up.
        start_new_session=True,
    )
    if done.returncode != 0 and not may_fail:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Process:
    """A daemon in the foreground, in a session of its own: Ctrl-C reaches the lab alone, which ends the others in order."""

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
        """Ends it at once, as a crash would, and reaps it."""
        self.signal(signal.SIGKILL)
        self.popen.wait(timeout=10)

    def stop(self, patience=3.0):
        """Ends it politely, and when that does not help, not politely. A stopped process must run to hear SIGTERM."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        try:
            self.popen.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            self.kill()


def follow(command, heard, **where):
    """Starts a command of whose output each line is told to `heard`, in a thread of its own, as soon as it is there."""
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
            heard(line)

    threading.Thread(target=listen, daemon=True).start()
    return popen


def children(pid):
    """The process ids of the children of a process, oldest first. Dead ones are among them until it has taken notice."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in task.read_text().split()]
        except OSError:
            pass  # the thread has ended meanwhile
    return sorted(found)


def command_line(pid):
    """The command line of a process; empty once it is dead, even before its parent has taken notice."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def is_alive(pid):
    """Whether there is such a process, and it is not dead, though its parent may not have taken notice yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def end(pid, number=signal.SIGKILL):
    """Signals a process that something started by the lab has started. It may be gone already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def free_descriptor(pid):
    """The lowest descriptor that a process does not have open for good; probes have theirs for some milliseconds."""
    kept = {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    for _ in range(20):
        let_pass(0.01)
        kept &= {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    return next(number for number in itertools.count() if number not in kept)


def set_descriptor_limit(pid, soft):
    """The process opens no descriptor from this number on. Returns the former limit."""
    former, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    return former
