"""The list of cases. Each is a function of the lab and its report; the first line of its docstring is shown by --list."""

from dataclasses import dataclass
from typing import Callable

from servers import SERVERS, Server

CASES = []


@dataclass(frozen=True)
class Case:
    name: str
    summary: str
    servers: tuple[Server, ...]
    # Whether it is about what only the package brings.
    package: bool
    run: Callable


def case(name, servers=SERVERS, package=False):
    """Puts a function on the list, in the order of the files, to be run in the rounds of these servers."""

    def register(function):
        CASES.append(Case(name, function.__doc__.strip().splitlines()[0], servers, package, function))
        return function

    return register
