"""Waits for conditions instead of sleeping. Every wait names its condition and its timeout."""

import threading
import time
import traceback

# Timeout in seconds for what usually takes much less: the machines that run this are shared and busy.
PATIENCE = 20

# Set by SIGINT and SIGTERM. Every wait checks it, so that the case in progress cleans up.
interrupted = threading.Event()


class Unmet(Exception):
    """An expectation of a test was not met."""


class Interrupted(Exception):
    """A signal asked the run to stop; no test has failed."""


def expect(is_met, what):
    if not is_met:
        raise Unmet(what)


def complaint(error):
    """The text of an unmet expectation; of any other exception, which is a bug of the test, the traceback."""
    return f"{error}" if isinstance(error, Unmet) else "".join(traceback.format_exception(error))


def wait_until(condition, within, what, poll=0.005):
    """Returns the first true value of `condition`; `what` is the sentence printed if there is none in time."""
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
    """Sleeps where the time itself is the stimulus or the observation. To wait for a condition, use `wait_until`."""
    if interrupted.wait(max(0.0, seconds)):
        raise Interrupted
