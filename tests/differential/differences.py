"""Where ours differs from the original on purpose, and why. Nothing else may differ.

Each entry says what is expected of ours, given what the original does; and an entry that would change nothing is an
error, so that none is left here once the difference is gone.
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
        """The story to expect of ours."""
        ours = copy.deepcopy(original)
        self.change(ours)
        if ours == original:
            raise Unmet(f"there is no such difference any more: {self.why}")
        return ours


def rewriting(pattern, replacement):
    """In every line."""

    def change(story):
        for stretch in story.stretches:
            stretch.lines = [re.sub(pattern, replacement, line) for line in stretch.lines]

    return change


def leaves_in_order(*lines):
    """Ends as if it had been told to stop at any other moment."""

    def change(story):
        story.status = 0
        story.stretches[-1].lines = list(lines)

    return change


def keeps(*addresses):
    """In the end, beside what else there is."""

    def change(story):
        story.stretches[-1].addresses = sorted({*story.stretches[-1].addresses, *addresses})

    return change


def keeps_not(*addresses):
    def change(story):
        story.stretches[-1].addresses = [address for address in story.stretches[-1].addresses if address not in addresses]

    return change


def sets_up(rewrite):
    """Other addresses at each step. Those in the end are what it has not added itself."""

    def change(story):
        for stretch in story.stretches:
            stretch.addresses = sorted(map(rewrite, stretch.addresses))

    return change


def does_not_announce(place):
    """The prefix at this place, counted from 0, which is named again right behind; and it is withdrawn once."""
    unsaid = {str(metric + place) for metric in (100, 1000, 500)}

    def change(story):
        for stretch in story.stretches:
            lines = [line for line in stretch.lines if line.rpartition(" med ")[2] not in unsaid]
            stretch.lines = [line for line, following in zip(lines, [*lines[1:], ""]) if line != following]

    return change


def becomes(**identity):
    """Somebody else than the original."""

    def change(story):
        story.identity = {**story.identity, **identity}

    return change


# Three differences are in every scenario, and `scenario` deals with them where they appear:
#
#   the handshake      Ours greets ExaBGP and asks for its version, to know its dialect and whether it answers.
#   the check at `e`   When the disable file goes, the original runs one check whose result it ignores. Ours does not.
#   what is overtaken  The original says all it has to say of one state before it looks for the disable file. Ours says
#                      the newest: where a check ends and the file appears in one moment, lines of several addresses
#                      about the state before may be left out, and those about being disabled come in another order.
#
# The rest are named by the cases that show them.
WELL_KNOWN_AS_NUMBERS = Difference(
    "ours understands communities when it is started, and sends all of them as numbers, whatever their names are",
    rewriting(r"\bno-export\b", "65535:65281"),
)
KIND_OF_EXTENDED_COMMUNITY = Difference(
    "an extended community without its kind is a target to ExaBGP; ours says so",
    rewriting(r"extended-community \[ 64512:1 \]", "extended-community [ target:64512:1 ]"),
)
AS_NUMBERS_WITHOUT_DOTS = Difference(
    "AS numbers are understood when it is started, and sent in the notation that every version reads",
    rewriting(r"as-path \[ 64512, ?1\.10 \]", "as-path [ 64512 65546 ]"),
)
BRACKETS_ONCE = Difference(
    "whoever writes the brackets himself gets them twice from the original, which ExaBGP refuses",
    rewriting(r"\[ \[64512:1\] \]", "[ 64512:1 ]"),
)
SIGINT_DURING_A_CHECK = Difference(
    "the original dies with a traceback if SIGINT comes while it checks, and leaves its routes behind",
    leaves_in_order("neighbor * withdraw route 192.0.2.1/32 next-hop self"),
)
ADDRESSES_THAT_WERE_THERE = Difference(
    "the original removes every address of --ip when it ends; ours removes none that it has not added",
    keeps("lo 192.0.2.1/32 lo"),
)
NO_SUPPLEMENTARY_GROUPS = Difference(
    "the original keeps the supplementary groups that it was started with, whoever it becomes",
    becomes(Groups=[]),
)
A_USER_COMES_WITH_ITS_GROUP = Difference(
    "the original keeps the group and the supplementary groups of root where a user is named alone",
    becomes(Gid=[pwd.getpwnam("nobody").pw_gid] * 4, Groups=[]),
)
IPV6_HAS_NO_LABELS = Difference(
    "the original labels addresses of IPv6, which have no labels, does not find them by it, and leaves them there",
    keeps_not("lo 2001:db8::53/128"),
)
ADDRESSES_OF_A_BOUND_NETWORK = Difference(
    "the original sets up the addresses of a network on lo, whatever interface --ip-ifname binds the network to",
    sets_up(lambda address: re.sub(r"^lo (192\.0\.2\.\S+) lo$", r"one \1 one", address)),
)
NAMED_TWICE, NAMED_TWICE_BEHIND_ANOTHER = (
    Difference(
        "the original announces a prefix that is named twice with both metrics in turn, in every round; ours with the last",
        does_not_announce(place),
    )
    for place in (0, 1)
)
