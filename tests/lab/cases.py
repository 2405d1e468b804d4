"""The list of cases. Each is a function of the lab and its report; the first line of its docstring is shown by --list."""

from dataclasses import dataclass
from typing import Callable

CASES = []


@dataclass(frozen=True)
class Case:
    name: str
    summary: str
    run: Callable
    # Whether it says the same with every ExaBGP, and so is run with the first one only.
    once: bool


def case(name, once=False):
    """Puts a function on the list, in the order of the files."""

    def register(function):
        CASES.append(Case(name, function.__doc__.strip().splitlines()[0], function, once))
        return function

    return register
