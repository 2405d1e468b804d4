"""A point of presence: one host with Unbound, ExaBGP and, as ExaBGP's helper, dnsherald."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from addresses import ADDED_IPV4, INTERNAL_PREFIXES, PREFIXES, UNREACHABLE_UPSTREAM, Site
from configuration import Configuration
from exabgp import ExaBGP
from namespace import Namespace
from unbound import Unbound
from waiting import Unmet


class Pop(Namespace):
    """A host with a DNS server and ExaBGP. Each case starts them anew, so that no case inherits the state of another."""

    def __init__(self, name, site: Site, folder: Path, exabgp_program: Path, binary: Path):
        super().__init__(name)
        self.site = site
        self.folder = folder
        self.file = folder / "dnsherald.toml"
        self.unbound = Unbound(self, site, folder)
        self.exabgp = ExaBGP(self, site, folder, exabgp_program, binary, self.file)

    def add_anycast_addresses(self):
        """Adds the anycast addresses to the loopback interface for good. Only BGP decides whether they attract traffic.

        Without them dnsherald announces no prefix, since another point of presence would answer the probes.
        """
        self.add_address("lo", *PREFIXES, *INTERNAL_PREFIXES, ADDED_IPV4)
        self.ip("route", "add", "unreachable", UNREACHABLE_UPSTREAM)

    def start_service(self, configuration: Configuration, options=(), server=None, internal=False, environment=None):
        """Starts the DNS server (Unbound by default), then ExaBGP. Returns the time when ExaBGP was started.

        With `internal`, ExaBGP has a second BGP session. `environment` adds settings of ExaBGP.
        """
        self._clear_folder()
        server = server or self.unbound
        server.start()
        server.wait_until_ready()
        self.write_configuration(self.written(configuration))
        started = time.time()
        self.exabgp.start(options, internal=internal, environment=environment)
        return started

    def stop_service(self):
        self.exabgp.stop()
        self.unbound.stop()
        # A helper that is still running must not disturb the next case.
        self.end_processes()

    def written(self, configuration: Configuration):
        """The configuration as TOML, with a control directory for this host only."""
        return configuration.written(control=self.folder / "control")

    def dnsherald(self, *words, **how):
        """Runs a dnsherald command with this host's configuration; returns its output and exit status."""
        with self.begin_dnsherald(*words, **how) as begun:
            out, err = begun.communicate(timeout=120)
        return subprocess.CompletedProcess(words, begun.returncode, out, err)

    def begin_dnsherald(self, *words, environment=None, output=None):
        """Starts a dnsherald command and returns its process; its output goes to the file `output`, if given, or to pipes."""
        command = self.inside(self.exabgp.binary, *words, "-c", self.file)
        where = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        environment = {**os.environ, **(environment or {})}
        if output is None:
            return subprocess.Popen(command, env=environment, start_new_session=True, **where)
        with open(output, "w") as file:
            where.update(stdout=file, stderr=file)
            return subprocess.Popen(command, env=environment, start_new_session=True, **where)

    def status(self, *options):
        """The status document of the helper."""
        done = self.dnsherald("status", "--json", *options)
        if done.returncode != 0:
            raise Unmet(f"status: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def status_if_any(self):
        """The status document, or None while no helper answers."""
        try:
            return self.status()
        except Unmet:
            return None

    def write_configuration(self, text: str):
        """Replaces the file in one step, as careful editors and configuration management do."""
        draft = self.file.with_suffix(".new")
        draft.write_text(text)
        os.replace(draft, self.file)

    def logs(self):
        """The end of each log, for the report of a failure."""
        for log in (self.exabgp.helper_log, self.exabgp.log, self.unbound.log, self.folder / "server/server.log"):
            if log.exists():
                yield log.name, log.read_text(errors="replace").splitlines()[-30:]

    def _clear_folder(self):
        """Removes the state and the logs of the previous case."""
        for left in self.folder.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
