"""The list of cases. Each is a function of the two programs, which raises what it has not met."""

from dataclasses import dataclass

from case_list import Case
from comparison import compare

CASES = []


@dataclass(frozen=True)
class Programs:
    """The two that are compared."""

    original: object
    ours: object


def on_list(name, summary, run, needs_root=False):
    CASES.append(Case(name=name, summary=summary, run=run, needs_root=needs_root))


def same(name, scenario, difference=None, also=None):
    """Puts on the list that both programs do the same in a scenario, but for a difference that is meant."""

    def run(programs):
        compare(programs, scenario, difference, also)

    summary = f"{scenario.arguments}   {scenario.series}" + (f"   ({difference.why})" if difference else "")
    on_list(name, summary, run, scenario.needs_root)
