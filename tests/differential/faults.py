"""Trials of faults: the original must have the fault, and ours must not."""

import tempfile
from contextlib import contextmanager
from pathlib import Path

from case_list import summary_of
from cases import on_list
from program import Program, exabgp
from scenario import ADDRESS, COMMAND, HOOK, Scenario, with_sudo
from waiting import Unmet

# Some faults of the original are races that do not always occur.
TRIES = 5
QUICK = "--interval 0.01 --fast-interval 0.01 --timeout 60 --rise 1 --fall 1 --no-syslog"
SETTING_UP = f"{QUICK} {COMMAND}"
USUAL = f"{QUICK} {HOOK} --no-ip-setup"
CHECKED = f"{USUAL} {COMMAND}"


@contextmanager
def started(kind, arguments=ADDRESS, usual=CHECKED, parent=exabgp, namespace=None, sudo=None, behind=()):
    """Starts a program for a trial. `parent` answers as ExaBGP; `sudo` is a script that replaces sudo.

    In a namespace, `behind` are the words of a command that starts the program.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = Scenario(arguments, usual=usual).words(folder)
        inside = namespace.inside(*behind) if namespace else ()
        environment = {"env": with_sudo(Path(folder), sudo)} if sudo else {}
        with Program(kind, words, folder, parent, inside, environment) as program:
            yield program


def fault(name, shown_by_original=True, needs_root=False):
    """Registers a trial, which raises `Unmet` for a program with the fault.

    With `shown_by_original=False` the original is not tried; the docstring of the trial says why.
    """

    def register(trial):
        def run(programs):
            if shown_by_original and not any(fails(trial, programs.original) for _ in range(TRIES)):
                raise Unmet("the original does not show this fault, so the trial proves nothing")
            trial(programs.ours)

        on_list(f"fault: {name}", summary_of(trial), run, needs_root)
        return trial

    return register


def fails(trial, kind):
    try:
        trial(kind)
    except Unmet:
        return True
    return False
