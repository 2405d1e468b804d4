"""The list of cases. Each is a function of the lab and its report."""

from case_list import on_list

CASES = []


def case(name, once=False):
    """With `once` it says the same with every ExaBGP, and so is run with the first one only."""
    return on_list(CASES, name, once=once)
