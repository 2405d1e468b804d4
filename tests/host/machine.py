"""A booted host: Debian with systemd as its init, in systemd-nspawn, in a network namespace of the lab.

Its root is an overlay over the common tree; its changes are in its own directory and survive a reboot. The mount namespace of the
overlay and the process namespace of systemd-nspawn end with the test, even with SIGKILL.
"""

import os
import subprocess
import time
from pathlib import Path

from hierarchy import QUESTION, Hierarchy, from_answer
from namespace import Namespace
from process import Process, children, command_line, end
from waiting import Unmet, wait_until

# Timeout in seconds for what usually takes much less: the machines that run this are shared and busy.
PATIENCE = 60
# With `--keep-unit` systemd-nspawn exits with this status if the host asks for a reboot.
REBOOT = 133

# Each container needs its own cgroup: two in one would confuse their processes.
START = """
for cgroup in $CGROUPS; do mkdir -p "$cgroup" && echo $$ > "$cgroup/cgroup.procs" || exit; done
mount -t overlay overlay -o "$OVERLAY" "$ROOT" && exec "$@"
"""


class Machine(Namespace):
    """A host that can be switched on and off. Its network namespace and addresses stay."""

    def __init__(self, name, hostname, folder: Path, tree: Path, hierarchy: Hierarchy):
        super().__init__(name)
        self.hostname = hostname
        self.folder = folder
        self.tree = tree
        self.hierarchy = hierarchy
        self.console = folder / "console"
        self.nspawn = None
        self.init = None

    def switch_on(self):
        """Boots the host. The kernel kills it when the calling thread exits."""
        root, upper, work = (self.folder / name for name in ("root", "upper", "work"))
        for folder in (root, upper, work):
            folder.mkdir(exist_ok=True)
        environment = {
            "ROOT": str(root),
            "OVERLAY": f"lowerdir={self.tree},upperdir={upper},workdir={work}",
            "CGROUPS": " ".join(map(str, self._cgroups())),
            **self.hierarchy.environment,
        }
        command = (
            *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
            *("sh", "-c", START, "sh"),
            *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--console=pipe"),
            *(f"--machine={self.name}", f"--hostname={self.hostname}", f"--directory={root}"),
            *(f"--network-namespace-path=/run/netns/{self.name}", "--link-journal=no", "--resolv-conf=off", "--timezone=off"),
        )
        self.nspawn = Process(command, output=self.console, environment=environment)

    def wait_until_booted(self):
        """Waits until systemd has finished starting units."""
        self.init = wait_until(self._find_init, PATIENCE, f"{self.hostname} has an init")
        states = ("running", "degraded")
        wait_until(lambda: self.ask("systemctl", "is-system-running") in states, PATIENCE, f"{self.hostname} boots", poll=0.05)
        found = self.ask(*QUESTION)
        if from_answer(found) is not self.hierarchy:
            raise Unmet(f"{self.hostname}: expected {self.hierarchy.words}, found at /sys/fs/cgroup: {found}")

    def wait_until_off(self):
        """Waits until it has shut down. Returns the exit status of systemd-nspawn."""
        wait_until(lambda: not self.nspawn.alive(), PATIENCE, f"{self.hostname} shuts down")
        return self.nspawn.popen.returncode

    def switch_off(self):
        """Kills the host, as a power cut would. Also cleans up after a host that has shut down."""
        if self.nspawn is None:
            return
        # If its init dies, the kernel kills the other processes, and systemd-nspawn cleans up.
        for init in self._grandchildren():
            end(init)
        self.nspawn.stop()
        self.nspawn = self.init = None
        self.end_processes()
        for cgroup in self._cgroups():
            _remove_cgroup(cgroup)

    def is_on(self):
        return self.nspawn is not None and self.nspawn.alive()

    def shell(self):
        """The command line that opens a shell on the host."""
        return f"nsenter --target {self.init} --all"

    def within(self, *command):
        """The command line that runs a command on the host, as root."""
        return ["nsenter", "--target", str(self.init), "--all", "--", *map(str, command)]

    def attempt(self, *command, patience=PATIENCE):
        """Runs a command on the host. It may fail."""
        return subprocess.run(
            self.within(*command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=patience,
            env={"PATH": os.defpath + ":/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )

    def run(self, *command, **how):
        """Runs a command that must succeed. Returns its standard output."""
        done = self.attempt(*command, **how)
        if done.returncode != 0:
            raise Unmet(f"{self.hostname}: {' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def ask(self, *command):
        """The output of a command, without white space at its ends."""
        return self.attempt(*command).stdout.strip()

    def write(self, path, text, mode=0o644):
        """Writes a file of the host from outside."""
        file = self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def path(self, path):
        """A file of the host, seen from outside."""
        return Path(f"/proc/{self.init}/root{path}")

    def main_pid(self, unit):
        """The main process of a unit, in the host's PID namespace; 0 if there is none."""
        return int(self.ask("systemctl", "show", "--property=MainPID", "--value", unit) or 0)

    def state(self, unit):
        return self.ask("systemctl", "is-active", unit)

    def journal(self, *selection):
        """The journal since the first boot."""
        return self.attempt("journalctl", "--no-pager", "--output=short-precise", *selection).stdout

    def _find_init(self):
        if not self.nspawn.alive():
            raise Unmet(f"{self.hostname} does not boot: {self.console.read_text(errors='replace')[-2000:]}")
        inits = [pid for pid in self._grandchildren() if "/systemd/systemd" in command_line(pid)]
        return inits and Path(f"/proc/{inits[0]}/root/run/systemd/private").exists() and inits[0]

    def _grandchildren(self):
        """The grandchildren of `unshare`: its child is systemd-nspawn, whose child is the init."""
        return [grandchild for child in children(self.nspawn.pid) for grandchild in children(child)]

    def _cgroups(self):
        """A cgroup below our own in each hierarchy in which systemd tracks its units: version 2, and version 1."""
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            number, controllers, path = line.split(":", 2)
            if number == "0":
                unified = Path("/sys/fs/cgroup/unified")
                root = unified if unified.exists() else Path("/sys/fs/cgroup")
            elif controllers == "name=systemd":
                root = Path("/sys/fs/cgroup/systemd")
            else:
                continue
            yield root / path.lstrip("/") / self.name


def _remove_cgroup(cgroup):
    """Removes a cgroup. Its processes are killed, but some may still be exiting."""
    deadline = time.monotonic() + 10
    while cgroup.exists() and time.monotonic() < deadline:
        for folder, _, _ in os.walk(cgroup, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                time.sleep(0.02)
