"""The list of cases. Each is a function that takes the lab and its report."""

from case_list import on_list
from servers import SERVERS

CASES = []


def case(name, servers=SERVERS, package=False):
    """Registers a case for the rounds of these servers. With `package` it needs the package (`--deb`)."""
    return on_list(CASES, name, servers=servers, package=package)
