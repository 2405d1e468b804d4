#!/usr/bin/env python3
"""The commands of README.md in order, each with its line.

Commands are the lines of the fenced blocks that are neither text nor TOML, with the options that their comments name
(`--json`, `--command '…'`), and inline code of more than one word or that is an executable file of the repository. Other inline
code of several words must be listed here, so that no command is missed.

As a program it prints the commands that no test runs, and those of tests that are not in the README.
"""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text()

FENCED = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"\s{2,}# (?P<comment>.*)$")
OFFERED = re.compile(r"--[a-z-]+(?: '[^']*')?")

# The languages of blocks without commands.
NO_COMMANDS = ("text", "toml")
# Configuration, options and ExaBGP's commands.
OTHER = re.compile(r"^[-\[{#!]| = |^[a-z-]+: \w+$|^(system version 0|announce route|neighbor \* …|peer \* …)$")
# Syntax forms, and messages.
PHRASES = {
    "NAME TYPE [CLASS]",
    r"\\# LENGTH HEX",
    "no helper is running",
    "not permitted to connect",
    "Watchdog timeout",
    "NOT IN ORDER",
    "resolver: WITHDRAWN 192.0.2.53/32 (acknowledged): process 11617 (unbound) has ended; until its checks pass",
}


@dataclass(frozen=True)
class Command:
    """A command as typed; `line` counts from 1."""

    line: int
    text: str


def commands():
    """Each command once, at its first line. The prefix of another command, such as `systemctl restart`, stands for it."""
    fenced = list(_fenced())
    own = {command.text.split()[1] for command in fenced if command.text.startswith("dnsherald ")}
    found = {}
    for command in sorted([*fenced, *_inline(own)], key=lambda command: command.line):
        found.setdefault(command.text, command)
    in_blocks = {command.text for command in fenced}
    begun = {text for text in found if any(other.startswith(f"{text} ") for other in found)}
    return [command for command in found.values() if command.text not in begun - in_blocks]


def block(beginning):
    """The text of the fenced block with this beginning."""
    (text,) = (match["text"] for match in FENCED.finditer(README) if match["text"].startswith(beginning))
    return text


def faults(how):
    """Yields a sentence for each fault of `how`, which maps each command to the way a test runs it."""
    there = {command.text: command for command in commands()}
    for text, command in there.items():
        if text not in how:
            yield f"README.md:{command.line}: no test runs `{text}`; add it to HOW in tests/host/cases_of_readme.py"
    for text in how:
        if text not in there:
            yield f"tests/host/cases_of_readme.py: `{text}` is not a command of the README"
        elif how[text].untrue():
            yield f"tests/host/cases_of_readme.py: `{text}`: {how[text].untrue()}"


def _fenced():
    for match in FENCED.finditer(README):
        first = README.count("\n", 0, match.start()) + 2
        for line, text in enumerate([] if match["language"] in NO_COMMANDS else match["text"].splitlines(), first):
            command = COMMENT.sub("", text)
            yield Command(line, command)
            comment = COMMENT.search(text)
            for offered in OFFERED.findall(comment["comment"] if comment else ""):
                yield Command(line, f"{command} {offered}")


def _inline(own):
    """`own` are the commands of dnsherald; the README may omit the name of the program."""
    # Keeps the newlines, since lines are counted.
    prose = FENCED.sub(lambda match: "\n" * match[0].count("\n"), README)
    if prose.count("`") % 2:
        raise ValueError("README.md: odd number of backticks")
    for match in re.finditer(r"`([^`]+)`", prose):
        text = " ".join(match[1].split())
        file = REPOSITORY / text
        several = " " in text and not OTHER.search(text) and text not in PHRASES
        if several or (file.is_file() and os.access(file, os.X_OK)):
            yield Command(prose.count("\n", 0, match.start()) + 1, f"dnsherald {text}" if text.split()[0] in own else text)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.path.insert(1, str(REPOSITORY / "tests/lab"))
    from cases_of_readme import HOW

    sys.exit("\n".join(faults(HOW)) or None)
