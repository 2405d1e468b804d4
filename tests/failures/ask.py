"""Runs in the client's namespace: asks the service addresses as clients do, and prints one JSON object.

Its arguments: role, seconds, questions of each kind per second, the right address. For each kind: how many were asked and answered right,
the median latency of these in milliseconds, and how often something else came.
"""

import collections
import json
import random
import socket
import statistics
import string
import struct
import sys
import threading
import time

from numbering import SECOND_IPV4, SERVICE_IPV4, SERVICE_IPV6

PATIENCE = 2.0
A, NS, SOA, TXT = 1, 2, 6, 16
RCODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}
RIGHT = object()

# Name, type, address, transport, EDNS size, data of the answer. A `*` is a fresh label.
KINDS = {
    "resolver": {
        "udp": ("www.example.com", A, SERVICE_IPV4, "udp", 0, RIGHT),
        "fresh": ("*.w.example.net", A, SERVICE_IPV4, "udp", 0, b""),
        "tcp": ("www.example.com", A, SERVICE_IPV4, "tcp", 0, RIGHT),
        "ipv6": ("www.example.com", A, SERVICE_IPV6, "udp", 0, RIGHT),
        "second": ("www.example.com", A, SECOND_IPV4, "udp", 0, RIGHT),
        "big": ("big.example.com", TXT, SERVICE_IPV4, "udp", 4096, b""),
    },
    "authoritative": {
        "udp": ("www.example.org", A, SERVICE_IPV4, "udp", 0, RIGHT),
        "wildcard": ("*.w.example.org", A, SERVICE_IPV4, "udp", 0, b""),
        "ns": ("example.org", NS, SERVICE_IPV4, "udp", 0, b""),
        "tcp": ("example.org", SOA, SERVICE_IPV4, "tcp", 0, b""),
        "ipv6": ("www.example.org", A, SERVICE_IPV6, "udp", 0, RIGHT),
        "second": ("www.example.org", A, SECOND_IPV4, "udp", 0, RIGHT),
        "big": ("big.example.org", TXT, SERVICE_IPV4, "udp", 4096, b""),
    },
}


def message(identifier, name, record_type, recursion, size):
    name = name.replace("*", "".join(random.choices(string.ascii_lowercase, k=12)))
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    edns = b"\0" + struct.pack("!HHIH", 41, size, 0x8000, 0) if size else b""
    header = struct.pack("!6H", identifier, 0x0100 if recursion else 0, 1, 0, 0, 1 if size else 0)
    return header + labels + b"\0" + struct.pack("!HH", record_type, 1) + edns


def verdict(identifier, answer, data, authoritative):
    """`ok`, or what is wrong with an answer."""
    found, flags, _, count = struct.unpack_from("!4H", answer)
    if found != identifier:
        return "another identifier"
    if flags & 0x0200:
        return "truncated"
    if flags & 15:
        return RCODES.get(flags & 15, f"RCODE {flags & 15}")
    if not count:
        return "empty"
    if authoritative and not flags & 0x0400:
        return "not authoritative"
    return "ok" if data in answer else "wrong data"


def ask(role, kind):
    name, record_type, address, transport, size, data = kind
    identifier = random.randrange(65536)
    question = message(identifier, name, record_type, role == "resolver", size)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM) as asking:
        asking.settimeout(PATIENCE)
        try:
            asking.connect((address, 53))
            if transport == "tcp":
                asking.sendall(struct.pack("!H", len(question)) + question)
                with asking.makefile("rb") as stream:
                    (length,) = struct.unpack("!H", stream.read(2))
                    answer = stream.read(length)
            else:
                asking.send(question)
                answer = asking.recv(65535)
            return verdict(identifier, answer, data, role == "authoritative")
        except TimeoutError:
            return "timeout"
        except ConnectionError:
            return "refused by ICMP or reset"
        except (OSError, struct.error) as error:
            return type(error).__name__


def main(role, seconds, rate, address):
    right = socket.inet_aton(address)
    KINDS[role] = {name: (*kind[:-1], right if kind[-1] is RIGHT else kind[-1]) for name, kind in KINDS[role].items()}
    found = {kind: collections.Counter() for kind in KINDS[role]}
    latencies = collections.defaultdict(list)

    def one(kind):
        began = time.monotonic()
        result = ask(role, KINDS[role][kind])
        found[kind][result] += 1
        if result == "ok":
            latencies[kind].append(time.monotonic() - began)

    threads = []
    plan = [kind for kind in KINDS[role] for _ in range(max(1, round(float(seconds) * float(rate))))]
    random.shuffle(plan)
    pause = float(seconds) / len(plan)
    turn = time.monotonic()
    for kind in plan:
        threads.append(threading.Thread(target=one, args=(kind,)))
        threads[-1].start()
        turn += pause
        time.sleep(max(0, turn - time.monotonic()))
    for thread in threads:
        thread.join()
    median = {kind: round(statistics.median(each) * 1000, 1) for kind, each in latencies.items()}
    print(json.dumps({kind: {"found": counts, "ms": median.get(kind)} for kind, counts in found.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
