"""The cgroup hierarchy of a host: version 1, version 2, or both. systemd-nspawn mounts the one that it is asked for."""

from enum import Enum
from pathlib import Path

# The hierarchies of the machine; absent if it has version 2 only.
ROOT_V1 = Path("/sys/fs/cgroup/systemd")
ROOT_V2 = Path("/sys/fs/cgroup/unified")


class Hierarchy(Enum):
    """Each has a description, the file system of /sys/fs/cgroup, and whether version 2 is mounted beside version 1."""

    V1 = ("cgroup v1", "tmpfs", False)
    V2 = ("cgroup v2", "cgroup2fs", False)
    HYBRID = ("cgroup v1 with v2 beside it", "tmpfs", True)

    def __init__(self, words, file_system, has_unified):
        self.words = words
        self.file_system = file_system
        self.has_unified = has_unified

    @property
    def environment(self):
        """The environment of systemd-nspawn. Without it a host gets the hierarchy of the machine."""
        values = {Hierarchy.V1: "0", Hierarchy.V2: "1"}
        return {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": values[self]} if self in values else {}

    def possible(self):
        """This hierarchy, or the one that the machine supports instead."""
        if not ROOT_V1.is_dir():
            return Hierarchy.V2
        return self if ROOT_V2.is_dir() else Hierarchy.V1


# Prints the hierarchy of a host.
QUESTION = ("sh", "-c", "stat --file-system --format=%T /sys/fs/cgroup; ls -d /sys/fs/cgroup/unified 2>/dev/null")


def from_answer(text):
    """The hierarchy in the output of QUESTION, or None."""
    file_system, *unified = text.split() or [""]
    return next((one for one in Hierarchy if (one.file_system, one.has_unified) == (file_system, bool(unified))), None)
