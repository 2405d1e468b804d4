"""The client of the anycast service: which point of presence answers its queries, and how many stay unanswered."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from addresses import ANYCAST_IPV4, ANYCAST_IPV6
from namespace import Namespace
from process import follow

WORKER = Path(__file__).with_name("client_worker.py")


@dataclass(frozen=True)
class Query:
    """One query and its result; `pop` is None if it stayed unanswered."""

    asked: float
    address: str
    pop: str | None
    known: float


class Client(Namespace):
    """Sends the same query to the anycast addresses until it is stopped."""

    def __init__(self, name):
        super().__init__(name)
        self.queries = []
        self.addresses = ()
        self.patience = 0.0
        self.popen = None

    def start_asking(self, per_second=100, addresses=(ANYCAST_IPV4, ANYCAST_IPV6), patience=1.0):
        """Starts `per_second` queries, evenly over the addresses. A query without an answer in `patience` seconds is lost."""
        self.queries = []
        self.addresses = addresses
        self.patience = patience
        queries = self.queries
        asking = self.inside(sys.executable, "-B", WORKER, per_second, patience, *addresses)
        self.popen = follow(asking, lambda line: queries.append(Query(**json.loads(line))))

    def stop_asking(self):
        if self.popen:
            self.popen.terminate()
            self.popen.wait(timeout=10)
            self.popen = None

    def served_by(self, pop, since):
        """The time after `since` when this point of presence had answered at every address, or None."""
        moments = []
        for address in self.addresses:
            first = next((q for q in list(self.queries) if q.address == address and q.asked >= since and q.pop == pop), None)
            if first is None:
                return None
            moments.append(first.known)
        return max(moments)

    def all_settled(self, until):
        """Whether every query asked before `until` is answered or lost."""
        return bool(self.queries) and self.queries[-1].asked > until + self.patience + 0.1

    def asked(self, since, until):
        return [query for query in list(self.queries) if since <= query.asked < until]

    def unanswered(self, since, until):
        return sum(1 for query in self.asked(since, until) if query.pop is None)
