"""What a test says when it does not find what it looked for, and how long it looks before it says so."""

import threading

# Every wait is for something that is seen to happen, and ends when it does. These are for what never happens. The
# machines that run this are shared and busy.
PATIENCE = 20.0
# How long ours may take to say what the original has said already, once its check has ended.
SLACK = 5.0
# After so long without a line, and with every answer given, ours has no more to say about what has happened.
QUIET_FOR = 0.2

# Set by SIGINT and SIGTERM. Every wait looks at it, so that no program and no namespace is left behind.
interrupted = threading.Event()


class Unmet(Exception):
    """The programs differ, or something that has to happen did not."""
