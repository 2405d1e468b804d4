"""Each transition alone, and random series of outcomes."""

import random

from cases import same
from program import exabgp_without_acks
from scenario import ADDRESS, Scenario

TRANSITIONS = {
    "INIT to RISING": "+",
    "INIT to FALLING": "-",
    "RISING to UP": "++",
    "RISING to FALLING": "+-",
    "FALLING to DOWN": "--",
    "FALLING to RISING": "-+",
    "UP stays": "+++++",
    "UP to FALLING": "++-",
    "UP to FALLING and back": "++-++",
    "UP to DOWN": "++--",
    "DOWN stays": "-----",
    "DOWN to RISING": "--+",
    "DOWN to RISING and back": "--+--",
    "DOWN to UP": "--++",
    "never up or down": "+-+-+-+-+-+-",
    "INIT to DISABLED": "d",
    "RISING to DISABLED": "+d",
    "UP to DISABLED": "++d",
    "FALLING to DISABLED": "++-D",
    "DOWN to DISABLED": "--D",
    "down and disabled at once": "++-D",
    "up and disabled at once": "+d",
}
for name, series in TRANSITIONS.items():
    # Once enabled again, the service starts from INIT.
    series = f"{series}e++" if series[-1] in "dD" else series
    same(name, Scenario(ADDRESS, series))
    same(f"{name}, debounce", Scenario(f"{ADDRESS} --debounce --withdraw-on-down", series))

same("disabled from the start", Scenario(ADDRESS, "e++", disabled_at_start=True))
same("disabled from the start, rise 1", Scenario(f"{ADDRESS} --rise 1", "e+-", disabled_at_start=True))
for option in ("", " --withdraw-on-down", " --debounce"):
    same(f"no acks{option}", Scenario(f"{ADDRESS} --ip 192.0.2.2 --no-ack{option}", parent=exabgp_without_acks))
same("--no-ack with an ExaBGP that acknowledges", Scenario(f"{ADDRESS} --no-ack"))


def random_cases(number, seed):
    """Registers cases with random series of thirty outcomes; the same seed gives the same series."""
    for turn in range(number):
        chance = random.Random(f"{seed}/{turn}")
        same(f"random {seed}/{turn}", Scenario(random_options(chance), random_series(chance)))


def random_options(chance):
    words = [ADDRESS, f"--rise {chance.randint(1, 4)}", f"--fall {chance.randint(1, 4)}"]
    words += [word for word in ("--withdraw-on-down", "--debounce", "--ip 192.0.2.2") if chance.random() < 0.5]
    return " ".join(words)


def random_series(chance):
    """Repeats outcomes so that thresholds are reached. The series ends enabled, during a check."""
    series, passing = "", True
    for _ in range(30):
        passing ^= chance.random() < 0.35
        if chance.random() < 0.06:
            series += ("d" if passing else "D") + "e"
        else:
            series += "+" if passing else "-"
    return series
