"""Input pictures, videos and sounds: read, and checked against what the model's page says of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidnb.catalog import MEDIA_KINDS, Model, Param
from vidnb.errors import MediaError, Problem
from vidnb.params.values import brief
from vidnb.records import MediaFile, RemoteMedia

Media = MediaFile | RemoteMedia


def read_inputs(model: Model, given: Mapping[str, Any], problems: list[Problem]) -> dict[str, list[Media]]:
    """The input files by param name, read and checked against the model's limits."""
    found: dict[str, list[Media]] = {}
    for name, param in model.params.items():
        if param.kind not in MEDIA_KINDS or name not in given:
            continue
        value = given[name]
        items = list(value) if isinstance(value, list | tuple) else [value]
        limit = 1 if param.kind == "image" else param.max_items
        if limit is not None and len(items) > limit:
            problems.append(Problem(name, f"{len(items)} items", f"allowed: at most {limit}"))
        found[name] = [file for item in items if (file := _file(model, param, item, problems)) is not None]
    return found


def _file(model: Model, param: Param, item: Any, problems: list[Problem]) -> Media | None:
    from vidnb.media import pictures, recordings

    if isinstance(item, RemoteMedia):
        if item.provider != model.provider:
            problems.append(Problem(param.name, item, f"this input lies at {item.provider}, not at {model.provider}"))
        return item
    try:
        read = pictures.image_file if param.kind in ("image", "images") else recordings.media_file
        file: MediaFile = item if isinstance(item, MediaFile) else read(item)
    except (MediaError, OSError) as error:
        problems.append(Problem(param.name, brief(item), str(error)))
        return None
    problems += _limits(model, param, file)
    return file


def _limits(model: Model, param: Param, file: MediaFile) -> list[Problem]:
    """What the model's page says of input images."""
    limits, size = model.image_limits, len(file.content)
    if not limits or param.kind not in ("image", "images"):
        return []
    found = []
    if "types" in limits and file.extension not in limits["types"]:
        found.append(
            Problem(param.name, file.extension, f"allowed types: {', '.join(limits['types'])}", "convert it first")
        )
    if size > limits.get("max_bytes", size):
        found.append(
            Problem(param.name, f"{size:,} bytes", f"allowed: at most {limits['max_bytes']:,} bytes", "make it smaller")
        )
    if file.width_px and file.height_px:
        low, high = limits.get("min_side_px", 1), limits.get("max_side_px", 10**6)
        shape = f"{file.width_px}x{file.height_px}"
        if not (low <= min(file.width_px, file.height_px) and max(file.width_px, file.height_px) <= high):
            found.append(Problem(param.name, shape, f"allowed: sides of {low} to {high} pixels", "resize it"))
        ratio = file.width_px / file.height_px
        if not limits.get("min_aspect", 0) <= ratio <= limits.get("max_aspect", 10**6):
            found.append(
                Problem(
                    param.name,
                    shape,
                    f"allowed: width/height of {limits['min_aspect']} to {limits['max_aspect']}",
                    "crop it",
                )
            )
    return found


def identity(item: Media) -> dict[str, str]:
    """What the recipe says of an input: its content's hash, or where it lies at the provider."""
    if isinstance(item, RemoteMedia):
        return {"provider": item.provider, "id": item.id, "kind": item.kind}
    return {"sha256": item.sha256, "extension": item.extension}
