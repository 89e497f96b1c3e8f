"""What vidnb advises, as one types it at a prompt: `vidnb.budget(usd=...)` is `vidnb budget --usd ...` there.

Errors and notices are written where the rule is, in Python's words, as most people read them in a notebook. Some of
them are kept with a job and read on another day by another program, so they are put into commands when they are shown.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Mapping, Sequence

_CALL = re.compile(r"\bvidnb\.(\w+)\((?:'[^']*'|\"[^\"]*\"|[^()'\"])*\)")
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
    verb, text = call[1], call[0]
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return text
    if verb in _WITH_ARGUMENTS and isinstance(tree, ast.Call):
        named = {argument.arg or "": _word(argument.value) for argument in tree.keywords}
        return " ".join([f"vidnb {verb}", *_WITH_ARGUMENTS[verb]([_word(argument) for argument in tree.args], named)])
    return _ALONE.get(verb, text)


def _word(argument: ast.expr) -> str:
    """Return an argument as it is typed at a prompt; `...` stays, for a person to fill in."""
    value = argument.value if isinstance(argument, ast.Constant) else ast.unparse(argument)
    return "..." if value is ... else shlex.quote(str(value))


def _budget(purse: Sequence[str], caps: Mapping[str, str]) -> list[str]:
    return [*purse, *(f"--{name} {'PROVIDER=...' if name == 'credits' else cap}" for name, cap in caps.items())]


def _settle(job_and_how: Sequence[str], named: Mapping[str, str]) -> list[str]:
    how = (f"--{word.replace('_', '-')}" for word in job_and_how[1:])
    return [*job_and_how[:1], *how, *(f"--{name.replace('_', '-')} {value}" for name, value in named.items())]


_WITH_ARGUMENTS: Mapping[str, Callable[[Sequence[str], Mapping[str, str]], list[str]]] = {
    "budget": _budget,
    "settle": _settle,
}
_ALONE = {
    "wait": "vidnb resume",
    "resume": "vidnb resume",
    "reconcile": "vidnb resume",
    "stop_waiting": "Ctrl-C",
    "job": "vidnb history",
    "history": "vidnb history",
    "models": "vidnb models",
    "model": "vidnb models ID",
    "sweep": "vidnb sweep",
}
