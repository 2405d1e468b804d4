"""Waiting for conditions instead of sleeping: every wait says what it waits for and when it gives up."""

import threading
import time
import traceback

# Seconds for what is certain to come: it has come long before, but the machines that run this are shared and busy.
PATIENCE = 20

# Set by SIGINT and SIGTERM. Every wait looks at it, so that whatever is under way cleans up after itself.
interrupted = threading.Event()


class Unmet(Exception):
    """What a test expected did not happen, or what it must never see did."""


class Interrupted(Exception):
    """The run was asked to stop; nobody is to blame."""


def expect(is_met, what):
    if not is_met:
        raise Unmet(what)


def complaint(error):
    """What a test has not met speaks for itself; anything else is a fault of the test, and needs its place."""
    return f"{error}" if isinstance(error, Unmet) else traceback.format_exc()


def wait_until(condition, within, what, poll=0.005):
    """Returns the first true value of `condition`; `what` is the sentence printed when there is none in time."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise Unmet(f"{what}: not within {within:.1f} s")
        if interrupted.wait(poll):
            raise Interrupted


def let_pass(seconds):
    """Lets time pass where time itself is the stimulus or the observation, never to wait for something."""
    if interrupted.wait(max(0.0, seconds)):
        raise Interrupted
