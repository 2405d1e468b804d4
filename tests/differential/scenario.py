"""What both programs are put through: arguments and a series of outcomes; and the story of one of them in it.

The series has a letter for each thing that happens:

    +   the check passes                     -   the check fails
    d   it passes and the service is         D   it fails and the service is
        disabled in the same moment              disabled in the same moment
    e   the disable file goes: enabled

While a service is disabled nothing is checked, so that the rounds follow the clock. How often something is repeated
in such a stretch means nothing, and repetitions are left out there before the two stories are compared.
"""

import os
import re
import shlex
import signal
import time
from dataclasses import dataclass, field

from program import ASK_VERSION, GREETING, Program, exabgp
from waiting import Unmet

# Seconds that ours may take to say what the original has said already, once its check has ended.
SLACK = 5.0
# After so long without a line, and with every answer given, ours has no more to say about what has happened.
QUIET_FOR = 0.2

# In front of the arguments of most cases. The timeout is for a busy machine.
QUICK = "--interval 0.01 --fast-interval 0.01 --timeout 60 --rise 2 --fall 2"
DISABLE = "--disable {folder}/disabled"
COMMAND = "--command 'sh {folder}/check'"
HOOK = "--execute 'echo any $STATE >> {folder}/hooks'"
QUIET = "--no-ip-setup --no-syslog"
SETTING_UP = f"{QUICK} {DISABLE} {COMMAND} {HOOK} --no-syslog"
USUAL = f"{SETTING_UP} --no-ip-setup"
ADDRESS = "--ip 192.0.2.1"

# Every state, and most ways from one to another, with two in a row to go up or down.
ROUND_TRIP = "+++-+---+-++-de++-De-+--de--"


@dataclass(frozen=True)
class Ending:
    """How the series ends: with a signal, while a check runs, or between two, which there is time for after the first
    outcome; or without a signal, since the program ends by itself.
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
    # The words to `ip` that make the network namespace what it is before the start; None for no namespace.
    network: tuple | None = None
    disabled_at_start: bool = False
    # With which supplementary groups, and as whom, it is started; None for those of the test.
    groups: tuple | None = None
    user: str | None = None
    # A `sudo` that writes down what it is told, and does it.
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
class Stretch:
    """What was said from one thing that happened to the next, and which addresses there were in the end."""

    cause: str
    lines: list
    addresses: list = field(default_factory=list)


@dataclass
class Story:
    stretches: list = field(default_factory=list)
    hooks: list = field(default_factory=list)
    status: int | None = None
    errors: str = ""
    pid_file: bool | None = None
    # Who it is, of /proc/PID/status: user, group, supplementary groups.
    identity: dict = field(default_factory=dict)
    sudo: list = field(default_factory=list)


SUDO = """\
#!/bin/sh
echo "$*" >> {folder}/told-sudo
exec "$@"
"""


def with_sudo(folder, script):
    """The environment in which this is the first `sudo` that is found."""
    (folder / "bin").mkdir()
    (folder / "bin/sudo").write_text(script.format(folder=folder))
    (folder / "bin/sudo").chmod(0o755)
    return {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"}


def play(kind, scenario, folder, namespace=None, model=None):
    """Puts one program through the scenario. With the story of the other as a model, it is given time to do as much."""
    for name, text in scenario.files.items():
        (folder / name).write_text(text.replace("{folder}", str(folder)))
    if scenario.disabled_at_start:
        (folder / "disabled").touch()
    # Whoever it becomes works in there, too.
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
        self.story = Story()
        self.told = 0
        self.times_disabled = 0
        self.disabled = scenario.disabled_at_start

    def play(self):
        program, story = self.program, self.story
        # What disables and the `e` behind it belong together: when a file goes is a matter of time, too.
        causes = re.findall("[-+dD]e?", self.scenario.series)
        for cause in ["start e" if self.scenario.series.startswith("e") else "start", *causes]:
            if not program.ended:
                self.happen(cause)
        self.let_hooks_run()
        story.identity = program.identity()
        if self.scenario.ending.signal and not program.ended:
            # Before the first decision nothing else waits for the handshake.
            if program.kind.ours and len(causes) < 2:
                program.until_it_knows_exabgp()
            if self.scenario.ending.asleep:
                program.until_asleep()
            else:
                program.until_it_waits_for_its_check()
            program.signal(self.scenario.ending.signal)
            story.status = program.until_ended()
            self.tell("the signal", repeats=False)
        else:
            story.status = program.until_ended()
        # A signal may come before all of it is said.
        if program.kind.ours and program.handshake != [GREETING, ASK_VERSION][: len(program.handshake)]:
            raise Unmet(f"ours began with {program.handshake}")
        story.hooks = program.hooks()
        story.errors = program.errors()
        told_sudo = program.folder / "told-sudo"
        # The original adds several addresses in no particular order.
        story.sudo = sorted(told_sudo.read_text().splitlines()) if told_sudo.exists() else []
        pid_file = program.folder / "pid"
        story.pid_file = pid_file.read_text() == f"{program.pid}\n" if pid_file.exists() else None
        return story

    def happen(self, cause):
        """One thing happens, and its consequences are waited for."""
        program = self.program
        if cause[0] in "-+dD":
            self.disabled = cause[0] in "dD"
            program.outcome(0 if cause[0] in "+d" else 1, then_disabled=self.disabled)
        repeats = self.disabled
        if self.disabled:
            program.until(self.says_to_be_disabled, "it is not disabled")
            self.times_disabled += 1
        if cause.endswith("e"):
            (program.folder / "disabled").unlink()
            self.disabled = False
            self.enable()
        if self.scenario.ending.asleep and cause != "start":
            program.until_asleep()
        elif not self.disabled:
            program.until_asked()
        self.tell(cause, repeats)

    def enable(self):
        """The original makes one more check now, and ignores its result. See `differences`."""
        if not self.program.kind.ours and COMMAND in self.scenario.usual:
            self.program.next_check_ends(0)

    def says_to_be_disabled(self):
        """Hooks have been told, and it was said: more than twice, for sooner or later everything is."""
        said = self.program.lines[self.told :]
        often = 1 if self.scenario.debounce else 4
        told = self.program.hooks().count("any DISABLED") > self.times_disabled
        if self.scenario.ending.asleep:
            often = 1
        return told and max(map(said.count, said), default=0) >= often and self.as_in_model(said, repeats=True)

    def as_in_model(self, said, repeats):
        """At least what the model has said; true without a model."""
        if not self.model or len(self.story.stretches) >= len(self.model.stretches):
            return True
        wanted = self.model.stretches[len(self.story.stretches)]
        if self.namespace and self.namespace.addresses() != wanted.addresses:
            return False
        if repeats:
            # What is repeated for several addresses has to be complete, or the rest would be found in the next stretch.
            complete = self.scenario.debounce or said[-1:] == wanted.lines[-1:]
            return complete and set(of_the_last_state(wanted.lines)) <= set(said)
        return len(said) >= len(wanted.lines)

    def tell(self, cause, repeats):
        """Ours may speak while it checks, and is given time to catch up; what it still lacks is found by comparison."""
        self.program.pump(lambda: self.as_in_model(self.program.lines[self.told :], repeats), SLACK)
        if repeats and self.program.kind.ours:
            # A last repetition may still be on its way: it has to wait for the answer to the one before.
            self.program.pump(lambda: time.monotonic() - self.program.heard_at > QUIET_FOR, SLACK)
        said = self.program.lines[self.told :]
        self.told = len(self.program.lines)
        said = without_repetitions(said) if repeats else said
        addresses = self.namespace.addresses() if self.namespace else []
        self.story.stretches.append(Stretch(cause, said, addresses))

    def let_hooks_run(self):
        if self.model:
            self.program.pump(lambda: len(self.program.hooks()) >= len(self.model.hooks), SLACK)


def of_the_last_state(lines):
    """The lines at the end that speak of each prefix once."""
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
