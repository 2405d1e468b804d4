"""The intended differences between ours and the original, with the reasons. Nothing else may differ.

Each entry derives the expected transcript of ours from that of the original. An entry that changes nothing is an error, so that
no outdated entry stays here.
"""

import copy
import pwd
import re
from dataclasses import dataclass
from typing import Callable

from waiting import Unmet


@dataclass(frozen=True)
class Difference:
    why: str
    change: Callable

    def expect(self, original):
        """The expected transcript of ours."""
        ours = copy.deepcopy(original)
        self.change(ours)
        if ours == original:
            raise Unmet(f"the difference no longer exists: {self.why}")
        return ours


def rewriting(pattern, replacement):
    """Replaces a pattern in every line."""

    def change(transcript):
        for step in transcript.steps:
            step.lines = [re.sub(pattern, replacement, line) for line in step.lines]

    return change


def exits_cleanly(*lines):
    """Exits with status 0, and these are its last lines."""

    def change(transcript):
        transcript.status = 0
        transcript.steps[-1].lines = list(lines)

    return change


def keeps(*addresses):
    """Adds these addresses at the end."""

    def change(transcript):
        transcript.steps[-1].addresses = sorted({*transcript.steps[-1].addresses, *addresses})

    return change


def keeps_not(*addresses):
    def change(transcript):
        transcript.steps[-1].addresses = [address for address in transcript.steps[-1].addresses if address not in addresses]

    return change


def sets_up(rewrite):
    """Rewrites the addresses of each step. At the end, the addresses that it did not add itself are left."""

    def change(transcript):
        for step in transcript.steps:
            step.addresses = sorted(map(rewrite, step.addresses))

    return change


def does_not_announce(place):
    """Drops the announcement of the prefix with this index (from 0), since the next one repeats it; withdraws it once."""
    unsaid = {str(metric + place) for metric in (100, 1000, 500)}

    def change(transcript):
        for step in transcript.steps:
            lines = [line for line in step.lines if line.rpartition(" med ")[2] not in unsaid]
            step.lines = [line for line, following in zip(lines, [*lines[1:], ""]) if line != following]

    return change


def becomes(**identity):
    """Changes the expected user and groups."""

    def change(transcript):
        transcript.identity = {**transcript.identity, **identity}

    return change


# Three differences appear in every scenario; `scenario` and `comparison` handle them:
#
#   the handshake      Ours greets ExaBGP and asks for its version, to know its dialect and whether it answers.
#   the check at `e`   When the disable file goes, the original runs one check whose result it ignores. Ours does not.
#   outdated lines     The original prints all lines of one state before it looks for the disable file. Ours prints only the
#                      newest state: if a check ends when the file appears, ours may omit lines of the previous state, and
#                      the lines of the disabled state may come in another order.
#
# The cases that show the other differences name them.
WELL_KNOWN_AS_NUMBERS = Difference(
    "ours parses communities at its start and sends all of them as numbers",
    rewriting(r"\bno-export\b", "65535:65281"),
)
KIND_OF_EXTENDED_COMMUNITY = Difference(
    "ExaBGP takes an extended community without a kind for a target; ours sends it as `target:`",
    rewriting(r"extended-community \[ 64512:1 \]", "extended-community [ target:64512:1 ]"),
)
AS_NUMBERS_WITHOUT_DOTS = Difference(
    "ours parses AS numbers at its start and sends them in the notation that every version reads",
    rewriting(r"as-path \[ 64512, ?1\.10 \]", "as-path [ 64512 65546 ]"),
)
BRACKETS_ONCE = Difference(
    "brackets in the value are doubled by the original, and ExaBGP refuses the line",
    rewriting(r"\[ \[64512:1\] \]", "[ 64512:1 ]"),
)
SIGINT_DURING_A_CHECK = Difference(
    "the original exits with a traceback at SIGINT during a check, and leaves its routes announced",
    exits_cleanly("neighbor * withdraw route 192.0.2.1/32 next-hop self"),
)
ADDRESSES_THAT_WERE_THERE = Difference(
    "the original removes every address of --ip when it exits; ours removes only the addresses that it has added",
    keeps("lo 192.0.2.1/32 lo"),
)
NO_SUPPLEMENTARY_GROUPS = Difference(
    "the original keeps its supplementary groups after a change of user",
    becomes(Groups=[]),
)
A_USER_COMES_WITH_ITS_GROUP = Difference(
    "with --user alone the original keeps the group and the supplementary groups of root",
    becomes(Gid=[pwd.getpwnam("nobody").pw_gid] * 4, Groups=[]),
)
IPV6_HAS_NO_LABELS = Difference(
    "the original searches IPv6 addresses by a label, which they cannot have, and so does not remove them",
    keeps_not("lo 2001:db8::53/128"),
)
ADDRESSES_OF_A_BOUND_NETWORK = Difference(
    "the original sets up the addresses of a network on lo although --ip-ifname binds the network to another interface",
    sets_up(lambda address: re.sub(r"^lo (192\.0\.2\.\S+) lo$", r"one \1 one", address)),
)
NAMED_TWICE, NAMED_TWICE_BEHIND_ANOTHER = (
    Difference(
        "the original announces a prefix that is given twice with both metrics in every round; ours with the last metric",
        does_not_announce(place),
    )
    for place in (0, 1)
)
