#!/usr/bin/env python3
"""The commands of README.md and of the pages in docs, in the order of docs/SUMMARY.md, each with its place.

Commands are the lines of the fenced blocks that are marked `sh` or not at all, with the options that their comments name
(`--json`, `--command '…'`), and inline code of more than one word or that is an executable file of the repository. Other inline
code of several words must be listed here, so that no command is missed.

As a program it prints the commands that no test runs, and those of tests that are not in the documentation.
"""

import os
import re
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

# A block may be part of a list item, and is indented then.
FENCED = re.compile(r"^ *```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"\s{2,}# (?P<comment>.*)$")
OFFERED = re.compile(r"--[a-z-]+(?: '[^']*')?")
PAGE = re.compile(r"\]\((?P<page>[^)]+\.md)\)")

# The languages of blocks with commands.
COMMANDS = ("", "sh")
# Another test compares this section, to its end, with the messages of the code.
MESSAGES = re.compile(r"^## Index of log messages$.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
# So is this one, with the reference of the configuration.
REFERENCE = re.compile(r"^<!-- printed by dnsherald config-schema.*?^<!-- end", re.MULTILINE | re.DOTALL)
# Configuration, options and ExaBGP's commands.
OTHER = re.compile(r"^\S+\. [A-Z]+$|^[-\[{#!]| = |^[a-z-]+: \w+$|^(system version 0|announce route|neighbor \* …|peer \* …)$")
# Syntax forms, and messages.
PHRASES = {
    "NAME TYPE [CLASS]",
    r"\\# LENGTH HEX",
    "no helper is running",
    "nothing to undrain",
    "not permitted to connect",
    "does not respond",
    "nothing to undrain",
    "NOT ON DISK",
    "NOT acknowledged",
    "acknowledgment unknown",
    "Watchdog timeout",
    "CONFIGURATION ERROR",
    "api { processes [ dnsherald ]; neighbor-changes; }",
    "bfd on",
    "hold-time 9",
    "manual-eor true",
    "neighbor 10.1.0.2 bfd",
    "resolver: WITHDRAWN 192.0.2.53/32 (acknowledged): process 11617 (unbound) has ended; until its checks pass",
}


@dataclass(frozen=True)
class Command:
    """A command as typed; `line` counts from 1."""

    page: str
    line: int
    text: str


def pages():
    """The name and text of the README and of each page of the book that is there, in reading order."""
    summary = (REPOSITORY / "docs/SUMMARY.md").read_text()
    names = ["README.md", *(f"docs/{match['page']}" for match in PAGE.finditer(summary))]
    return [(name, (REPOSITORY / name).read_text()) for name in names if (REPOSITORY / name).exists()]


def commands():
    """Each command once, at its first line. The prefix of another command, such as `systemctl restart`, stands for it."""
    book = pages()
    fenced = [command for page in book for command in _fenced(*page)]
    own = {command.text.split()[1] for command in fenced if command.text.startswith("dnsherald ")}
    order = {name: place for place, (name, _) in enumerate(book)}
    every = [*fenced, *(command for page in book for command in _inline(*page, own))]
    found = {}
    for command in sorted(every, key=lambda command: (order[command.page], command.line)):
        found.setdefault(command.text, command)
    in_blocks = {command.text for command in fenced}
    begun = {text for text in found if any(other.startswith(f"{text} ") for other in found)}
    return [command for command in found.values() if command.text not in begun - in_blocks]


def block(beginning):
    """The text of the first fenced block with this beginning."""
    blocks = (textwrap.dedent(match["text"]) for _, text in pages() for match in FENCED.finditer(text))
    return next(text for text in blocks if text.startswith(beginning))


def faults(how):
    """Yields a sentence for each fault of `how`, which maps each command to the way a test runs it."""
    there = {command.text: command for command in commands()}
    for text, command in there.items():
        if text not in how:
            yield f"{command.page}:{command.line}: no test runs `{text}`; add it to HOW in tests/host/cases_of_readme.py"
    for text in how:
        if text not in there:
            yield f"tests/host/cases_of_readme.py: `{text}` is not a command of README.md or docs"
        elif how[text].untrue():
            yield f"tests/host/cases_of_readme.py: `{text}`: {how[text].untrue()}"


def _fenced(page, content):
    for match in FENCED.finditer(content):
        first = content.count("\n", 0, match.start()) + 2
        for line, text in enumerate(match["text"].splitlines() if match["language"] in COMMANDS else [], first):
            command = COMMENT.sub("", text).strip()
            yield Command(page, line, command)
            comment = COMMENT.search(text)
            for offered in OFFERED.findall(comment["comment"] if comment else ""):
                yield Command(page, line, f"{command} {offered}")


def _inline(page, content, own):
    """`own` are the commands of dnsherald; the text may omit the name of the program."""
    # Keeps the newlines, since lines are counted.
    blank = lambda match: "\n" * match[0].count("\n")  # noqa: E731
    prose = FENCED.sub(blank, REFERENCE.sub(blank, MESSAGES.sub(blank, content)))
    if prose.count("`") % 2:
        raise ValueError(f"{page}: odd number of backticks")
    for match in re.finditer(r"`([^`]+)`", prose):
        text = " ".join(match[1].split())
        file = REPOSITORY / text
        several = " " in text and not OTHER.search(text) and text not in PHRASES
        if several or (file.is_file() and os.access(file, os.X_OK)):
            text = f"dnsherald {text}" if text.split()[0] in own else text
            yield Command(page, prose.count("\n", 0, match.start()) + 1, text)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.path.insert(1, str(REPOSITORY / "tests/lab"))
    from cases_of_readme import HOW

    sys.exit("\n".join(faults(HOW)) or None)
