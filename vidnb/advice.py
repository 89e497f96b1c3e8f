"""What a message advises, in the words of its reader: `vidnb.budget(usd=...)` is `vidnb budget --usd ...` at a prompt.

Errors and notices are written where the rule is, in Python's words, as most people read them in a notebook. Some of
them are kept with a job and read on another day by another program, so they are put into other words when they are
shown: here into commands, in `serve.advice` into what an agent or a program over HTTP can ask for.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Mapping, Sequence

Reword = Callable[[Sequence[str], Mapping[str, str]], str]
"""Makes other words of a call: its arguments in order and those by name, each as a person types it at a prompt."""

_CALL = re.compile(r"\bvidnb\.(\w+)\((?:'[^']*'|\"[^\"]*\"|[^()'\"])*\)(?:\.(?:params|df)\b)?")
RUN_AGAIN = "run the cell again"
_PHRASES = {
    '"send_again"': "--send-again", '"give_up"': "--give-up", 'remote_id="..."': "--remote-id ID",
    "accept_unknown_price=True": "--accept-unknown-price",
}  # fmt: skip
_worded: Callable[[str], str] = str


def worded(text: str) -> str:
    """Return a notice in the words of this process: those of commands where it is one."""
    return _worded(text)


def speak_in_commands() -> None:
    """Show every notice of this process in the words of commands, as `vidnb` does from its start."""
    global _worded
    _worded = as_commands


def as_commands(text: str) -> str:
    """Return a message in which calls that it advises are the commands that do the same.

    Args:
        text: of an error or a notice.
    """
    commands = reworded(text, COMMANDS)
    if commands != text or "accept_unknown_price" in text:  # a settle names its other choices after the call
        for argument, option in _PHRASES.items():
            commands = commands.replace(argument, option)
    return commands.replace(RUN_AGAIN, "run the command again")


def reworded(text: str, words: Mapping[str, Reword]) -> str:
    """Return a message with other words for the calls of vidnb in it; a verb that is not among the words stays.

    Args:
        text: of an error or a notice.
        words: by verb, what makes the other words.
    """

    def call(found: re.Match[str]) -> str:
        try:
            tree = ast.parse(found[0], mode="eval").body
        except (SyntaxError, ValueError):
            return found[0]
        tree = tree.value if isinstance(tree, ast.Attribute) else tree
        if found[1] not in words or not isinstance(tree, ast.Call):
            return found[0]
        named = {argument.arg or "": _word(argument.value) for argument in tree.keywords}
        return words[found[1]]([_word(argument) for argument in tree.args], named)

    return _CALL.sub(call, text)


def _word(argument: ast.expr) -> str:
    """Return an argument as it is typed at a prompt; `...` stays, for a person to fill in."""
    value = argument.value if isinstance(argument, ast.Constant) else ast.unparse(argument)
    return "..." if value is ... else shlex.quote(str(value))


def always(text: str) -> Reword:
    """Return what puts the same words in place of a call, whatever its arguments are."""
    return lambda given, named: text


def _budget(purse: Sequence[str], caps: Mapping[str, str]) -> str:
    options = (f"--{name} {'PROVIDER=...' if name == 'credits' else cap}" for name, cap in caps.items())
    return " ".join(["vidnb budget", *purse, *options])


def _settle(job_and_how: Sequence[str], named: Mapping[str, str]) -> str:
    how = (f"--{word.replace('_', '-')}" for word in job_and_how[1:])
    options = (f"--{name.replace('_', '-')} {value}" for name, value in named.items())
    return " ".join(["vidnb settle", *job_and_how[:1], *how, *options])


COMMANDS: Mapping[str, Reword] = {
    "budget": _budget,
    "settle": _settle,
    "wait": always("vidnb resume"),
    "resume": always("vidnb resume"),
    "reconcile": always("vidnb resume"),
    "stop_waiting": always("Ctrl-C"),
    "job": always("vidnb history"),
    "history": always("vidnb history"),
    "models": always("vidnb models"),
    "model": always("vidnb models ID"),
    "sweep": always("vidnb sweep"),
}
