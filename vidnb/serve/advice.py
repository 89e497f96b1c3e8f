"""What a message advises, as what an agent, a skill's script or a program over HTTP can ask for.

None of them can change a cap or decide what became of a lost submit: for that a message names the command that a
person types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vidnb.advice import COMMANDS, RUN_AGAIN, Reword, always, as_commands, reworded

_PERSON = "accept_unknown_price=True", "the command vidnb generate --accept-unknown-price, which a person types"


def for_agents(text: str) -> str:
    """Return a message that advises tools of the MCP server, and commands where only a person can help.

    Args:
        text: of an error, or of what is kept with a job.
    """
    return _for_programs(text, _TOOLS)


def for_http(text: str) -> str:
    """Return a message that advises requests to the REST server, and commands where only a person can help.

    Args:
        text: of an error, or of what is kept with a job.
    """
    return _for_programs(text, _REQUESTS)


def for_questions(text: str) -> str:
    """Return a message that advises questions of the Agent Skill's script, and commands where only a person can help.

    Args:
        text: of an error, or of what is kept with a job.
    """
    return _for_programs(text, _QUESTIONS)


def _for_programs(text: str, words: Mapping[str, Reword]) -> str:
    text = text.replace(*_PERSON).replace(RUN_AGAIN, "ask for a new quote")
    return as_commands(reworded(text, {**_FOR_ALL, **words}))


def _typed(command: Reword) -> Reword:
    return lambda given, named: f"a person types: {command(given, named)}"


def _of_job(start: str, end: str) -> Reword:
    """Return what names the job of a call between two texts."""

    def words(given: Sequence[str], named: Mapping[str, str]) -> str:
        return f"{start}{given[0] if given else 'ID'}{end}"

    return words


_FOR_ALL: Mapping[str, Reword] = {
    "budget": _typed(COMMANDS["budget"]),
    "settle": _typed(COMMANDS["settle"]),
    "stop_waiting": always("asking no more"),
    "sweep": always("one quote for each"),
}
_TOOLS: Mapping[str, Reword] = {
    "wait": _of_job('wait(job="', '")'),
    "resume": always("wait(job)"),
    "reconcile": always("reconcile()"),
    "job": _of_job('status(jobs=["', '"])'),
    "history": always("history()"),
    "models": always("list_models()"),
    "model": always("describe_model(model)"),
}
_QUESTIONS: Mapping[str, Reword] = {
    "wait": _of_job('{"do": "wait", "job": "', '"}'),
    "resume": always('{"do": "status"}'),
    "reconcile": always('{"do": "reconcile"}'),
    "job": _of_job('{"do": "status", "jobs": ["', '"]}'),
    "history": always('{"do": "history"}'),
    "models": always('{"do": "models"}'),
    "model": always('{"do": "model", "model": ID}'),
}
_REQUESTS: Mapping[str, Reword] = {
    "wait": _of_job("GET /jobs/", "?wait_s=25"),
    "resume": always("GET /jobs/ID?wait_s=25"),
    "reconcile": always("POST /reconcile"),
    "job": _of_job("GET /jobs/", ""),
    "history": always("GET /jobs"),
    "models": always("GET /models"),
    "model": always("GET /models/ID"),
}
