"""A stock DNS server (Unbound, BIND, NSD, Knot DNS) that a script restarts, since the lab has no systemd."""

import os
import signal
from dataclasses import dataclass

import authoritative
import unbound
from configuration import Backend
from process import end, is_alive
from waiting import wait_until

# Does what `systemctl restart` would do. At a FIFO `hold-WHERE` it blocks, since no process writes to it.
SCRIPT = """\
#!/bin/sh
set -eu
cd "$(dirname "$0")"
hold() {{
    [ -p "hold-$1" ] || return 0
    echo $$ > "held-$1"
    read -r _ < "hold-$1" || true
}}
runs() {{ grep -qs '^State:[[:space:]]*[DIRSTt]' "/proc/$1/status"; }}
case $1 in
    check) hold check; exec {check} ;;
    count) hold count; echo 0; exit ;;
    restart)
        hold restart
        pid=$(cat server.pid)
        kill -TERM "$pid" || true
        while runs "$pid"; do sleep 0.01; done
        hold dead ;;
esac
[ -e does-not-start ] && exit
setsid {command} < /dev/null >> server.log 2>&1 &
echo $! > server.pid.new
mv server.pid.new server.pid
"""


@dataclass(frozen=True)
class Kind:
    """A kind of server. The texts are templates: the words of the site and the server's `folder` are filled in."""

    name: str
    command: str
    check: str
    configuration: str


ZONE = authoritative.ZONE + '{label} TXT "{name}"\n'

UNBOUND = Kind(
    "unbound",
    "unbound -d -c {folder}/etc/server.conf",
    "unbound-checkconf {folder}/etc/server.conf",
    unbound.CONFIGURATION,
)
BIND = Kind(
    "bind",
    "named -f -L {folder}/named.log -c {folder}/etc/server.conf",
    "named-checkconf -z {folder}/etc/server.conf",
    """\
options {{
    listen-on {{ {anycast_ipv4}; {management_ipv4}; }};
    listen-on-v6 {{ {anycast_ipv6}; {management_ipv6}; }};
"""
    + authoritative.BIND,
)
NSD = Kind(
    "nsd",
    "nsd -d -P '' -c {folder}/etc/server.conf",
    "nsd-checkconf {folder}/etc/server.conf",
    """\
server:
    ip-address: {anycast_ipv4}
    ip-address: {anycast_ipv6}
    ip-address: {management_ipv4}
    ip-address: {management_ipv6}
    username: ""
    chroot: ""
"""
    + authoritative.NSD,
)
KNOT = Kind(
    "knot",
    "knotd -c {folder}/etc/server.conf",
    "knotc -c {folder}/etc/server.conf conf-check",
    """\
server:
    rundir: {folder}
    listen: [{anycast_ipv4}, {anycast_ipv6}, {management_ipv4}, {management_ipv6}]
"""
    + authoritative.KNOT,
)


class Server:
    """A server with its own directory: the configuration is in `etc`, the files that it writes are beside it."""

    def __init__(self, pop, kind: Kind):
        self.pop = pop
        self.kind = kind
        self.folder = pop.folder / "server"
        self.file = self.folder / "etc/server.conf"
        self.zone_file = self.folder / "etc/zone"
        self.script = self.folder / "server"
        self.pid_file = self.folder / "server.pid"

    def backend(self, **keys):
        """The `[backend.NAME]` for it. The script replaces what Debian's unit defines; the other keys keep their defaults."""
        keys = {key.replace("_", "-"): value for key, value in keys.items()}
        known = {
            "config-file": str(self.file),
            "pid-file": str(self.pid_file),
            "restart": (str(self.script), "restart"),
            "quiet-for": "500ms",
            "max-wait": "10s",
        }
        return Backend(self.kind.name, {**known, **keys})

    def start(self):
        """Writes the files and starts the server by its script, so that the lab is not its parent."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(self._filled(self.kind.configuration))
        self.zone_file.write_text(self._filled(ZONE))
        self.script.write_text(SCRIPT.format(command=self._filled(self.kind.command), check=self._filled(self.kind.check)))
        self.script.chmod(0o755)
        self.run()

    def run(self):
        """Starts it with its current configuration."""
        starter = self.pop.start(self.script, "start", output=self.folder / "script.log")
        starter.popen.wait(timeout=20)

    def wait_until_ready(self):
        """Waits until the process runs. dnsherald finds out whether it answers."""
        wait_until(self.is_alive, 10, f"{self.kind.name} of {self.pop.site.name} starts")

    def is_alive(self):
        return self.pid_file.exists() and is_alive(self.pid())

    def pid(self):
        return int(self.pid_file.read_text())

    def kill(self):
        """Sends SIGKILL, as a crash would end it."""
        end(self.pid())

    def stop(self):
        end(self.pid(), signal.SIGTERM)
        wait_until(lambda: not self.is_alive(), 10, f"{self.kind.name} of {self.pop.site.name} exits")

    def does_not_start(self):
        """From now on the script exits with status 0 but starts no server."""
        (self.folder / "does-not-start").touch()

    def starts_again(self):
        (self.folder / "does-not-start").unlink()

    def refuse(self, address):
        """Has Unbound refuse this address. The configuration check still passes."""
        with self.file.open("a") as file:
            file.write(f"server:\n    access-control: {address} refuse\n")

    def hold(self, where):
        """From now on the script blocks there."""
        os.mkfifo(self.folder / f"hold-{where}")

    def is_held(self, where):
        held = self.folder / f"held-{where}"
        return held.exists() and held.read_text() != ""

    def abandon(self, where):
        """Kills the script that is blocked there, if it still runs, and removes the block."""
        held = self.folder / f"held-{where}"
        end(int(held.read_text()))
        held.unlink()
        (self.folder / f"hold-{where}").unlink()

    def _filled(self, text):
        site = self.pop.site
        label, zone, _ = unbound.IDENTITY_NAME.split(".")
        served = {"zone": zone, "zone_file": self.zone_file, "label": label, "mark": 1, "address": site.management_ipv4}
        return text.format(folder=self.folder, **site.words, **served)
