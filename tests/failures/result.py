"""What one row found, and the score of all."""

import itertools
import json
import os
import shutil
import time
from dataclasses import dataclass, field

from ending import Failed
from numbering import PREFIXES
from presence import Presence
from rows import DEGRADES, MOVES, OBSERVES, STAYS, UNSEEN, WITHDRAWS
from waiting import PATIENCE, Interrupted, Unmet, complaint, let_pass, wait_until

# How long clients are asked, and how often each kind of question, per second.
ASKED, RATE = 3, 4
# Clients ask all the time where they must stay well.
GENTLE = 4
numbers = itertools.count(1)


@dataclass
class Result:
    """A line of the table."""

    row: object
    done: str = UNSEEN
    # Seconds from the fault to the first move, and where the route stood at the end.
    after: float | None = None
    end: str = ""
    # Names of failing checks with their causes.
    seen_by: list = field(default_factory=list)
    client: dict = field(default_factory=dict)
    # What ended the row early.
    error: Exception | None = None

    MARKDOWN_HEAD = (
        "| failure | made how | clients get | seen by | at defaults | after |\n|---|---|---|---|---|---|"
    )
    HEAD = (
        f"{'':<8} {'failure':<30} {'expected':<10} {'done':<10} {'after':>7}  seen by; what clients got\n"
        f"{'-' * 8} {'-' * 30} {'-' * 10} {'-' * 10} {'-' * 7}  {'-' * 40}"
    )

    @property
    def trouble(self):
        return complaint(self.error) if self.error else ""

    @property
    def as_expected(self):
        if self.done == self.row.known and not self.trouble:
            return True
        if self.row.expected == STAYS:
            return not self.trouble and not self.has_moved
        if self.row.expected == MOVES:
            return not self.trouble and self.has_moved
        if self.end:
            return False
        return not self.trouble and self.done == self.row.expected

    @property
    def has_moved(self):
        return self.done in (DEGRADES, WITHDRAWS)

    @property
    def is_false_move(self):
        return self.row.expected == STAYS and self.has_moved

    def failed(self):
        """For the end of the run; None if the row is as expected."""
        if self.as_expected:
            return None
        return Failed(self.row.name, self.error or f"expected {self.row.expected}, but {self.done}{self.end}: {', '.join(self.seen_by) or 'no check fails'}")

    def markdown(self):
        """The row of a table."""
        after = f"{self.after:.2f} s" if self.after is not None else ""
        cells = self.row.name, self.row.made, clients(self.client), ", ".join(self.seen_by), self.done + self.end, after
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    def __str__(self):
        word = "FAILED" if not self.as_expected else "known" if self.done == self.row.known else "ok"
        after = f"{self.after:.2f} s" if self.after is not None else ""
        place = f"{word:<8} {self.row.name:<30} {self.row.expected:<10} {self.done:<10} {after:>7}  "
        if self.trouble:
            return place + self.trouble
        return f"{place}{', '.join(self.seen_by) or '-'}; {clients(self.client)}{self.end}"


def clients(found):
    """Kinds of questions with less than all answers."""
    words = []
    for kind, each in found.items():
        total, right = sum(each["found"].values()), each["found"].get("ok", 0)
        if right < total:
            worst = max((count, what) for what, count in each["found"].items() if what != "ok")[1]
            words.append(f"{kind} {100 * right // total} % ({worst})")
        elif (each["ms"] or 0) > 200:
            words.append(f"{kind} {each['ms']:.0f} ms")
    if len(words) == len(found) and all(not each["found"].get("ok") for each in found.values()):
        return "nothing answered"
    return ", ".join(words) or "all answered"


def tried(row, binary, zones, keep):
    result = Result(row)
    try:
        with Presence(f"dnsh-{os.getpid()}-{next(numbers)}", binary, zones, row) as presence:
            try:
                measure(presence, row, result)
            finally:
                if keep:
                    folder = keep / row.name.replace(" ", "-")
                    shutil.copytree(presence.folder, folder, dirs_exist_ok=True, ignore=lambda _, names: [n for n in names if not n.endswith((".log", ".conf", ".toml"))])
    except Interrupted:
        result.error = Unmet("interrupted")
    except Exception as error:
        result.error = error
    return result


def measure(presence, row, result):
    since = time.monotonic()
    if row.fault:
        presence.wait_until_announced()
        if row.asked_before:
            presence.serve_clients(row.asked_before + row.within + ASKED, GENTLE)
            let_pass(row.asked_before)
        asking = presence.asking(row.within, GENTLE) if row.expected == STAYS else None
        since = time.monotonic()
        row.fault(presence)
        watch(presence, row, result, since, asking)
        moves = presence.helper.moves(since)
    else:
        wait_until(lambda: all(presence.helper.state(prefix) for prefix in PREFIXES), PATIENCE, "the prefixes are stated", poll=0.1)
        watch(presence, row, result, since, None)
        moves = [(0.0, prefix, presence.helper.state(prefix)) for prefix in PREFIXES if presence.helper.state(prefix) != "up"]
    moves = [move for move in moves if move[2] != "up"] if result.done != UNSEEN or moves else moves
    if moves:
        result.after = moves[0][0]
        result.done = WITHDRAWS if any(state == "withdrawn" for _, _, state in moves) else DEGRADES
    states = {presence.helper.state(prefix) for prefix in PREFIXES}
    if moves and states == {"up"}:
        result.end = "; announced again"


def watch(presence, row, result, since, asking):
    """Until the helper has done what is expected, and clients have been asked; otherwise as long as the row says."""
    failing = {}

    def look():
        for name, check in presence.helper.checks().items():
            if check["state"] in ("down", "falling") and check["last"] and not check["last"]["passed"]:
                failing[name] = check["last"]["cause"], check["state"]
        moves = {state for _, _, state in presence.helper.moves(since)}
        done = {WITHDRAWS: "withdrawn" in moves, DEGRADES: "degraded" in moves, OBSERVES: "down" in {state for _, state in failing.values()}}
        done[MOVES] = done[DEGRADES] or done[WITHDRAWS]
        return time.monotonic() - since > row.within or (not asking and done.get(row.expected))

    if asking is None:
        let_pass(max(0, since + row.asked_after - time.monotonic()))
        asking_now = presence.asking(ASKED, RATE)
        wait_until(look, row.within + PATIENCE, "the row ends", poll=0.3)
    else:
        asking_now = asking
        wait_until(look, row.within + PATIENCE, "the row ends", poll=0.5)
    result.client = json.loads(asking_now.communicate(timeout=PATIENCE)[0])
    look()
    fallen = {name: cause for name, (cause, state) in failing.items() if state == "down"}
    result.seen_by = [f"{name}: {cause}" for name, cause in sorted((fallen or {n: c for n, (c, _) in failing.items()}).items())]
    if fallen:
        result.done = OBSERVES


# Titles of the page, and the rows below each.
SECTIONS = (
    ("Failures, at defaults", lambda row: row.is_failure and row.is_default),
    ("Failures, with more keys", lambda row: row.is_failure and not row.is_default),
    ("Clients are served as before", lambda row: not row.is_failure),
)


def page(results):
    """The results as a page: failures, then the situations in which no route should move."""
    lines = [
        "# Failures of a PoP, and what dnsherald does",
        "",
        "The suite `tests/failures` makes each of these failures on a PoP of its own in network namespaces, and wrote this page. The configuration has nothing",
        "but `backend`, `zones`, for BIND `role`, `degraded = { med = 400 }`, and the keys that a row names. Times count from the failure to the line on",
        "standard output, one run each. Causes are explained in [Checks](checks.md).",
    ]
    for title, belongs in SECTIONS:
        rows = [result.markdown() for result in results if belongs(result.row)]
        lines += ["", f"## {title}", "", Result.MARKDOWN_HEAD, *rows]
    return "\n".join([*lines, "", f"{score(results)}.", ""])


def score(results):
    def moved(belongs):
        found = [result for result in results if belongs(result.row)]
        return f"{sum(result.has_moved for result in found)} of {len(found)}"

    defaults, more, others = (moved(belongs) for _, belongs in SECTIONS)
    wrong = sum(not result.as_expected for result in results)
    return (
        f"{defaults} failures moved the route at defaults, {more} with more keys, {others} harmless situations did; "
        f"{wrong} rows other than expected"
    )
