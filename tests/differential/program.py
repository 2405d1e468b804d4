"""A running program: the test acts as its ExaBGP and decides how and when each check ends.

The check is a shell script that reports its start to one FIFO and reads its exit status from another one. So no result depends on
time: when the next check starts, the original has printed all lines about the previous one.
"""

import os
import select
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from process import children, end
from waiting import PATIENCE, Unmet, interrupted

# The first lines of ours, and the answer of ExaBGP 5.0.15.
GREETING = "# dnsherald"
ASK_VERSION = "system version 0"
VERSION = "exabgp 5.0.15\n"
DONE = "done\n"

CHECK = """\
echo > {folder}/asked
read -r outcome disabled < {folder}/outcome || exit 1
[ -z "$disabled" ] || : > "$disabled"
exit "$outcome"
"""


@dataclass(frozen=True)
class Kind:
    """The original or ours, with its command line."""

    name: str
    command: tuple
    ours: bool


def exabgp(line):
    """The answer of an ExaBGP that acknowledges commands."""
    return VERSION + DONE if line == ASK_VERSION else DONE


def exabgp_without_acks(line):
    """The answer of an ExaBGP with exabgp.api.ack=false: it answers only queries."""
    return VERSION if line == ASK_VERSION else ""


class Program:
    """A process with pipes. Only `pump` reads its output and answers."""

    def __init__(self, kind, arguments, folder, parent=exabgp, inside=(), started=None):
        self.kind = kind
        self.folder = Path(folder)
        self.parent = parent
        self.lines = []
        self.handshake = []
        self.asked = 0
        self.ended = False
        self.last_line_at = time.monotonic()
        self._rest = b""
        for fifo in ("asked", "outcome"):
            os.mkfifo(self.folder / fifo)
            (self.folder / fifo).chmod(0o666)
        # Opened for reading and writing, so that neither side blocks in open or sees end of file.
        self._asked = os.open(self.folder / "asked", os.O_RDWR | os.O_NONBLOCK)
        self._outcome = os.open(self.folder / "outcome", os.O_RDWR)
        (self.folder / "check").write_text(CHECK.format(folder=self.folder))
        with open(self.folder / "stderr", "wb") as stderr:
            self.popen = subprocess.Popen(
                [*map(str, inside), *map(str, kind.command), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=self.folder,
                start_new_session=True,
                **(started or {}),
            )
        self._output = self.popen.stdout.fileno()
        os.set_blocking(self._output, False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Kills the program, then its hooks, which would write to a directory that is about to be removed."""
        if self.popen.poll() is None:
            left = children(self.pid)
            self.popen.kill()
            for pid in left:
                end(pid)
        self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            try:
                pipe.close()
            except OSError:
                pass
        os.close(self._asked)
        os.close(self._outcome)

    @property
    def pid(self):
        return self.popen.pid

    def hooks(self):
        """The lines that the hooks have written, in order."""
        file = self.folder / "hooks"
        return file.read_text().splitlines() if file.exists() else []

    def errors(self):
        return (self.folder / "stderr").read_text(errors="replace")

    def identity(self):
        """Real, effective, saved and filesystem IDs, and the supplementary groups; empty once it has exited."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        wanted = {name: [int(word) for word in fields.get(name, "").split()] for name in ("Uid", "Gid", "Groups")}
        return {} if self.ended else wanted

    def outcome(self, status, then_disabled=False):
        """Ends the running check with this exit status, and creates the disable file at the same time if asked."""
        self.asked -= 1
        os.write(self._outcome, f"{status} {self.folder / 'disabled' if then_disabled else ''}\n".encode())

    def next_check_ends(self, status, then_disabled=False):
        """Waits for the next check and ends it."""
        self.until_asked()
        self.outcome(status, then_disabled)

    def until_asked(self, within=PATIENCE):
        """Waits until a check has started. Returns False if the program has exited instead."""
        self.until(lambda: self.asked > 0 or self.ended, "it neither starts a check nor exits", within)
        return self.asked > 0

    def until(self, condition, what, within=PATIENCE):
        if not self.pump(condition, within):
            raise Unmet(f"{self.kind.name}: {what}, not within {within:.0f} s; it printed {self.lines} {self.errors()[-600:]}")

    def pump(self, condition, within):
        """Reads and answers until the condition is met. Returns False if it is not met in time."""
        deadline = time.monotonic() + within
        while True:
            self._read()
            if condition():
                return True
            if interrupted.is_set():
                raise Unmet("interrupted")
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            sources = [self._asked] if self.ended else [self._asked, self._output]
            select.select(sources, [], [], min(left, 0.02))

    def _read(self):
        """Reads the FIFO first, so that all output before the start of a check can be read afterwards."""
        try:
            self.asked += len(os.read(self._asked, 65536))
        except BlockingIOError:
            pass
        while not self.ended:
            try:
                some = os.read(self._output, 65536)
            except BlockingIOError:
                return
            self.ended = not some
            *whole, self._rest = (self._rest + some).split(b"\n")
            for line in whole:
                self._on_line(line.decode())

    def _on_line(self, line):
        if self.kind.ours and line in (GREETING, ASK_VERSION):
            self.handshake.append(line)
        else:
            self.lines.append(line)
        self.say(self.parent(line))
        self.last_line_at = time.monotonic()

    def say(self, text):
        """Writes to its standard input. It may have exited."""
        try:
            os.write(self.popen.stdin.fileno(), text.encode())
        except BrokenPipeError:
            pass

    def signal(self, number):
        self.popen.send_signal(number)

    def until_ended(self, within=PATIENCE):
        """Waits for its exit. Returns the exit status; negative if a signal ended it."""
        self.until(lambda: self.ended and self.popen.poll() is not None, "it does not exit", within)
        return self.popen.returncode

    def until_asleep(self):
        """Waits until it sleeps between two checks. Elsewhere SIGINT kills the original."""
        self.until(lambda: not children(self.pid) if self.kind.ours else self._blocks_in("nanosleep"), "it does not sleep")

    def until_it_knows_exabgp(self):
        """Waits until ours has detected ExaBGP's version. Before, it uses the dialect of most versions."""
        self.until(lambda: "using dialect `" in self.errors(), "it has not detected the version")

    def until_it_waits_for_its_check(self):
        """Waits until the check runs. The original can lose a signal right after its fork."""
        self.until(lambda: self.kind.ours or self._blocks_in("pipe_read"), "it does not wait for its check")

    def _blocks_in(self, function):
        """Whether it blocks in this function of the kernel."""
        return function in Path(f"/proc/{self.pid}/wchan").read_text()
