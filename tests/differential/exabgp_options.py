"""Runs with the Python that has ExaBGP 5.0.15. Prints the meaning of each abbreviation of an option of `exabgp healthcheck`.

One line for each spelling of at least two letters: the spelling, then all full spellings of the option, or `ambiguous`.
"""

import argparse

from exabgp.application import healthcheck

parser = argparse.ArgumentParser()
healthcheck.setargs(parser)
names = sorted(parser._option_string_actions)
spellings = {name[:length] for name in names for length in range(2, len(name) + 1)} - {"--"}
for spelling in sorted(spellings):
    meant = [spelling] if spelling in names else [name for name in names if name.startswith(spelling)]
    # A prefix of two spellings of the same option is ambiguous as well.
    print(spelling, *(["ambiguous"] if len(meant) > 1 else parser._option_string_actions[meant[0]].option_strings))
