"""A scenario for both programs: arguments and a series of outcomes. A transcript records what a program did in it.

The series has a letter for each event:

    +   the check passes                     -   the check fails
    d   it passes and the service is         D   it fails and the service is
        disabled at the same time                disabled at the same time
    e   the disable file is removed: enabled

While a service is disabled no check runs, so the clock drives the rounds. The number of repeated lines is then arbitrary, and the
comparison of two transcripts ignores repetitions there.
"""

import os
import re
import shlex
import signal
import time
from dataclasses import dataclass, field

from program import ASK_VERSION, GREETING, Program, exabgp
from waiting import Unmet

# Seconds that ours may take after the end of a check to print what the original has printed.
SLACK = 5.0
# After this many seconds without a line, and with every command answered, ours has finished its reaction.
QUIET_FOR = 0.2

# Options before the arguments of most cases. The timeout allows for a busy machine.
QUICK = "--interval 0.01 --fast-interval 0.01 --timeout 60 --rise 2 --fall 2"
DISABLE = "--disable {folder}/disabled"
COMMAND = "--command 'sh {folder}/check'"
HOOK = "--execute 'echo any $STATE >> {folder}/hooks'"
QUIET = "--no-ip-setup --no-syslog"
SETTING_UP = f"{QUICK} {DISABLE} {COMMAND} {HOOK} --no-syslog"
USUAL = f"{SETTING_UP} --no-ip-setup"
ADDRESS = "--ip 192.0.2.1"

# Reaches every state and most transitions with --rise 2 --fall 2.
ROUND_TRIP = "+++-+---+-++-de++-De-+--de--"


@dataclass(frozen=True)
class Ending:
    """The end of a series: a signal during a check; a signal between two checks (`asleep`, after the first outcome); or no
    signal, if the program exits by itself.
    """

    signal: int | None = signal.SIGTERM
    asleep: bool = False


@dataclass(frozen=True)
class Scenario:
    arguments: str = ADDRESS
    series: str = ROUND_TRIP
    usual: str = USUAL
    ending: Ending = Ending()
    parent: object = exabgp
    files: dict = field(default_factory=dict)
    # Arguments of `ip` that prepare the network namespace; None for no namespace.
    network: tuple | None = None
    disabled_at_start: bool = False
    # The supplementary groups and the user to start it with; None for those of the test.
    groups: tuple | None = None
    user: str | None = None
    # Whether a `sudo` is used that records its arguments and runs them.
    sudo: bool = False

    @property
    def needs_root(self):
        return self.network is not None or self.groups is not None or self.user is not None

    def words(self, folder):
        return [word.replace("{folder}", str(folder)) for word in shlex.split(f"{self.usual} {self.arguments}")]

    @property
    def debounce(self):
        return any(word in text for text in (self.arguments, *self.files.values()) for word in ("debounce", "--deb "))


@dataclass
class Step:
    """The lines between an event and the next one, and the addresses at the end."""

    cause: str
    lines: list
    addresses: list = field(default_factory=list)


@dataclass
class Transcript:
    steps: list = field(default_factory=list)
    hooks: list = field(default_factory=list)
    status: int | None = None
    errors: str = ""
    pid_file: bool | None = None
    # User, group and supplementary groups in /proc/PID/status.
    identity: dict = field(default_factory=dict)
    sudo: list = field(default_factory=list)


SUDO = """\
#!/bin/sh
echo "$*" >> {folder}/sudo-calls
exec "$@"
"""


def with_sudo(folder, script):
    """An environment whose PATH begins with a directory with this `sudo`."""
    (folder / "bin").mkdir()
    (folder / "bin/sudo").write_text(script.format(folder=folder))
    (folder / "bin/sudo").chmod(0o755)
    return {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"}


def play(kind, scenario, folder, namespace=None, model=None):
    """Runs a scenario with one program. With the transcript of the other one as `model`, waits until it has printed as much."""
    for name, text in scenario.files.items():
        (folder / name).write_text(text.replace("{folder}", str(folder)))
    if scenario.disabled_at_start:
        (folder / "disabled").touch()
    # The program may change its user, who needs this directory as well.
    folder.chmod(0o777)
    environment = with_sudo(folder, SUDO) if scenario.sudo else None
    inside = namespace.inside() if namespace else ()
    started = {"extra_groups": scenario.groups, "user": scenario.user, "env": environment}
    with Program(kind, scenario.words(folder), folder, scenario.parent, inside, started) as program:
        return Player(program, scenario, namespace, model).play()


class Player:
    def __init__(self, program, scenario, namespace, model):
        self.program = program
        self.scenario = scenario
        self.namespace = namespace
        self.model = model
        self.transcript = Transcript()
        self.recorded = 0
        self.times_disabled = 0
        self.disabled = scenario.disabled_at_start

    def play(self):
        program, transcript = self.program, self.transcript
        # A disabling event and the `e` after it are one cause, since the removal of the file depends on time.
        causes = re.findall("[-+dD]e?", self.scenario.series)
        for cause in ["start e" if self.scenario.series.startswith("e") else "start", *causes]:
            if not program.ended:
                self.happen(cause)
        self.let_hooks_run()
        transcript.identity = program.identity()
        if self.scenario.ending.signal and not program.ended:
            # Before the first decision no other wait covers the handshake.
            if program.kind.ours and len(causes) < 2:
                program.until_it_knows_exabgp()
            if self.scenario.ending.asleep:
                program.until_asleep()
            else:
                program.until_it_waits_for_its_check()
            program.signal(self.scenario.ending.signal)
            transcript.status = program.until_ended()
            self.record("the signal", repeats=False)
        else:
            transcript.status = program.until_ended()
        # A signal may arrive before the handshake is complete.
        if program.kind.ours and program.handshake != [GREETING, ASK_VERSION][: len(program.handshake)]:
            raise Unmet(f"the first lines of ours are {program.handshake}")
        transcript.hooks = program.hooks()
        transcript.errors = program.errors()
        sudo_calls = program.folder / "sudo-calls"
        # The original adds several addresses in no fixed order.
        transcript.sudo = sorted(sudo_calls.read_text().splitlines()) if sudo_calls.exists() else []
        pid_file = program.folder / "pid"
        transcript.pid_file = pid_file.read_text() == f"{program.pid}\n" if pid_file.exists() else None
        return transcript

    def happen(self, cause):
        """Causes an event and waits for its effects."""
        program = self.program
        if cause[0] in "-+dD":
            self.disabled = cause[0] in "dD"
            program.outcome(0 if cause[0] in "+d" else 1, then_disabled=self.disabled)
        repeats = self.disabled
        if self.disabled:
            program.until(self.is_disabled, "it is not disabled")
            self.times_disabled += 1
        if cause.endswith("e"):
            (program.folder / "disabled").unlink()
            self.disabled = False
            self.enable()
        if self.scenario.ending.asleep and cause != "start":
            program.until_asleep()
        elif not self.disabled:
            program.until_asked()
        self.record(cause, repeats)

    def enable(self):
        """Ends the extra check of the original, whose result it ignores. See `differences`."""
        if not self.program.kind.ours and COMMAND in self.scenario.usual:
            self.program.next_check_ends(0)

    def is_disabled(self):
        """Whether the hooks have run and the lines were printed often enough to be complete."""
        said = self.program.lines[self.recorded :]
        often = 1 if self.scenario.debounce else 4
        hooks_ran = self.program.hooks().count("any DISABLED") > self.times_disabled
        if self.scenario.ending.asleep:
            often = 1
        return hooks_ran and max(map(said.count, said), default=0) >= often and self.as_in_model(said, repeats=True)

    def as_in_model(self, said, repeats):
        """Whether it has printed at least what the model has; true without a model."""
        if not self.model or len(self.transcript.steps) >= len(self.model.steps):
            return True
        wanted = self.model.steps[len(self.transcript.steps)]
        if self.namespace and self.namespace.addresses() != wanted.addresses:
            return False
        if repeats:
            # Repeated lines for several addresses must be complete. Otherwise the rest would count for the next step.
            complete = self.scenario.debounce or said[-1:] == wanted.lines[-1:]
            return complete and set(of_the_last_state(wanted.lines)) <= set(said)
        return len(said) >= len(wanted.lines)

    def record(self, cause, repeats):
        """Records a step. Ours may print during its next check, so this waits until it has as many lines as the model."""
        self.program.pump(lambda: self.as_in_model(self.program.lines[self.recorded :], repeats), SLACK)
        if repeats and self.program.kind.ours:
            # A last repetition may still follow: it waits for the answer to the previous line.
            self.program.pump(lambda: time.monotonic() - self.program.last_line_at > QUIET_FOR, SLACK)
        said = self.program.lines[self.recorded :]
        self.recorded = len(self.program.lines)
        said = without_repetitions(said) if repeats else said
        addresses = self.namespace.addresses() if self.namespace else []
        self.transcript.steps.append(Step(cause, said, addresses))

    def let_hooks_run(self):
        if self.model:
            self.program.pump(lambda: len(self.program.hooks()) >= len(self.model.hooks), SLACK)


def of_the_last_state(lines):
    """The last lines, one for each prefix."""
    found = []
    for line in reversed(lines):
        if any(prefix(line) == prefix(other) for other in found):
            break
        found.insert(0, line)
    return found


def prefix(line):
    return line.partition(" route ")[2].split()[0]


def without_repetitions(lines):
    return list(dict.fromkeys(lines))
