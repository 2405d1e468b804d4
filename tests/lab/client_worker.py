"""Runs in the client's namespace: sends the same query to the anycast addresses and prints which PoP answers.

Arguments: queries per second over all addresses; seconds to wait for an answer; the addresses.

Prints one line of JSON for each query that is answered or lost: when it was sent, to which address, which PoP answered, and when.
The sockets are not connected: a connected one would report a closed port, while here every unanswered query counts as lost.
"""

import json
import select
import socket
import sys
import time

from dns_message import identifier_of, txt_answer, txt_question
from unbound import IDENTITY_NAME


class Family:
    """The open queries to one anycast address."""

    def __init__(self, address, patience):
        self.address = address
        self.patience = patience
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.open = {}

    def ask(self, identifier):
        self.open[identifier] = time.time()
        try:
            self.socket.sendto(txt_question(identifier, IDENTITY_NAME), (self.address, 53))
        except OSError:
            pass  # no route at this moment: the query is lost

    def read(self):
        """Reads all answers that have arrived."""
        while True:
            try:
                message = self.socket.recv(4096)
            except BlockingIOError:
                return
            asked = self.open.pop(identifier_of(message), None)
            if asked is not None:
                question = txt_question(0, IDENTITY_NAME)
                self.report(asked, txt_answer(message, question))

    def give_up(self):
        """Reports the queries that have timed out. They are in the order they were sent, so the first one is the oldest."""
        while self.open and time.time() - next(iter(self.open.values())) > self.patience:
            self.report(self.open.pop(next(iter(self.open))), None)

    def report(self, asked, pop):
        print(json.dumps({"asked": asked, "address": self.address, "pop": pop, "known": time.time()}), flush=True)


def main(per_second, patience, *addresses):
    families = [Family(address, float(patience)) for address in addresses]
    period = len(families) / float(per_second)
    identifier = 0
    turn = time.monotonic()
    while True:
        now = time.monotonic()
        if now >= turn:
            identifier = (identifier + 1) % 65536
            turn = max(turn + period, now)
            for family in families:
                family.ask(identifier)
                family.give_up()
        readable, _, _ = select.select([family.socket for family in families], [], [], max(0.0, turn - time.monotonic()))
        for family in families:
            if family.socket in readable:
                family.read()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (BrokenPipeError, KeyboardInterrupt):
        sys.exit(0)
