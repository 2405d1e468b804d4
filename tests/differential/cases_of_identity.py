"""Whom a program becomes, what it tells sudo, and its process id in a file."""

import signal

import differences
from cases import same
from scenario import ADDRESS, SETTING_UP, Ending, Scenario

# Of no user in particular.
GROUPS = (4242, 4243)
SERIES = "++--d" + "e++"

for name, arguments, difference in (
    ("user and group", "--user nobody --group daemon", differences.NO_SUPPLEMENTARY_GROUPS),
    ("group", "--group daemon", differences.NO_SUPPLEMENTARY_GROUPS),
    ("user", "--user nobody", differences.A_USER_COMES_WITH_ITS_GROUP),
):
    same(f"identity: {name}", Scenario(f"{ADDRESS} {arguments}", SERIES, groups=GROUPS), difference)

same("identity: no --user, no --group", Scenario(ADDRESS, SERIES, groups=GROUPS))
same("identity: already this user", Scenario(f"{ADDRESS} --user nobody", SERIES, groups=(), user="nobody"))
# Both end with an error.
for name, arguments, user in (
    ("cannot become root", "--user root", "nobody"),
    ("an unknown user", "--user no-such-user", None),
    ("an unknown group", "--group no-such-group", None),
):
    same(f"identity: {name}", Scenario(f"{ADDRESS} {arguments}", "", user=user, ending=Ending(signal=None)))

# Without privileges at the end, neither program removes the addresses.
same(
    "identity: sets up addresses before it drops privileges",
    Scenario(f"{ADDRESS} --user nobody --group daemon", SERIES, usual=SETTING_UP, network=(), groups=()),
)
same(
    "identity: user nobody cannot set up addresses",
    # In the network namespace of this host: user nobody cannot change it.
    Scenario(ADDRESS, SERIES, usual=SETTING_UP, groups=(), user="nobody"),
)

for name, arguments in (
    ("at the start and the end", ADDRESS),
    ("several", f"{ADDRESS} --ip 2001:db8::53 --ip 192.0.2.7 --ip-ifname 192.0.2.7%one"),
    ("dynamic", f"{ADDRESS} --dynamic-ip-setup"),
):
    network = ("link add one type veth peer name other",)
    same(f"sudo: {name}", Scenario(f"{arguments} --sudo", SERIES, usual=SETTING_UP, network=network, sudo=True))

same(
    "pid: overwrites the file of a running process",
    Scenario(f"{ADDRESS} --pid {{folder}}/pid", SERIES, files={"pid": "1\n" * 100}),
)
same(
    "pid: keeps the file at SIGTERM",
    Scenario(f"{ADDRESS} --pid {{folder}}/pid", "++", ending=Ending(signal.SIGTERM)),
)
