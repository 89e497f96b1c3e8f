"""Names as a person reads them: models by their titles, params and states in words, never a name from code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidnb import catalog
from vidnb.catalog import words
from vidnb.display.page import Html, tag
from vidnb.errors import ConfigError
from vidnb.records import Job, State

STATES: Mapping[State, str] = {
    State.INTENDED: "not sent yet",
    State.SUBMITTING: "being sent",
    State.QUEUED: "queued",
    State.RUNNING: "running",
    State.DOWNLOADING: "downloading",
    State.DONE: "done",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
    State.AMBIGUOUS: "reply lost",
}
WINNER = "winner"
"""The tag of a clip that was picked; `vidnb.history(tag="winner")` finds all of them."""
INPUTS = {"start_image": "picture", "end_image": "picture", "reference_images": "picture", "reference_videos": "video"}


def state(job: Job) -> str:
    """Return a job's state in words: "not sent yet", "running"."""
    return STATES[job.state]


def model_title(model_id: str) -> str:
    """Return a model's title, told apart from others of that title; its id where the catalogue does not know it."""
    try:
        models = catalog.load()
        return models.titles[models[model_id].id]
    except (
        ConfigError,
        KeyError,
    ):  # a broken file in VIDNB_CATALOG, or the plug-in is gone
        return model_id


def model_html(model_id: str) -> Html:
    """Return a model's title, with its id, which code needs, as a tooltip."""
    return tag("span", model_title(model_id), title=model_id)


def param(name: str) -> str:
    """Return a param's name in words: "motion strength"."""
    return words.param(name)


def inputs(name: str, items: Any) -> str:
    """Return what was given as an input: "1 picture", "2 videos"."""
    count, thing = len(items), INPUTS.get(name, "file")
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def many(count: int, word: str) -> str:
    """Return a number with its word: "1 job", "1,200 jobs"."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
