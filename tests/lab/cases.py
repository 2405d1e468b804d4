"""The list of cases. Each is a function that takes the lab and its report."""

from case_list import on_list

CASES = []


def case(name, once=False):
    """Registers a case. With `once` it does not depend on the version of ExaBGP and runs with the first one only."""
    return on_list(CASES, name, once=once)
