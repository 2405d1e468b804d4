"""Runs in the router's namespace: holds each packet that arrives at an interface, by way of two TUN devices.

Its arguments: the interface, milliseconds. Kernels without netem can do it, too. Prints `ready` once it does.
"""

import collections
import fcntl
import os
import select
import struct
import subprocess
import sys
import time

TUNSETIFF, TUN_WITHOUT_HEADER = 0x400454CA, 0x1001
TABLE = "100"


def tun(name):
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH", name.encode(), TUN_WITHOUT_HEADER))
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
    subprocess.run(["sysctl", "-q", "-w", f"net.ipv4.conf.{name}.rp_filter=0"], check=True)
    return descriptor


def main(interface, milliseconds):
    delay = float(milliseconds) / 1000
    held_in, held_out = tun("held0"), tun("held1")
    subprocess.run(["ip", "route", "add", "default", "dev", "held0", "table", TABLE], check=True)
    subprocess.run(["ip", "rule", "add", "iif", interface, "lookup", TABLE], check=True)
    print("ready", flush=True)
    packets = collections.deque()
    while True:
        patience = max(0, packets[0][0] - time.monotonic()) if packets else 1
        if select.select([held_in], [], [], patience)[0]:
            try:
                while True:
                    packets.append((time.monotonic() + delay, os.read(held_in, 65535)))
            except BlockingIOError:
                pass
        while packets and packets[0][0] <= time.monotonic():
            try:
                os.write(held_out, packets.popleft()[1])
            except OSError:
                pass  # not for this host any more


main(*sys.argv[1:])
