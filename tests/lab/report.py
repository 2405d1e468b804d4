"""The figures of a case, and its line in the report."""

from dataclasses import dataclass, field

from waiting import Unmet


def limit(target):
    """The duration in seconds that fails a case: five times the target, at most 20 seconds above it, at least 5 seconds.

    The machines that run this are shared and busy, so a missed target is only printed. To tell two behaviors apart, a case needs
    more than a duration.
    """
    return max(5.0, min(5 * target, target + 20))


@dataclass
class Report:
    """Collects the figures of one case."""

    figures: list[str] = field(default_factory=list)

    def took(self, what, seconds, target):
        """Notes a duration with its target. Fails the case beyond `limit(target)`."""
        missed = ", target missed" if seconds > target else ""
        self.figures.append(f"{what} after {seconds:.2f} s (target ≤ {target:.2f} s{missed})")
        if seconds > limit(target):
            raise Unmet(f"{what} later than {limit(target):.1f} s")

    def found(self, what):
        """Notes a fact, or a figure without a target."""
        self.figures.append(what)

    def line(self, version, case, failure=None):
        verdict = "FAILED" if failure else "ok"
        facts = [*self.figures, failure] if failure else self.figures
        return f"{version:<7} {case:<28} {verdict:<7} {'; '.join(facts)}"
