"""The stock servers of the PoP, and the upstream. Each runs in the foreground, as root, with its files in the folder of the row."""

import os
import signal
import subprocess

from numbering import MANAGEMENT_IPV4, MANAGEMENT_IPV6, SERVICE, UPSTREAM
from process import children, run
from waiting import PATIENCE, wait_until
from zones import SERVED, TOP

EVERY_ADDRESS = (MANAGEMENT_IPV4, *SERVICE, MANAGEMENT_IPV6)
NODE = "pop1"


class Server:
    """A server that runs in a namespace. Subclasses write its configuration and know its commands."""

    kind = ""
    role = "authoritative"
    program = ""
    # Asked when it has started.
    question = f"{SERVED} SOA"

    def __init__(self, addresses=EVERY_ADDRESS, extra="", environment=None):
        self.addresses = addresses
        self.extra = extra
        self.environment = environment or {}
        self.host = self.folder = self.zones = self.process = None

    def start(self, host, folder, zones):
        self.host, self.folder, self.zones = host, folder, zones
        self.prepare()
        self.write()
        self.launch()

    def launch(self):
        log = self.folder / f"{self.kind}.log"
        environment = {name: value.format(folder=self.folder) for name, value in self.environment.items()}
        self.process = self.host.start(*self.command(), output=log, environment=environment)
        self.pid_file.write_text(f"{self.process.pid}\n")
        wait_until(self.answers, PATIENCE, f"{self.kind} answers: {log}", poll=0.05)

    @property
    def pid_file(self):
        return self.folder / "server.pid"

    def answers(self):
        return any(answers(self.host, address, self.question) for address in self.addresses if ":" not in address)

    def prepare(self):
        """Files besides the configuration."""

    def pids(self):
        """All processes of the server, the main one first."""
        found, more = [], [self.process.pid]
        while more:
            found += more
            more = [child for pid in more for child in children(pid)]
        return found

    def kill(self):
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        self.process.popen.wait(PATIENCE)

    def write(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def control(self, *words):
        raise NotImplementedError

    def change(self, **attributes):
        """Writes a changed configuration and makes the server read it."""
        for name, value in attributes.items():
            getattr(self, name)  # a misspelled name is an error
            setattr(self, name, value)
        self.write()
        self.reload()

    def reload(self):
        self.control("reload")


def answers(host, address, question):
    name, record_type = question.split()
    asking = host.inside("dig", f"@{address}", "+time=1", "+tries=1", "+norecurse", name, record_type)
    done = subprocess.run(asking, capture_output=True, text=True, timeout=PATIENCE)
    return "status:" in done.stdout


def allowed(action="allow", but=()):
    """Access-control lines of Unbound."""
    rules = [*but, ("0.0.0.0/0", action), ("::/0", action)]
    return "".join(f"    access-control: {network} {verb}\n" for network, verb in rules)


class Unbound(Server):
    kind, role, question = "unbound", "resolver", "127.in-addr.arpa SOA"

    def __init__(self, threads=2, port=53, verbosity=1, log=None, **more):
        super().__init__(**more)
        self.threads, self.port, self.verbosity = threads, port, verbosity
        self.log = log
        self.access = allowed()
        self.anchor = "anchor"
        self.identity = NODE

    def write(self):
        interfaces = "".join(f"    interface: {address}@{self.port}\n" for address in self.addresses)
        log = self.log or self.folder / "unbound.log"
        (self.folder / "unbound.conf").write_text(
            f"""\
server:
    directory: "{self.folder}"
    chroot: ""
    username: ""
    pidfile: "{self.folder}/unbound.pid"
    use-syslog: no
    logfile: "{log}"
    verbosity: {self.verbosity}
{interfaces}{self.access}    num-threads: {self.threads}
    so-reuseport: yes
    nsid: "ascii_{self.identity}"
    root-hints: "{self.zones.folder}/hints"
    trust-anchor-file: "{self.zones.folder}/{self.anchor}"
    target-fetch-policy: "0 0 0 0 0"
    do-not-query-localhost: no
    max-udp-size: 4096
    edns-buffer-size: 4096
{self.extra}
remote-control:
    control-enable: yes
    control-interface: {self.folder}/unbound.ctl
"""
        )

    def command(self):
        return ["unbound", "-d", "-c", self.folder / "unbound.conf"]

    def control(self, *words):
        return run(*self.host.inside("unbound-control", "-c", self.folder / "unbound.conf", *words))


class TlsUnbound(Unbound):
    """Answers over TLS, too."""

    def prepare(self):
        key, certificate = self.folder / "key.pem", self.folder / "certificate.pem"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", "/CN=dns.example.org", "-keyout", key, "-out", certificate)
        listen = "".join(f"    interface: {address}@853\n" for address in self.addresses)
        self.extra = f'{listen}    tls-port: 853\n    tls-service-key: "{key}"\n    tls-service-pem: "{certificate}"\n'


class Nsd(Server):
    kind = "nsd"

    def __init__(self, count=1, secondary=False, signed=False, transfers="", more_zones="", **more):
        super().__init__(**more)
        self.count, self.secondary, self.signed, self.more_zones = count, secondary, signed, more_zones
        self.transfers = transfers
        self.identity, self.zone = NODE, SERVED

    def prepare(self):
        if not self.secondary:
            self.serve(self.zones.path(SERVED, self.signed).read_text())

    def serve(self, text):
        (self.folder / "zone").write_text(text)

    def write(self):
        listen = "".join(f"    ip-address: {address}\n" for address in self.addresses)
        primary = f"    request-xfr: {UPSTREAM} NOKEY\n    allow-notify: {UPSTREAM} NOKEY\n" if self.secondary else ""
        (self.folder / "nsd.conf").write_text(
            f"""\
server:
    server-count: {self.count}
    reuseport: {"yes" if self.count > 1 else "no"}
{listen}    username: ""
    pidfile: "{self.folder}/nsd.pid"
    zonesdir: "{self.folder}"
    xfrdir: "{self.transfers or self.folder}"
    xfrdfile: "{self.folder}/xfrd.state"
    database: ""
    zonelistfile: "{self.folder}/zone.list"
    nsid: "ascii_{self.identity}"
    rrl-ratelimit: 0
    ipv4-edns-size: 4096
{self.extra}
remote-control:
    control-enable: yes
    control-interface: {self.folder}/nsd.ctl
zone:
    name: "{self.zone}"
    zonefile: "zone"
{primary}{self.more_zones}"""
        )

    def command(self):
        return ["nsd", "-d", "-c", self.folder / "nsd.conf"]

    def control(self, *words):
        return run(*self.host.inside("nsd-control", "-c", self.folder / "nsd.conf", *words))

    def reload(self):
        self.control("reconfig")


class Bind(Server):
    kind = "bind"

    def __init__(self, role="authoritative", options="", localhost=True, more_zones="", **more):
        super().__init__(**more)
        self.role, self.options, self.localhost, self.more_zones = role, options, localhost, more_zones
        self.query, self.recursion = "any", "yes"
        self.zone = f'zone "{SERVED}" {{ type primary; file "zone"; }};\n'
        if role == "resolver":
            self.question = "127.in-addr.arpa SOA"

    def prepare(self):
        (self.folder / "zone").write_text(self.zones.path(SERVED, signed=False).read_text())
        (self.folder / "localhost").write_text("$TTL 60\n@ SOA localhost. root.localhost. 1 60 60 60 60\n@ NS localhost.\n@ A 127.0.0.1\n")

    def write(self):
        own = "; ".join(address for address in self.addresses if ":" not in address)
        own6 = "; ".join(address for address in self.addresses if ":" in address)
        validation = "no" if self.role == "authoritative" else "yes"
        zones = self.zone if self.role == "authoritative" else self._anchor()
        if self.localhost and self.role == "resolver":
            zones += 'zone "localhost" { type primary; file "localhost"; };\n'
        (self.folder / "named.conf").write_text(
            f"""\
options {{
    directory "{self.folder}"; pid-file none; session-keyfile none; lock-file none;
    listen-on {{ {own}; }}; listen-on-v6 {{ {own6}; }};
    recursion {self.recursion}; allow-query {{ {self.query}; }}; allow-recursion {{ any; }};
    server-id "{NODE}"; max-udp-size 4096; edns-udp-size 4096; dnssec-validation {validation};
    {self.options}
}};
{self.controls()}
zone "." {{ type hint; file "{self.zones.folder}/hints"; }};
{zones}{self.more_zones.replace("{folder}", str(self.folder))}"""
        )

    def controls(self):
        return "controls { };"

    def _anchor(self):
        flags, protocol, algorithm, key = self.zones.anchor.split("DNSKEY ")[1].split(None, 3)
        return f'trust-anchors {{ "." static-key {flags} {protocol} {algorithm} "{key.strip()}"; }};\n'

    def command(self):
        return ["named", "-f", "-n", "2", "-c", self.folder / "named.conf"]

    def reload(self):
        self.process.signal(signal.SIGHUP)


class DynamicBind(Bind):
    """With a zone that takes updates, and a control channel."""

    def prepare(self):
        super().prepare()
        self.zone = f'zone "{SERVED}" {{ type primary; file "zone"; allow-update {{ 127.0.0.1; }}; }};\n'
        run("rndc-confgen", "-a", "-c", str(self.folder / "rndc.key"))

    def controls(self):
        return f'include "{self.folder}/rndc.key";\ncontrols {{ inet 127.0.0.1 allow {{ 127.0.0.1; }} keys {{ "rndc-key"; }}; }};'

    def control(self, *words):
        return run(*self.host.inside("rndc", "-k", self.folder / "rndc.key", "-s", "127.0.0.1", *words))


class Knot(Server):
    kind = "knot"

    def __init__(self, secondary=False, **more):
        super().__init__(**more)
        self.secondary = secondary

    def prepare(self):
        if not self.secondary:
            (self.folder / "zone").write_text(self.zones.path(SERVED, signed=False).read_text())

    def write(self):
        listen = ", ".join(f"{address}@53" for address in self.addresses)
        remote = f"remote:\n  - id: primary\n    address: {UPSTREAM}@53\n" if self.secondary else ""
        (self.folder / "knot.conf").write_text(
            f"""\
server:
    rundir: "{self.folder}"
    listen: [ {listen} ]
    udp-workers: 2
    nsid: "{NODE}"
    udp-max-payload: 4096
control:
    listen: "{self.folder}/knot.sock"
log:
  - target: stderr
    any: info
database:
    storage: "{self.folder}/database"
{remote}zone:
  - domain: {SERVED}
    storage: "{self.folder}"
    file: zone
{"    master: primary" if self.secondary else ""}
"""
        )

    def command(self):
        return ["knotd", "-c", self.folder / "knot.conf"]


class PowerDns(Server):
    kind = "powerdns"

    @property
    def database(self):
        return self.folder / "powerdns.sqlite3"

    def prepare(self):
        self.write()
        schema = open("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql").read()
        self.sql(schema)
        run("pdnsutil", f"--config-dir={self.folder}", "load-zone", SERVED, str(self.zones.path(SERVED, signed=False)))

    def sql(self, text):
        import sqlite3

        connection = sqlite3.connect(self.database)
        connection.executescript(text)
        connection.close()

    def write(self):
        (self.folder / "pdns.conf").write_text(
            f"""\
launch=gsqlite3
gsqlite3-database={self.database}
gsqlite3-pragma-synchronous=0
local-address={",".join(self.addresses)}
socket-dir={self.folder}
write-pid=no
server-id={NODE}
udp-truncation-threshold=4096
zone-cache-refresh-interval=0
security-poll-suffix=
"""
        )

    def command(self):
        return ["pdns_server", "--guardian=no", "--daemon=no", "--disable-syslog", f"--config-dir={self.folder}"]


class Dnsdist(Server):
    """With an Unbound behind it."""

    kind, role, question = "dnsdist", "resolver", "127.in-addr.arpa SOA"

    def prepare(self):
        self.behind = Unbound(addresses=("127.0.0.1",), port=5353)
        self.behind.answers = lambda: (self.folder / "unbound.pid").exists()
        self.behind.start(self.host, self.folder, self.zones)

    def write(self):
        listen = "".join(f'addLocal("{address if ":" not in address else f"[{address}]"}:53")\n' for address in self.addresses)
        (self.folder / "dnsdist.conf").write_text(
            f"""\
{listen}setACL({{"0.0.0.0/0", "::/0"}})
newServer({{address="127.0.0.1:5353", checkInterval=1}})
controlSocket("127.0.0.1:5199")
setKey("cTtUNGSoTKd0TdQ4rqJf8vqRbQ2xwHkM5tTt9v0lKZ8=")
setSecurityPollSuffix("")
"""
        )

    def command(self):
        return ["dnsdist", "--supervised", "--disable-syslog", "-C", self.folder / "dnsdist.conf"]

    def control(self, *words):
        return run(*self.host.inside("dnsdist", "-C", self.folder / "dnsdist.conf", "-e", *words))


class Upstream(Nsd):
    """Serves the root and what is below it; the primary of secondaries."""

    kind = "upstream"
    question = ". SOA"

    def __init__(self):
        super().__init__(addresses=(UPSTREAM,))

    def prepare(self):
        pass

    @property
    def pid_file(self):
        return self.folder / "upstream.pid"

    def write(self):
        names = {".": "root", SERVED: SERVED, **{zone: zone for top in TOP for zone in (top, f"example.{top}")}}
        files = {zone: self.zones.path(name, signed=name != SERVED) for zone, name in names.items()}
        primary = self.folder / "primary"
        if not primary.exists():
            primary.write_text(self.zones.path(SERVED, signed=False).read_text())
        files[SERVED] = primary
        more = "".join(f'zone:\n    name: "{zone}"\n    zonefile: "{file}"\n' for zone, file in files.items())
        more = more.replace(f'"{primary}"\n', f'"{primary}"\n    provide-xfr: 0.0.0.0/0 NOKEY\n    notify: {MANAGEMENT_IPV4} NOKEY\n')
        (self.folder / "upstream.conf").write_text(
            f"""\
server:
    server-count: 1
    ip-address: {UPSTREAM}
    username: ""
    pidfile: ""
    zonesdir: "{self.folder}"
    xfrdir: "{self.folder}"
    xfrdfile: "{self.folder}/upstream.xfrd"
    database: ""
    zonelistfile: "{self.folder}/upstream.list"
    rrl-ratelimit: 0
remote-control:
    control-enable: yes
    control-interface: {self.folder}/upstream.ctl
{more}"""
        )

    def command(self):
        return ["nsd", "-d", "-P", "", "-c", self.folder / "upstream.conf"]

    def control(self, *words):
        return run(*self.host.inside("nsd-control", "-c", self.folder / "upstream.conf", *words))

    def publish(self, text):
        """A new version of the served zone, for secondaries."""
        (self.folder / "primary").write_text(text)
        self.control("reload", SERVED)
