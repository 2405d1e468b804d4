"""Plays a scenario with both programs and says where their stories part."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from network import Network
from scenario import of_the_last_state, play
from waiting import Unmet


def compare(programs, scenario, difference=None, also=None):
    """The original first, for ours is then known to have more to say, or not. `also` looks at ours alone."""
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        namespaces = [None, None]
        if scenario.network is not None:
            namespaces = [stack.enter_context(Network(scenario.network)) for _ in range(2)]
        original = play(programs.original, scenario, folders[0], namespaces[0])
        if difference:
            original = difference.expect(original)
        ours = play(programs.ours, scenario, folders[1], namespaces[1], model=original)
    found = list(differences(original, ours))
    if also:
        found += filter(None, [also(ours)])
    if found:
        complain(scenario, found, ours)


def differences(original, ours):
    for place, (theirs, our) in enumerate(zip(original.stretches, ours.stretches)):
        before = "".join(stretch.cause for stretch in original.stretches[1:place])
        where = f"behind `{before}` at `{our.cause}`"
        if not is_as_said(theirs, our):
            yield pair(f"lines {where}", theirs.lines, our.lines)
        if theirs.addresses != our.addresses:
            yield pair(f"addresses {where}", theirs.addresses, our.addresses)
        if not is_as_said(theirs, our):
            break  # the rest follows from it
    if len(original.stretches) != len(ours.stretches):
        yield pair("checks until it ended", len(original.stretches), len(ours.stretches))
    if original.hooks != ours.hooks:
        yield pair("hooks", original.hooks, ours.hooks)
    if original.status != ours.status:
        yield pair("exit status", original.status, ours.status)
    if original.identity != ours.identity:
        yield pair("who it is", original.identity, ours.identity)
    if original.sudo != ours.sudo:
        yield pair("what sudo was told", original.sudo, ours.sudo)
    if original.pid_file != ours.pid_file:
        yield pair("process id in the file", original.pid_file, ours.pid_file)


def is_as_said(theirs, our):
    """The same lines, but for what is overtaken. See `differences`."""
    if theirs.lines == our.lines or our.cause[0] not in "dD":
        return theirs.lines == our.lines
    last = of_the_last_state(theirs.lines)
    before = iter(theirs.lines[: -len(last)])
    said_before, said_last = our.lines[: -len(last)], our.lines[-len(last) :]
    return sorted(said_last) == sorted(last) and all(line in before for line in said_before)


def pair(what, theirs, our):
    return f"{what}\n        original: {theirs}\n        ours:     {our}"


def complain(scenario, found, ours):
    errors = ours.errors.strip()[-800:].replace("\n", "\n        ")
    found = "\n    ".join(map(str, found))
    raise Unmet(
        f"they differ\n    arguments: {scenario.arguments}\n    behind:    {scenario.usual}\n"
        f"    series:    {scenario.series}\n    {found}\n    ours on standard error:\n        {errors}"
    )
