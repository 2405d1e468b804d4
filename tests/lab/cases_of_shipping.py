"""The files in exabgp-configs, read by the ExaBGP they are written for."""

import subprocess
from pathlib import Path

from cases import case
from waiting import Unmet

SHIPPED = Path(__file__).resolve().parents[2] / "exabgp-configs"


@case("shipped exabgp.conf")
def shipped_configuration(lab, report):
    """The file shipped for this version of ExaBGP is accepted by it."""
    exabgp = lab.pop1.exabgp
    series = next((series for series in ("4.2", "5.0") if lab.version.startswith(series)), "6")
    shipped = SHIPPED / f"exabgp-{series}.conf"
    # ExaBGP looks whether the program is there.
    file = lab.folder / shipped.name
    file.write_text(shipped.read_text().replace("/usr/bin/dnsherald", str(exabgp.binary)))
    words = ("--test",) if series == "4.2" else ("validate",)
    check = subprocess.run((exabgp.program, *words, file), capture_output=True, text=True, timeout=60)
    if check.returncode != 0:
        raise Unmet(f"{shipped.name} is refused: {(check.stdout + check.stderr)[-500:]}")
    report.found(f"{shipped.name} accepted")
