"""Where systemd tracks its units on a host: version 1 or 2 of cgroups, or both. systemd-nspawn gives what it is asked for."""

from enum import Enum
from pathlib import Path

# Of the machine, unless it has version 2 alone.
ROOT_V1 = Path("/sys/fs/cgroup/systemd")
ROOT_V2 = Path("/sys/fs/cgroup/unified")


class Hierarchy(Enum):
    """Each with what `stat` says of /sys/fs/cgroup, and whether version 2 is beside version 1."""

    V1 = ("cgroup v1", "tmpfs", False)
    V2 = ("cgroup v2", "cgroup2fs", False)
    HYBRID = ("cgroup v1 with v2 beside it", "tmpfs", True)

    def __init__(self, words, file_system, has_unified):
        self.words = words
        self.file_system = file_system
        self.has_unified = has_unified

    @property
    def environment(self):
        """What tells systemd-nspawn. Without it a host gets what the machine has."""
        wishes = {Hierarchy.V1: "0", Hierarchy.V2: "1"}
        return {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": wishes[self]} if self in wishes else {}

    def possible(self):
        """This one, or the only one that a host can have here: what the machine has not got, it cannot give."""
        if not ROOT_V1.is_dir():
            return Hierarchy.V2
        return self if ROOT_V2.is_dir() else Hierarchy.V1


# What says on a host which one it has.
QUESTION = ("sh", "-c", "stat --file-system --format=%T /sys/fs/cgroup; ls -d /sys/fs/cgroup/unified 2>/dev/null")


def of_answer(text):
    """The one that a host has; None if it is none of them."""
    file_system, *unified = text.split() or [""]
    return next((one for one in Hierarchy if (one.file_system, one.has_unified) == (file_system, bool(unified))), None)
