"""The list of cases. Each is a function of the two programs, which raises what it has not met."""

from dataclasses import dataclass
from typing import Callable

from comparison import compare

CASES = []


@dataclass(frozen=True)
class Case:
    name: str
    summary: str
    run: Callable
    needs_root: bool = False


@dataclass(frozen=True)
class Programs:
    """The two that are compared."""

    original: object
    ours: object


def same(name, scenario, difference=None, also=None):
    """Puts on the list that both programs do the same in a scenario, but for a difference that is meant."""

    def run(programs):
        compare(programs, scenario, difference, also)

    summary = f"{scenario.arguments}   {scenario.series}" + (f"   ({difference.why})" if difference else "")
    CASES.append(Case(name, summary, run, needs_root=scenario.needs_root))
