"""The ways in which a test runs a command of the README: typed on a booted host, or in another test."""

import os
import re
import subprocess
from dataclasses import dataclass
from typing import Callable

from machine import PATIENCE
from readme import REPOSITORY
from waiting import Unmet, wait_until

# The operator's working directory; the package is below it, as in the repository.
HOME = "/root/dnsherald"
# The exit status of a shell for a command that Ctrl-C has ended. `dnsherald run` exits with its own status.
INTERRUPTED = 130


def nothing(_lab):
    """No preparation, or no check afterwards."""


@dataclass(frozen=True)
class Typed:
    """A command that the operator types as root in a shell."""

    # Regular expressions that its output must match.
    sees: tuple[str, ...] = ()
    # The command line with the placeholders of the README filled in.
    instead: str = ""
    # Whether to repeat it until the output matches.
    again: bool = False
    # Run before and after the command, to prepare and to check.
    before: Callable = nothing
    after: Callable = nothing

    def run(self, lab, text):
        line = self.instead or text
        self.before(lab)
        if self.again:
            look = lambda: self.type(lab.pop1, line)  # noqa: E731
            wait_until(lambda: not self.missed(*look()), PATIENCE, f"{line} shows {' and '.join(self.sees)}", poll=0.2)
        else:
            status, said = self.type(lab.pop1, line)
            missed = self.missed(status, said)
            if missed:
                raise Unmet(f"{line}: {missed}: {said.strip()[-1500:]}")
        self.after(lab)

    def untrue(self):
        """Always empty: a wrong command fails when it is typed."""

    def type(self, pop, line):
        done = pop.attempt("bash", "-c", f"cd {HOME}\n{line}")
        return done.returncode, done.stdout + done.stderr

    def missed(self, status, said):
        """What differs from the expectation; empty if nothing does."""
        if status != 0:
            return f"exit status {status}"
        return next((f"no {pattern!r}" for pattern in self.sees if not re.search(pattern, said)), "")


@dataclass(frozen=True)
class Watched(Typed):
    """A command at a terminal that Ctrl-C ends once its output matches."""

    def type(self, pop, line):
        command = pop.within("script", "--quiet", "--return", "--flush", "--command", f"cd {HOME}; exec {line}", "/dev/null")
        file = pop.folder / "terminal"
        with open(file, "wb") as screen:
            terminal = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=screen,
                stderr=screen,
                env={"PATH": os.defpath + ":/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", "TERM": "dumb"},
                start_new_session=True,
            )
        said = lambda: file.read_text(errors="replace")  # noqa: E731
        try:
            wait_until(lambda: not self.missed(0, said()) or terminal.poll() is not None, PATIENCE, f"{line}: {self.sees}")
            if terminal.poll() is not None:
                return f"{terminal.returncode} before Ctrl-C", said()
            terminal.stdin.write(b"\x03")
            terminal.stdin.flush()
            status = terminal.wait(PATIENCE)
            return 0 if status == INTERRUPTED else status, said()
        finally:
            terminal.kill()
            terminal.communicate()


@dataclass(frozen=True)
class Elsewhere:
    """A command that another test runs: the text `says` must be in this file of the repository."""

    file: str
    says: str

    def run(self, _lab, _text):
        """Does nothing: the other test runs it."""

    def untrue(self):
        """The fault if the file lacks the text; otherwise empty."""
        there = self.says in (REPOSITORY / self.file).read_text()
        return "" if there else f"{self.file} does not contain {self.says!r}"
