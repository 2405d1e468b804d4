"""Lists of cases. A case is a function; --list shows the first line of its docstring."""

from types import SimpleNamespace


class Case(SimpleNamespace):
    """Has a `name`, a `summary`, a function `run`, and fields that its suite adds."""


def on_list(cases, name, **more):
    """A decorator that appends a function to the list."""

    def register(function):
        cases.append(Case(name=name, summary=summary_of(function), run=function, **more))
        return function

    return register


def summary_of(function):
    return function.__doc__.strip().splitlines()[0]
