"""Cases of the privileges of user exabgp, as which ExaBGP runs its helpers."""

import re
import time

from cases import case
from site_host import CONFIGURATION
from machine import PATIENCE
from servers import UNBOUND
from waiting import Unmet, wait_until

HEAL = 'heal = { after = "1s", at-most = 1, per = "1h" }'
NO_RESTART = "/etc/systemd/system/unbound.service.d/no-restart.conf"
RULES = "/etc/polkit-1/rules.d/50-dnsherald.rules"
AS_EXABGP = ("setpriv", "--reuid=exabgp", "--regid=exabgp", "--init-groups")


@case("polkit", servers=(UNBOUND,))
def polkit(lab, report):
    """User exabgp may not restart the server and gets the polkit rule that allows it; with this rule it may.

    A refused restart leaves no drain.
    """
    pop, unit = lab.pop1, lab.server.unit
    former = pop.main_pid(unit)
    refused = pop.attempt(*AS_EXABGP, "dnsherald", "backend", "restart")
    rule = rule_in(refused.stdout)
    shown = rule and RULES in refused.stdout and "not touched" in refused.stdout
    if refused.returncode != 1 or not shown or pop.main_pid(unit) != former:
        raise Unmet(f"expected a refusal with the polkit rule, but: {refused.stdout}{refused.stderr}")
    install(pop, rule)
    if pop.run("dnsherald", "status", "--json").count('"holder"'):
        raise Unmet("a restart that was refused has left a drain")
    lab.wait_until_ready()
    pop.run(*AS_EXABGP, "dnsherald", "backend", "restart")
    if pop.main_pid(unit) == former:
        raise Unmet("the server was not restarted")
    report.found("refused with the rule, then allowed")


@case("heal", servers=(UNBOUND,))
def heal(lab, report):
    """The helper restarts a server that systemd does not restart, with the polkit rule that `backend status` prints."""
    pop, unit = lab.pop1, lab.server.unit
    pop.path(RULES).unlink(missing_ok=True)
    status = lambda: rule_in(pop.attempt(*AS_EXABGP, "dnsherald", "backend", "status").stdout)  # noqa: E731
    install(pop, wait_until(status, PATIENCE, "backend status prints the rule", poll=0.2))
    pop.write(NO_RESTART, "[Service]\nRestart=no\n")
    pop.run("systemctl", "daemon-reload")
    section = f"[backend.{lab.server.kind}]\n"
    pop.write(CONFIGURATION, pop.configuration().replace(section, f"{section}{HEAL}\n"))
    pop.run("dnsherald", "reload")
    since, former = time.time(), pop.main_pid(unit)
    pop.run("kill", "-KILL", former)
    moved = lab.until_moved(since)
    wait_until(lambda: pop.main_pid(unit) not in (0, former), PATIENCE, "the server is restarted", poll=0.05)
    report.took("restarted", time.time() - since, target=10)
    report.took("back", lab.until_routed(since + moved, PATIENCE) + moved, target=20)
    said = lambda: pop.journal("--unit", "exabgp", f"--since=@{since:.3f}")  # noqa: E731
    wait_until(lambda: "down or hung for 1s; restarting it" in said(), PATIENCE, "the log says that the helper restarts the server", poll=0.2)
    wait_until(lambda: not pop.status_if_any()["services"][0]["drains"], PATIENCE, "no drain is left", poll=0.2)
    if pop.ask("ps", "-o", "user=", "-p", pop.helper()) != "exabgp":
        raise Unmet("the helper does not run as ExaBGP's user")
    pop.write(CONFIGURATION, pop.configuration())
    pop.run("dnsherald", "reload")
    pop.path(NO_RESTART).unlink()
    pop.run("systemctl", "daemon-reload")


def rule_in(text):
    """The polkit rule in the text, or None."""
    found = re.search(r"^ *polkit\.addRule\(.*?^ *\}\);$", text, re.MULTILINE | re.DOTALL)
    return found and found[0]


def install(pop, rule):
    """Writes the rule and waits until polkit has read it, by a harmless verb that the rule also allows."""
    pop.write(RULES, rule + "\n")
    harmless = (*AS_EXABGP, "systemctl", "--no-ask-password", "reset-failed", UNBOUND.unit)
    wait_until(lambda: pop.attempt(*harmless).returncode == 0, PATIENCE, "polkit takes the rule", poll=0.2)
