"""A network namespace in which a program can set up addresses without effect on the machine."""

import itertools
import os

from namespace import Namespace

NUMBERS = itertools.count()


class Network(Namespace):
    """Exists within its context. `preparation` is a series of words to `ip`, such as `address add …`."""

    def __init__(self, preparation):
        super().__init__(f"dnsherald-differential-{os.getpid()}-{next(NUMBERS)}")
        self.preparation = preparation

    def __enter__(self):
        try:
            self.create()
            for words in self.preparation:
                self.ip(*words.split())
        except BaseException:
            self.delete()
            raise
        return self

    def __exit__(self, *_):
        self.delete()

    def addresses(self):
        """Interface, address and label of each address. Sorted, since the original adds them in no fixed order."""
        found = []
        for line in self.ip("-o", "address").splitlines():
            _, interface, family, address, *rest = line.split("\\")[0].split()
            label = rest[-1] if family == "inet" else ""
            found.append(f"{interface} {address} {label}".strip())
        return sorted(found)
