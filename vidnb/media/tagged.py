"""A recipe inside an MP4: written into the file's metadata without touching a picture, and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidnb.errors import MediaError
from vidnb.media.containers import Source, opened_container
from vidnb.media.given import named

MARK = "vidnb-recipe"
MOST_BYTES = 200_000


def write(source: str | Path, target: str | Path, recipe: Mapping[str, Any]) -> None:
    """Copy an MP4 with a recipe in its metadata; pictures and sound stay the same bytes.

    Args:
        source: the file.
        target: where the copy goes.
        recipe: what JSON can hold.

    Raises:
        MediaError: it is no MP4 that can be copied.
    """
    import av

    try:
        with (
            opened_container(source) as given,
            av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as out,
        ):
            out.metadata["comment"] = text_of(recipe)
            streams = {}
            for stream in given.streams:
                if stream.type in ("video", "audio"):
                    streams[stream.index] = out.add_stream_from_template(stream)  # type: ignore[type-var]
            for packet in given.demux([stream for stream in given.streams if stream.index in streams]):
                if packet.dts is not None:
                    packet.stream = streams[packet.stream.index]
                    out.mux(packet)
    except av.FFmpegError as error:
        raise MediaError(f"{named(source)} cannot be copied with its recipe: {error.strerror or error}") from error


def text_of(recipe: Mapping[str, Any]) -> str:
    """A recipe as it stands in a file's comment."""
    return json.dumps({MARK: 1, **recipe}, ensure_ascii=True, allow_nan=False, default=str)


def read(path: Source) -> dict[str, Any] | None:
    """The recipe in a video (a path, or its bytes), or None where it has none that is vidnb's.

    What it says was written by whoever made the file: it is checked like anything that a person types.

    Raises:
        MediaError: it is no video.
    """
    with opened_container(path) as container:
        comment = str(container.metadata.get("comment") or "")
    text = comment.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # PyAV 19 keeps bytes that are no text
    if MARK not in text or len(text) > MOST_BYTES:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return (
        {name: value for name, value in found.items() if name != MARK}
        if isinstance(found, dict) and MARK in found
        else None
    )
