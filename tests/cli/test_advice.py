"""On the command line every message advises commands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import vidnb
from vidnb.cli.advice import as_commands

SILENT = {"display", "widgets", "emulator", "history", "gpu", "serve"}
"""Rooms whose words are shown in a page or to a program, never by a command."""

ONLY_IN_PYTHON = {"Client", "sampled", "zipped"}
"""Calls of notices that no command can cause: one is of a process that changes its working directory."""


@pytest.mark.parametrize(
    ("told", "typed"),
    [
        ("Raise the cap (vidnb.budget(usd=...)).", "Raise the cap (vidnb budget --usd ...)."),
        ("vidnb.budget('lesson 3', credits=...)", "vidnb budget 'lesson 3' --credits PROVIDER=..."),
        (
            'vidnb.settle(\'3f2a91c0\', "send_again"), "give_up", or remote_id="..."',
            "vidnb settle 3f2a91c0 --send-again, --give-up, or --remote-id ID",
        ),
        (
            "vidnb.settle('3f2a91c0', remote_id=\"a b\") if it is ambiguous",
            "vidnb settle 3f2a91c0 --remote-id 'a b' if it is ambiguous",
        ),
        ("vidnb.budget('a, b (2)', usd=...)", "vidnb budget 'a, b (2)' --usd ..."),
        ("vidnb.wait('3f2a91c0') asks once more", "vidnb resume asks once more"),
        ("so would accept_unknown_price=True.", "so would --accept-unknown-price."),
        ('a prompt that says "give_up"', 'a prompt that says "give_up"'),
    ],
)
def test_a_call_becomes_the_command_that_does_the_same(told: str, typed: str) -> None:
    assert as_commands(told) == typed


def filled(part: ast.expr) -> str:
    if isinstance(part, ast.FormattedValue):
        return "'x'" if part.conversion == ord("r") else "x"
    return str(ast.literal_eval(part))


def messages(tree: ast.AST) -> Iterator[str]:
    """Yield the texts of a module but for its docstrings; what is filled in is an x."""
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if isinstance(node, ast.Expr | ast.JoinedStr):
                continue  # a docstring, or part of a text that comes as a whole
            if isinstance(child, ast.JoinedStr):
                yield "".join(filled(part) for part in child.values)
            elif isinstance(child, ast.Constant) and isinstance(child.value, str):
                yield child.value


def test_no_message_that_a_command_can_show_advises_python() -> None:
    package = Path(vidnb.__file__).parent
    files = [path for path in package.rglob("*.py") if path.relative_to(package).parts[0] not in SILENT]
    told = [text for path in files for text in messages(ast.parse(path.read_text(encoding="utf-8")))]
    advised = [text for text in told if "vidnb." in text and as_commands(text) != text]
    assert len(advised) > 15
    left = {verb for text in map(as_commands, told) for verb in re.findall(r"\bvidnb\.(\w+)\(", text)}
    assert left == ONLY_IN_PYTHON
