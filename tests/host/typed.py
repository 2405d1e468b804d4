"""How a command of the README is run by a test: typed on a booted host, or by what else runs it."""

import os
import re
import subprocess
from dataclasses import dataclass
from typing import Callable

from machine import PATIENCE
from readme import REPOSITORY
from waiting import Unmet, wait_until

# Where the operator is, and the package lies below, as in the repository.
HOME = "/root/dnsherald"
# How a shell tells of what Ctrl-C has ended; `dnsherald run` ends by itself then.
INTERRUPTED = 130


def nothing(_lab):
    """There is nothing to prepare, or to look at."""


@dataclass(frozen=True)
class Typed:
    """By the operator, as root, in a shell."""

    # What it prints, each a regular expression.
    sees: tuple[str, ...] = ()
    # In place of what the README leaves to be filled in.
    instead: str = ""
    # He types it again until he sees that.
    again: bool = False
    # What is done before, and what holds then, beyond what is printed.
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
        """Nothing: it shows when it is typed."""

    def type(self, pop, line):
        done = pop.attempt("bash", "-c", f"cd {HOME}\n{line}")
        return done.returncode, done.stdout + done.stderr

    def missed(self, status, said):
        """What is not as it is to be; nothing if all is."""
        if status != 0:
            return f"exit status {status}"
        return next((f"no {pattern!r}" for pattern in self.sees if not re.search(pattern, said)), "")


@dataclass(frozen=True)
class Watched(Typed):
    """At a terminal, until the operator has seen what he wanted to see and types Ctrl-C."""

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
    """Another test runs it: so says this file of the repository, which has that in it."""

    file: str
    says: str

    def run(self, _lab, _text):
        """Not here."""

    def untrue(self):
        """What is wrong with that; nothing if it is so."""
        there = self.says in (REPOSITORY / self.file).read_text()
        return "" if there else f"{self.file} does not have {self.says!r}"
