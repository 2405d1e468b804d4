"""Cases of the addresses on the interfaces after each step. Each program has its own network namespace."""

import differences
from cases import same
from scenario import SETTING_UP, Scenario

SERIES = "++--++d" + "e++"

for name, arguments, network in (
    ("adds missing addresses", "--ip 192.0.2.1 --ip 2001:db8::53", ()),
    ("label", "--ip 192.0.2.1 --label dns", ()),
    ("adds each address of a network", "--ip 192.0.2.0/30", ()),
    ("interface", "--ip 192.0.2.1 --ip 192.0.2.2 --ip-ifname 192.0.2.2%one", ("link add one type veth peer name other",)),
    ("no set-up", "--ip 192.0.2.1 --no-ip-setup", ()),
    ("dynamic", "--ip 192.0.2.1 --ip 192.0.2.2 --dynamic-ip-setup", ()),
    ("dynamic with label", "--ip 192.0.2.1 --dynamic-ip-setup --label dns", ()),
    ("dynamic alone", "--ip 192.0.2.1 --dynamic-ip-setup --no-ip-setup", ()),
    ("dynamic, debounce", "--ip 192.0.2.1 --dynamic-ip-setup --debounce --withdraw-on-down", ()),
    ("keeps foreign addresses", "--ip 192.0.2.1", ("address add 198.51.100.1/32 dev lo",)),
    (
        "prefixes from the addresses of lo",
        "--no-ip-setup",
        ("address add 192.0.2.1/32 dev lo", "address add 2001:db8::1/128 dev lo nodad"),
    ),
    (
        "prefixes from the addresses with a label",
        "--no-ip-setup --label dns",
        (
            "address add 192.0.2.1/32 dev lo label lo:dns1",
            "address add 192.0.2.2/32 dev lo label lo:dns",
            "address add 192.0.2.3/32 dev lo label lo:web",
        ),
    ),
    (
        "prefixes from the addresses with exactly this label",
        "--no-ip-setup --label dns --label-exact-match",
        ("address add 192.0.2.1/32 dev lo label lo:dns1", "address add 192.0.2.2/32 dev lo label lo:dns"),
    ),
):
    same(f"addresses: {name}", Scenario(arguments, SERIES, usual=SETTING_UP, network=network))

same(
    "addresses: keeps addresses that existed before",
    Scenario("--ip 192.0.2.1", SERIES, usual=SETTING_UP, network=("address add 192.0.2.1/32 dev lo",)),
    differences.ADDRESSES_THAT_WERE_THERE,
)
same(
    "addresses: label and IPv6",
    Scenario("--ip 192.0.2.1 --ip 2001:db8::53 --label dns", SERIES, usual=SETTING_UP, network=()),
    differences.IPV6_HAS_NO_LABELS,
)
ONE = ("link add one type veth peer name other",)
same(
    "addresses: a network on an interface",
    Scenario("--ip 192.0.2.0/30 --ip-ifname 192.0.2.0/30%one", SERIES, usual=SETTING_UP, network=ONE),
    differences.ADDRESSES_OF_A_BOUND_NETWORK,
)
for name, arguments in (
    ("a network and one of its addresses on an interface", "--ip 192.0.2.0/31 --ip 192.0.2.1 --ip-ifname 192.0.2.1%one"),
    ("one address bound to two interfaces", "--ip 192.0.2.1 --ip-ifname 192.0.2.1%lo --ip-ifname 192.0.2.1/32%one"),
):
    same(f"addresses: {name}", Scenario(arguments, SERIES, usual=SETTING_UP, network=ONE))
for name, arguments in (
    ("one address twice", "--ip 192.0.2.1 --ip 192.0.2.1"),
    ("one address twice, dynamic, withdraw on down", "--ip 192.0.2.1 --ip 192.0.2.1 --dynamic-ip-setup --withdraw-on-down"),
    ("one address twice, then another", "--ip 192.0.2.1 --ip 192.0.2.1/32 --ip 192.0.2.2"),
):
    same(f"addresses: {name}", Scenario(arguments, SERIES, usual=SETTING_UP, network=ONE), differences.NAMED_TWICE)
same(
    "addresses: a network and one of its addresses, deaggregated",
    Scenario("--ip 192.0.2.0/31 --ip 192.0.2.1 --deaggregate-networks", SERIES, usual=SETTING_UP, network=ONE),
    differences.NAMED_TWICE_BEHIND_ANOTHER,
)
