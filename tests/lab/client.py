"""The client of the anycast service: who answers its queries, and how many nobody answers."""

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
    """One query and its fate; `pop` is None where nobody has answered."""

    asked: float
    address: str
    pop: str | None
    known: float


class Client(Namespace):
    """Asks the anycast addresses the same question again and again while it is told to."""

    def __init__(self, name):
        super().__init__(name)
        self.queries = []
        self.addresses = ()
        self.patience = 0.0
        self.popen = None

    def start_asking(self, per_second=100, addresses=(ANYCAST_IPV4, ANYCAST_IPV6), patience=1.0):
        """So many queries, evenly over the addresses; what is not answered in `patience`, in seconds, is lost."""
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
        """The moment when, after `since`, every address has been answered by this point of presence."""
        moments = []
        for address in self.addresses:
            first = next((q for q in list(self.queries) if q.address == address and q.asked >= since and q.pop == pop), None)
            if first is None:
                return None
            moments.append(first.known)
        return max(moments)

    def fate_known(self, until):
        """Whether of every query asked before `until` is known what became of it."""
        return bool(self.queries) and self.queries[-1].asked > until + self.patience + 0.1

    def asked(self, since, until):
        return [query for query in list(self.queries) if since <= query.asked < until]

    def unanswered(self, since, until):
        return sum(1 for query in self.asked(since, until) if query.pop is None)
