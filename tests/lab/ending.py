"""The end of a run: its score, and below it each failed case, so that the last lines of a log name every failure."""

from dataclasses import dataclass

from waiting import Unmet, interrupted

# Characters of a message at the end of a run; the log above has all of it.
LONGEST = 300


@dataclass(frozen=True)
class Failed:
    """A case that failed, with its message or the exception that ended it."""

    case: str
    error: Exception | str

    def __str__(self):
        is_bug = isinstance(self.error, Exception) and not isinstance(self.error, Unmet)
        message = f"{type(self.error).__name__}: {self.error}" if is_bug else f"{self.error}"
        first = next((line.strip() for line in message.splitlines() if line.strip()), "no message")
        return f"FAILED  {self.case}: {first if len(first) <= LONGEST else first[:LONGEST] + ' …'}"


def end_run(results, score=None, more=""):
    """Prints the score and the failed cases. Returns the exit status: 0 if cases ran, all passed, and no signal came.

    `results` has for each case a `Failed`, or None if it passed. `score` replaces the numbers of passed and failed cases.
    """
    failed = [result for result in results if result is not None]
    score = score or f"{len(results) - len(failed)} passed, {len(failed)} failed"
    print(score + more + (", interrupted" if interrupted.is_set() else ""), *failed, sep="\n", flush=True)
    return 0 if results and not failed and not interrupted.is_set() else 1
