"""The case that follows the README and the book on PoP 1. HOW tells for every command how a test runs it."""

import shlex
import shutil

from addresses import PREFIX_IPV4
from cases import case
from machine import PATIENCE
from process import run
from readme import block, commands, faults
from servers import UNBOUND
from typed import HOME, Elsewhere, Typed, Watched
from waiting import Unmet, wait_until

CONFIGURATION = "/etc/dnsherald/dnsherald.toml"
EXABGP_CONFIGURATION = "/etc/exabgp/exabgp.conf"
EXAMPLES = "/usr/share/doc/dnsherald/examples"

# The prefix that the README announces. The other one of the lab stays with PoP 2.
ANNOUNCED = (PREFIX_IPV4,)
# The command after which PoP 1 announces.
ANNOUNCES = "systemctl enable exabgp && systemctl restart exabgp"


@case("README", servers=(UNBOUND,), package=True)
def followed(lab, report):
    """Runs every command of the README and the book in order on a host without dnsherald; once it announces, no query is lost."""
    wrong = list(faults(HOW))
    if wrong:
        raise Unmet("; ".join(wrong))
    in_order = [command.text for command in commands()]
    first = in_order.index(ANNOUNCES) + 1
    without_dnsherald(lab)
    for text in in_order[:first]:
        HOW[text].run(lab, text)
    with lab.load(ANNOUNCED) as load:
        for text in in_order[first:]:
            HOW[text].run(lab, text)
    load.expect_none_lost(report)
    typed = sum(isinstance(HOW[text], Typed) for text in in_order)
    report.found(f"{typed} commands typed, {len(in_order) - typed} run by other tests")
    lab.pop1.run("rm", "-r", HOME, "/var/tmp/dnsherald.trace")
    lab.pop1.install()
    lab.wait_until_ready()


def without_dnsherald(lab):
    """Removes dnsherald; ExaBGP and the server stay. Puts the package where packaging/build-deb puts it."""
    pop = lab.pop1
    pop.run("systemctl", "disable", "--now", "exabgp")
    pop.run("apt-get", "purge", "--yes", "dnsherald")
    pop.run("rm", "-r", EXABGP_CONFIGURATION, f"/etc/systemd/system/{lab.server.unit}.d")
    pop.run("systemctl", "daemon-reload")
    package = pop.path(f"{HOME}/target/debian/{pop.software.package.name}")
    package.parent.mkdir(parents=True)
    shutil.copy(pop.software.package, package)


def announced(lab):
    lab.until_routed(0, PATIENCE, prefixes=ANNOUNCED)


def undrained(lab):
    lab.pop1.run("dnsherald", "undrain", "--wait")
    announced(lab)


def moved_and_back(lab):
    lab.until_moved(0)
    undrained(lab)


def drained(lab):
    lab.pop1.run("dnsherald", "drain", "--wait")


def held(lab):
    lab.pop1.run("dnsherald", "hold", "resolver", "--for", "1h", "--reason", "a test")


def unheld(lab):
    announced(lab)
    lab.pop1.run("dnsherald", "unhold")


def first_edit(lab):
    lab.pop1.write(CONFIGURATION, block('[node]\nmanagement = ["10.1.0.2"]\n\n[[service]]\nname = "resolver"'))


def second_edit(lab):
    lab.pop1.write(EXABGP_CONFIGURATION, block("process dnsherald {"))


def backend_configured(lab):
    """Writes the configuration of the page DNS servers."""
    lab.pop1.write(CONFIGURATION, block('[node]\nmanagement = ["10.1.0.2"]\n\n[backend.unbound]'))
    lab.pop1.run("dnsherald", "reload")


def started_again(lab):
    lab.until_moved(0)
    lab.pop1.run("systemctl", "start", "exabgp")
    announced(lab)


class OnRouter(Typed):
    """A command that the operator types on the router."""

    def run(self, lab, text):
        words = shlex.split(text)
        said = run(*lab.router.inside(words[0], "-s", lab.router.control, *words[1:]))
        missed = self.missed(0, said)
        if missed:
            raise Unmet(f"{text}: {missed}: {said.strip()}")


def as_exabgp(lab):
    """`backend status` must show what user exabgp lacks."""
    said = lab.pop1.run("setpriv", "--reuid=exabgp", "--regid=exabgp", "--init-groups", "dnsherald", "backend", "status")
    if "needs" not in said:
        raise Unmet(f"dnsherald backend status as user exabgp shows no `needs`: {said}")


def as_user_nobody(lab):
    lab.pop1.run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "dnsherald", "check", "--plugin")


def user_added(lab):
    lab.pop1.run("useradd", "monitor")


def user_may(lab):
    """A member of the group may undrain; another user may not."""
    undrain = ("setpriv", "--reuid=monitor", "--regid=monitor", "--init-groups", "dnsherald", "undrain", "--quiet-if-none")
    lab.pop1.run(*undrain)
    lab.pop1.run("gpasswd", "--delete", "monitor", "dnsherald")
    if "not permitted to connect" not in lab.pop1.attempt(*undrain).stderr:
        raise Unmet("dnsherald undrain: not refused for a user outside the group dnsherald")
    lab.pop1.run("userdel", "monitor")


def examples_at_hand(lab):
    lab.pop1.run("cp", f"{EXAMPLES}/resolver.toml", f"{EXAMPLES}/incident.trace", HOME)


class RestartsServer(Typed):
    """A command that must replace the server's process."""

    def run(self, lab, text):
        former = lab.pop1.main_pid(lab.server.unit)
        super().run(lab, text)
        if lab.pop1.main_pid(lab.server.unit) in (0, former):
            raise Unmet(f"{text}: {lab.server.unit} was not restarted")
        announced(lab)


class KeepsServer(Typed):
    """A command that must keep the server's process."""

    def run(self, lab, text):
        former = lab.pop1.main_pid(lab.server.unit)
        super().run(lab, text)
        if lab.pop1.main_pid(lab.server.unit) != former:
            raise Unmet(f"{text}: {lab.server.unit} was restarted")
        announced(lab)


class ManualPage(Typed):
    """A manual page, read on this machine. The host has no man-db, which would index all pages at each installation."""

    def run(self, lab, text):
        name = text.removeprefix("man ")
        (page,) = lab.pop1.path("/usr/share/man").glob(f"man?/{name}.?.gz")
        if name.upper() not in run("mandoc", "-Tascii", page):
            raise Unmet(f"{text}: {page.name} has no title {name.upper()}")


UPGRADE = "dnsherald backend restart --command 'apt-get -y install --only-upgrade unbound'"
HOOKS = r"ExecStop=-\+/usr/bin/dnsherald backend stopping unbound.service"
# Ends the drain that a failed restart leaves.
LIFT_OF_RESTART = "dnsherald undrain --as backend/unbound --once-healthy"
RESTARTED = r"unbound: done after"
ANNOUNCING = r"192\.0\.2\.53/32 +announce next-hop 10\.1\.0\.2 \(acknowledged\)"
NINE_SERVERS = Elsewhere("tests/backends/cases.py", 'host.backend("reload")')
# dnsherald runs these to check a server's configuration.
CHECKS = Elsewhere("tests/backends/cases.py", 'good = host.backend("check")')

# A test runs all lines of the blocks of these pages.
SIMULATED = {
    command.text: Elsewhere("tests/integration/simulate.rs", command.page)
    for command in commands()
    if command.page in ("docs/simulate.md", "docs/pictures/README.md")
    and command.text.startswith(("dnsherald simulate ", "python3 docs/pictures/draw "))
}

HOW = {
    **SIMULATED,
    "cargo run --release -- demo": Elsewhere("tests/run", "cargo run --release -- demo"),
    "examples/tutorial/run": Elsewhere("tests/run", "examples/tutorial/run"),
    "apt install exabgp unbound": Typed(),
    "packaging/build-deb": Elsewhere("tests/run", "package=$(packaging/build-deb)"),
    "apt install ./target/debian/dnsherald_*.deb": Typed((r"Setting up dnsherald",)),
    "dnsherald check-config": Typed((r"up +neighbor \* announce route 192.0.2.53/32 next-hop 10.1.0.2",), before=first_edit),
    "dnsherald config-schema > dnsherald.schema.json": Typed(
        (r"https://json-schema\.org/draft/2020-12/schema",),
        instead="dnsherald config-schema > dnsherald.schema.json && cat dnsherald.schema.json && rm dnsherald.schema.json",
    ),
    "dnsherald config-schema --markdown": Typed((r"\| `management` \|",)),
    "dnsherald check": Typed((r"service resolver: up", r"10\.1\.0\.2:53 udp .* ok")),
    "dnsherald check --json": Typed((r'"passed": true',)),
    "dnsherald status --exit-code": Typed((ANNOUNCING,), again=True),
    "dnsherald status --plugin": Typed((r"DNSHERALD OK - resolver up",), again=True),
    "dnsherald check --plugin": Typed((r"DNS OK - resolver up",), after=as_user_nobody),
    "dnsherald run": Watched((r"(?m)^neighbor \* announce route 192.0.2.53/32",)),
    ANNOUNCES: Typed(before=second_edit, after=announced),
    "dnsherald status": Typed((ANNOUNCING,), again=True),
    "unbound-checkconf && systemctl restart unbound": Typed((r"no errors in",)),
    "birdc configure": OnRouter((r"Reconfigured",)),
    "birdc show route for 192.0.2.53/32": OnRouter((r"via 10\.1\.0\.2",)),
    "dnsherald backend hooks unbound.service": Typed((HOOKS,)),
    # The address exists already.
    "ip address add 192.0.2.53/32 dev lo": Typed(instead="ip address replace 192.0.2.53/32 dev lo"),
    "ip rule add pref 32765 table local; ip rule del pref 0": Elsewhere(
        "tests/integration/run/address.rs", "ip rule add pref 32765 table local; ip rule del pref 0"
    ),
    "man dnsherald": ManualPage(),
    "man dnsherald.toml": ManualPage(),
    "systemctl restart exabgp": Typed(after=announced),
    "systemctl show": Typed((r"(?m)^MainPID=[1-9]",), instead="systemctl show unbound.service"),
    "dnsherald backend status": Typed((r"state +running", r"10\.1\.0\.2:53"), before=backend_configured, after=as_exabgp),
    "dnsherald backend status --json": Typed((r'"state": "running"',)),
    "dnsherald backend check": KeepsServer((r"configuration valid",)),
    "dnsherald backend reload": KeepsServer((r"reload_keep_cache: ok",)),
    "named-checkconf -z": CHECKS,
    "knotc conf-check": CHECKS,
    "pdns_server --config=check": CHECKS,
    "pdns_recursor --config=check": CHECKS,
    "dnsdist --check-config": CHECKS,
    "dnsmasq --test": CHECKS,
    "unbound-control flush_infra all": Typed((r"ok",)),
    "rndc reload": NINE_SERVERS,
    "knotc reload": NINE_SERVERS,
    "pdns_control show": NINE_SERVERS,
    "rec_control get questions": NINE_SERVERS,
    "dnsherald backend restart": RestartsServer((RESTARTED,)),
    "dnsherald backend restart --reload": KeepsServer((RESTARTED,)),
    # Without a network the host can only install the same version again.
    UPGRADE: RestartsServer((RESTARTED,), instead=UPGRADE.replace("--only-upgrade", "--reinstall")),
    "dnsherald backend restart --json": RestartsServer((r'"outcome":"restarted"',)),
    "dnsherald backend restart --rollback": RestartsServer((RESTARTED,)),
    LIFT_OF_RESTART: Typed((r"resolver",), instead=f"dnsherald drain --as backend/unbound && {LIFT_OF_RESTART}", after=announced),
    "dnsherald backend hooks --install unbound.service": Typed(
        (HOOKS,), instead="dnsherald backend hooks --install unbound.service && systemctl cat unbound.service"
    ),
    "dnsherald status --json": Typed((r'"desired":', r'"acknowledged":')),
    "dnsherald metrics": Typed((r"dnsherald_up 1", r'dnsherald_service_state\{service="resolver",state="up"\} 1'), again=True),
    "dnsherald status --watch": Watched((ANNOUNCING,)),
    "dnsherald explain": Typed((r"resolver is up",)),
    "ip address show dev lo": Typed((r"192\.0\.2\.53/32",)),
    "dnsherald explain resolver": Typed((r"decided by the worst of its checks",)),
    "dnsherald explain resolver --json": Typed((r'"rule":"worst-check"',)),
    "dnsherald history --since 2h": Typed((r"transition service resolver", r"start +dnsherald")),
    "dnsherald history --since 02:10": Typed(),
    "dnsherald history --since 02:05 --until 02:15": Typed(),
    "journalctl -u exabgp --since 02:05 --until 02:15": Typed(instead="journalctl -u exabgp --since today"),
    # A reload, which comes before it, empties the flight recorder.
    "dnsherald history --dump FILE": Typed(
        (r"wrote \d+ lines",), instead="rm -f /tmp/dump && dnsherald history --dump /tmp/dump", again=True
    ),
    "dnsherald history --since 2h --json": Typed((r'"kind":"transition"',)),
    'dnsherald drain --for 2h --reason "new disk" --wait': Typed((r"drained resolver for 2h",), after=moved_and_back),
    "dnsherald drain resolver": Typed((r"draining resolver until `undrain`",), after=undrained),
    # A page may name it where nothing is drained.
    "dnsherald undrain --wait": Typed((r"undrained resolver",), before=drained, after=announced),
    "dnsherald undampen resolver": Typed(instead="dnsherald undampen --quiet-if-none resolver"),
    'dnsherald hold resolver --for 2h --reason "check is wrong"': Typed((r"holding resolver announced for 2h",), after=unheld),
    "dnsherald unhold": Typed((r"no longer held: resolver",), before=held, after=announced),
    "dnsherald reload": Typed((r"reloaded: (nothing changed|.*(resolver|unchanged))",), after=announced),
    "dnsherald undrain --as HOLDER --wait": Typed(
        (r"undrained resolver",), instead="dnsherald drain --as root && dnsherald undrain --as root --wait", after=announced
    ),
    'dnsherald drain --for 2h --reason "no answers" --wait': Typed((r"drained resolver for 2h",), after=undrained),
    "systemctl is-active dnsherald-drain.service": Typed((r"(?m)^active",)),
    "systemd-tmpfiles --create dnsherald.conf": Typed(),
    "dnsherald drain --wait": Typed((r"drained resolver",), after=undrained),
    "systemctl stop exabgp": Typed(after=started_again),
    "systemctl restart unbound": RestartsServer(),
    "journalctl -u exabgp -p warning": Typed((r"up -> drained: root drains it: new disk",)),
    "journalctl DNSHERALD_SERVICE=resolver": Typed((r"dnsherald\[\d+\]: check resolver/",)),
    "journalctl DNSHERALD_EVENT=stated": Typed((r"dnsherald\[\d+\]: resolver: ANNOUNCED 192\.0\.2\.53/32",)),
    # The helper sends its status to systemd once a second.
    "systemctl status exabgp": Typed((r'Status: "dnsherald: resolver up"',), again=True),
    "ls -l /run/dnsherald": Typed((r"srw-rw---- 1 exabgp dnsherald .* control.sock",)),
    "adduser NAME dnsherald": Typed(instead="adduser monitor dnsherald", before=user_added, after=user_may),
    "exabgp-cli show neighbor summary": Typed((r"10\.1\.0\.1 .* established",)),
    "dig @192.0.2.53 -b 10.1.0.2 -x 127.0.0.1": Typed((r"status: NOERROR", r"PTR\s+localhost\.")),
    "dig @192.0.2.53 CH TXT id.server": Typed((r"status: NOERROR",)),
    "nsenter -t 4711 -n dnsherald doctor": Elsewhere(
        "tests/integration/doctor/running.rs", "`nsenter -t 4711 -n dnsherald doctor`"
    ),
    "dnsherald run --exit-on-bad-config": Elsewhere("tests/integration/run/configuration.rs", '"--exit-on-bad-config"'),
    "dnsherald run --state DIR": Elsewhere("tests/integration/run/configuration.rs", '"--state"'),
    "exabgp healthcheck": Elsewhere("tests/differential/run", '"-m", "exabgp", "healthcheck"'),
    "python3 -m exabgp healthcheck": Elsewhere("tests/differential/run", '"-m", "exabgp", "healthcheck"'),
    "dnsherald healthcheck … --print-config": Typed(
        (r": valid", r"must pass:\n +10\.1\.0\.2:53 udp localhost\. A"),
        instead="dnsherald healthcheck --ip 192.0.2.53 --dns 'localhost. A' --dns-server 10.1.0.2 --dns-expect NOERROR"
        " --print-config > healthcheck.toml && dnsherald check-config healthcheck.toml",
    ),
    "dnsherald run -c FILE --record /var/tmp/dnsherald.trace": Watched(
        (r"(?m)^neighbor \* announce route 192.0.2.53/32",),
        instead=f"dnsherald run -c {CONFIGURATION} --record /var/tmp/dnsherald.trace",
    ),
    # Warnings, such as a clock that is not synchronized, are those of the container.
    "dnsherald doctor": Typed((r"of 25 checks made: 0 errors",), instead="dnsherald doctor || test $? -eq 1"),
    "dnsherald doctor --json": Typed((r'"findings": \[',), instead="dnsherald doctor --json || test $? -eq 1"),
    "dnsherald identify 192.0.2.53": Typed((r"  udp  .* in ", r"  tcp  .* in ")),
    "dnsherald identify 192.0.2.53 --flows 64": Typed((r"64 flows: ", r"16 connections: ")),
    'dnsherald identify 192.0.2.53 --large "example.org DNSKEY"': Typed((r"  large  example\.org\. DNSKEY: ",)),
    "dnsherald identify 192.0.2.53 --watch": Watched((r"192\.0\.2\.53:53 from port \d+: ",)),
    "dnsherald simulate --trace /var/tmp/dnsherald.trace": Typed(
        (r"> neighbor \* announce route 192.0.2.53/32", r"(?m)^192.0.2.53/32 +[.#]"),
    ),
    "dnsherald simulate -c resolver.toml --trace incident.trace --annotate": Typed(
        (r"(?m)^ +[0-9.]+ > neighbor \* withdraw route 192.0.2.53/32",), before=examples_at_hand
    ),
    "benches/measure": Elsewhere("tests/run", "benches/measure --quick"),
    "systemctl kill -s USR1 exabgp": Elsewhere("tests/integration/run/process.rs", "`systemctl kill -s USR1 exabgp`"),
    "kill -9": Elsewhere("tests/host/cases_of_crashes.py", '"kill", "-KILL"'),
    "benches/healthcheck": Elsewhere("tests/run", "benches/healthcheck --python"),
    # Runs this case.
    "tests/run": Elsewhere("tests/run", "tests/host/run --deb"),
    # The steps of tests/run that need no root.
    "tests/run --no-lab": Elsewhere("tests/run", "--no-lab) lab=no"),
}
