"""The root filesystem of every host: a suite of Debian with the packages that an operator installs, created once.

debootstrap and apt download from their default mirror. The archives stay in apt's cache, so that a booted host, which has only the
lab's network, can install a package again.
"""

import fcntl
import hashlib
import os
import shutil
import signal
from pathlib import Path

from process import Process
from servers import SERVERS
from waiting import wait_until

# Debian 12 and 13; the first is the default.
SUITES = ("bookworm", "trixie")
PACKAGES = sorted(
    {"systemd", "systemd-sysv", "dbus", "polkitd", "exabgp", "bind9-dnsutils", "iproute2", "procps", "python3"}
    | {server.package for server in SERVERS}
)
# Increase it if the creation of the tree changes in other ways than its packages.
RECIPE = 1

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Timeout in seconds of each of the two steps, for a slow mirror.
PATIENCE = 1800

# Runs in the tree and starts no unit. Each host later enables its own DNS server.
INSTALL = """
set -e
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
apt-get update -q
apt-get install -q -y --no-install-recommends "$@"
rm /usr/sbin/policy-rc.d
systemctl disable unbound named nsd
rm -f /etc/resolv.conf /etc/hostname
"""


def prepared(cache: Path, suite):
    """Returns the directory of the tree, and creates it if none exists for these packages. A lock admits one run at a time."""
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        wait_until(lambda: _locked(lock), 2 * PATIENCE, "another run has created its tree", poll=0.1)
        tree = cache / f"{suite}-{_key()}"
        if not tree.exists():
            for former in cache.glob(f"{suite}-*"):
                shutil.rmtree(former)
            _make(tree, suite)
        return tree


def _locked(file):
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _key():
    return hashlib.sha256(" ".join([str(RECIPE), *PACKAGES]).encode()).hexdigest()[:12]


def _make(tree: Path, suite):
    draft = tree.with_name(f"{tree.name}.draft")
    _step(tree, "debootstrap", "--variant=minbase", suite, draft)
    inside = ("unshare", "--pid", "--fork", "--kill-child", f"--mount-proc={draft}/proc", "chroot", draft)
    _step(tree, *inside, "sh", "-c", INSTALL, "sh", *PACKAGES)
    draft.rename(tree)


def _step(tree, *command):
    log = tree.with_name("log")
    print(f"creating {tree.name} with {command[0]}, which takes about a minute; see {log}", flush=True)
    environment = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "PATH": PATH}
    # Its own mount namespace, so that no mount stays behind.
    process = Process(("unshare", "--mount", *command), output=log, environment=environment)
    try:
        wait_until(lambda: not process.alive(), PATIENCE, f"{command[0]} finishes", poll=0.1)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.popen.wait()
        raise
    if process.popen.returncode != 0:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise RuntimeError(f"{command[0]} failed with exit status {process.popen.returncode}; the end of {log}:\n{end}")
