"""Sends queries for a name to a server, one after the other, and prints how many got any answer."""

import socket
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.append(str(Path(__file__).resolve().parents[1] / "lab"))

from dns_message import identifier_of, txt_question  # noqa: E402


def main(address, name, count):
    answered = 0
    for identifier in range(count):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(1)
            try:
                asking.connect((address, 53))
                asking.send(txt_question(identifier, name))
                answered += identifier_of(asking.recv(4096)) == identifier
            except OSError:
                pass
    print(answered)


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
