"""What a page says to a form, without a page: edits, files, Ctrl-Enter."""

from __future__ import annotations

from itertools import count
from typing import Any

from vidnb.widgets import Form

_edits = count(1)


def edit(form: Form, field: str, wire: Any, number: int | None = None) -> None:
    """A person gives a field this value."""
    say(form, "edit", edits={field: [form._given[field][0] if number is None else number, wire]})


def submit(form: Form, **edits: Any) -> None:
    """A person presses Ctrl-Enter; these edits had not been sent yet."""
    say(form, "submit", edits={field: [form._given[field][0], wire] for field, wire in edits.items()})


def seen_in(form: Form) -> dict[str, Any]:
    """What a click says where the page shows the form as it is, and knows it to be so."""
    shown = {field: list(entry[:2]) for field, entry in form._given.items()}
    return {"edits": {}, "models": [form.model.id], "shown": shown}


def upload(form: Form, field: str, name: str, content: bytes, *, pieces: int = 1) -> None:
    """A person drops a file."""
    key, size = f"key-{next(_edits)}", -(-len(content) // pieces)
    for index in range(pieces):
        piece = content[index * size : (index + 1) * size]
        say(form, "file", [piece], key=key, name=name, index=index, count=pieces)
    edit(form, field, [*(wire_of(form, field) or []), {"key": key, "name": name}])


def say(form: Form, kind: str, buffers: list[bytes] | None = None, **content: Any) -> None:
    """A message of the page arrives."""
    message = {"kind": kind, "edit": f"page:{next(_edits)}", **content}
    form._handle_custom_msg(message, [memoryview(buffer) for buffer in buffers or []])


def wire_of(form: Form, field: str) -> Any:
    """What the page holds for a field."""
    return form._given[field][1]


def spec_of(form: Form, field: str) -> dict[str, Any]:
    """What the page knows of a field."""
    return next(spec for spec in form._spec["fields"] if spec["name"] == field)


def mark_of(form: Form, field: str) -> str:
    """What stands below a field; "" for nothing."""
    return str(form._marks.get(field, {}).get("text", ""))
