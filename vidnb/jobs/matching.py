"""Whether an entry of a service's list can be a job of ours, by everything that the list tells.

A list may hold other people's work: a picture, or a clip of another model, made with the same words a minute before.
Everything that an entry tells must agree with the job; what it leaves out is ignored.
"""

from __future__ import annotations

import html
import unicodedata
from datetime import datetime, timedelta

from vidnb.records import Job, RemoteJob

SAME_CLOCK_S = 5.0
"""Seconds by which a listed time may miss the time of the submit, once the service's clock is known."""
CLOCKS_DIFFER_S = 120.0
"""The same where the service's clock is not known."""
LONGEST_SUBMIT_S = 330.0
"""A service that received a submit wrote the job down within this time."""


def unlike(job: Job, remote: RemoteJob) -> str:
    """Return how a listed job differs from ours, times aside, in a few words; "" where it does not differ."""
    if remote.tag:
        return "" if remote.tag == job.id else "it carries another job's tag"
    if remote.is_video is False:
        return "it is no video"
    if remote.prompt and _words(remote.prompt) != _words(job.prompt):
        return "its prompt is another one"
    if remote.models is not None and job.model not in remote.models:
        return "its model is another one"
    if remote.from_image is not None and remote.from_image != ("start_image" in job.images):
        return "its input is another one"
    told = {"seed": remote.seed, "width_px": remote.width_px, "height_px": remote.height_px, **remote.params}
    for name, value in told.items():
        asked = job.params.get(name)  # the seed is the one that was sent, drawn or not
        if value not in (None, "") and asked not in (None, "") and asked != value:
            return f"its {name} is another one"
    if told.get("negative_prompt") and not job.params.get("negative_prompt"):
        return "it has a negative prompt"
    return ""


def fits(job: Job, remote: RemoteJob, clock_ahead_s: float | None) -> bool:
    """Return whether an entry of the service's list can be our job.

    An entry with our job's id as its tag fits. An entry without a tag fits if it has the same prompt, if nothing else
    in it differs from our job, and if its time, where it has one, is about the time of our submit. An entry that has
    neither a tag nor a prompt may be anybody's job, so it does not fit a job that has a prompt.

    Args:
        job: whose submit got no reply.
        remote: the entry.
        clock_ahead_s: how far the service's clock is ahead of ours; None where that is not known.
    """
    if unlike(job, remote):
        return False
    same_words = _words(remote.prompt) == _words(job.prompt)
    return bool(remote.tag) or (same_words and _in_time(job, remote.created_at, clock_ahead_s))


def is_sure(job: Job, remote: RemoteJob, clock_ahead_s: float | None, lost_at: datetime | None = None) -> bool:
    """Return whether the entry's time, and its seed where we sent one, prove that our own submit made it.

    Somebody else's clip of the same words at the same minute differs in its seed. An entry that leaves it out may be
    theirs, so a person is asked: a question costs less than the wrong clip. Where the model takes no seed, the entry
    must have been made while our submit was on its way, and not in the minutes after it.

    Args:
        job: whose submit got no reply.
        remote: an entry that fits.
        clock_ahead_s: how far the service's clock is ahead of ours; None where that is not known.
        lost_at: when the submit was given up; None where that is not known.
    """
    if remote.tag:
        return True
    seeded = job.params.get("seed") is not None
    if remote.created_at is None or (remote.seed is None and seeded):
        return False
    ahead_s = 0.0 if clock_ahead_s is None else clock_ahead_s
    latest = timedelta(seconds=ahead_s + SAME_CLOCK_S)
    late = not seeded and lost_at is not None and remote.created_at > lost_at + latest
    return not late and _in_time(job, remote.created_at, ahead_s)


def _in_time(job: Job, created_at: datetime | None, clock_ahead_s: float | None) -> bool:
    if created_at is None:
        return True
    slack_s = CLOCKS_DIFFER_S if clock_ahead_s is None else SAME_CLOCK_S
    began = (job.submitted_at or job.created_at) + timedelta(seconds=clock_ahead_s or 0.0)
    early, late = began - timedelta(seconds=slack_s), began + timedelta(seconds=LONGEST_SUBMIT_S + slack_s)
    return early <= created_at <= late


def _words(prompt: str) -> list[str]:
    """Return the words of a prompt however it is stored: with composed or separate accents, escaped for a page."""
    return unicodedata.normalize("NFC", html.unescape(prompt)).split()
