"""A fault of the original is shown with the original, and then ours is shown not to have it."""

import tempfile
from contextlib import contextmanager
from pathlib import Path

from case_list import summary_of
from cases import on_list
from program import Program, exabgp
from scenario import ADDRESS, COMMAND, HOOK, Scenario, with_sudo
from waiting import Unmet

# Some faults of the original are races, which it wins now and then.
TRIES = 5
QUICK = "--interval 0.01 --fast-interval 0.01 --timeout 60 --rise 1 --fall 1 --no-syslog"
SETTING_UP = f"{QUICK} {COMMAND}"
USUAL = f"{QUICK} {HOOK} --no-ip-setup"
CHECKED = f"{USUAL} {COMMAND}"


@contextmanager
def started(kind, arguments=ADDRESS, usual=CHECKED, parent=exabgp, namespace=None, sudo=None, behind=()):
    """A program that is tried for a fault. Its ExaBGP may be another one than usual, and its sudo a script.

    In a namespace it may be started by the words of another command, `behind` which it stands.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = Scenario(arguments, usual=usual).words(folder)
        inside = namespace.inside(*behind) if namespace else ()
        environment = {"env": with_sudo(Path(folder), sudo)} if sudo else {}
        with Program(kind, words, folder, parent, inside, environment) as program:
            yield program


def fault(name, shown_by_original=True, needs_root=False):
    """Puts a trial on the list, which is unmet by a program that has the fault.

    Where the original is not tried, the trial itself says why not.
    """

    def register(trial):
        def run(programs):
            if shown_by_original and not any(fails(trial, programs.original) for _ in range(TRIES)):
                raise Unmet("the original has not got this fault, so that nothing is shown by ours")
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
