"""A host with one stock server, in its own network namespace and directory, and dnsherald's configuration for it."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from namespace import Namespace
from servers import ADDRESS, ZONE
from waiting import PATIENCE, Unmet, wait_until

# Seconds: the timeout of control commands in dnsherald's configuration.
TIMEOUT = 2

ASK = Path(__file__).with_name("ask.py")
CONTROL_OF_KNOT_RESOLVER = Path("/run/knot-resolver/control")


@contextmanager
def present(folder):
    """Creates a directory if it is missing, and removes at the end what it has created, unless another process uses it."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for each in made:
            try:
                each.rmdir()
            except OSError:
                break


class Host:
    """Runs within its context."""

    def __init__(self, server, binary):
        self.server = server
        self.built = binary
        self.folder = self.binary = None
        self.namespace = Namespace(f"dnsherald-{server.kind}-{os.getpid()}")
        self.process = None
        self.mark = 1
        # The steps to undo, the last one first. A failed step does not stop the others.
        self.undoing = ExitStack()

    def __enter__(self):
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"dnsherald-{self.server.kind}-")))
            self.folder.chmod(0o755)
            # A copy that an unprivileged user can read.
            self.binary = shutil.copy(self.built, self.folder / "dnsherald")
            stack.callback(self.namespace.delete)
            self.namespace.create()
            # BIND listens only on addresses of an interface.
            self.namespace.add_address("lo", f"{ADDRESS}/32")
            if self.server.kind == "knot-resolver":
                stack.enter_context(present(CONTROL_OF_KNOT_RESOLVER))
                stack.callback(self.control.unlink, missing_ok=True)
            self.write()
            shutil.chown(self.folder, self.server.user)
            stack.callback(self.end)
            self.start()
            self.undoing = stack.pop_all()
        return self

    def __exit__(self, *details):
        return self.undoing.__exit__(*details)

    def end(self):
        if self.process:
            self.signal(signal.SIGKILL)

    @property
    def instance(self):
        return f"dnsherald-{self.server.kind}-{os.getpid()}"

    def fill(self, text):
        words = {"address": ADDRESS, "zone": ZONE, "zone_file": self.folder / "zone", "instance": self.instance}
        return text.format(folder=self.folder, mark=self.mark, **words)

    def write(self, broken=False):
        """Writes the files of the server and of dnsherald."""
        end = f"\n{self.server.garbage}\n" if broken else ""
        (self.folder / self.server.file).write_text(self.fill(self.server.configuration) + end)
        if self.server.secret:
            shutil.chown(self.folder / self.server.file, group=self.server.group)
            (self.folder / self.server.file).chmod(0o640)
        for name, text in self.server.others.items():
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text(self.fill(text))
        zones = f'zones = ["{ZONE}"]\nrole = "authoritative"\n' if self.server.mark == "serial" else ""
        (self.folder / "dnsherald.toml").write_text(
            f"""
[node]
management = ["{ADDRESS}"]

{self.table()}
[[service]]
name = "dns"
prefixes = ["192.0.2.53/32"]
address = false
backend = "{self.server.kind}"
{zones}"""
        )

    def table(self):
        """The `[backend.NAME]` table for the server."""
        return f"""\
[backend.{self.server.kind}]
config-file = "{self.folder}/{self.server.file}"
pid-file = "{self.pid_file}"
timeout = "{TIMEOUT}s"
{self.fill(self.server.ours)}"""

    @property
    def pid_file(self):
        return self.folder / "server.pid"

    def start(self):
        command = shlex.split(self.fill(self.server.command))
        environment = {key: self.fill(value) for key, value in self.server.environment.items()}
        self.process = self.namespace.start(*command, output=self.folder / "log", environment=environment)
        self.pid_file.write_text(f"{self.process.pid}\n")
        try:
            wait_until(lambda: self.asked(1) == 1, PATIENCE, "the server answers")
            # The control channel may open after the first answer.
            self.wait_until_running()
        except Unmet as unmet:
            raise Unmet(f"{unmet}; the server said: {self.said()}") from unmet

    def wait_until_running(self):
        status = {}

        def is_running():
            status.update(self.status())
            return status["state"] == "running"

        try:
            wait_until(is_running, PATIENCE, "status shows the server as running")
        except Unmet as unmet:
            raise Unmet(f"{unmet}: {status.get('state')}, {status.get('why')}") from unmet

    def said(self):
        return "".join(log.read_text(errors="replace")[-500:] for log in self.folder.glob("*log"))

    def signal(self, number):
        """Signals the server and its children, which share its session."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass
        if number in (signal.SIGTERM, signal.SIGKILL):
            self.process.popen.wait(timeout=PATIENCE)

    @property
    def control(self):
        """The path of its control socket, or None."""
        return Path(self.fill(self.server.control)) if self.server.control else None

    def sockets(self):
        """The sockets that the server has created."""
        return [path for path in (*self.folder.iterdir(), CONTROL_OF_KNOT_RESOLVER / self.instance) if path.is_socket()]

    def asked(self, count):
        """Sends this many queries. Returns how many are answered."""
        asking = self.namespace.inside("python3", ASK, ADDRESS, self.server.name, count)
        return int(subprocess.run(asking, capture_output=True, text=True, timeout=PATIENCE + count, check=True).stdout)

    def backend(self, *words, user=None, configuration="dnsherald.toml"):
        """Runs `dnsherald backend …`. Returns the finished process and its duration."""
        command = [self.binary, "backend", *words, "-c", self.folder / configuration]
        if user:
            command = ["setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups", *command]
        began = time.monotonic()
        done = subprocess.run(
            self.namespace.inside(*command), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )
        done.seconds = time.monotonic() - began
        return done

    def status(self, **how):
        done = self.backend("status", "--json", **how)
        if done.returncode not in (0, 1) or not done.stdout:
            raise Unmet(f"backend status: exit status {done.returncode}, {done.stderr or done.stdout}")
        status = json.loads(done.stdout)
        if (done.returncode == 0) != (status["state"] == "running"):
            raise Unmet(f"backend status: exit status {done.returncode}, but {status['state']}")
        status["seconds"] = done.seconds
        return status
