"""The helper under measurement: `dnsherald run`. This process stands in for ExaBGP and, by default, for the DNS server."""

import json
import select
import socket
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen, SubprocessError
from typing import NoReturn

from exabgp_stand_in import answer

CONFIGURATION = """\
node.management = ["127.0.0.1"]
control.state = "{state}"
{others}defaults = {{ {timing} }}
"""

SERVICE = """\
[[service]]
name = "resolver-{number:03}"
prefixes = ["198.18.0.{number}/32"]
address = false
dampening.mode = "off"
"""

CHECK = """\
[[service.check]]
name = "{name}"
dns = {{ queries = {queries}, server = "127.0.0.1:{port}" }}
"""

# As the checks that a resolver has by default.
NAMES = (
    "answers answers-tcp management recursion validation large tls identity process listener listener-tcp address"
).split()

# The answer to `localhost. A` without its ID: 127.0.0.1.
ANSWER = bytes.fromhex("81800001000100000000096c6f63616c686f73740000010001c00c0001000100000e1000047f000001")


@dataclass
class Bench:
    """The binary, the number of runs, and a directory for files."""
    binary: Path
    bare: Path | None
    directory: Path
    quick: bool

    def times(self, thorough: int, quick: int = 1) -> range:
        """The number of runs."""
        return range(quick if self.quick else thorough)

    def configuration(
        self, port: int, queries: int = 1, services: int = 1, checks: int = 1, others: str = "", **timing: str | int
    ) -> str:
        """A configuration of services with so many checks, each with this number of queries to this port; `others` are lines of
        other keys, keywords are keys of `defaults`."""
        keys = ", ".join(f"{key.replace('_', '-')} = {json.dumps(value)}" for key, value in timing.items())
        asked = json.dumps(["localhost. A"] * queries)
        each = "".join(CHECK.format(name=name, queries=asked, port=port) for name in NAMES[:checks])
        tables = "".join(SERVICE.format(number=number) + each for number in range(1, services + 1))
        state = self.directory / "state"
        return CONFIGURATION.format(state=state, others=others and others + "\n", timing=keys) + tables


class Helper(AbstractContextManager):
    """`run`. This script stands in for ExaBGP and, without another socket, for the DNS server."""

    def __init__(
        self, bench: Bench, other: socket.socket | None = None, under: Sequence[str] = (), **configuration: str | int
    ):
        """Starts it with this configuration, `under` another program if one is given, and records the time in `spawned`."""
        self.dns = None if other else loopback_socket()
        self.port = (other or self.dns).getsockname()[1]
        self.log, self.file, self.begun, self.silent = bench.directory / "log", bench.directory / "bench.toml", b"", False
        self.file.write_text(bench.configuration(self.port, **configuration))
        with self.log.open("wb") as log:
            self.spawned = time.perf_counter()
            line = [*under, bench.binary, "run", "-c", self.file]
            self.process = Popen(line, stdin=PIPE, stdout=PIPE, stderr=log, bufsize=0)

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()  # the helper exits without ExaBGP
        try:
            self.process.wait(20)
        except SubprocessError:
            self.process.kill()
        self.process.__exit__(None, None, None)

    def turn(self, limit: float) -> list[bytes]:
        """Answers all input of the next seconds, and returns it: the lines of the helper, `?` for a query."""
        ready, _, _ = select.select([source for source in (self.dns, self.process.stdout) if source], [], [], limit)
        heard = []
        if self.process.stdout in ready:
            *heard, self.begun = (self.begun + (self.process.stdout.read(65536) or self.fail("has ended"))).split(b"\n")
            for line in heard:
                self.process.stdin.write(answer(line))
        if self.dns in ready:
            query, peer = self.dns.recvfrom(512)
            heard.append(b"?")
            if not self.silent:
                self.dns.sendto(query[:2] + ANSWER, peer)
        return heard

    def work(self, seconds: float, until: bytes | None = None) -> float:
        """Continues for this time, or until a line contains this word; returns the time of that line."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            if any(until and until in line for line in self.turn(left)):
                return time.perf_counter()
        return self.fail(f"has not said {until.decode()} within {seconds} s") if until else end

    def fail(self, what: str) -> NoReturn:
        """Fails with a message and the log of the helper."""
        raise SubprocessError(f"the helper {what}; the end of its log:\n{self.log.read_text(errors='replace')[-1000:]}")

    def cpu(self) -> float:
        """Processor time of all its threads in seconds, past ones included: the clock of clock_getcpuclockid(3)."""
        return time.clock_gettime(~self.process.pid << 3 | 2)


def loopback_socket(port: int = 0) -> socket.socket:
    """A UDP socket, by default at a free port."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", port))
    return server
