"""A point of presence: one host with Unbound, ExaBGP and, as ExaBGP's helper, dnsherald."""

import os
import shutil
import time
from pathlib import Path

from addresses import ANYCAST_IPV4, ANYCAST_IPV6, UNREACHABLE_UPSTREAM, Site
from configuration import Configuration
from exabgp import ExaBGP
from namespace import Namespace
from unbound import Unbound


class Pop(Namespace):
    """Started anew for each case, so that no case inherits the state of another."""

    def __init__(self, name, site: Site, folder: Path, exabgp_program: Path, binary: Path):
        super().__init__(name)
        self.site = site
        self.folder = folder
        self.file = folder / "dnsherald.toml"
        self.unbound = Unbound(self, site, folder)
        self.exabgp = ExaBGP(self, site, folder, exabgp_program, binary, self.file)

    def add_anycast_addresses(self):
        """They stay on the loopback interface for good; whether they attract traffic is decided in BGP alone."""
        self.add_address("lo", f"{ANYCAST_IPV4}/32", f"{ANYCAST_IPV6}/128")
        self.ip("route", "add", "unreachable", UNREACHABLE_UPSTREAM)

    def start_service(self, configuration: Configuration, options=()):
        """Starts everything, Unbound first. Returns the moment when ExaBGP was started."""
        self._clear_folder()
        self.unbound.start()
        self.unbound.wait_until_ready()
        self.write_configuration(configuration.written())
        started = time.time()
        self.exabgp.start(options)
        return started

    def stop_service(self):
        self.exabgp.stop()
        self.unbound.stop()
        # A helper that has outlived its ExaBGP must not disturb the next case.
        self.end_processes()

    def write_configuration(self, text: str):
        """Replaces the file in one step, as careful editors and configuration management do."""
        draft = self.file.with_suffix(".new")
        draft.write_text(text)
        os.replace(draft, self.file)

    def logs(self):
        """The end of each log, for the report of a failure."""
        for log in (self.exabgp.helper_log, self.exabgp.log, self.unbound.log):
            if log.exists():
                yield log.name, log.read_text(errors="replace").splitlines()[-30:]

    def _clear_folder(self):
        """Neither a penalty nor a log of the former case is left."""
        for left in self.folder.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
