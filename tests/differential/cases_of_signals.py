"""SIGTERM and SIGINT in each state, during a check and between two checks."""

import signal

import differences
from cases import same
from scenario import ADDRESS, Ending, Scenario

# The series that leads to each state with --rise 2 --fall 2.
WAYS = {
    "INIT": "",
    "INIT after DISABLED": "++de",
    "RISING": "+",
    "UP": "++",
    "FALLING": "-",
    "FALLING from UP": "++-",
    "DOWN": "--",
    "RISING from DOWN": "--+",
}
for state, series in WAYS.items():
    for arguments in (ADDRESS, f"{ADDRESS} --ip 192.0.2.2 --withdraw-on-down --path-id 3 --debounce"):
        more = " with more options" if arguments != ADDRESS else ""
        same(f"SIGTERM during a check, {state}{more}", Scenario(arguments, series))
    same(
        f"SIGINT during a check, {state}",
        Scenario(ADDRESS, series, ending=Ending(signal.SIGINT)),
        differences.SIGINT_DURING_A_CHECK,
    )

# The series ends at the first long sleep. The intervals place it in the wanted state.
SLEEPS = {
    "RISING": ("--fast-interval 60 --rise 2", "+"),
    "FALLING": ("--fast-interval 60 --fall 2", "-"),
    "UP": ("--interval 60 --rise 1", "+"),
    "DOWN": ("--interval 60 --fall 1", "-"),
}
for number in (signal.SIGTERM, signal.SIGINT):
    for state, (arguments, series) in SLEEPS.items():
        ending = Ending(number, asleep=True)
        same(f"{number.name} between checks, {state}", Scenario(f"{ADDRESS} {arguments}", series, ending=ending))
    for options in ("", " --withdraw-on-down", " --debounce"):
        same(
            f"{number.name} while disabled{options}",
            Scenario(
                f"{ADDRESS} --interval 60{options}",
                "",
                ending=Ending(number, asleep=True),
                disabled_at_start=True,
            ),
        )
