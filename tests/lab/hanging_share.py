"""A share that hangs: an automount whose daemon says nothing. Whoever looks at something below it waits until it does."""

import fcntl
import os
import subprocess
from contextlib import suppress

from process import run


# AUTOFS_IOC_CATATONIC of linux/auto_fs.h: from now on there is no daemon, and who waits is told that nothing is there.
CATATONIC = 0x9362


class HangingShare:
    """Exists as long as its context."""

    def __init__(self, folder):
        self.folder = folder
        self.requests = None

    def __enter__(self):
        self.folder.mkdir()
        self.requests, answers = os.pipe()
        try:
            # The group of this process is taken to be that of the daemon; the helper is in another one.
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
        """Nothing is there."""
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
