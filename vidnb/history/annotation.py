"""What a person may say of a clip: a rating, tags and a note, checked and cleaned before they are stored."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any

from vidnb.errors import ParamsError, Problem
from vidnb.records import KEEP, Keep, storable

RATINGS = range(1, 6)
MOST_TAGS = 50
TAG_LENGTH = 60
NOTE_LENGTH = 10_000


def checked(
    model: str, rating: int | Keep | None, tags: str | Iterable[str] | Keep | None, note: str | Keep | None
) -> dict[str, Any]:
    """The fields of a job to set; what no database takes is replaced in them, and what is KEEP is left out.

    Raises:
        ParamsError: with every problem.
    """
    problems: list[Problem] = []
    fields: dict[str, Any] = {}
    if rating is not KEEP:
        fields["rating"] = _rating(rating, problems)
    if tags is not KEEP:
        fields["tags"] = _tags(tags, problems)
    if note is not KEEP:
        fields["note"] = _note(note, problems)
    if problems:
        raise ParamsError(model, problems)
    return fields


def _rating(given: Any, problems: list[Problem]) -> int | None:
    if given is None:
        return None
    if not isinstance(given, Integral) or isinstance(given, bool) or given not in RATINGS:
        problems.append(Problem("rating", _brief(given), "allowed: 1, 2, 3, 4, 5, or None for no rating"))
        return None
    return int(given)


def _tags(given: Any, problems: list[Problem]) -> tuple[str, ...]:
    """The tags once each, in order; a comma parts two tags, as they are shown with commas between them."""
    given = () if given is None else given
    items = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    if not all(isinstance(item, str) for item in items):
        problems.append(Problem("tags", _brief(given), "allowed: texts, or one text with commas between the tags"))
        return ()
    parts = (" ".join(part.split()) for item in items for part in storable(item).split(","))
    tags = tuple(dict.fromkeys(part for part in parts if part))
    if len(tags) > MOST_TAGS:
        problems.append(Problem("tags", f"{len(tags)} tags", f"allowed: at most {MOST_TAGS}"))
    problems += [
        Problem("tags", f"{tag[:20]}…", f"allowed: at most {TAG_LENGTH} characters a tag", f"This has {len(tag)}")
        for tag in tags[:MOST_TAGS]
        if len(tag) > TAG_LENGTH
    ]
    return tags


def _note(given: Any, problems: list[Problem]) -> str:
    if not isinstance(given, str | None):
        problems.append(Problem("note", _brief(given), "allowed: text"))
        return ""
    note = storable(given or "")
    if len(note) > NOTE_LENGTH:
        told = f"{len(note):,} characters"
        problems.append(Problem("note", told, f"allowed: at most {NOTE_LENGTH:,} characters", "put the rest in a file"))
    return note


def _brief(value: Any) -> Any:
    """A value short enough for a message, whatever it is."""
    return value if isinstance(value, int | float) else f"<{type(value).__name__}>"
