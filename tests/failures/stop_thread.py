"""Stops one thread of a process by ptrace, as long as this runs. Its argument: the thread's id."""

import ctypes
import os
import signal
import sys

SEIZE, INTERRUPT = 0x4206, 0x4207

library = ctypes.CDLL(None, use_errno=True)
library.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
for request in (SEIZE, INTERRUPT):
    if library.ptrace(request, int(sys.argv[1]), None, None):
        sys.exit(os.strerror(ctypes.get_errno()))
signal.pause()
