"""What a case has measured, and the line it is reported in."""

from dataclasses import dataclass, field

from waiting import Unmet

# The machines that run this are shared and busy. A missed target is said plainly; a failure is more than bad luck.
SLACK = 1.5


@dataclass
class Report:
    """Collects the figures of one case."""

    figures: list[str] = field(default_factory=list)

    def took(self, what, seconds, target):
        """A duration against its target. Beyond the slack the case has failed."""
        missed = ", target missed" if seconds > target else ""
        self.figures.append(f"{what} after {seconds:.2f} s (target ≤ {target:.2f} s{missed})")
        if seconds > target + SLACK:
            raise Unmet(f"{what} too late")

    def found(self, what):
        """Something that holds, without a figure or with one that has no target."""
        self.figures.append(what)

    def line(self, version, case, failure=None):
        verdict = "FAILED" if failure else "ok"
        told = [*self.figures, failure] if failure else self.figures
        return f"{version:<7} {case:<28} {verdict:<7} {'; '.join(told)}"
