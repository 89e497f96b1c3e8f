"""The newest jobs as a list with small posters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vidnb.display import labels
from vidnb.display.cards import COLOURS, elapsed_s, settle_words
from vidnb.display.clips import THUMB_PX, cost_words, shown_params, thumbnail_html
from vidnb.display.page import (
    BLUE,
    GREY,
    LINE,
    MUTED,
    SMALL,
    Html,
    block,
    dot,
    dotted,
    join,
    minute,
    mono,
    origin,
    seconds,
    shortened,
    tag,
)
from vidnb.records import Job, State

if TYPE_CHECKING:
    from vidnb.clip import Clip

ROWS_SHOWN = 20


def history_html(items: Sequence[Clip | Job], count: int, *, more_exist: bool = False) -> str:
    """The first items, newest first, with their posters, and a line that says how many there are.

    Args:
        items: those to show; only the first 20 are.
        count: how many the history holds.
        more_exist: whether it was cut at its limit.
    """
    if not items:
        return block("No jobs yet.", style=MUTED)
    shown = items[:ROWS_SHOWN]
    said = f"{count:,} job{'s' if count != 1 else ''}" + (
        " or more (history(limit=None) has all)" if more_exist else ""
    )
    left = f"the newest {len(shown)} of them here, all in vidnb.history().df" if count > len(shown) else None
    return block(dotted(said, left), *map(job_line, shown), style="max-width:860px;margin:2px 0 10px")


def job_line(item: Clip | Job) -> Html:
    """One clip or job in a line: its poster or state, its prompt, and what was asked and came of it."""
    job = item if isinstance(item, Job) else item.job
    picture = None if isinstance(item, Job) else thumbnail_html(item)
    box = f"padding:14px 2px;text-align:center;background:{GREY};border-radius:3px;{SMALL}"
    empty = tag("div", dot(COLOURS.get(job.state, BLUE)), " ", labels.state(job), style=box)
    text = tag("div", _title(job), _facts(job), style="flex:1 1 150px;min-width:0")
    left = tag("div", picture or empty, style=f"flex:0 0 {THUMB_PX}px;overflow:hidden")
    return tag("div", left, text, style=f"display:flex;gap:4px 12px;padding:8px 0;border-top:{LINE}")


def _title(job: Job) -> Html:
    said = shortened(job.prompt, 140) or "no prompt"
    return tag("div", said, dir="auto", style=None if job.prompt else MUTED)


def _facts(job: Job) -> Html:
    params = [join([name, " ", mono(value)]) for name, value in shown_params(job)[:4]]
    error = shortened(str(job.error.get("message", "")), 100) if job.error else None
    quiet = dotted(*params, error)
    ends = dotted(
        f"took {seconds(elapsed_s(job))}" if job.is_terminal else None,
        cost_words(job),
        minute(job.created_at),
        join(["job ", mono(job.id[:8])]),
    )
    mark = origin(job.marks)
    step = dotted(settle_words(job)) if job.state is State.AMBIGUOUS else None
    said = dotted(f"rated {job.rating} of 5" if job.rating else None, *job.tags[:8], shortened(job.note, 100) or None)
    return join([tag("div", labels.model_html(job.model), " ", mark, style="margin:1px 0"), quiet, step, said, ends])
