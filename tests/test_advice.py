"""Every message advises what its reader can do: commands at a prompt, tools to an agent, requests over HTTP."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import vidnb
from vidnb import advice
from vidnb.advice import as_commands
from vidnb.display import live
from vidnb.serve.advice import for_agents, for_http, for_questions

SILENT = {"display", "widgets", "emulator", "history", "gpu", "serve"}
"""Rooms whose words are shown in a page or to a program, never by a command."""

ONLY_IN_PYTHON = {"Client", "sampled", "zipped"}
"""Calls of notices that no command can cause: one is of a process that changes its working directory."""

WORDINGS = (as_commands, for_agents, for_questions, for_http)


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
        ("vidnb.model(id).params lists them", "vidnb models ID lists them"),
        ("so would accept_unknown_price=True.", "so would --accept-unknown-price."),
        ("check the key, then run the cell again", "check the key, then run the command again"),
        ('a prompt that says "give_up"', 'a prompt that says "give_up"'),
    ],
)
def test_a_call_becomes_the_command_that_does_the_same(told: str, typed: str) -> None:
    assert as_commands(told) == typed


@pytest.mark.parametrize(
    ("told", "to_agent", "to_http"),
    [
        (
            "Raise the cap (vidnb.budget('programs', usd=...)).",
            "Raise the cap (a person types: vidnb budget programs --usd ...).",
            "Raise the cap (a person types: vidnb budget programs --usd ...).",
        ),
        (
            "Send it again after that job: vidnb.wait('3f2a91c0').",
            'Send it again after that job: wait(job="3f2a91c0").',
            "Send it again after that job: GET /jobs/3f2a91c0?wait_s=25.",
        ),
        ("vidnb.models() lists them all", "list_models() lists them all", "GET /models lists them all"),
        ("top up, then run the cell again", "top up, then ask for a new quote", "top up, then ask for a new quote"),
    ],
)
def test_a_program_is_told_what_it_can_ask_for_and_what_a_person_types(told: str, to_agent: str, to_http: str) -> None:
    assert (for_agents(told), for_http(told)) == (to_agent, to_http)


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


@pytest.mark.parametrize("words", WORDINGS)
def test_no_message_advises_python_where_there_is_none(words: Callable[[str], str]) -> None:
    package = Path(vidnb.__file__).parent
    files = [
        path for path in package.rglob("*.py")
        if path.relative_to(package).parts[0] not in SILENT and path.name != "advice.py"
    ]  # fmt: skip
    told = [text for path in files for text in messages(ast.parse(path.read_text(encoding="utf-8")))]
    advised = [text for text in told if "vidnb." in text and words(text) != text]
    assert len(advised) > 15
    left = {verb for text in map(words, told) for verb in re.findall(r"\bvidnb\.(\w+)\(", text)}
    assert left == ONLY_IN_PYTHON
    assert not [text for text in map(words, told) if re.search(r"the cell again|accept_unknown_price=True", text)]


def test_a_notice_on_a_terminal_is_in_the_words_of_commands_only_in_a_command(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(advice, "_worded", str)
    caplog.set_level("INFO", logger="vidnb")
    live.say("vidnb.wait('3f2a91c0') waits for it again.")
    advice.speak_in_commands()
    live.say("vidnb.wait('3f2a91c0') waits for it again.")
    assert caplog.messages[-2:] == ["vidnb.wait('3f2a91c0') waits for it again.", "vidnb resume waits for it again."]
