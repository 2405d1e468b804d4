"""A case of what user exabgp, whom ExaBGP runs its helpers as, may do to the server."""

import re

from cases import case
from machine import PATIENCE
from servers import UNBOUND
from waiting import Unmet, wait_until

RULES = "/etc/polkit-1/rules.d/50-dnsherald.rules"
AS_EXABGP = ("setpriv", "--reuid=exabgp", "--regid=exabgp", "--init-groups")


@case("polkit", servers=(UNBOUND,))
def polkit(lab, report):
    """User exabgp may not restart the server, and is told the rule that lets it; with just that rule it may.

    What is refused leaves nothing drained.
    """
    pop, unit = lab.pop1, lab.server.unit
    former = pop.main_pid(unit)
    refused = pop.attempt(*AS_EXABGP, "dnsherald", "backend", "restart")
    rule = re.search(r"^ *polkit\.addRule\(.*?^ *\}\);$", refused.stdout, re.MULTILINE | re.DOTALL)
    told = rule and RULES in refused.stdout and "not touched" in refused.stdout
    if refused.returncode != 1 or not told or pop.main_pid(unit) != former:
        raise Unmet(f"expected to be refused, and told the rule, but: {refused.stdout}{refused.stderr}")
    pop.write(RULES, rule[0] + "\n")
    # polkit reads the rule by itself. This verb is allowed by it too, and changes nothing.
    harmless = (*AS_EXABGP, "systemctl", "--no-ask-password", "reset-failed", unit)
    wait_until(lambda: pop.attempt(*harmless).returncode == 0, PATIENCE, "polkit takes the rule", poll=0.2)
    if pop.run("dnsherald", "status", "--json").count('"holder"'):
        raise Unmet("a restart that was refused has left a drain")
    lab.wait_until_ready()
    pop.run(*AS_EXABGP, "dnsherald", "backend", "restart")
    if pop.main_pid(unit) == former:
        raise Unmet("the server was not restarted")
    report.found("refused, told the rule, allowed")
