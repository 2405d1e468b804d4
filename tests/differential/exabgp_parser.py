"""Runs with the Python that has ExaBGP 5.0.15. Passes each command on standard input to ExaBGP's parser.

Prints one line for each: the attributes (communities as octets), or `refused`.
"""

import sys

from exabgp.logger import log
from exabgp.reactor.api import API

# Attribute codes of communities, extended communities and large communities.
LISTS = (8, 16, 32)


def attributes(api, line):
    """The parser refuses some lines with an exception, and others by returning nothing."""
    try:
        [change] = api.api_route(line[line.index("announce ") :])
    except Exception:
        return "refused"
    octets = lambda code, attribute: attribute.pack(None).hex() if code in LISTS else str(attribute)  # noqa: E731
    return " ".join(f"{code}={octets(code, attribute)}" for code, attribute in sorted(change.attributes.items()))


log.silence()
api = API(None)
for line in sys.stdin:
    print(attributes(api, line.replace("next-hop self", "next-hop 192.0.2.9")))
