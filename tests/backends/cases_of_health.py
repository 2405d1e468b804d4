"""The checks `counters` and `freshness` beside the real servers."""

import json
import signal
import subprocess
import tempfile
from dataclasses import replace

from cases import case, case_of
from cases_of_run import expect_sent, reason
from exabgp_stand_in import Run
from servers import ADDRESS, ZONE
from waiting import PATIENCE, expect, wait_until

PRIMARY = "127.0.5.2"

RESOLVERS = ("unbound", "knot-resolver", "powerdns-recursor", "dnsmasq")

COUNTERS = """
[[service.check]]
name = "counters"
counters = {}
"""

# Of the primary. Twenty seconds after the last refresh a secondary ends its answers; half of fifteen have to be left.
MOVING_ZONE = """\
{zone}. 60 SOA ns.{zone}. hostmaster.{zone}. {serial} 5 1 20 60
{zone}. 60 NS ns.{zone}.
ns.{zone}. 60 A {address}
"""

KNOT_PRIMARY = """\
server:
    rundir: {folder}
    listen: {address}@53
database:
    storage: {folder}
acl:
  - id: secondaries
    address: 127.0.5.0/24
    action: transfer
  - id: others
    address: 10.255.255.255
    action: transfer
template:
  - id: default
    zonefile-sync: -1
zone:
  - domain: {zone}
    file: {folder}/zone
    acl: [{acl}]
"""

# What makes the server a secondary: what is replaced in its configuration, by what.
SECONDARY = {
    "nsd": ('    zonefile: "{zone_file}"\n', f'    zonefile: "secondary"\n    request-xfr: AXFR {PRIMARY} NOKEY\n'),
    "knot": (
        "zone:\n  - domain: {zone}\n    file: {zone_file}\n",
        f"remote:\n  - id: primary\n    address: {PRIMARY}\nzone:\n  - domain: {{zone}}\n    file: secondary\n    master: primary\n",
    ),
}


def checked(host, check):
    """The one probe of a check that `dnsherald check` runs beside the others."""
    (host.folder / "health.toml").write_text((host.folder / "dnsherald.toml").read_text().replace('role = "authoritative"\n', "") + check)
    command = host.namespace.inside(host.binary, "check", "--json", "-c", host.folder / "health.toml")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    expect(done.stdout, f"check: exit status {done.returncode}, {done.stderr}")
    (probe,) = json.loads(done.stdout)[0]["checks"][0]["probes"]
    return probe


@case
def own_counters(host):
    """The check `counters` reads the counters of the server; dnsmasq has none that tell how it fares."""
    probe = checked(host, COUNTERS)
    if host.server.kind == "dnsmasq":
        expect(probe["cause"] == "no-counters", f"{probe}")
        return probe["detail"]
    expect(probe["passed"], f"{probe}")
    return probe["probe"]


@case
def own_counters_of_a_hung_server(host):
    """A server that hangs as a whole tells nothing by its counters: other checks see it."""
    host.signal(signal.SIGSTOP)
    try:
        probe = checked(host, COUNTERS)
    finally:
        host.signal(signal.SIGCONT)
        host.wait_until_running()
    expect(probe["cause"] == "no-counters", f"{probe}")
    return probe["detail"].splitlines()[0]


@case_of(lambda server: server.rcode == "NOERROR")
def looked_up(host):
    """The check `lookup` finds what the server has, and not what it has not."""
    own = f"{ZONE} SOA" if host.server.mark == "serial" else "localhost A"
    found = checked(host, lookup(own))
    expect(found["passed"], f"{found}")
    missing = checked(host, lookup(f"absent.{ZONE} A" if host.server.mark == "serial" else "absent.localhost.invalid A"))
    expect(not missing["passed"] and missing["cause"] in ("rcode", "servfail", "refused"), f"{missing}")
    return missing["detail"]


def lookup(name):
    return f'\n[[service.check]]\nname = "lookup"\nlookup = {{ names = "{name}", server = "{ADDRESS}" }}\n'


@case_of(lambda server: server.kind in (*RESOLVERS, "bind"))
def built_in_answer(host):
    """The supplied check `answers` of a resolver asks what each answers by itself, with RA: here it has no Internet."""
    plain = host.server
    if plain.kind == "dnsmasq":
        # As Debian has it: it answers from /etc/hosts.
        restart(host, replace(plain, others={"dnsmasq.d/ours.conf": "user=root\n"}, rcode="NOERROR"))
    if plain.kind == "bind":
        # Without Debian's zones: the answer is that of the empty zone 127.in-addr.arpa, which is built in.
        recursive = plain.configuration.replace("recursion no;", "recursion yes; allow-recursion {{ any; }};")
        expect(recursive != plain.configuration, "`recursion no;` is not in the configuration")
        restart(host, replace(plain, configuration=recursive))
    try:
        probes = role_check(host)
        for probe in probes["answers"] + probes["answers-tcp"]:
            expect(probe["passed"], f"{probe}")
        if plain.kind == "bind":
            expect("1.0.0.127.in-addr.arpa. PTR" in probes["answers"][0]["probe"], f"{probes['answers']}")
            # A BIND without recursion refuses its clients, though the built-in zone answers: RA tells.
            restart(host, plain)
            (refused, *_) = role_check(host)["answers"]
            expect(refused["cause"] in ("flags", "refused"), f"{refused}")
            return f"{probes['answers'][0]['probe']}; without recursion {refused['cause']}"
    finally:
        if host.server is not plain:
            restart(host, plain)
    return probes["answers"][0]["probe"]


def role_check(host):
    """The probes of each check that `dnsherald check` runs for a resolver."""
    # Without a host prefix the checks ask the management address.
    text = (host.folder / "dnsherald.toml").read_text().replace('"192.0.2.53/32"', '"192.0.2.0/24"')
    text = text.replace(f'zones = ["{ZONE}"]\nrole = "authoritative"\n', 'role = "resolver"\n')
    file = host.folder / "built-in.toml"
    file.write_text(text)
    command = host.namespace.inside(host.binary, "check", "--json", "-c", file)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    expect(done.stdout, f"check: exit status {done.returncode}, {done.stderr}")
    return {check["check"]: check["probes"] for check in json.loads(done.stdout)[0]["checks"]}


@case_of(lambda server: server.kind in SECONDARY)
def old_zone(host):
    """A secondary whose transfers the primary refuses while it moves on has a stale zone, which then expires."""
    plain = host.server
    old, new = SECONDARY[plain.kind]
    expect(old in plain.configuration, f"`{old}` is not in the configuration")
    host.namespace.add_address("lo", f"{PRIMARY}/32")
    with tempfile.TemporaryDirectory(prefix="dnsherald-primary-") as folder:
        write_primary(folder, serial=1, acl="secondaries")
        primary = host.namespace.start("knotd", "-c", f"{folder}/knot.conf", output=f"{folder}/log")
        try:
            restart(host, replace(plain, configuration=plain.configuration.replace(old, new, 1)))
            wait_until(lambda: freshness(host)["probe"] == "1 zone: 0 behind, 0 not compared", PATIENCE, "the zone is current")
            (host.folder / "run.toml").write_text(configuration(folder))
            with Run(host.namespace.inside(host.binary, "run", "-c", host.folder / "run.toml")) as run:
                expect_sent(run, "announce")
                write_primary(folder, serial=2, acl="others")
                reload = host.namespace.inside("knotc", "-c", f"{folder}/knot.conf", "reload")
                subprocess.run(reload, capture_output=True, timeout=PATIENCE, check=True)
                expect_sent(run, "announce", "withdraw")
                why = wait_until(lambda: reason(run), PATIENCE, "the log has the reason of the withdraw")
            expect("has 1, expected 2, behind for" in why, why)
            if plain.kind == "knot":
                # It tells how long it goes on answering (RFC 7314).
                wait_until(lambda: freshness(host).get("cause") == "expired", PATIENCE, "the zone expires soon")
        finally:
            primary.popen.kill()
            primary.popen.wait(timeout=PATIENCE)
            host.namespace.ip("address", "del", f"{PRIMARY}/32", "dev", "lo")
            restart(host, plain)
    return why


def restart(host, server):
    host.signal(signal.SIGTERM)
    host.server = server
    for left in ("secondary", "xfrd.state"):
        (host.folder / left).unlink(missing_ok=True)
    host.write()
    host.start()


def write_primary(folder, serial, acl):
    words = {"folder": folder, "address": PRIMARY, "zone": ZONE, "serial": serial, "acl": acl}
    for name, text in (("zone", MOVING_ZONE), ("knot.conf", KNOT_PRIMARY)):
        with open(f"{folder}/{name}", "w") as file:
            file.write(text.format(**words))


def freshness(host, max_lag="1h"):
    """What the check `freshness` finds once."""
    return checked(host, f'\n[[service.check]]\nname = "fresh"\n{table(max_lag)}')


def table(max_lag):
    return f'freshness = {{ zones = ["{ZONE}"], primaries = ["{PRIMARY}"], server = "{ADDRESS}", max-lag = "{max_lag}", zone-interval = "1s" }}\n'


def configuration(place):
    return f"""
[node]
management = ["{ADDRESS}"]

[control]
directory = "{place}/run"
state = "{place}/state"

[defaults]
rise = 2
fall = 2

[[service]]
name = "dns"
prefixes = ["192.0.2.53/32"]
address = false
dampening = {{ mode = "off" }}

[[service.check]]
name = "fresh"
on-fail = "down"
{table("2s")}"""
