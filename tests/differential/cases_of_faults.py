"""The faults of the original that are gone. Each case looks for one, finds it in the original, and not in ours."""

import os
import re
import signal
from dataclasses import replace
from pathlib import Path

from faults import CHECKED, SETTING_UP, USUAL, fault, started
from network import Network
from process import children, end, is_alive
from program import DONE, exabgp, exabgp_without_acks
from scenario import ADDRESS
from waiting import PATIENCE, expect

# Seconds for what ours does at once, as on a busy machine, and what the original does never, or after many times as long.
PROMPTLY = 10.0
# Seconds without something that would happen at once.
WATCHED = 3.0
# Bytes: more than either needs in order to work, and far less than the original takes in some cases.
LITTLE_MEMORY = 96 << 20
EVENT = "neighbor 192.0.2.254 up\n"


def lines_with(program, word):
    return [line for line in program.lines if word in line]


@fault("acks switched off")
def acks_switched_off(kind):
    """ExaBGP acknowledges nothing, and was not said to: checks go on."""
    with started(kind, parent=exabgp_without_acks) as program:
        program.next_check_ends(0)
        expect(program.until_asked(PROMPTLY), "it has ended")
        program.outcome(1)
        program.until(lambda: lines_with(program, "med 1000"), "it does not say that the service is down", PROMPTLY)


@fault("lost ack")
def lost_ack(kind):
    """One answer is lost: checks go on, and the command is said again."""
    lost = []

    def parent(line):
        if "announce" in line and not lost:
            lost.append(line)
            return ""
        return exabgp(line)

    with started(kind, f"{ADDRESS} --debounce", parent=parent) as program:
        program.next_check_ends(0)
        program.until_asked(PROMPTLY)
        program.until(lambda: len(lines_with(program, "announce")) > 1, "it does not say it again")


@fault("refused command")
def refused_command(kind):
    """ExaBGP answers `error` once: with --debounce the command is said again, too."""
    answers = iter(["error\n"])

    def parent(line):
        return next(answers, DONE) if "announce" in line else exabgp(line)

    with started(kind, f"{ADDRESS} --debounce", parent=parent) as program:
        program.next_check_ends(0)
        program.until(lambda: len(lines_with(program, "announce")) > 1, "it does not try again")


@fault("events are no acks")
def events_are_no_acks(kind):
    """Between a command and its ack comes an event: the next command waits for the ack."""
    said = []

    def parent(line):
        if "announce" not in line:
            return exabgp(line)
        said.append(line)
        return EVENT

    with started(kind, f"{ADDRESS} --ip 192.0.2.2", parent=parent) as program:
        program.next_check_ends(0)
        program.until(lambda: said, "it announces nothing")
        # Less than the time after which an ack counts as lost.
        expect(not program.pump(lambda: len(said) > 1, 1.0), "it has taken an event for its ack")
        program.say(DONE)
        program.until(lambda: len(said) > 1, "it does not go on behind the ack")


@fault("end of standard input")
def end_of_input(kind):
    """ExaBGP is gone: the program ends, though its standard output still seems to be read."""
    with started(kind) as program:
        program.next_check_ends(0)
        program.until_asked()
        program.popen.stdin.close()
        program.until(lambda: program.popen.poll() is not None, "it runs on", PROMPTLY)


@fault("SIGTERM while waiting for an ack")
def terminated_while_waiting(kind):
    """ExaBGP answers no more and ends the program: it withdraws and ends at once."""
    parent = lambda line: "" if "announce" in line or "withdraw" in line else exabgp(line)  # noqa: E731
    with started(kind, parent=parent) as program:
        program.next_check_ends(0)
        program.until(lambda: lines_with(program, "announce"), "it announces nothing")
        program.signal(signal.SIGTERM)
        expect(program.until_ended(PROMPTLY) == 0, "it does not end as it should")
        expect(lines_with(program, "withdraw"), "it does not withdraw")


@fault("lingering child")
def lingering_child(kind):
    """A check that passes leaves a child in the background, which keeps its output open: it has passed all the same."""
    command = "--timeout 5 --command 'sleep 12 & exit 0'"
    with started(kind, f"{ADDRESS} {command}", usual=f"{USUAL} --interval 60") as program:
        program.until(lambda: program.lines, "it says nothing")
        expect(program.lines[0].endswith("med 100"), f"a check that passes is taken for a failure: {program.lines}")


@fault("timed-out check leaves a process")
def left_behind(kind):
    """A check times out while a child of its child, in a session of its own, hangs: none of them is left."""
    command = "--timeout 3 --command 'echo $$ > {folder}/pids; (setsid sh -c \"echo \\$\\$ >> {folder}/pids; sleep 600\"; :)'"
    with started(kind, f"{ADDRESS} {command}", usual=f"{USUAL} --interval 600") as program:
        program.until(lambda: lines_with(program, "med 1000"), "the check does not time out")
        pids = [int(word) for word in (program.folder / "pids").read_text().split()]
        expect(len(pids) == 2, f"the check was no check: {pids}")
        try:
            program.until(lambda: not any(map(is_alive, pids)), "a process is left", PROMPTLY)
        finally:
            for pid in filter(is_alive, pids):
                os.killpg(pid, signal.SIGKILL)


@fault("hanging hook")
def hanging_hook(kind):
    """A hook hangs: checks go on, and what they find is announced."""
    hang = "--up-execute 'echo $$ > {folder}/hook; exec sleep 600'"
    with started(kind, f"{ADDRESS} {hang}") as program:
        program.next_check_ends(0)
        try:
            program.until_asked(PROMPTLY)
            program.outcome(1)
            program.until(lambda: lines_with(program, "med 1000"), "it does not say that the service is down", PROMPTLY)
        finally:
            end(hook_of(program))


@fault("hanging hook at the end", shown_by_original=False)
def hanging_hook_at_the_end(kind):
    """With --interval 0 all is said, and the last hook hangs: SIGTERM ends the program. (The original, too.)"""
    hang = "--interval 0 --up-execute 'echo $$ > {folder}/hook; exec sleep 600'"
    with started(kind, f"{ADDRESS} {hang}") as program:
        program.next_check_ends(0)
        program.until(lambda: program.lines, "it says nothing")
        hook = hook_of(program)
        # What is said last has been answered.
        program.pump(lambda: program.ended, 1.0)
        program.signal(signal.SIGTERM)
        try:
            program.until_ended(PROMPTLY)
        finally:
            end(hook)


@fault("unbounded output")
def unbounded_output(kind):
    """A check that writes a lot takes no memory to speak of."""
    command = "--command 'head -c 128M /dev/zero'"
    with started(kind, f"{ADDRESS} {command}", usual=f"{USUAL} --interval 60") as program:
        # Ours takes its time: it reads some 16 MB a second.
        program.until(lambda: program.lines, "the check does not end", 3 * PATIENCE)
        peak = peak_memory(program.pid)
        expect(peak < LITTLE_MEMORY, f"it has taken {peak >> 20} MiB")


@fault("zombies")
def zombies(kind):
    """A check that has timed out is waited for: it is not left as a zombie until the next one."""
    # It has memory to give back, so that it is still dying when the original looks at it for the last time.
    large = "import time; memory = bytearray(1 << 27); time.sleep(600)"
    command = f"--timeout 1 --command 'exec /usr/bin/python3 -c \"{large}\"'"
    with started(kind, f"{ADDRESS} {command}", usual=f"{USUAL} --interval 600") as program:
        program.until(lambda: lines_with(program, "med 1000"), "the check does not time out")
        program.until(lambda: not children(program.pid), "a child is left", PROMPTLY)


@fault("fractions of a second")
def fractions(kind):
    """--timeout takes fractions."""
    command = "--timeout 0.3 --command 'exec sleep 600'"
    with started(kind, f"{ADDRESS} {command}", usual=f"{USUAL} --interval 600") as program:
        program.until(lambda: lines_with(program, "med 1000") or program.ended, "the check does not time out")
        expect(not program.ended, "it refuses")


@fault("large metrics arrive as numbers", shown_by_original=False)
def metrics_are_numbers(kind):
    """100, 1000 and 500, the defaults, are said as such. (The original does so, too.)"""
    with started(kind, usual=f"{CHECKED} --disable {{folder}}/disabled") as program:
        for status, disabled, metric in ((0, False, 100), (1, False, 1000), (1, True, 500)):
            program.next_check_ends(status, disabled)
            wanted = f"neighbor * announce route 192.0.2.1/32 next-hop self med {metric}"
            program.until(lambda wanted=wanted: wanted in program.lines, f"it does not say {wanted}")


@fault("bad options end it at once")
def bad_options(kind):
    """ExaBGP gives up on a helper that ends six times in a minute: bad options do not end it at once, but SIGTERM does."""
    kind = replace(kind, command=tuple(word for word in kind.command if word != "--no-wait"))
    for arguments in ("--no-such-option", f"{ADDRESS} --user no-such-user"):
        with started(kind, arguments, usual=USUAL) as program:
            program.until(program.errors, "it does not complain")
            expect(not program.pump(lambda: program.ended, WATCHED), "it ends at once")
            program.signal(signal.SIGTERM)
            program.until_ended(PROMPTLY)


# It adds at once, and takes for ever to delete: who is root is looked up in a DNS that does not answer.
HANGING_SUDO = """\
#!/bin/sh
if [ "$3" = delete ]; then
    echo $$ >> {folder}/hanging
    exec sleep 600
fi
exec "$@"
"""


@fault("hanging sudo", needs_root=True)
def hanging_sudo(kind):
    """An address is to be removed, and sudo hangs: checks go on, and SIGTERM ends the program at once."""
    with Network(()) as namespace:
        arguments = f"{ADDRESS} --dynamic-ip-setup --no-ip-setup --sudo"
        with started(kind, arguments, SETTING_UP, namespace=namespace, sudo=HANGING_SUDO) as program:
            try:
                program.next_check_ends(0)
                program.next_check_ends(1)
                program.until((program.folder / "hanging").exists, "it does not remove the address")
                for _ in range(3):
                    program.until_asked(PROMPTLY)
                    program.outcome(1)
                program.signal(signal.SIGTERM)
                expect(program.until_ended(PROMPTLY) == 0, "it does not end as it should")
            finally:
                for word in (program.folder / "hanging").read_text().split():
                    end(int(word))


@fault("addresses go behind their acks", shown_by_original=False, needs_root=True)
def addresses_stay_until_acknowledged(kind):
    """The service is down: its address is there until ExaBGP has acknowledged that. (The original waits, too.)"""
    answers = []

    def parent(line):
        return "".join(answers) if "withdraw" in line else exabgp(line)

    with Network(()) as namespace:
        arguments = f"{ADDRESS} --dynamic-ip-setup --withdraw-on-down --debounce"
        with started(kind, arguments, SETTING_UP, parent, namespace) as program:
            program.next_check_ends(0)
            program.until_asked()
            there = lambda: "lo 192.0.2.1/32 lo" in namespace.addresses()  # noqa: E731
            program.until(there, "it does not add the address")
            program.outcome(1)
            program.until(lambda: lines_with(program, "withdraw"), "it does not withdraw")
            expect(not program.pump(lambda: not there(), 1.0), "the address is gone before the withdraw is acknowledged")
            answers.append(DONE)
            program.say(DONE)
            program.until(lambda: not there(), "the address stays")


@fault("addresses taken away", needs_root=True)
def addresses_taken_away(kind):
    """Whoever was there before it removes its addresses late: they are back with the next check."""
    with Network(("address add 192.0.2.1/32 dev lo",)) as namespace:
        with started(kind, f"{ADDRESS} --debounce", SETTING_UP, namespace=namespace) as program:
            program.next_check_ends(0)
            program.until_asked()
            namespace.ip("address", "delete", "192.0.2.1/32", "dev", "lo")
            program.outcome(0)
            program.until_asked()
            there = lambda: "lo 192.0.2.1/32 lo" in namespace.addresses()  # noqa: E731
            program.until(there, "the address stays away", PROMPTLY)


@fault("a network is not enumerated", needs_root=True)
def a_network_is_not_enumerated(kind):
    """A network of 2^64 addresses is announced, though addresses are to be set up."""
    with Network(()) as namespace:
        usual = "--interval 60 --rise 1 --no-syslog"
        # Whoever enumerates it ends for want of memory, however slow the machine.
        limit = ("prlimit", f"--data={LITTLE_MEMORY}")
        with started(kind, "--ip 2001:db8::/64", usual, namespace=namespace, behind=limit) as program:
            program.until(lambda: program.lines or program.ended, "it neither announces anything nor ends")
            expect(lines_with(program, "2001:db8::/64"), f"it announces nothing: {program.errors()[-600:]}")


def hook_of(program):
    """The process id of a hook that writes it to a file."""
    file = program.folder / "hook"
    program.until(lambda: file.exists() and file.read_text().strip(), "the hook does not run")
    return int(file.read_text())


def peak_memory(pid):
    """The most that the process has had resident since its start, in bytes. An error if it has ended."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) << 10
