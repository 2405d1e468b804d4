"""BFD between the router and FRR's bfdd, which runs beside ExaBGP as docs/fleet.md shows it."""

import re
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from addresses import POP1
from cases import case
from configuration import resolver
from process import run
from waiting import Unmet, wait_until

PAGE = Path(__file__).resolve().parents[2] / "docs/fleet.md"
FRR = Path("/usr/lib/frr")
# Three intervals of 300 ms without a packet, then the way into the kernel.
NOTICED = 1.2
# No packet leaves the host, as if its power had failed.
SILENT = "add table inet silent; add chain inet silent out { type filter hook output priority 0; policy drop; }"


@case("host silent, BFD", once=True)
def host_silent(lab, report):
    """A host that falls silent loses its routes within a second, long before the hold time."""
    if not (FRR / "bfdd").exists():
        raise Unmet("FRR is not installed (package frr)")
    with router_with_bfd(lab), bfdd(lab):
        lab.start_announced(resolver(POP1))
        wait_until(lambda: " Up " in lab.router.ask("show bfd sessions"), 20, "the BFD session comes up")
        since = time.time()
        run(*lab.pop1.inside("nft", SILENT))
        try:
            took = lab.until_withdrawn(since, NOTICED)
        finally:
            run(*lab.pop1.inside("nft", "delete", "table", "inet", "silent"))
    lab.session = None
    report.took("withdrawn", took, NOTICED)


def block(language):
    """The text of the page's block in this language."""
    return re.search(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)[1]


@contextmanager
def router_with_bfd(lab):
    """The router has the page's `protocol bfd` and `bfd on` in its sessions."""
    protocol = re.search(r"^protocol bfd \{.*?^\}$", block("bird"), re.MULTILINE | re.DOTALL)[0].replace("eth1", POP1.name)
    former = lab.router.file.read_text()
    lab.router.configure(former.replace("passive yes;", "passive yes; bfd on;") + protocol + "\n")
    try:
        yield
    finally:
        lab.router.configure(former)


@contextmanager
def bfdd(lab):
    """FRR's zebra and bfdd on point of presence 1, with the configuration of the page."""
    folder = Path(tempfile.mkdtemp(prefix="dnsh-bfd-"))
    shutil.chown(folder, "frr", "frr")
    file = folder / "frr.conf"
    file.write_text(block("frr").replace("eth0", "router"))
    common = ("-u", "frr", "-g", "frr", "-z", folder / "zserv", "--vty_socket", folder)
    log = lab.folder / "bfd.log"
    started = [lab.pop1.start(FRR / "zebra", *common, "-f", "/dev/null", "-i", folder / "zebra.pid", output=log)]
    try:
        wait_until((folder / "zserv").exists, 20, "zebra starts")
        control = ("-i", folder / "bfdd.pid", "--bfdctl", folder / "bfdd.sock")
        started.append(lab.pop1.start(FRR / "bfdd", *common, *control, "-f", file, output=log))
        yield
    finally:
        for process in started:
            process.stop()
        shutil.rmtree(folder)
