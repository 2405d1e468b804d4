"""A share that hangs: an automount whose daemon does not answer. A process that opens a path below it blocks."""

import fcntl
import os
import subprocess
from contextlib import suppress

from process import run


# AUTOFS_IOC_CATATONIC of linux/auto_fs.h: detaches the daemon; every waiting process gets ENOENT.
CATATONIC = 0x9362


class HangingShare:
    """Mounts the share on entry of the context and unmounts it on exit."""

    def __init__(self, folder):
        self.folder = folder
        self.requests = None

    def __enter__(self):
        self.folder.mkdir()
        self.requests, answers = os.pipe()
        try:
            # Accesses of the daemon's process group do not block. This process's group takes that place; the helper is in another one.
            options = f"fd={answers},pgrp={os.getpgrp()},minproto=5,maxproto=5,indirect"
            subprocess.run(
                ["mount", "-i", "-t", "autofs", "-o", options, "share", self.folder], check=True, pass_fds=[answers]
            )
        except BaseException:
            self.folder.rmdir()
            raise
        finally:
            os.close(answers)
        return self

    def answer(self):
        """Unblocks the waiting processes: nothing exists below the share."""
        root = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(root, CATATONIC)
        finally:
            os.close(root)

    def __exit__(self, *_):
        self.answer()
        os.close(self.requests)
        run("umount", "--lazy", self.folder)
        with suppress(OSError):
            self.folder.rmdir()
