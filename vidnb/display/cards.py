"""Jobs, their errors and notices as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Literal

from vidnb import catalog
from vidnb.display import labels
from vidnb.display.clips import shown_params
from vidnb.display.page import (
    AMBER,
    BLUE,
    GREEN,
    MUTED,
    PLAIN,
    RED,
    ROW,
    SMALL,
    Content,
    Html,
    block,
    card,
    chip,
    dot,
    dotted,
    facts,
    join,
    mono,
    origin,
    seconds,
    shortened,
    table,
    tag,
)
from vidnb.records import Job, State

COLOURS: Mapping[State, str] = {
    State.DONE: GREEN,
    State.FAILED: RED,
    State.CANCELLED: PLAIN,
    State.AMBIGUOUS: AMBER,
}
ROWS_SHOWN = 50

# -- errors ------------------------------------------------------------------------------------------------------------

FAULTS: Mapping[str, tuple[str, str, str]] = {
    "key": ("The service did not accept the key", "the key in this environment; the request itself may be fine",
            "once the key is right"),
    "credit": ("The account has no credit left", "the account's balance; the request itself may be fine",
               "once the account has credit"),
    "rate": ("Too many requests", "the pace; the request itself may be fine", "yes, in a minute"),
    "moderation": ("The service refused the content", "the prompt or a picture, as the service sees it",
                   "no: the same content would be refused again"),
    "passing": ("The service failed for a moment", "the service; it says that this passes", "yes, in a while"),
    "gone": ("The clip was made and is deleted", "time: the service keeps what it made for a while only",
             "yes; it is made anew, and paid again"),
    "refused": ("The service refused the request", "the request", "no: the same request would be refused again"),
    "service": ("The service failed", "the service; the request passed every known check", "yes, it may go through"),
}  # fmt: skip
"""Kind of a job's error -> headline, whose fault it is, and whether to send the same again."""

MODERATION = re.compile(r"moderat|nsfw|content polic|safety|inappropriate|blocked", re.IGNORECASE)


@dataclass(frozen=True)
class Ending:
    """The words for a job that ended without a clip, shared by the HTML card and the live one."""

    headline: str
    tone: Literal["bad", "warn", "plain"]
    facts: tuple[tuple[str, str], ...]
    """Name and what is said of it: what the service said, whose fault, which input, charged or not, what to do."""


EDGES: Mapping[str, str] = {"bad": RED, "warn": AMBER, "plain": PLAIN}


def ending(job: Job) -> Ending:
    """What happened to a job without a clip, whose fault it is, which input, charged or not, what to do next."""
    told = job.error or {}
    message = shortened(str(told.get("message", "")), 400)
    if job.state is State.AMBIGUOUS and job.remote_id is not None:
        pairs = [
            ("Known", message),
            ("At fault", "the service, as far as anyone can tell"),
            ("Charged", "no, it is emulated" if job.emulated else "most likely, so it was not sent a second time"),
        ]
        return Ending("The service has this job, and no clip can be found", "warn", tuple(pairs))
    if job.state is State.AMBIGUOUS:
        pairs = [
            ("Known", message or "the request was sent, and the answer was lost"),
            ("At fault", "the connection, or a process that ended too early"),
            ("Charged", "no, it is emulated" if job.emulated else "nobody knows yet, so it was not sent a second time"),
        ]
        return Ending("Nobody knows whether the service has this job", "warn", tuple(pairs))
    if job.state is State.CANCELLED:
        return Ending("Cancelled", "plain", (("Charged", _charged(job)), ("What to do", _AGAIN)))
    headline, fault, again = FAULTS.get(str(told.get("kind")), FAULTS["service"])
    said = [
        ("It said", message),
        ("At fault", fault),
        ("Input", _input_words(job, told)),
        ("Charged", _charged(job)),
        ("Try again", again),
        ("What to do", str(told.get("advice") or _advice(told.get("kind")))),
    ]
    return Ending(headline, "bad", tuple((name, words) for name, words in said if words))


def retry_is_sensible(job: Job) -> bool:
    """Return whether sending the same request again can succeed. A request refused for its content cannot."""
    return (job.error or {}).get("kind") not in ("refused", "moderation")


def error_html(job: Job) -> str:
    """A card for a job without a clip: what happened, whose fault, which input, charged or not, what to do next."""
    end = ending(job)
    pairs: list[tuple[Content, Content]] = [
        (name, tag("span", words, dir="auto") if name == "It said" else words) for name, words in end.facts
    ]
    if job.state is State.AMBIGUOUS:
        pairs.append(("What to do", _settle_steps(job)))
    return card(EDGES[end.tone], _head(end.headline, job), facts(pairs), _job_line(job))


def _advice(kind: object) -> str:
    if kind == "refused":
        return "change the prompt, input or value that it names, then run the cell again"
    return "run the cell again, or try another model"


_AGAIN = "run the cell again: a cancelled job leaves its take free"


def _settle_steps(job: Job) -> Html:
    if job.emulated or job.remote_id is not None:
        return settle_words(job)
    look = join([mono(f"vidnb.reconcile({job.id[:8]!r})"), " looks in the service's own list, where it has one"])
    return join([look, join(["then ", settle_words(job)])], tag("br"))


def settle_words(job: Job) -> Html:
    """How a person decides what becomes of an ambiguous job."""
    if job.remote_id is not None:
        look = join([mono(f"vidnb.wait({job.id[:8]!r})"), " asks the service once more"])
        end = join([mono(f'vidnb.settle({job.id[:8]!r}, "give_up")'), " ends the job"])
        return join([look, end], tag("br"))
    again = mono(f'vidnb.settle({job.id[:8]!r}, "send_again")')
    if job.emulated:
        return join([again, " costs nothing: the job is emulated"])
    return join(["look in the web app, and ", again, " or ", mono('"give_up"')])


def _head(headline: str, job: Job) -> Html:
    mark = origin(job.marks)
    return tag(
        "div", tag("span", headline, style="font-weight:600;font-size:14px"), mark, style=f"{ROW};margin:0 0 4px"
    )


def _job_line(job: Job) -> Html:
    chips = (chip(name, value) for name, value in shown_params(job)[:12])
    prompt = (
        tag("div", shortened(job.prompt, 160), dir="auto", style=f"margin:6px 0 2px;{MUTED}") if job.prompt else None
    )
    marks = tag(
        "div",
        labels.model_html(job.model),
        *chips,
        tag("span", "job ", mono(job.id[:8]), style=f"{SMALL};{MUTED}"),
        style=ROW,
    )
    return join([prompt, marks])


def _charged(job: Job) -> str:
    charged = (job.error or {}).get("charged")
    cost = f" {job.cost}" if charged and job.cost else ""
    if job.emulated:
        real = {True: f": the real service would have charged{cost}", False: ": neither would the real service"}
        return "no, it is emulated" + (real[charged] if isinstance(charged, bool) else "")
    if not isinstance(charged, bool):
        return "not known; the account's usage page tells"
    return f"yes{cost}" if charged else "no"


def _input_words(job: Job, told: Mapping[str, Any]) -> str | None:
    """Which input the service meant, as far as its words tell; None where it was no input's fault."""
    if told.get("field"):
        return labels.param(str(told["field"]))
    message = str(told.get("message", ""))
    named = list(_named(job, message))
    if named:
        return ", ".join(map(labels.param, named))
    if MODERATION.search(message):
        pictures = ", ".join(map(labels.param, job.images))
        return f"the prompt or {pictures}: the service does not say which" if pictures else "prompt"
    return "the service does not say which" if told.get("kind") == "refused" else None


def _named(job: Job, message: str) -> Iterator[str]:
    """The params that a message names, by vidnb's or the service's spelling."""
    model = catalog.load().get(job.model)
    for name, param in (model.params if model else {}).items():
        words = {name, param.wire or name}
        if (name in job.params or name in job.images) and any(
            re.search(rf"\b{re.escape(word)}\b", message) for word in words
        ):
            yield name


# -- jobs --------------------------------------------------------------------------------------------------------------


def elapsed_s(job: Job) -> float:
    """Seconds from the intent to the end, or until now."""
    return max(0.0, ((job.done_at or datetime.now(UTC)) - job.created_at).total_seconds())


def state_html(job: Job) -> Html:
    """The state with a dot in its colour."""
    word = wire_word(job)
    said = f"{labels.state(job)} ({word})" if word else labels.state(job)
    return tag("span", dot(COLOURS.get(job.state, BLUE)), " ", shortened(said, 60), style="white-space:nowrap")


def wire_word(job: Job) -> str:
    """The service's own word for the state where it adds something, else ""."""
    return shortened(job.wire_status or "", 60) if _worth_saying(job) else ""


def _worth_saying(job: Job) -> bool:
    """Whether the service's own word adds something: one that vidnb does not know, or a lost connection."""
    known = {
        "",
        "pending",
        "complete",
        "completed",
        "success",
        "failed",
        "processing",
        "queued",
        "running",
        str(job.state),
    }
    return not job.is_terminal and (job.wire_status or "").casefold() not in known


def job_html(job: Job) -> str:
    """One job in a line or two: state, elapsed time, model, prompt."""
    marks = tag(
        "div",
        tag("span", state_html(job), style="font-weight:600"),
        seconds(elapsed_s(job)),
        origin(job.marks),
        labels.model_html(job.model),
        tag("span", "job ", mono(job.id[:8]), style=MUTED),
        style=f"{ROW};{SMALL};gap:4px 10px",
    )
    prompt = tag("div", shortened(job.prompt, 160), dir="auto", style="margin:2px 0 0") if job.prompt else None
    return block(marks, prompt, style="max-width:720px;margin:2px 0 6px")


def jobs_html(jobs: Sequence[Job]) -> str:
    """A table of jobs in the order given, and a line for those that are left out."""
    if not jobs:
        return block("No jobs.", style=MUTED)
    counts = groupby(sorted(job.state for job in jobs))
    summary = dotted(
        *(f"{len(list(group))} {labels.STATES[state]}" for state, group in counts),
        style=f"{SMALL};{MUTED};margin:0 0 4px",
    )
    rows = ([state_html(job), *_cells(job)] for job in jobs[:ROWS_SHOWN])
    left = f"and {len(jobs) - ROWS_SHOWN:,} more" if len(jobs) > ROWS_SHOWN else None
    head = ("state", "job", "model", "prompt", "time", "cost")
    return block(summary, table(head, rows), dotted(left), style="margin:2px 0 8px")


def _cells(job: Job) -> list[Content]:
    model = tag(
        "span",
        labels.model_html(job.model),
        " ",
        origin(job.marks),
        style="white-space:nowrap",
    )
    step = tag("div", settle_words(job), style=MUTED) if job.state is State.AMBIGUOUS else None
    prompt = tag("div", tag("div", shortened(job.prompt, 90), dir="auto"), step, style="min-width:160px")
    spent = tag("span", seconds(elapsed_s(job)), style="white-space:nowrap")
    return [mono(job.id[:8]), model, prompt, spent, _cost(job)]


def _cost(job: Job) -> Html | None:
    """The cost in a cell; one that nobody pays is grey and says so."""
    if job.cost is None:
        return None
    if job.emulated:
        title = "emulated: not charged, and the amount is made up"
        return tag("span", f"{job.cost} (emulated)", style=f"white-space:nowrap;{MUTED}", title=title)
    return tag("span", str(job.cost), style="white-space:nowrap")


def progress_html(job: Job, elapsed: float) -> str:
    """A job under way: state, elapsed time, model and prompt beside a bar that moves by itself."""
    bar = tag("progress", style="width:90px;max-width:100%")
    facts_ = (labels.model_html(job.model), tag("span", "job ", mono(job.id[:8]), style=MUTED))
    state = tag("span", state_html(job), style="font-weight:600")
    head = tag("div", bar, state, f"{int(elapsed)} s", *facts_, style=f"{ROW};gap:4px 10px;align-items:center;{SMALL}")
    prompt = tag("div", shortened(job.prompt, 100), dir="auto", style=f"{SMALL};{MUTED}") if job.prompt else None
    return block(head, prompt, style="max-width:720px;margin:2px 0 6px")


def notice_html(text: str) -> str:
    """A quiet line that a person should see once."""
    return card(BLUE, tag("div", text, style=SMALL))
