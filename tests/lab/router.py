"""The router of both points of presence: BIRD, which installs its routes in the kernel of its namespace."""

import re
import socket
from dataclasses import dataclass
from datetime import datetime

from addresses import ROUTER_AS, POP_AS, Site
from namespace import Namespace
from route_monitor import RouteMonitor

ANSWER_ENDS = re.compile(rb"^\d{4} .*\n\Z", re.MULTILINE)

CONFIGURATION = """
log stderr all;
router id 10.0.0.1;

timeformat protocol iso long ms;
protocol device {{ scan time 1; }}

# Installs the best BGP routes in the kernel, which forwards the client's packets.
protocol kernel {{ ipv4 {{ import none; export all; }}; }}
protocol kernel {{ ipv6 {{ import none; export all; }}; }}

template bgp point_of_presence {{
    local as {router_as};
    # ExaBGP opens the connection.
    passive yes;
    # After an error, BIRD refuses connections for a minute or more by default; the lab causes errors.
    error wait time 1, 1;
    # With `off` BIRD sends no End-of-RIB marker; the development version of ExaBGP 6 drops the session when it receives one.
    graceful restart off;
    ipv4 {{ import all; export none; }};
    ipv6 {{ import all; export none; }};
}}
"""

# The second session is iBGP over IPv6; only one case uses it. BIRD logs each UPDATE and End-of-RIB that it receives there.
SESSIONS = """
protocol bgp {name} from point_of_presence {{
    local {router};
    neighbor {pop} as {pop_as};
}}

protocol bgp {name}_internal from point_of_presence {{
    local {router_ipv6} as {pop_as};
    neighbor {pop_ipv6} as {pop_as};
    direct;
    debug {{ packets }};
}}
"""


@dataclass(frozen=True)
class BgpRoute:
    """The route the router has chosen for a prefix."""

    session: str
    next_hop: str
    med: int | None
    communities: tuple[str, ...]
    # All attributes, as BIRD prints them.
    attributes: dict[str, str]


class Router(Namespace):
    """BIRD with its control socket, and the monitor of the kernel routes."""

    def __init__(self, name, folder):
        super().__init__(name)
        self.folder = folder
        self.control = folder / "bird.ctl"
        self.file = folder / "bird.conf"
        self.log = folder / "bird.log"
        self.routes = RouteMonitor(self)
        self.bird = None

    def start_routing(self, sites: list[Site]):
        configuration = CONFIGURATION.format(router_as=ROUTER_AS)
        for site in sites:
            configuration += SESSIONS.format(
                name=site.name,
                router=site.router_ipv4,
                pop=site.management_ipv4,
                router_ipv6=site.router_ipv6,
                pop_ipv6=site.management_ipv6,
                pop_as=POP_AS,
            )
        self.file.write_text(configuration)
        self.routes.start()
        self.bird = self.start("bird", "-f", "-c", self.file, "-s", self.control, "-P", self.folder / "bird.pid", output=self.log)

    def stop_routing(self):
        self.routes.stop()
        if self.bird:
            self.bird.stop()

    def ask(self, command):
        """Sends a command to BIRD over its control socket, without starting birdc for each poll. Returns the answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self.control))
            _read_answer(connection)  # the greeting
            connection.sendall(command.encode() + b"\n")
            return _read_answer(connection)

    def route(self, prefix):
        """The chosen route for a prefix with its attributes, or None."""
        answer = self.ask(f"show route {prefix} primary all")
        chosen = re.search(rf"{re.escape(prefix)}\s+unicast \[(\w+) ", answer)
        if not chosen:
            return None
        med = re.search(r"BGP\.med: (\d+)", answer)
        next_hop = re.search(r"BGP\.next_hop: (\S+)", answer)
        community = re.search(r"BGP\.community: (.*)", answer)
        return BgpRoute(
            session=chosen[1],
            next_hop=next_hop[1] if next_hop else "",
            med=int(med[1]) if med else None,
            communities=tuple(":".join(pair) for pair in re.findall(r"\((\d+),(\d+)\)", community[1] if community else "")),
            attributes={name: value.strip() for name, value in re.findall(r"BGP\.(\w+): (.*)", answer)},
        )

    def knows_through(self, session, prefix):
        """Whether BIRD has a route to the prefix from this session, best or not."""
        return "unicast" in self.ask(f"show route {prefix} protocol {session}")

    def withdraws(self, session):
        """How many withdraws the router has received through this session since it came up."""
        return sum(map(int, re.findall(r"Import withdraws: +(\d+)", self.ask(f"show protocols all {session}"))))

    def established(self, session):
        """The time since when the session is up, or None."""
        states = self.ask(f"show protocols {session}")
        up = re.search(rf"{session} +BGP +\S+ +up +(\S+ \S+) +Established", states)
        return datetime.fromisoformat(up[1]).timestamp() if up else None

    def configure(self, text):
        """Replaces the configuration of the running BIRD."""
        self.file.write_text(text)
        said = self.ask("configure")
        if "Reconfigur" not in said:
            raise RuntimeError(f"BIRD refuses its configuration: {said}")

    def clear_session(self, session):
        """Resets the session, as `birdc restart` does."""
        self.ask(f"restart {session}")

    def close_session(self, session):
        """Shuts the session down, as `birdc disable` does; the router refuses it until `open_session`."""
        self.ask(f"disable {session}")

    def open_session(self, session):
        self.ask(f"enable {session}")


def _read_answer(connection):
    """Reads up to the last line. A line that begins with `1007-` is followed by another; one with `0000 ` is the last."""
    answer = b""
    while not ANSWER_ENDS.search(answer):
        received = connection.recv(65536)
        if not received:
            break
        answer += received
    return answer.decode(errors="replace")
