"""Cases of what user exabgp, whom ExaBGP runs its helpers as, may do to the server."""

import re

from cases import case
from servers import UNBOUND
from waiting import Unmet, wait_until

RULES = "/etc/polkit-1/rules.d/50-dnsherald.rules"
AS_EXABGP = ("setpriv", "--reuid=exabgp", "--regid=exabgp", "--init-groups")


@case("polkit", servers=(UNBOUND,))
def polkit(lab, report):
    """Without a rule user exabgp may not restart the server and is told the rule; with just that rule it may."""
    pop, unit = lab.pop1, lab.server.unit
    restart = (*AS_EXABGP, "systemctl", "--no-ask-password", "restart", unit)
    status = (*AS_EXABGP, "dnsherald", "backend", "status")
    if pop.attempt(*restart).returncode == 0:
        raise Unmet("user exabgp may restart the server without any rule")
    said = pop.attempt(*status)
    rule = re.search(r"^ *polkit\.addRule\(.*?^ *\}\);$", said.stdout + said.stderr, re.MULTILINE | re.DOTALL)
    if not rule or RULES not in said.stdout + said.stderr:
        raise Unmet(f"backend status does not print the rule, but {said.stdout}{said.stderr}")
    pop.write(RULES, rule[0] + "\n")
    former = pop.main_pid(unit)
    wait_until(lambda: pop.attempt(*restart).returncode == 0, 20, "polkit takes the rule and lets user exabgp restart", poll=0.5)
    if pop.main_pid(unit) == former:
        raise Unmet("the server was not restarted")
    report.found("refused, told the rule, allowed")
    said = pop.attempt(*status)
    if "polkit" in said.stdout + said.stderr:
        raise Unmet("backend status still asks for the rule")
