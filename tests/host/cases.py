"""The list of cases. Each is a function of the lab and its report."""

from case_list import on_list
from servers import SERVERS

CASES = []


def case(name, servers=SERVERS, package=False):
    """It is run in the rounds of these servers; with `package` it is about what only the package brings."""
    return on_list(CASES, name, servers=servers, package=package)
