"""The figures: each function of `ALL` measures one quantity several times and returns the results.

`measure --help` explains each of them.
"""

import random
import re
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from subprocess import DEVNULL, PIPE, Popen, SubprocessError, run

from helper import Bench, Helper, loopback_socket


@dataclass
class Figure:
    """The results of one quantity: a row of the table, or a note beside one."""
    name: str
    unit: str
    values: list[float]
    target: float | None = None
    beside: list["Figure"] = field(default_factory=list)

    def missed(self) -> bool:
        """Whether the median is above the target."""
        return self.target is not None and median(self.values) > self.target

    def __str__(self) -> str:
        middle, low, high = (f"{pick(self.values):.{0 if self.unit == 'µs' else 2}f}" for pick in (median, min, max))
        return f"{middle} {self.unit}".strip() + (f" ({low}–{high})" if len(self.values) > 1 else "")

    def row(self) -> str:
        """A row of a table in Markdown."""
        target = "" if self.target is None else f"≤ {self.target} {self.unit}"
        beside = "; ".join(f"{figure.name}: {figure}" for figure in self.beside)
        return f"| {self.name} | {target} | {self}{' **missed**' if self.missed() else ''} | {beside} |"


def timed(*command: object) -> tuple[float, float]:
    """Runs a command to its end: seconds on the clock, and seconds of processor time."""
    begun, before = time.perf_counter(), getrusage(RUSAGE_CHILDREN)
    run(command, stdout=DEVNULL, check=True)
    ended, after = time.perf_counter(), getrusage(RUSAGE_CHILDREN)
    return ended - begun, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def start(bench: Bench) -> Iterator[Figure]:
    """Time from the start of the process to its first datagram, and the size of the binary."""
    probes, trues, true = [], [], shutil.which("true")
    for _ in bench.times(51, 11):
        with Helper(bench) as helper:
            probes.append((helper.work(10, until=b"?") - helper.spawned) * 1e3)
        trues.append(timed(true)[0] * 1e3)
    yield Figure("process start to first probe on the wire", "ms", probes, 5, [Figure("`true` to its exit", "ms", trues)])
    yield Figure("size of the binary", "MB", [bench.binary.stat().st_size / 1e6], 6)


def memory(bench: Bench) -> Iterator[Figure]:
    """Memory and processor time of a helper that probes once a second."""
    found = {"VmRSS": [], "RssAnon": [], "idle": []}
    for _ in bench.times(5):
        with Helper(bench) as helper:
            helper.work(10, until=b"announce")
            before = helper.cpu()
            helper.work(5)
            found["idle"].append((helper.cpu() - before) / 5 * 1e6)
            status = Path(f"/proc/{helper.process.pid}/status").read_text()
            for key in ("VmRSS", "RssAnon"):
                found[key].append(int(re.search(rf"{key}:\s+(\d+) kB", status)[1]) / 1024)
    yield Figure("resident memory of `run`", "MiB", found["VmRSS"], 7, [Figure("anonymous", "MiB", found["RssAnon"])])
    yield Figure("processor time of an idle helper, per second", "µs", found["idle"])


def probe(bench: Bench) -> Iterator[Figure]:
    """Processor time per probe, single and concurrent, compared with the bare system calls."""
    count = 2_000 if bench.quick else 10_000
    for name, queries, interval, target, sleep in (("one", 1, "1ms", 60, True), ("twenty", 20, "10ms", None, False)):
        ours, bare = [], []
        for _ in bench.times(5):
            used, pause = probing(bench, count, queries=queries, interval=interval)
            ours.append(used)
            if bench.bare:
                bare.append(bare_loop(bench.bare, count, pause if sleep else 0))
        loop = Figure(f"bare loop {'with as much' if sleep else 'without'} sleep", "µs", bare)
        ratio = Figure("ratio", "", [one / other for one, other in zip(ours, bare)])
        yield Figure(f"processor time per UDP probe, {name} every {interval}", "µs", ours, target, bare and [loop, ratio])


def probing(bench: Bench, count: int, **configuration: str | int | bool) -> tuple[float, int]:
    """Processor time of the helper, and time on the clock, each per query in microseconds."""
    server = loopback_socket() if bench.bare else None
    # Late answers on a busy machine change nothing.
    with Helper(bench, server, fall=1_000_000, **configuration) as helper:
        for answers in (500, count):
            before, begun = helper.cpu(), time.perf_counter()
            if server:
                run([bench.bare, str(answers)], stdin=server, check=True)
            while not server and answers > 0:
                answers -= helper.turn(1).count(b"?")
        used, passed = helper.cpu() - before, time.perf_counter() - begun
    return used / count * 1e6, int(passed / count * 1e6)


def recorder(bench: Bench) -> Iterator[Figure]:
    """The share of the flight recorder in the instructions per probe, in user space, as callgrind counts them."""
    if bench.quick or not bench.bare or not shutil.which("callgrind_annotate"):
        return
    shim = bench.directory / "without_auxv"
    run(["cc", "-O2", "-o", shim, Path(__file__).with_name("without_auxv.c")], check=True)
    shares, each = [], []
    for _ in bench.times(3):
        # The difference of two runs is without the start.
        few, many = (instructions(bench, shim, count) for count in (500, 2500))
        recorded, all_of_it = (more - less for less, more in zip(few, many))
        shares.append(recorded / all_of_it * 100)
        each.append(all_of_it / 2000)
    yield Figure("the flight recorder's share of instructions", "%", shares, 3, [Figure("instructions per probe", "", each)])


def instructions(bench: Bench, shim: Path, count: int) -> tuple[int, int]:
    """Instructions of the flight recorder, and of the whole helper, until it has sent so many probes."""
    out, server = bench.directory / "callgrind", loopback_socket()
    under = [str(shim), "valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
    with Helper(bench, server, under, fall=1_000_000, interval="1ms"):
        run([bench.bare, str(count)], stdin=server, check=True)
    listed = run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", out], stdout=PIPE, text=True, check=True).stdout
    of = re.search(r"^ *([\d,]+) .*Flight::record(?=[ \[]|$)", listed, re.MULTILINE)
    if not of:
        raise SubprocessError("the binary has no symbols; build it with CARGO_PROFILE_RELEASE_STRIP=none")
    whole = re.search(r"^ *([\d,]+) .*PROGRAM TOTALS", listed, re.MULTILINE)
    return int(of[1].replace(",", "")), int(whole[1].replace(",", ""))


def metrics(bench: Bench) -> Iterator[Figure]:
    """Processor time and time on the clock of a scrape of 100 services with 12 checks each, and the size of the answer."""
    port, used, times, sizes = loopback_socket().getsockname()[1], [], [], []
    others = f'metrics.listen = "127.0.0.1:{port}"'
    with Helper(bench, others=others, services=100, checks=12, interval="10s", rise=1) as helper:
        helper.work(10, until=b"198.18.0.100/32")
        for _ in bench.times(21, 5):
            # The document is a second old at most, so each scrape has a new one.
            helper.work(1.1)
            before, begun = helper.cpu(), time.perf_counter()
            with socket.create_connection(("127.0.0.1", port)) as scrape:
                scrape.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                answer = b"".join(iter(lambda: scrape.recv(1 << 20), b""))
            times.append((time.perf_counter() - begun) * 1e3)
            used.append((helper.cpu() - before) * 1e3)
            sizes.append(len(answer) / (1 << 20))
    beside = [Figure("on the clock", "ms", times), Figure("size", "MiB", sizes)]
    yield Figure("processor time of a scrape, 100 services with 12 checks", "ms", used, 5, beside)


def bare_loop(program: Path, count: int, pause: int) -> float:
    """Processor time per query of `bare.c` in microseconds; it sleeps this many microseconds after each."""
    server = loopback_socket()  # a new socket, without queries of the helper
    with Popen([program, str(count)], stdin=server):
        return timed(program, str(count), str(server.getsockname()[1]), str(pause))[1] / count * 1e6


def simulate(bench: Bench) -> Iterator[Figure]:
    """Time of `simulate` for a month."""
    # A failure every 5000 s, and three in a row before every midnight, which is a fall.
    fails = (at % 5000 == 4999 or at % 86400 > 86396 for at in range(2_592_000))
    lines = (f"{at} {'fail answers timeout' if fail else 'pass answers'}\n" for at, fail in enumerate(fails))
    for name, steps in (("line by line", lines), ("in one line", ["0 pass answers x2592000 every 1s\n"])):
        trace = bench.directory / "trace"
        with trace.open("w") as file:
            file.write("| " + bench.configuration(53).replace("\n", "\n| ") + "\n0 start\n")
            file.writelines(steps)
        walls, used = zip(*(timed(bench.binary, "simulate", "--trace", trace) for _ in bench.times(5)))
        yield Figure(f"`simulate`, a month {name}", "s", walls, 5, [Figure("processor time", "s", used)])


def failover(bench: Bench) -> Iterator[Figure]:
    """Time from a fault to `withdraw`, compared with the time that `check-config` shows."""
    with Helper(bench, interval="100ms", fast_interval="20ms", timeout="50ms", rise=2, fall=3) as helper:
        meaning = run([bench.binary, "check-config", helper.file], stdout=PIPE, text=True, check=True).stdout
        promises = re.search(r"a closed port or .* is detected in (\d+)ms, .* a hang in (\d+)ms", meaning)
        for fault, promise in zip(("port closed", "silence"), promises.groups()):
            found = []
            for _ in bench.times(51, 5):
                helper.work(10, until=b"announce")
                helper.work(random.uniform(0.2, 0.3))
                begun = time.perf_counter()
                helper.silent = fault == "silence"
                if not helper.silent:
                    helper.dns = helper.dns.close()
                found.append((helper.work(10, until=b"withdraw") - begun) * 1e3)
                helper.silent, helper.dns = False, helper.dns or loopback_socket(helper.port)
            yield Figure(f"{fault} to `withdraw`", "ms", found, None, [Figure("promised at worst", "ms", [int(promise)])])


ALL = (start, memory, probe, recorder, metrics, simulate, failover)
