"""Each transition by itself, and series made by chance."""

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
    "never decided": "+-+-+-+-+-+-",
    "INIT to DISABLED": "d",
    "RISING to DISABLED": "+d",
    "UP to DISABLED": "++d",
    "FALLING to DISABLED": "++-D",
    "DOWN to DISABLED": "--D",
    "down and disabled in one moment": "++-D",
    "up and disabled in one moment": "+d",
}
for name, series in TRANSITIONS.items():
    # Enabled again, it begins from nothing.
    series = f"{series}e++" if series[-1] in "dD" else series
    same(name, Scenario(ADDRESS, series))
    same(f"{name}, debounce", Scenario(f"{ADDRESS} --debounce --withdraw-on-down", series))

same("disabled from the start", Scenario(ADDRESS, "e++", disabled_at_start=True))
same("disabled from the start, rise 1", Scenario(f"{ADDRESS} --rise 1", "e+-", disabled_at_start=True))
for option in ("", " --withdraw-on-down", " --debounce"):
    same(f"no acks{option}", Scenario(f"{ADDRESS} --ip 192.0.2.2 --no-ack{option}", parent=exabgp_without_acks))
same("no acks, though they come", Scenario(f"{ADDRESS} --no-ack"))


def by_chance(number, seed):
    """Puts series of thirty outcomes on the list; the same seed gives the same ones."""
    for turn in range(number):
        chance = random.Random(f"{seed}/{turn}")
        same(f"by chance {seed}/{turn}", Scenario(options_by_chance(chance), series_by_chance(chance)))


def options_by_chance(chance):
    words = [ADDRESS, f"--rise {chance.randint(1, 4)}", f"--fall {chance.randint(1, 4)}"]
    words += [word for word in ("--withdraw-on-down", "--debounce", "--ip 192.0.2.2") if chance.random() < 0.5]
    return " ".join(words)


def series_by_chance(chance):
    """What it does it does for a while, so that thresholds are reached; it ends enabled, with a check under way."""
    series, passing = "", True
    for _ in range(30):
        passing ^= chance.random() < 0.35
        if chance.random() < 0.06:
            series += ("d" if passing else "D") + "e"
        else:
            series += "+" if passing else "-"
    return series
