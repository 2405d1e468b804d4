"""Runs a scenario with both programs and reports the differences of their transcripts."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from network import Network
from scenario import of_the_last_state, play
from waiting import Unmet


def compare(programs, scenario, difference=None, also=None):
    """Runs the original first; its transcript tells how many lines to wait for from ours. `also` checks only ours."""
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
    for place, (theirs, our) in enumerate(zip(original.steps, ours.steps)):
        before = "".join(step.cause for step in original.steps[1:place])
        where = f"after `{before}` at `{our.cause}`"
        if not lines_match(theirs, our):
            yield pair(f"lines {where}", theirs.lines, our.lines)
        if theirs.addresses != our.addresses:
            yield pair(f"addresses {where}", theirs.addresses, our.addresses)
        if not lines_match(theirs, our):
            break  # later differences follow from it
    if len(original.steps) != len(ours.steps):
        yield pair("steps before the exit", len(original.steps), len(ours.steps))
    if original.hooks != ours.hooks:
        yield pair("hooks", original.hooks, ours.hooks)
    if original.status != ours.status:
        yield pair("exit status", original.status, ours.status)
    if original.identity != ours.identity:
        yield pair("user and groups", original.identity, ours.identity)
    if original.sudo != ours.sudo:
        yield pair("calls of sudo", original.sudo, ours.sudo)
    if original.pid_file != ours.pid_file:
        yield pair("process id in the file", original.pid_file, ours.pid_file)


def lines_match(theirs, our):
    """Whether the lines are the same, except for outdated ones. See `differences`."""
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
        f"the programs differ\n    arguments: {scenario.arguments}\n    after:     {scenario.usual}\n"
        f"    series:    {scenario.series}\n    {found}\n    ours on standard error:\n        {errors}"
    )
