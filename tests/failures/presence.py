"""One point of presence with its surroundings, for one row: network, upstream, server and helper."""

import json
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

from dns_servers import Upstream
from helper import DEGRADED, UP, Helper
from network import Network
from numbering import MANAGEMENT_IPV4, MANAGEMENT_IPV6, PREFIXES
from process import end
from waiting import PATIENCE, Unmet, wait_until
from zones import SERVED

ASK = Path(__file__).with_name("ask.py")


class Presence:
    """Exists as long as its context."""

    def __init__(self, name, binary, zones, row):
        self.name, self.binary, self.zones, self.row = name, binary, zones, row
        self.server = row.server()
        self.stack = ExitStack()
        self.processes = []

    def __enter__(self):
        with self.stack as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{self.name}-", ignore_cleanup_errors=True)))
            self.folder.chmod(0o755)
            self.network = stack.enter_context(Network(self.name))
            stack.callback(self._end_processes)
            self.upstream = Upstream()
            self.upstream.start(self.network.upstream, self.folder, self.zones)
            if self.row.before:
                self.row.before(self)
            self.server.start(self.network.pop, self.folder, self.zones)
            self._write_configuration()
            self.helper = Helper(self.network.pop, self.binary, self.folder / "dnsherald.toml", self.folder / "dnsherald.log")
            stack.enter_context(self.helper)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *details):
        return self.stack.__exit__(*details)

    def _end_processes(self):
        for process in self.processes:
            process.kill()
        for pid in [pid for server in (self.server, self.upstream) if server.process for pid in server.pids()]:
            end(pid)

    def _write_configuration(self):
        """Nothing but `backend`, `role`, `zones` and the attributes, but for where files are in this test."""
        row, kind = self.row, self.server.kind
        zones = list(row.zones) or [SERVED]
        role = f'role = "{self.server.role}"\n' if kind == "bind" else ""
        zones = f"zones = {json.dumps(zones)}\n" if self.server.role == "authoritative" else ""
        (self.folder / "dnsherald.toml").write_text(
            f"""\
[node]
name = "pop1"
management = ["{MANAGEMENT_IPV4}", "{MANAGEMENT_IPV6}"]

[control]
directory = "{self.folder}/control"
state = "{self.folder}/state"

[[service]]
name = "dns"
prefixes = {json.dumps(PREFIXES)}
up = {{ med = {UP} }}
degraded = {{ med = {DEGRADED} }}
backend = "{kind}"
{role}{zones}{row.more}
[backend.{kind}]
pid-file = "{self.server.pid_file}"
"""
        )

    def wait_until_announced(self):
        """All prefixes are announced, and each check that can pass has passed."""
        wait_until(self._all_announced, PATIENCE, "all prefixes are announced", poll=0.05)
        try:
            wait_until(self._all_up, 6, "all checks are up", poll=0.2)
        except Unmet:
            pass  # what only observes may fail in a PoP that is well

    def _all_announced(self):
        status = self.helper.popen.poll()
        if status is not None:
            raise RuntimeError(f"the helper has ended with status {status}: {self.helper.log()}")
        return all(self.helper.state(prefix) == "up" for prefix in PREFIXES)

    def _all_up(self):
        checks = self.helper.checks()
        return checks and all(check["state"] == "up" for check in checks.values())

    def start(self, host, *command):
        """A process that ends with the row."""
        process = host.start(*command, output=self.folder / "others.log")
        self.processes.append(process)
        return process

    def asking(self, seconds, rate):
        """Starts the client."""
        words = self.network.client.inside(*self._client(seconds, rate))
        return subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, text=True)

    def serve_clients(self, seconds, rate):
        """Starts clients that are not measured."""
        self.start(self.network.client, *self._client(seconds, rate))

    def _client(self, seconds, rate):
        return "python3", "-B", ASK, self.server.role, seconds, rate, self.row.address

    def filter(self, hook, *rules, host=None, priority=0):
        """Loads nftables rules."""
        host = host or self.network.pop
        lines = "\n".join(rules)
        table = f"table inet fault_{hook} {{\nchain {hook} {{\ntype filter hook {hook} priority {priority};\n{lines}\n}}\n}}\n"
        loading = host.inside("nft", "-f", "-")
        done = subprocess.run(loading, input=table, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            raise RuntimeError(f"nft: {done.stderr}")
