"""What breaks a point of presence. Each is a function of the presence; those with parameters return one."""

import json
import os
import signal
import subprocess
from pathlib import Path

from dns_servers import EVERY_ADDRESS, Nsd, allowed
from numbering import (
    CLIENT_NETWORK,
    MANAGEMENT_IPV4,
    MANAGEMENT_IPV6,
    OTHER_IPV4,
    SECOND_IPV4,
    SERVICE_IPV4,
    SERVICE_IPV6,
    UPSTREAM,
)
from process import run
from waiting import PATIENCE, let_pass, wait_until
from zones import SERIAL, SERVED, served

DELAY = Path(__file__).with_name("delay.py")
SLOW_TCP = Path(__file__).with_name("slow_tcp.py")
STOP_THREAD = Path(__file__).with_name("stop_thread.py")


def nothing(presence):
    """A control."""


# In a later version of the zone.
NEW_ADDRESS = "198.18.0.99"


def killed(presence):
    presence.server.kill()


def stopped(presence):
    for pid in presence.server.pids():
        os.kill(pid, signal.SIGSTOP)


def filtered(*rules, hook="input"):
    return lambda presence: presence.filter(hook, *rules)


def link_removed(kind, *words):
    """`ip -n pop KIND del …`"""
    return lambda presence: presence.network.pop.ip(*kind.split(), "del", *words)


def changed(**attributes):
    """The configuration of the server, which reads it again."""
    return lambda presence: presence.server.change(**attributes)


def access(action, *but):
    return changed(access=allowed(action, but))


def refused_by_reload(presence):
    """Two reloads, the second one of a configuration that refuses all but the host itself. `backend reload` compares the
    answers for half a minute; for some of them the server asks others."""
    server, folder = presence.server, presence.folder
    own = [(f"{address}/{128 if ':' in address else 32}", "allow") for address in (SERVICE_IPV4, SERVICE_IPV6, SECOND_IPV4)]
    # The table of the backend is the last one.
    reload = json.dumps(["unbound-control", "-c", f"{folder}/unbound.conf", "reload"])
    file = folder / "reload.toml"
    file.write_text((folder / "dnsherald.toml").read_text() + f'config-check = ["true"]\nreload = {reload}\n')
    command = presence.binary, "backend", "reload", "-c", file, "--control", folder / "control"
    # The helper compares with three seconds at least.
    let_pass(4)
    run(*presence.network.pop.inside(*command), may_fail=True)
    server.access = allowed("refuse", own)
    server.write()
    presence.start(presence.network.pop, *command)


# Of all but the host's own management network.
FOR_MANAGEMENT = (("10.1.0.0/24", "allow"), (f"{MANAGEMENT_IPV6}/128", "allow"), ("127.0.0.0/8", "allow"))


def thread_stopped(presence):
    """One worker thread, and not the main one, by ptrace: SIGSTOP stops all."""
    pid = presence.server.process.pid
    threads = sorted(int(task.name) for task in Path(f"/proc/{pid}/task").iterdir())
    _stop_thread(presence, pid, threads[-1])


def _stop_thread(presence, pid, thread):
    stopper = presence.start(presence.network.pop, "python3", "-B", STOP_THREAD, thread)
    state = Path(f"/proc/{pid}/task/{thread}/stat")
    wait_until(lambda: state.read_text().rpartition(")")[2].split()[0] == "t", PATIENCE, "the thread stops")
    assert stopper.alive()


def knot_worker_stopped(presence):
    """The thread that has been busiest since clients asked, which is a UDP worker."""
    pid = presence.server.process.pid
    asking = presence.asking(2, 20)
    asking.communicate(timeout=PATIENCE)
    tasks = [task for task in Path(f"/proc/{pid}/task").iterdir() if int(task.name) != pid]
    switches = {int(task.name): _switches(task) for task in tasks}
    _stop_thread(presence, pid, max(switches, key=switches.get))


def _switches(task):
    lines = (task / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


def delayed(presence):
    presence.server.control("addAction(AllRule(), DelayAction(400))")


def child_stopped(presence):
    """One server process of several."""
    leaves = [pid for pid in presence.server.pids() if not Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    os.kill(leaves[-1], signal.SIGSTOP)


def descriptors_gone(presence):
    pid = presence.server.process.pid
    count = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    run("prlimit", f"--pid={pid}", f"--nofile={count}:{count}")


def slow_tcp(presence):
    """400 connections that send one octet of a message."""
    process = presence.start(presence.network.client, "python3", "-B", SLOW_TCP, SERVICE_IPV4, 400)
    let_pass(1)
    assert process.alive()


def restarted(presence):
    """Killed, and started again after the 0.3 s of a supervisor."""
    presence.server.kill()
    let_pass(0.3)
    presence.server.launch()


def crashed_thrice(presence):
    for _ in range(3):
        restarted(presence)
        let_pass(5)


def uplink_saturated(presence):
    run(*presence.network.pop.inside("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "24kbit", "burst", "2kb", "latency", "50ms"))


def held(interface, milliseconds):
    """Packets that arrive at an interface of the router are late."""

    def hold(presence):
        presence.start(presence.network.router, "python3", "-B", DELAY, interface, milliseconds)
        log = presence.folder / "others.log"
        wait_until(lambda: "ready" in log.read_text(), PATIENCE, "packets are held", poll=0.05)

    return hold


def flooded(rate, *questions, source=None):
    """dnsperf asks from the clients' network."""

    def flood(presence):
        asked = presence.folder / "questions"
        asked.write_text("".join(f"{question}\n" for question in questions))
        words = ["dnsperf", "-s", SERVICE_IPV4, "-d", asked, "-l", "60", "-Q", rate, "-q", "3000", "-t", "1"]
        if source:
            presence.network.client.add_address("eth0", f"{source}/24")
            words += ["-a", source]
        presence.start(presence.network.client, *words)

    return flood


def saturated(presence):
    """The server has 1 % of a core, and 3000 queries per second."""
    pid = presence.server.process.pid
    group = _control_group(presence.name)
    presence.stack.callback(_remove, group, pid)
    for task in Path(f"/proc/{pid}/task").iterdir():
        (group / ("tasks" if (group / "tasks").exists() else "cgroup.threads")).write_text(task.name)
    flooded(3000, "www.example.com A")(presence)


def _control_group(name):
    """With 1 % of a core, in either version of control groups."""
    first = Path("/sys/fs/cgroup/cpu")
    group = (first if first.is_dir() else Path("/sys/fs/cgroup")) / name
    group.mkdir()
    if first.is_dir():
        (group / "cpu.cfs_quota_us").write_text("1000")
    else:
        (group / "cgroup.type").write_text("threaded")
        (group / "cpu.max").write_text("1000 100000")
    return group


def _remove(group, pid):
    (group.parent / "cgroup.procs").write_text(str(pid))
    group.rmdir()


FAKED = "{folder}/clock"
FAKED_CLOCK = {
    "LD_PRELOAD": "/usr/$LIB/faketime/libfaketimeMT.so.1",
    "FAKETIME_TIMESTAMP_FILE": FAKED,
    "FAKETIME_NO_CACHE": "1",
    "DONT_FAKE_MONOTONIC": "1",
}


def clock_set(offset):
    """Of the server, which libfaketime tells the time."""
    return lambda presence: (presence.folder / "clock").write_text(offset)


def reverse_path_filter(presence):
    presence.network.pop.set_kernel_parameters("net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.eth1.rp_filter=1")
    presence.network.router.ip("route", "replace", f"{SERVICE_IPV4}/32", "via", OTHER_IPV4)


def blackhole(presence):
    presence.network.pop.ip("route", "add", "blackhole", CLIENT_NETWORK)


def fragments_dropped(presence):
    presence.filter("prerouting", "ip frag-off & 0x3fff != 0 drop", host=presence.network.router, priority=-450)


def renumbered(presence):
    """The management address is another one; the router knows it."""
    pop = presence.network.pop
    pop.set_kernel_parameters("net.ipv4.conf.all.promote_secondaries=1", "net.ipv4.conf.eth0.promote_secondaries=1")
    pop.add_address("eth0", "10.1.0.3/24")
    pop.ip("address", "del", f"{MANAGEMENT_IPV4}/24", "dev", "eth0")
    pop.ip("route", "replace", "default", "via", "10.1.0.1")
    for address in (SERVICE_IPV4, SECOND_IPV4):
        presence.network.router.ip("route", "replace", f"{address}/32", "via", "10.1.0.3")


def helper_without_descriptors(presence):
    pid = presence.helper.popen.pid
    count = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    run("prlimit", f"--pid={pid}", f"--nofile={count}:{count}")


def no_local_ports(presence):
    presence.network.pop.set_kernel_parameters("net.ipv4.ip_local_port_range=61000 61001")


def helper_frozen(presence):
    os.kill(presence.helper.popen.pid, signal.SIGSTOP)
    let_pass(8)
    os.kill(presence.helper.popen.pid, signal.SIGCONT)


def log_pipe(presence):
    """The server logs into a pipe, which the row reads until the fault."""
    pipe = presence.folder / "log.pipe"
    os.mkfifo(pipe)
    presence.server.log = pipe
    presence.reader = presence.start(presence.network.pop, "cat", pipe)


def log_not_read(presence):
    presence.reader.signal(signal.SIGSTOP)


def zone_without(*words):
    """The zone is loaded again without the lines that have one of these words."""

    def load(presence):
        lines = served(SERIAL + 1).splitlines(keepends=True)
        _load(presence, "".join(line for line in lines if not any(word in line for word in words)))

    return load


def zone_of_soa(presence):
    _load(presence, "".join(served(SERIAL + 1).splitlines(keepends=True)[:2]))


def wrong_address(presence):
    _load(presence, served(SERIAL + 1).replace("198.18.0.80", "198.18.66.66"))


def signatures_gone(presence):
    _load(presence, served(SERIAL + 1))


def _load(presence, text):
    presence.server.serve(text)
    presence.server.control("reload", SERVED)


def zone_removed(presence):
    presence.server.change(zone="example.com")


def transfers_blocked(presence):
    """And the primary moves on."""
    presence.filter("output", f"ip daddr {UPSTREAM} tcp dport 53 drop")
    presence.upstream.publish(served(SERIAL + 2).replace("198.18.0.80", NEW_ADDRESS))


def short_expiry(presence):
    """Of the primary's zone."""
    presence.upstream.publish(served(SERIAL + 1, expire=4))


def primary_unreachable(presence):
    presence.filter("output", f"ip daddr {UPSTREAM} drop")


def small_disk(presence):
    """For the transfers."""
    folder = presence.folder / "transfers"
    folder.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64k", "dnsherald-test", str(folder))
    presence.stack.callback(run, "umount", "-l", str(folder))
    presence.server.transfers = folder


def disk_full(presence):
    try:
        (presence.folder / "transfers/fill").write_bytes(b"x" * 200_000)
    except OSError:
        pass  # it is full now
    presence.upstream.publish(served(SERIAL + 2).replace("198.18.0.80", NEW_ADDRESS))


MANY_ZONES = "".join(f'zone "z{number}.test" {{ type primary; file "{{folder}}/many"; }};\n' for number in range(5000))


def many_zones(presence):
    """One file for all."""
    (presence.folder / "many").write_text(served().replace(f"{SERVED}.", "@").replace("ns1.@", "ns1").replace("host.@", "host").replace("ns2.@", "ns2"))


FLOOD_OF_ZONE = ("www.example.org A", "example.org SOA", "abc.w.example.org A")


def reloaded_under_load(presence):
    flooded(300, *FLOOD_OF_ZONE)(presence)
    for _ in range(3):
        presence.server.reload()
        let_pass(3)


def frozen_under_load(presence):
    flooded(300, *FLOOD_OF_ZONE)(presence)
    for _ in range(3):
        presence.server.control("freeze", SERVED)
        let_pass(1)
        presence.server.control("thaw", SERVED)


def logs_rotated(presence):
    flooded(300, "www.example.com A", "localhost A")(presence)
    log = presence.folder / "unbound.log"
    for number in range(5):
        log.rename(f"{log}.{number}")
        presence.server.control("log_reopen")
        wait_until(log.exists, PATIENCE, "the log is opened anew", poll=0.05)
        let_pass(0.5)


SECOND_ZONE = 'zone:\n    name: "example.edu"\n    zonefile: "second"\n'


def second_zone(presence):
    (presence.folder / "second").write_text(served().replace("example.org", "example.edu"))


def second_zone_gone(presence):
    presence.server.change(more_zones="")


def rogue_server(presence):
    """Another server has the port of the service address."""
    folder = presence.folder / "rogue"
    folder.mkdir()
    rogue = Nsd(addresses=(SERVICE_IPV4,))
    rogue.start(presence.network.pop, folder, presence.zones)
    presence.processes.append(rogue.process)


def database_fails(presence):
    presence.server.sql("ALTER TABLE records RENAME TO gone")


def backend_killed(presence):
    presence.server.behind.kill()


def without(*addresses):
    return tuple(address for address in EVERY_ADDRESS if address not in addresses)
