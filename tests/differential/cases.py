"""The list of cases. Each is a function that takes the two programs and raises `Unmet` if it fails."""

from dataclasses import dataclass

from case_list import Case
from comparison import compare

CASES = []


@dataclass(frozen=True)
class Programs:
    """The two programs to compare."""

    original: object
    ours: object


def on_list(name, summary, run, needs_root=False):
    CASES.append(Case(name=name, summary=summary, run=run, needs_root=needs_root))


def same(name, scenario, difference=None, also=None):
    """Registers a case: both programs must behave the same in a scenario, except for the intended `difference`."""

    def run(programs):
        compare(programs, scenario, difference, also)

    summary = f"{scenario.arguments}   {scenario.series}" + (f"   ({difference.why})" if difference else "")
    on_list(name, summary, run, scenario.needs_root)
