"""What vidnb advises, as one types it at a prompt: `vidnb.budget(usd=...)` is `vidnb budget --usd ...` there.

Errors and notices are written where the rule is, in Python's words, as most people read them in a notebook. Some of
them are kept with a job and read on another day by another program, so they are put into commands when they are shown.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

_CALL = re.compile(r"\bvidnb\.(\w+)\(([^()]*)\)")
_OPTIONS = {
    '"send_again"': "--send-again", '"give_up"': "--give-up", 'remote_id="..."': "--remote-id ID",
    "accept_unknown_price=True": "--accept-unknown-price",
}  # fmt: skip


def as_commands(text: str) -> str:
    """Return a message in which calls that it advises are the commands that do the same.

    Args:
        text: of an error or a notice.
    """
    commands = _CALL.sub(_command, text)
    if commands != text or "accept_unknown_price" in text:  # a settle names its other choices after the call
        for argument, option in _OPTIONS.items():
            commands = commands.replace(argument, option)
    return commands


def _command(call: re.Match[str]) -> str:
    verb, arguments = call[1], [part.strip() for part in call[2].split(",") if part.strip()]
    make = _COMMANDS.get(verb)
    return call[0] if make is None else make(arguments)


def _budget(arguments: list[str]) -> str:
    words = ["vidnb budget"]
    for argument in arguments:
        name, equals, value = argument.partition("=")
        value = "PROVIDER=..." if name == "credits" else value
        words.append(f"--{name} {value}" if equals else shlex.quote(argument.strip("'\"")))
    return " ".join(words)


def _settle(arguments: list[str]) -> str:
    job, *how = arguments
    return " ".join(["vidnb settle", job.strip("'\""), *how])


_COMMANDS: dict[str, Callable[[list[str]], str]] = {
    "budget": _budget,
    "settle": _settle,
    "wait": lambda arguments: "vidnb resume",
    "resume": lambda arguments: "vidnb resume",
    "reconcile": lambda arguments: "vidnb resume",
    "stop_waiting": lambda arguments: "Ctrl-C",
    "job": lambda arguments: "vidnb history",
    "history": lambda arguments: "vidnb history",
    "models": lambda arguments: "vidnb models",
    "model": lambda arguments: "vidnb models ID",
    "sweep": lambda arguments: "vidnb sweep",
}
