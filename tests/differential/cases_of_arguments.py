"""What the original refuses, ours refuses too: the same exit status, and nothing on standard output."""

import subprocess

from cases import CASES, Case
from scenario import ADDRESS
from waiting import PATIENCE, Unmet

REFUSED_BY_BOTH = (
    "--no-such-option",
    "--ip 192.0.2.1/24",
    "--ip 192.0.2",
    "--ip",
    f"{ADDRESS} --interval soon",
    f"{ADDRESS} --rise 1.5",
    f"{ADDRESS} --next-hop self",
    f"{ADDRESS} --neighbor router",
    f"{ADDRESS} --up-metric much",
    f"{ADDRESS} --path-id x",
    f"{ADDRESS} --silent --no-syslog",
    f"{ADDRESS} --silent --syslog-facility daemon1",
    f"{ADDRESS} --d",
    f"{ADDRESS} --debounce=yes",
    f"{ADDRESS} superfluous",
    f"{ADDRESS} --pid /no/such/folder/pid",
    f"{ADDRESS} --pid /",
)
# Why ours refuses what the original takes: it would announce nothing, or what nobody meant.
REFUSED_BY_OURS = {
    f"{ADDRESS} --up-metric -5": "ExaBGP refuses a negative metric each time it is announced",
    f"{ADDRESS} --up-metric 4294967296": "a metric has 32 bits",
    f"{ADDRESS} --community 64512:70000": "ExaBGP makes 64513:4464 of it",
}
# Why the original dies of it with status 1 and a traceback or less, where ours refuses it with the usage.
FATAL_TO_THE_ORIGINAL = {
    f"{ADDRESS} --config no-such-file": "the original says neither which file nor what for",
    f"{ADDRESS} --pid -": "that is standard output, which the original then has closed",
    f"{ADDRESS} --ip-ifname 192.0.2.2%lo": "there is no --ip for it",
    "--ip-ifname 192.0.2.2%lo": "there is no --ip at all",
}


def ended(kind, arguments):
    """Exit status, standard output and standard error, of what ends by itself after its first decision."""
    words = arguments.split() if isinstance(arguments, str) else arguments
    command = [*map(str, kind.command), "--no-ip-setup", "--interval", "0", "--rise", "1", *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stdout, done.stderr


def refused_by_both(arguments):
    def run(programs):
        for kind in (programs.original, programs.ours):
            expect_refusal(kind, arguments)

    return run


def refused_by_ours(arguments):
    def run(programs):
        status, _, errors = ended(programs.original, f"{arguments} --no-syslog")
        if status != 0:
            raise Unmet(f"the original refuses it, too: {errors}")
        expect_refusal(programs.ours, arguments)

    return run


def fatal_to_the_original(arguments):
    def run(programs):
        status, _, errors = ended(programs.original, arguments)
        if status != 1:
            raise Unmet(f"the original ends with exit status {status}: {errors}")
        expect_refusal(programs.ours, arguments)

    return run


def expect_refusal(kind, arguments):
    status, output, errors = ended(kind, arguments)
    if status != 2 or output or "usage" not in errors.lower():
        raise Unmet(f"{kind.name}: exit status {status}, on standard output {output!r}, on standard error {errors[-500:]!r}")


for arguments in REFUSED_BY_BOTH:
    CASES.append(Case(f"refused: {arguments}", "by both", refused_by_both(arguments)))
for arguments, why in REFUSED_BY_OURS.items():
    CASES.append(Case(f"refused: {arguments}", f"by ours alone: {why}", refused_by_ours(arguments)))
for arguments, why in FATAL_TO_THE_ORIGINAL.items():
    CASES.append(Case(f"refused: {arguments}", f"by the original with status 1: {why}", fatal_to_the_original(arguments)))
