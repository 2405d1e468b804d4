"""The zones of the upstream, signed below a root of their own, and the zone that the authoritative servers serve.

Top-level zones have NSEC3 with opt-out, as the real ones: a resolver cannot answer a name below them from its cache.
"""

import shutil
import subprocess
from pathlib import Path

from numbering import SECOND_IPV4, SERVICE_IPV4, UPSTREAM

SERVED = "example.org"
SERIAL = 10
TOP = ("com", "net", "org")
HEAD = "$TTL {ttl}\n{zone} IN SOA ns.root. host.root. 1 3600 600 864000 {ttl}\n{zone} NS ns.root.\n"
BIG = "".join(f'big TXT "{"x" * 180}{number:03d}"\n' for number in range(14))
HOSTS = "www A 198.18.0.80\n*.w A 198.18.0.81\n"


def served(serial=SERIAL, expire=864000):
    """The zone of the authoritative servers, not signed."""
    return (
        f"$TTL 60\n{SERVED}. IN SOA ns1.{SERVED}. host.{SERVED}. {serial} 5 2 {expire} 5\n"
        f"{SERVED}. NS ns1.{SERVED}.\n{SERVED}. NS ns2.{SERVED}.\nns1 A {SERVICE_IPV4}\nns2 A {SECOND_IPV4}\n{HOSTS}{BIG}"
        'zzz-sentinel TXT "end-of-zone"\n'
    )


class Zones:
    """Files in a folder that all rows read."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir()
        for name in ("com", "net"):
            self._write(f"example.{name}", HEAD.format(ttl=5, zone=f"example.{name}.") + HOSTS + BIG)
        self._sign("example.com")
        for top in TOP:
            signed = self._signers("example.com") if top == "com" else ""
            self._write(top, HEAD.format(ttl=5, zone=f"{top}.") + f"example.{top}. NS ns.root.\n" + signed)
            self._sign(top, "-3", "-", "-A")
        below = "".join(f"{top}. NS ns.root.\n{self._signers(top)}" for top in TOP)
        self._write("root", HEAD.format(ttl=5, zone=".") + f"ns.root. A {UPSTREAM}\n{below}")
        self._sign("root", origin=".")
        self.anchor = self._anchor(folder)
        (folder / "anchor").write_text(self.anchor)
        other = folder / "other"
        other.mkdir()
        self._key(".", other, "-f", "KSK")
        (folder / "other-anchor").write_text(self._anchor(other))
        (folder / "hints").write_text(f". 3600000 NS ns.root.\nns.root. 3600000 A {UPSTREAM}\n")
        self._write(SERVED, served())
        # The same, signed as well.
        self._sign(SERVED)

    def path(self, zone, signed=True):
        """The file of a zone; of one that is not signed if there is no other."""
        file = self.folder / f"{zone}.signed"
        return file if signed and file.exists() else self.folder / zone

    def _write(self, zone, text):
        (self.folder / zone).write_text(text)

    def _sign(self, zone, *more, origin=None):
        origin = origin or f"{zone}."
        self._key(origin, self.folder, "-f", "KSK")
        self._key(origin, self.folder)
        self._run("dnssec-signzone", "-S", *more, "-o", origin, "-f", f"{zone}.signed", zone, folder=self.folder)

    def _key(self, origin, folder, *more):
        self._run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-n", "ZONE", *more, origin, folder=folder)

    def _signers(self, zone):
        return (self.folder / f"dsset-{zone}.").read_text()

    @staticmethod
    def _anchor(folder):
        keys = (path.read_text() for path in folder.glob("K.+*.key"))
        return next(line for key in keys for line in key.splitlines() if "DNSKEY 257 " in line) + "\n"

    @staticmethod
    def _run(*command, folder):
        program = shutil.which(command[0])
        done = subprocess.run([program, *command[1:]], cwd=folder, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
