"""Values of attributes: ExaBGP's own parser reads the lines of both programs.

What the parser accepts from the original, it must accept from ours with the same octets. Values that it refuses, which the original
sends again and again, ours must refuse at the start.
"""

import subprocess
from pathlib import Path

from cases import on_list
from cases_of_arguments import expect_refusal
from faults import started
from scenario import ADDRESS
from waiting import PATIENCE, Unmet

PARSER = Path(__file__).with_name("exabgp_parser.py")
AT_ONCE = "--interval 0 --rise 1 --no-ip-setup --no-syslog"

ACCEPTED = {
    "--extended-community": (
        "target:64512:1",
        "64512:1 origin:64512:4294967295",
        "target:70000:1 origin:4200000000:65535",
        "target:5L:1 5L:1 target4:5:1 origin4:5:1 target4:70000L:1L",
        "target:192.0.2.1:5 192.0.2.1:5 target4:192.0.2.1:5 origin:192.0.2.1:65535",
        "target:5:192.0.2.1 target:007:08",
        "bandwidth:64512:125000000",
        "bandwidth:0:0 bandwidth:65535:4294967295",
        "redirect:64512:4294967295 redirect-to-nexthop",
        "l2info:19:0:1500:111",
        "mup:10:20",
        "0x0002fc0000000001 0X4004FC004CEE6B28 0xffffffffffffffff",
    ),
    "--community": (
        "64512:1 0:0 65535:65535 064512:01",
        "no-export NO_ADVERTISE nopeer blackhole no-export-subconfed",
        "0xFFFF029a 4227858532",
    ),
    "--large-community": ("1:2:3 4294967295:0:0", "18446744073709551617"),
    "--as-path": ("64512 4294967295", "1.10, 3", "64512,64513"),
    "--local-preference": ("0", "4294967295"),
    "--up-metric": ("0", "4294967295"),
    "--path-id": ("4294967295",),
    "--next-hop": ("198.51.100.1", "2001:db8::1"),
}
REFUSED = {
    "--extended-community": (
        "target",
        "target:64512:4294967296",
        "target:4294967296:1",
        "target:70000:70000",
        "target:5L:70000",
        "origin:192.0.2.1:70000",
        "origin:192.0.2.256:7",
        "bandwidth:64512",
        "bandwidth:64512:1.5",
        "bandwidth:70000:1",
        "bandwidth:64512:4294967296",
        "redirect:70000:1",
        "redirect:192.0.2.1:1",
        "redirect-to-nexthop:1:2",
        "l2info:256:0:1500:1",
        "mup:70000:1",
        "soo:64512:1",
        "Target:64512:1",
        "target:+1:2",
        "0x0002fc00000000",
        "0x0002fc000000000g",
        "64512:1,64512:2",
    ),
    "--community": ("red", "64512:1:1", "4294967296", "0x100000000", "64512:1,64512:2"),
    "--large-community": ("1:2", "1:2:4294967296", "1:2:3:4", "0x1", "79228162514264337593543950336"),
    "--as-path": ("AS64512", "64512 (1 2)", "4294967296", "1.65536"),
    "--local-preference": ("4294967296",),
    "--up-metric": ("4294967296",),
}


def line_of(kind, option, value):
    with started(kind, f"{ADDRESS} {option}='{value}'", usual=AT_ONCE) as program:
        program.until(lambda: program.lines or program.ended, "it prints nothing")
        if not program.lines:
            raise Unmet(f"{kind.name}: refuses {value!r}: {program.errors()}")
        return program.lines[0]


def parsed(programs, *lines):
    python = programs.original.command[0]
    done = subprocess.run((python, PARSER), input="\n".join(lines), capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode:
        raise Unmet(f"ExaBGP's parser failed: {done.stderr}")
    return done.stdout.splitlines()


def accepted(option, value):
    def run(programs):
        lines = [line_of(kind, option, value) for kind in (programs.original, programs.ours)]
        theirs, ours = parsed(programs, *lines)
        if theirs == "refused" or theirs != ours:
            raise Unmet(f"ExaBGP parses\n    {lines[0]}: {theirs}\n    {lines[1]}: {ours}")

    return run


def refused(option, value):
    def run(programs):
        line = line_of(programs.original, option, value)
        if parsed(programs, line) != ["refused"]:
            raise Unmet(f"ExaBGP accepts {line}")
        expect_refusal(programs.ours, [*ADDRESS.split(), f"{option}={value}"])

    return run


for option, values in ACCEPTED.items():
    for value in values:
        on_list(f"accepted: {option} {value}", "by ExaBGP's parser, with the same octets from both", accepted(option, value))
for option, values in REFUSED.items():
    for value in values:
        on_list(f"refused: {option} {value}", "by ExaBGP's parser; ours refuses it at the start", refused(option, value))
