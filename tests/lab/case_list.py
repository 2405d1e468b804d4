"""Lists of cases. A case is a function; the first line of its docstring is shown by --list."""

from types import SimpleNamespace


class Case(SimpleNamespace):
    """Has a `name`, a `summary`, what it does in `run`, and what else its suite wants to know of it."""


def on_list(cases, name, **more):
    """Puts a function on the list, in the order of the files."""

    def register(function):
        cases.append(Case(name=name, summary=summary_of(function), run=function, **more))
        return function

    return register


def summary_of(function):
    return function.__doc__.strip().splitlines()[0]
