"""Run by the Python that has ExaBGP 5.0.15: every option of `exabgp healthcheck`, and what each abbreviation means to it.

For each spelling, from two letters on, a line: the spelling, and all spellings of the option in full, or `ambiguous`.
"""

import argparse

from exabgp.application import healthcheck

parser = argparse.ArgumentParser()
healthcheck.setargs(parser)
names = sorted(parser._option_string_actions)
spellings = {name[:length] for name in names for length in range(2, len(name) + 1)} - {"--"}
for spelling in sorted(spellings):
    meant = [spelling] if spelling in names else [name for name in names if name.startswith(spelling)]
    # Two spellings of one option are ambiguous, too.
    print(spelling, *(["ambiguous"] if len(meant) > 1 else parser._option_string_actions[meant[0]].option_strings))
