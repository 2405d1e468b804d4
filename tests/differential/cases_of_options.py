"""Every option at least once, in a series of outcomes that reaches all states."""

import time

import differences
from cases import same
from program import exabgp
from scenario import ADDRESS, COMMAND, DISABLE, HOOK, QUICK, QUIET, Ending, Scenario

THREE = "--ip 192.0.2.1 --ip 192.0.2.128/25 --ip 2001:db8::53"
ENDS_BY_ITSELF = Ending(signal=None)
USUAL_BUT_LOG = f"{QUICK} {DISABLE} {COMMAND} {HOOK} --no-ip-setup"
# Without --command no check can fail, and the clock drives the rounds: --interval 0 leaves one round.
NO_COMMAND = f"--interval 0 --fast-interval 0.01 {HOOK} {QUIET}"

for name, arguments in {
    "one address": ADDRESS,
    "several addresses": THREE,
    "metrics": f"{THREE} --up-metric 7 --down-metric 70 --disabled-metric 700",
    "metrics 0": f"{ADDRESS} --up-metric 0 --down-metric 0 --disabled-metric 0",
    "largest metric": f"{ADDRESS} --up-metric 4294967295",
    "increase": f"{THREE} --increase 20",
    "increase 0": f"{THREE} --increase 0",
    "decrease": f"{THREE} --increase=-10",
    "start at the second": f"{THREE} --start-ip 1",
    "start beyond the last": f"{THREE} --start-ip 5",
    "negative start": f"{THREE} --start-ip=-1",
    "deaggregate": "--ip 192.0.2.0/30 --ip 2001:db8::/127 --deaggregate-networks",
    "deaggregate from the second": "--ip 192.0.2.0/30 --deaggregate-networks --start-ip 2 --increase 5",
    "network with a mask": "--ip 192.0.2.0/255.255.255.0",
    "next hop": f"{THREE} --next-hop 198.51.100.1",
    "IPv6 next hop, short option": f"{THREE} -N 2001:DB8:0::1",
    "local preference": f"{ADDRESS} --local-preference 200",
    "local preference 0": f"{ADDRESS} --local-preference 0",
    "no local preference": f"{ADDRESS} --local-preference=-1",
    "community": f"{ADDRESS} --community 64512:1",
    "communities": f"{ADDRESS} --community '64512:1 64512:2'",
    "empty community": f"{ADDRESS} --community ''",
    "disabled community": f"{ADDRESS} --disabled-community 64512:9",
    "both communities": f"{ADDRESS} --community 64512:1 --disabled-community '64512:9 64512:10'",
    "extended community": f"{ADDRESS} --extended-community 'target:64512:1 origin:64512:2'",
    "large community": f"{ADDRESS} --large-community '64512:1:2 64512:3:4'",
    "as-path": f"{ADDRESS} --as-path '64512 64513'",
    "as-path of a state": f"{ADDRESS} --up-as-path 64512 --down-as-path '64512 64512' --disabled-as-path 64513",
    "as-path of one state": f"{ADDRESS} --as-path 64500 --down-as-path '64512 64512'",
    "empty as-path of a state": f"{ADDRESS} --as-path 64500 --up-as-path ''",
    "path id": f"{ADDRESS} --path-id 42",
    "path id 0": f"{ADDRESS} --path-id 0",
    "withdraw on down": f"{THREE} --withdraw-on-down",
    "withdraw on down with all attributes": f"{THREE} --withdraw-on-down --path-id 7 --next-hop 198.51.100.1"
    " --local-preference 3 --community 64512:1 --extended-community target:64512:1 --large-community 64512:1:1"
    " --as-path 64512 --neighbor 192.0.2.254",
    "all attributes": f"{THREE} --path-id 7 --next-hop 198.51.100.1 --local-preference 3 --community 64512:1"
    " --extended-community target:64512:1 --large-community 64512:1:1 --as-path 64512 --neighbor 192.0.2.254",
    "neighbor": f"{ADDRESS} --neighbor 192.0.2.254",
    "neighbors": f"{THREE} --neighbor 192.0.2.254 --neighbor 2001:DB8::FE",
    "all neighbors": f"{ADDRESS} --neighbor '*'",
    "all neighbors and one": f"{ADDRESS} --neighbor 192.0.2.254 --neighbor '*'",
    "debounce": f"{THREE} --debounce",
    "debounce, withdraw on down": f"{THREE} --debounce --withdraw-on-down",
    "rise 1, fall 1": f"{ADDRESS} --rise 1 --fall 1",
    "rise 3, fall 1": f"{ADDRESS} --rise 3 --fall 1",
    "rise 1, fall 3": f"{ADDRESS} --rise 1 --fall 3",
    "rise 0, fall 0": f"{ADDRESS} --rise 0 --fall 0",
    "rise 1, debounce": f"{ADDRESS} --rise 1 --fall 1 --debounce",
    "hooks": f"{ADDRESS} --up-execute 'echo up $STATE >> {{folder}}/hooks' --down-execute 'echo down $STATE >> {{folder}}/hooks'"
    " --disabled-execute 'echo disabled $STATE >> {folder}/hooks'",
    "several hooks": f"{ADDRESS} --rise 1 --up-execute 'echo one >> {{folder}}/hooks' --up-execute 'echo two >> {{folder}}/hooks'"
    " --execute 'echo again $STATE >> {folder}/hooks'",
    "failing hooks": f"{ADDRESS} --execute 'echo $STATE >> {{folder}}/hooks; exit 7'",
    "hooks that print": f"{ADDRESS} --execute 'echo announce; echo error >&2'",
    "empty hooks and names": f"{ADDRESS} --execute '' --up-execute '' --name '' --label '' --label-exact-match",
    "name": f"{ADDRESS} --name resolver",
    "debug": f"{ADDRESS} --debug",
    "pid": f"{ADDRESS} --pid {{folder}}/pid",
    "abbreviations": f"{ADDRESS} --withdraw --fast 0.01 --up-m 7 --deb --neigh 192.0.2.254 --local-p 5 --cmd 'sh {{folder}}/check'",
    "short options": f"{ADDRESS} -i 0.01 -f 0.01 -t 60 -c 'sh {{folder}}/check' -n name -d -N 192.0.2.9 -p {{folder}}/pid",
    "equals signs": "--ip=192.0.2.1 --up-metric=5 -i0.01 --rise=1",
    "the last of repeated options counts": f"{ADDRESS} --up-metric 5 --up-metric 6 --rise 9 --rise 2",
    "ip-ifname without set-up": f"{ADDRESS} --ip-ifname 192.0.2.1%lo",
    "label without set-up": f"{ADDRESS} --label dns --label-exact-match --sudo",
}.items():
    same(name, Scenario(arguments))

for name, usual, arguments in (
    ("silent", USUAL_BUT_LOG, "--silent --debug"),
    ("syslog facility", USUAL_BUT_LOG, "--syslog-facility local0 --debug"),
    ("syslog facility, short", USUAL_BUT_LOG, "-sF local0 --debug"),
    ("syslog facility without a value", USUAL_BUT_LOG, "--debug -sF"),
):
    same(name, Scenario(f"{ADDRESS} {arguments}", usual=usual))


def prints_nothing(transcript):
    """Ours must print nothing; the original prints through Python's last-resort log handler."""
    return transcript.errors and f"--silent, but on standard error: {transcript.errors}"


same("silence", Scenario(f"{ADDRESS} --silent --debug", usual=USUAL_BUT_LOG), also=prints_nothing)

for name, arguments, series in (
    ("interval 0, up", ADDRESS, "++++"),
    ("interval 0, down", ADDRESS, "----"),
    ("interval 0, up after changes", ADDRESS, "+-+-++++"),
    ("interval 0, withdraw on down", f"{ADDRESS} --withdraw-on-down", "+--"),
    ("interval 0, debounce", f"{ADDRESS} --debounce", "++"),
    ("interval 0, rise 1", f"{ADDRESS} --rise 1", "+"),
):
    same(name, Scenario(f"{arguments} --interval 0", series, ending=ENDS_BY_ITSELF))


def answering_slowly(line):
    """An ExaBGP that answers late. The delay itself is the stimulus."""
    if "announce" in line:
        time.sleep(0.3)
    return exabgp(line)


same(
    "interval 0, slow answers",
    Scenario(f"{THREE} --interval 0 --rise 1", "++", ending=ENDS_BY_ITSELF, parent=answering_slowly),
)

# An empty --command is still a command; an empty --disable names no file.
for name, arguments in (("empty command", f"{ADDRESS} --command ''"), ("empty disable", f"{ADDRESS} --disable ''")):
    same(name, Scenario(f"{arguments} --rise 1", "", usual=NO_COMMAND, ending=ENDS_BY_ITSELF))

for name, arguments in (("no command", THREE), ("no command, rise 1", f"{THREE} --rise 1 --withdraw-on-down")):
    same(name, Scenario(arguments, "", usual=NO_COMMAND, ending=ENDS_BY_ITSELF))

CONFIGURATION = """\
# A comment, and an empty line.

debounce
  interval = 0.01
fast-interval=0.01
ip = 192.0.2.1
ip = 192.0.2.2
community = 64512:1
command = sh {folder}/check a=b "c # d"
up-metric = 20
withdraw-on-down
execute = echo file $STATE >> {folder}/hooks
"""
same(
    "configuration file",
    Scenario(
        "--config {folder}/configuration --no-ip-setup --no-syslog",
        usual=f"{DISABLE} {COMMAND} {HOOK} --rise 2 --fall 2 --timeout 60",
        files={"configuration": CONFIGURATION},
    ),
)
same(
    "configuration file and command line",
    Scenario(
        "--up-metric 30 --ip 192.0.2.3 --rise 1 -F {folder}/configuration",
        files={"configuration": CONFIGURATION + "rise = 5\n"},
    ),
)

for name, arguments, difference in (
    ("well-known community", "--community 'no-export 64512:1'", differences.WELL_KNOWN_AS_NUMBERS),
    ("extended community without its kind", "--extended-community 64512:1", differences.KIND_OF_EXTENDED_COMMUNITY),
    ("as-path with commas and dots", "--as-path 64512,1.10", differences.AS_NUMBERS_WITHOUT_DOTS),
    ("community in brackets", "--community [64512:1]", differences.BRACKETS_ONCE),
    ("same address twice", ADDRESS, differences.NAMED_TWICE),
    ("same address twice, debounce", f"{ADDRESS} --debounce", differences.NAMED_TWICE),
):
    same(name, Scenario(f"{ADDRESS} {arguments}"), difference)
