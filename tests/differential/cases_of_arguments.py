"""Arguments that the original refuses: ours refuses them with the same exit status and nothing on standard output."""

import subprocess
from pathlib import Path

from cases import on_list
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
    f"{ADDRESS} --timeout soon",
    f"{ADDRESS} --next-hop",
    f"{ADDRESS} --ip-ifname",
    f"{ADDRESS} --neighbor 192.0.2.0/24",
    f"{ADDRESS} --local-preference much",
    f"{ADDRESS} --increase 0.5",
    f"{ADDRESS} --start-ip first",
    f"{ADDRESS} --sudo=yes",
    f"{ADDRESS} --community 64512:1\x01",
    f"{ADDRESS} --no",
    f"{ADDRESS} -x",
    f"{ADDRESS} -sx",
)
# Arguments that only ours refuses, each with the reason: they announce nothing, or not what was meant.
REFUSED_BY_OURS = {
    f"{ADDRESS} --up-metric -5": "ExaBGP refuses a negative metric each time it is announced",
    f"{ADDRESS} --up-metric 4294967296": "a metric has 32 bits",
    f"{ADDRESS} --community 64512:70000": "ExaBGP makes 64513:4464 of it",
}
# Arguments at which the original exits with status 1, often with a traceback, while ours prints a usage error.
FATAL_TO_THE_ORIGINAL = {
    f"{ADDRESS} --config no-such-file": "the original names neither the file nor the option",
    f"{ADDRESS} --pid -": "the original takes it for standard output and closes it",
    f"{ADDRESS} --ip-ifname 192.0.2.2%lo": "there is no --ip for it",
    "--ip-ifname 192.0.2.2%lo": "there is no --ip at all",
}


def ended(kind, arguments):
    """Runs a program that exits after its first decision. Returns exit status, standard output and standard error."""
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
            raise Unmet(f"the original refuses it as well: {errors}")
        expect_refusal(programs.ours, arguments)

    return run


def fatal_to_the_original(arguments):
    def run(programs):
        status, _, errors = ended(programs.original, arguments)
        if status != 1:
            raise Unmet(f"the original exits with status {status}, expected 1: {errors}")
        expect_refusal(programs.ours, arguments)

    return run


def expect_refusal(kind, arguments):
    status, output, errors = ended(kind, arguments)
    if status != 2 or output or "usage" not in errors.lower():
        raise Unmet(f"{kind.name}: exit status {status}, on standard output {output!r}, on standard error {errors[-500:]!r}")


for arguments in REFUSED_BY_BOTH:
    on_list(f"refused: {arguments}", "by both", refused_by_both(arguments))
for arguments, why in REFUSED_BY_OURS.items():
    on_list(f"refused: {arguments}", f"by ours only: {why}", refused_by_ours(arguments))
for arguments, why in FATAL_TO_THE_ORIGINAL.items():
    on_list(f"refused: {arguments}", f"by the original with status 1: {why}", fatal_to_the_original(arguments))


def every_abbreviation(programs):
    """Compares the meaning of every abbreviation. Ours shows it in the error of two wrong command lines."""
    asked = Path(__file__).with_name("exabgp_options.py")
    done = subprocess.run((programs.original.command[0], asked), capture_output=True, text=True, timeout=PATIENCE, check=True)
    differ = []
    for line in done.stdout.splitlines():
        spelling, *theirs = line.split()
        if spelling in ("-h", "--h", "--he", "--hel", "--help"):
            continue
        ours = meaning(programs.ours, spelling)
        if ours not in theirs:
            differ.append(f"{spelling}: {' '.join(theirs)} to the original, {ours} to ours")
    if differ:
        raise Unmet("\n    ".join(differ))


def meaning(kind, spelling):
    for words in ([spelling, "--no-such-option"], [f"{spelling}=x"]):
        _, _, errors = ended(kind, words)
        first = errors.partition("\n")[0]
        if "is ambiguous" in first:
            return "ambiguous"
        for complaint in ("expects a value after it", "takes no value"):
            if complaint in first:
                return first.split("`")[1]
    # The value is refused: `error: --rise: …`.
    return first.removeprefix("error: ").partition(":")[0]


on_list("every abbreviation", "both programs understand every abbreviation alike, or call it ambiguous", every_abbreviation)
