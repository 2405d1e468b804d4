"""The files in exabgp-configs, checked by ExaBGP, BIRD and FRR."""

import shutil
import subprocess
from pathlib import Path

from cases import case
from waiting import Unmet

SHIPPED = Path(__file__).resolve().parents[2] / "exabgp-configs"
CHECK_CONFIGURATION = {"4.2": ("--test",), "5.0": ("validate",), "6": ("configuration", "validate")}


@case("shipped exabgp.conf")
def shipped_configuration(lab, report):
    """ExaBGP accepts the file for its version and the files for all versions."""
    exabgp = lab.pop1.exabgp
    series = next((series for series in ("4.2", "5.0") if lab.version.startswith(series)), "6")
    words = CHECK_CONFIGURATION[series]
    files = [SHIPPED / f"exabgp-{series}.conf", *sorted(SHIPPED.glob("*/exabgp.conf"))]
    if len(files) < 8:
        raise Unmet(f"only {len(files)} files in {SHIPPED}")
    for shipped in files:
        # ExaBGP checks that the program exists.
        file = lab.folder / "shipped.conf"
        file.write_text(shipped.read_text().replace("/usr/bin/dnsherald", str(exabgp.binary)))
        accepted_by(exabgp.program, *words, file, of=shipped)
    report.found(f"{len(files)} accepted")


@case("shipped routers")
def shipped_routers(lab, report):
    """BIRD and FRR accept the router's side of each example."""
    birds, frrs = sorted(SHIPPED.rglob("bird.conf")), sorted(SHIPPED.rglob("frr.conf"))
    if len(birds) < 8 or len(birds) != len(frrs):
        raise Unmet(f"{len(birds)} files for BIRD and {len(frrs)} for FRR in {SHIPPED}")
    for shipped in birds:
        accepted_by("bird", "-p", "-c", shipped, of=shipped)
    if not shutil.which("vtysh"):
        raise Unmet("FRR is not installed (package frr)")
    for shipped in frrs:
        accepted_by("vtysh", "-C", "-f", shipped, of=shipped)
    report.found(f"{len(birds)} accepted by BIRD, {len(frrs)} by FRR")


def accepted_by(*command, of):
    check = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if check.returncode != 0:
        raise Unmet(f"{of.relative_to(SHIPPED)} is refused: {(check.stdout + check.stderr)[-500:]}")
