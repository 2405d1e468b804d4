"""Faults of the original that ours must not have. Each case shows one with the original, then tests ours for it."""

import os
import re
import signal
import subprocess
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from faults import CHECKED, SETTING_UP, USUAL, fault, started
from network import Network
from process import children, end, is_alive
from program import DONE, exabgp, exabgp_without_acks
from scenario import ADDRESS, Scenario
from waiting import PATIENCE, expect

# Seconds for what ours does at once even on a busy machine, and the original never or much later.
PROMPTLY = 10.0
# Seconds in which something that would happen at once must not happen.
WATCHED = 3.0
# Bytes: more than both programs need, and far less than the original uses in some cases.
LITTLE_MEMORY = 96 << 20
EVENT = "neighbor 192.0.2.254 up\n"


def lines_with(program, word):
    return [line for line in program.lines if word in line]


@fault("acks switched off")
def acks_switched_off(kind):
    """ExaBGP sends no acks, without --no-ack: the checks continue."""
    with started(kind, parent=exabgp_without_acks) as program:
        program.next_check_ends(0)
        expect(program.until_asked(PROMPTLY), "it has exited")
        program.outcome(1)
        program.until(lambda: lines_with(program, "med 1000"), "it does not announce that the service is down", PROMPTLY)


@fault("lost ack")
def lost_ack(kind):
    """One answer is lost: the checks continue, and the command is sent again."""
    lost = []

    def parent(line):
        if "announce" in line and not lost:
            lost.append(line)
            return ""
        return exabgp(line)

    with started(kind, f"{ADDRESS} --debounce", parent=parent) as program:
        program.next_check_ends(0)
        program.until_asked(PROMPTLY)
        program.until(lambda: len(lines_with(program, "announce")) > 1, "it does not send it again")


@fault("refused command")
def refused_command(kind):
    """ExaBGP answers `error` once: the command is sent again, also with --debounce."""
    answers = iter(["error\n"])

    def parent(line):
        return next(answers, DONE) if "announce" in line else exabgp(line)

    with started(kind, f"{ADDRESS} --debounce", parent=parent) as program:
        program.next_check_ends(0)
        program.until(lambda: len(lines_with(program, "announce")) > 1, "it does not send it again")


@fault("events are no acks")
def events_are_no_acks(kind):
    """An event arrives between a command and its ack: the next command still waits for the ack."""
    said = []

    def parent(line):
        if "announce" not in line:
            return exabgp(line)
        said.append(line)
        return EVENT

    with started(kind, f"{ADDRESS} --ip 192.0.2.2", parent=parent) as program:
        program.next_check_ends(0)
        program.until(lambda: said, "it does not announce")
        # Less than the time after which an ack counts as lost.
        expect(not program.pump(lambda: len(said) > 1, 1.0), "it has taken an event for the ack")
        program.say(DONE)
        program.until(lambda: len(said) > 1, "it does not continue after the ack")


@fault("end of standard input")
def end_of_input(kind):
    """End of file on standard input: the program exits, although its standard output is still open."""
    with started(kind) as program:
        program.next_check_ends(0)
        program.until_asked()
        program.popen.stdin.close()
        program.until(lambda: program.popen.poll() is not None, "it keeps running", PROMPTLY)


@fault("SIGTERM while waiting for an ack")
def terminated_while_waiting(kind):
    """SIGTERM without an answer to the last command: the program withdraws and exits at once."""
    parent = lambda line: "" if "announce" in line or "withdraw" in line else exabgp(line)  # noqa: E731
    with started(kind, parent=parent) as program:
        program.next_check_ends(0)
        program.until(lambda: lines_with(program, "announce"), "it does not announce")
        program.signal(signal.SIGTERM)
        expect(program.until_ended(PROMPTLY) == 0, "its exit status is not 0")
        expect(lines_with(program, "withdraw"), "it does not withdraw")


@fault("lingering child")
def lingering_child(kind):
    """A check passes but leaves a child that keeps its output open: it counts as passed."""
    command = "--timeout 5 --command 'sleep 12 & exit 0'"
    with started(kind, f"{ADDRESS} {command}", usual=f"{USUAL} --interval 60") as program:
        program.until(lambda: program.lines, "it prints nothing")
        expect(program.lines[0].endswith("med 100"), f"a passed check counts as failed: {program.lines}")


@fault("background process of a check", shown_by_original=False)
def background_process(kind):
    """A check that ends in time has started a process: it stays. (With the original as well.)"""
    command = "--command 'sleep 600 </dev/null >/dev/null 2>&1 & echo $! > {folder}/pid'"
    with started(kind, f"{ADDRESS} {command}", usual=f"{USUAL} --interval 600") as program:
        program.until(lambda: program.lines, "it prints nothing")
        pid = int((program.folder / "pid").read_text())
        expect(is_alive(pid), "the process was killed")
        os.kill(pid, signal.SIGKILL)


@fault("standard input from /dev/null", shown_by_original=False)
def input_from_a_device(kind):
    """A script gives /dev/null to a check in the background: it announces. (With the original as well.)"""
    with tempfile.TemporaryDirectory() as folder:
        words = Scenario(ADDRESS, usual=f"{USUAL} --command true").words(folder)
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen([*map(str, kind.command), *words], text=True, **streams) as program:
            limit = threading.Timer(PATIENCE, program.kill)
            limit.start()
            try:
                expect(any("announce route 192.0.2.1/32" in line for line in program.stdout), "it does not announce")
            finally:
                limit.cancel()
                program.kill()


@fault("stopped before the decision", shown_by_original=False, needs_root=True)
def stopped_before_the_decision(kind):
    """SIGTERM before --interval 0 has decided: the added address is removed. (With the original as well.)"""
    with Network(()) as namespace:
        arguments = f"{ADDRESS} --interval 0 --fall 100"
        with started(kind, arguments, SETTING_UP, namespace=namespace) as program:
            program.next_check_ends(1)
            program.until_asked()
            expect("lo 192.0.2.1/32 lo" in namespace.addresses(), "the address is not there")
            program.signal(signal.SIGTERM)
            program.until_ended(PROMPTLY)
            expect("lo 192.0.2.1/32 lo" not in namespace.addresses(), "the address is left")


@fault("timed-out check leaves a process")
def left_behind(kind):
    """A check times out while its grandchild hangs in another session: all its processes are killed."""
    command = "--timeout 3 --command 'echo $$ > {folder}/pids; (setsid sh -c \"echo \\$\\$ >> {folder}/pids; sleep 600\"; :)'"
    with started(kind, f"{ADDRESS} {command}", usual=f"{USUAL} --interval 600") as program:
        program.until(lambda: lines_with(program, "med 1000"), "the check does not time out")
        pids = [int(word) for word in (program.folder / "pids").read_text().split()]
        expect(len(pids) == 2, f"expected two processes, found {pids}")
        try:
            program.until(lambda: not any(map(is_alive, pids)), "a process still runs", PROMPTLY)
        finally:
            for pid in filter(is_alive, pids):
                os.killpg(pid, signal.SIGKILL)


@fault("hanging hook")
def hanging_hook(kind):
    """A hook hangs: the checks continue, and the program announces their result."""
    hang = "--up-execute 'echo $$ > {folder}/hook; exec sleep 600'"
    with started(kind, f"{ADDRESS} {hang}") as program:
        program.next_check_ends(0)
        try:
            program.until_asked(PROMPTLY)
            program.outcome(1)
            program.until(lambda: lines_with(program, "med 1000"), "it does not announce that the service is down", PROMPTLY)
        finally:
            end(hook_of(program))


@fault("hanging hook at the end", shown_by_original=False)
def hanging_hook_at_the_end(kind):
    """With --interval 0 the last hook hangs: SIGTERM ends the program. (The original as well.)"""
    hang = "--interval 0 --up-execute 'echo $$ > {folder}/hook; exec sleep 600'"
    with started(kind, f"{ADDRESS} {hang}") as program:
        program.next_check_ends(0)
        program.until(lambda: program.lines, "it prints nothing")
        hook = hook_of(program)
        # Answers the last command.
        program.pump(lambda: program.ended, 1.0)
        program.signal(signal.SIGTERM)
        try:
            program.until_ended(PROMPTLY)
        finally:
            end(hook)


@fault("unbounded output")
def unbounded_output(kind):
    """A check with much output does not make the program use much memory."""
    command = "--command 'head -c 128M /dev/zero'"
    with started(kind, f"{ADDRESS} {command}", usual=f"{USUAL} --interval 60") as program:
        # Ours is slow here: it reads about 16 MB per second.
        program.until(lambda: program.lines, "the check does not end", 3 * PATIENCE)
        peak = peak_memory(program.pid)
        expect(peak < LITTLE_MEMORY, f"it has used {peak >> 20} MiB")


@fault("zombies")
def zombies(kind):
    """A check that has timed out is reaped at once, not at the next check."""
    # Freeing much memory takes time, so the process is still exiting when the original polls it for the last time.
    large = "import time; memory = bytearray(1 << 27); time.sleep(600)"
    command = f"--timeout 1 --command 'exec /usr/bin/python3 -c \"{large}\"'"
    with started(kind, f"{ADDRESS} {command}", usual=f"{USUAL} --interval 600") as program:
        program.until(lambda: lines_with(program, "med 1000"), "the check does not time out")
        program.until(lambda: not children(program.pid), "a zombie is left", PROMPTLY)


@fault("fractions of a second")
def fractions(kind):
    """--timeout accepts fractions of a second."""
    command = "--timeout 0.3 --command 'exec sleep 600'"
    with started(kind, f"{ADDRESS} {command}", usual=f"{USUAL} --interval 600") as program:
        program.until(lambda: lines_with(program, "med 1000") or program.ended, "the check does not time out")
        expect(not program.ended, "it refuses the option")


@fault("large metrics arrive as numbers", shown_by_original=False)
def metrics_are_numbers(kind):
    """The default metrics are sent as 100, 1000 and 500. (By the original as well.)"""
    with started(kind, usual=f"{CHECKED} --disable {{folder}}/disabled") as program:
        for status, disabled, metric in ((0, False, 100), (1, False, 1000), (1, True, 500)):
            program.next_check_ends(status, disabled)
            wanted = f"neighbor * announce route 192.0.2.1/32 next-hop self med {metric}"
            program.until(lambda wanted=wanted: wanted in program.lines, f"it does not send {wanted}")


@fault("bad options end it at once")
def bad_options(kind):
    """Bad options do not end the program, since ExaBGP exits when a helper ends six times in a minute; SIGTERM does."""
    kind = replace(kind, command=tuple(word for word in kind.command if word != "--no-wait"))
    for arguments in ("--no-such-option", f"{ADDRESS} --user no-such-user"):
        with started(kind, arguments, usual=USUAL) as program:
            program.until(program.errors, "it prints no error")
            expect(not program.pump(lambda: program.ended, WATCHED), "it exits at once")
            program.signal(signal.SIGTERM)
            program.until_ended(PROMPTLY)


# Adds at once, but hangs when it deletes, as sudo does when its name service does not answer.
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
    """sudo hangs while it removes an address: the checks continue, and SIGTERM ends the program at once."""
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
                expect(program.until_ended(PROMPTLY) == 0, "its exit status is not 0")
            finally:
                for word in (program.folder / "hanging").read_text().split():
                    end(int(word))


@fault("addresses removed before the ack", shown_by_original=False, needs_root=True)
def addresses_stay_until_acknowledged(kind):
    """The service is down: its address stays until ExaBGP has acknowledged the withdraw. (The original waits as well.)"""
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
            expect(not program.pump(lambda: not there(), 1.0), "the address is removed before the withdraw is acknowledged")
            answers.append(DONE)
            program.say(DONE)
            program.until(lambda: not there(), "the address stays")


@fault("addresses taken away", needs_root=True)
def addresses_taken_away(kind):
    """Another process removes an address later: the next check adds it again."""
    with Network(("address add 192.0.2.1/32 dev lo",)) as namespace:
        with started(kind, f"{ADDRESS} --debounce", SETTING_UP, namespace=namespace) as program:
            program.next_check_ends(0)
            program.until_asked()
            namespace.ip("address", "delete", "192.0.2.1/32", "dev", "lo")
            program.outcome(0)
            program.until_asked()
            there = lambda: "lo 192.0.2.1/32 lo" in namespace.addresses()  # noqa: E731
            program.until(there, "the address is not added again", PROMPTLY)


@fault("enumerates a large network", needs_root=True)
def a_network_is_not_enumerated(kind):
    """A network of 2^64 addresses is announced although its addresses would have to be set up."""
    with Network(()) as namespace:
        usual = "--interval 60 --rise 1 --no-syslog"
        # A program that enumerates it runs out of memory, even on a slow machine.
        limit = ("prlimit", f"--data={LITTLE_MEMORY}")
        with started(kind, "--ip 2001:db8::/64", usual, namespace=namespace, behind=limit) as program:
            program.until(lambda: program.lines or program.ended, "it neither announces nor exits")
            expect(lines_with(program, "2001:db8::/64"), f"it does not announce: {program.errors()[-600:]}")


def hook_of(program):
    """The process ID of a hook that writes it to a file."""
    file = program.folder / "hook"
    program.until(lambda: file.exists() and file.read_text().strip(), "the hook does not run")
    return int(file.read_text())


def peak_memory(pid):
    """The peak resident memory of a process in bytes. Fails if it has exited."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) << 10
