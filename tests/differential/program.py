"""One of the two programs at work: the test is its ExaBGP, and decides how and when each of its checks ends.

The check is a shell script that tells one FIFO that it has begun, and then reads from another how it is to end. Thus
nothing is left to the clock: when the next check has begun, the original has said all it had to say about the last.
"""

import os
import select
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from process import children, end
from waiting import PATIENCE, Unmet, interrupted

# What ours says before anything else, and how ExaBGP 5.0.15 answers.
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
    """The original or ours."""

    name: str
    command: tuple
    ours: bool


def exabgp(line):
    """The answer of an ExaBGP that acknowledges what it is told."""
    return VERSION + DONE if line == ASK_VERSION else DONE


def exabgp_without_acks(line):
    """The same with exabgp.api.ack=false: only questions are answered."""
    return VERSION if line == ASK_VERSION else ""


class Program:
    """A process between pipes. Nothing is read, answered or noticed but in `pump`."""

    def __init__(self, kind, arguments, folder, parent=exabgp, inside=(), started=None):
        self.kind = kind
        self.folder = Path(folder)
        self.parent = parent
        self.lines = []
        self.handshake = []
        self.asked = 0
        self.ended = False
        self.heard_at = time.monotonic()
        self._rest = b""
        for fifo in ("asked", "outcome"):
            os.mkfifo(self.folder / fifo)
            (self.folder / fifo).chmod(0o666)
        # Open in both directions, so that neither side ever waits for the other to open it, or sees its end.
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
        """Ends what is left: itself, and then its hooks, which would write to a folder that is about to be removed."""
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
        """What the hooks of the script have written, in their order."""
        file = self.folder / "hooks"
        return file.read_text().splitlines() if file.exists() else []

    def errors(self):
        return (self.folder / "stderr").read_text(errors="replace")

    def identity(self):
        """Real, effective, saved and filesystem ids, and the supplementary groups; nothing once it has ended."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        wanted = {name: [int(word) for word in fields.get(name, "").split()] for name in ("Uid", "Gid", "Groups")}
        return {} if self.ended else wanted

    def outcome(self, status, then_disabled=False):
        """Ends the check that is under way, perhaps with the disable file in its place at the same moment."""
        self.asked -= 1
        os.write(self._outcome, f"{status} {self.folder / 'disabled' if then_disabled else ''}\n".encode())

    def next_check_ends(self, status, then_disabled=False):
        """Once it has begun."""
        self.until_asked()
        self.outcome(status, then_disabled)

    def until_asked(self, within=PATIENCE):
        """A check has begun. False if the program has ended instead."""
        self.until(lambda: self.asked > 0 or self.ended, "it neither checks again nor ends", within)
        return self.asked > 0

    def until(self, condition, what, within=PATIENCE):
        if not self.pump(condition, within):
            raise Unmet(f"{self.kind.name}: {what}, within {within:.0f} s; it said {self.lines} {self.errors()[-600:]}")

    def pump(self, condition, within):
        """Reads and answers until the condition is met. False if it is not in time."""
        deadline = time.monotonic() + within
        while True:
            self._take()
            if condition():
                return True
            if interrupted.is_set():
                raise Unmet("interrupted")
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            sources = [self._asked] if self.ended else [self._asked, self._output]
            select.select(sources, [], [], min(left, 0.02))

    def _take(self):
        """The FIFO first: what was said before a check began is then there to be read, too."""
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
                self._hear(line.decode())

    def _hear(self, line):
        if self.kind.ours and line in (GREETING, ASK_VERSION):
            self.handshake.append(line)
        else:
            self.lines.append(line)
        self.say(self.parent(line))
        self.heard_at = time.monotonic()

    def say(self, text):
        """Writes to its standard input, which it may have closed by ending."""
        try:
            os.write(self.popen.stdin.fileno(), text.encode())
        except BrokenPipeError:
            pass

    def signal(self, number):
        self.popen.send_signal(number)

    def until_ended(self, within=PATIENCE):
        """Its exit status; negative if a signal has ended it."""
        self.until(lambda: self.ended and self.popen.poll() is not None, "it does not end", within)
        return self.popen.returncode

    def until_asleep(self):
        """It rests between two checks. The original dies of a SIGINT anywhere else."""
        self.until(lambda: not children(self.pid) if self.kind.ours else self._hangs_in("nanosleep"), "it does not sleep")

    def until_it_knows_exabgp(self):
        """What ours says before it knows whom it speaks to is in the words that most versions understand."""
        self.until(lambda: "speaking `" in self.errors(), "it has not found out the version")

    def until_it_waits_for_its_check(self):
        """A signal that comes right behind the fork is lost to the original, or half of it."""
        self.until(lambda: self.kind.ours or self._hangs_in("pipe_read"), "it does not wait for its check")

    def _hangs_in(self, function):
        """Of the kernel."""
        return function in Path(f"/proc/{self.pid}/wchan").read_text()
