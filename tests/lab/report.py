"""What a case has measured, and the line it is reported in."""

from dataclasses import dataclass, field

from waiting import Unmet


def limit(target):
    """When a duration has failed its case, in seconds: five times the target, of which 20 seconds are enough, at least 5.

    The machines that run this are shared and busy. A missed target is said plainly; a failure is more than bad luck. What is to
    tell two behaviors apart must not be a duration alone.
    """
    return max(5.0, min(5 * target, target + 20))


@dataclass
class Report:
    """Collects the figures of one case."""

    figures: list[str] = field(default_factory=list)

    def took(self, what, seconds, target):
        """A duration against its target. Beyond its limit the case has failed."""
        missed = ", target missed" if seconds > target else ""
        self.figures.append(f"{what} after {seconds:.2f} s (target ≤ {target:.2f} s{missed})")
        if seconds > limit(target):
            raise Unmet(f"{what} later than {limit(target):.1f} s")

    def found(self, what):
        """Something that holds, without a figure or with one that has no target."""
        self.figures.append(what)

    def line(self, version, case, failure=None):
        verdict = "FAILED" if failure else "ok"
        told = [*self.figures, failure] if failure else self.figures
        return f"{version:<7} {case:<28} {verdict:<7} {'; '.join(told)}"
