"""`doctor` on PoP 1, with the running ExaBGP, its environment, Unbound, and the addresses and routes of the kernel."""

import json

from addresses import ANYCAST_IPV4, ANYCAST_IPV6, POP1
from cases import case
from configuration import Check, resolver
from waiting import PATIENCE, expect, wait_until

# Warnings that depend on the machine of the lab.
OF_THE_MACHINE = {"clock", "drop-in-missing", "drop-in-overridden", "stop-timeout", "daemon-reload", "control-access"}


@case("doctor", once=True)
def doctor(lab, report):
    """Acknowledgments are off in the environment of ExaBGP; an address, the default route, the session, the answers, the listeners are missing: each is found."""
    checks = (Check("answers", server=(ANYCAST_IPV4, ANYCAST_IPV6)),)
    lab.start_announced(resolver(POP1, checks=checks), environment={"exabgp_api_ack": "false"})
    _expect(lab, "acks-off")
    lab.pop1.ip("address", "del", f"{ANYCAST_IPV4}/32", "dev", "lo")
    try:
        _expect(lab, "acks-off", "address-missing")
    finally:
        lab.pop1.ip("address", "add", f"{ANYCAST_IPV4}/32", "dev", "lo")
    report.found("acks off, address missing")
    lab.pop1.ip("-4", "route", "del", "default")
    try:
        _expect(lab, "acks-off", "no-default-route")
    finally:
        lab.pop1.ip("-4", "route", "add", "default", "via", POP1.router_ipv4)
    lab.router.close_session(POP1.name)
    sessions = lambda: {it["state"] for it in lab.pop1.status()["exabgp"]["bgp-sessions"]}  # noqa: E731
    try:
        wait_until(lambda: sessions() == {"down"}, PATIENCE, "the helper sees the session down")
        _expect(lab, "acks-off", "sessions-down")
    finally:
        lab.router.open_session(POP1.name)
    wait_until(lambda: sessions() == {"up"}, PATIENCE, "the helper sees the session up")
    lab.note_session()
    report.found("default route and session lost")
    lab.pop1.unbound.hang()
    try:
        _expect(lab, "acks-off", "no-answer")
    finally:
        lab.pop1.unbound.resume()
    lab.pop1.unbound.stop()
    _expect(lab, "acks-off", "not-listening")
    report.found("server hangs, server stopped")


def _expect(lab, *wanted):
    """Fails unless `doctor` finds these faults, apart from those of the machine, and the ExaBGP of its network namespace."""
    done = lab.pop1.dnsherald("doctor", "--json")
    expect(done.stdout, f"doctor prints JSON: {done.stderr}")
    document = json.loads(done.stdout)
    found = {it["id"] for it in document["findings"]} - OF_THE_MACHINE
    expect(found == set(wanted), f"doctor finds {', '.join(wanted)}: {document}")
    expect(done.returncode == 2, f"the exit status is that of an error: {done.returncode}")
    # The running ExaBGP prints its version, and its file names the configuration.
    known = {"configuration", "ExaBGP version", "helper process", "processes of neighbors"}
    expect(not known & {it["check"] for it in document["not-checked"]}, f"the running ExaBGP is found: {document}")
