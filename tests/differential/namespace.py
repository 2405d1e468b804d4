"""A network namespace of the test's own, in which a program sets up addresses that nobody else notices."""

import itertools
import os
import subprocess

NUMBERS = itertools.count()


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


class Namespace:
    """Exists as long as its context. `preparation` is a series of words to `ip`, such as `address add …`."""

    def __init__(self, preparation):
        self.name = f"dnsherald-differential-{os.getpid()}-{next(NUMBERS)}"
        self.preparation = preparation

    def __enter__(self):
        run("ip", "netns", "add", self.name)
        for words in ("link set lo up", *self.preparation):
            self.run(words)
        return self

    def __exit__(self, *_):
        run("ip", "netns", "delete", self.name)

    def run(self, words):
        run("ip", "-n", self.name, *words.split())

    def inside(self):
        """In front of a command. `ip netns exec` becomes the command: the process id is its own."""
        return ("ip", "netns", "exec", self.name)

    def addresses(self):
        """Interface, address and label of each, sorted, for the original adds them in no particular order."""
        found = []
        for line in run("ip", "-n", self.name, "-o", "address").splitlines():
            _, interface, family, address, *rest = line.split("\\")[0].split()
            label = rest[-1] if family == "inet" else ""
            found.append(f"{interface} {address} {label}".strip())
        return sorted(found)
