"""The inputs of a 1min request: a storage path or an address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidnb.emulator.core import Core
from vidnb.emulator.inputs import SAMPLE_INPUTS, InputError, sample
from vidnb.emulator.state import EmulatedFile


async def input_of(core: Core, account: str, path: Any, limits: Mapping[str, Any]) -> dict[str, Any]:
    """What a 1min request means by a storage path or an address; `limits` are the catalogue's for the model.

    Raises:
        InputError: nothing lies under the path, or no picture, or one that the model does not take.
    """
    if path in SAMPLE_INPUTS or (isinstance(path, str) and path.startswith("https://")):
        return await sample(core, str(path))
    file: EmulatedFile | None = core.state.file_of_key(path) if isinstance(path, str) else None
    if file is None or file.account != account or file.sha256 is None or file.width_px is None:
        raise InputError(f"Unable to load the image {str(path)[:200]!r}")
    _within(limits, file)
    return {"sha256": file.sha256}


def _within(limits: Mapping[str, Any], file: EmulatedFile) -> None:
    sides = (file.width_px or 1, file.height_px or 1)
    extension = "jpg" if file.extension == "jpeg" else file.extension
    if "types" in limits and extension not in limits["types"]:
        raise InputError(f"The image must be one of: {', '.join(limits['types'])}")
    if min(sides) < limits.get("min_side_px", 1) or max(sides) > limits.get("max_side_px", max(sides)):
        raise InputError(f"The image's sides must be {limits.get('min_side_px')} to {limits.get('max_side_px')} px")
    if not limits.get("min_aspect", 0) <= sides[0] / sides[1] <= limits.get("max_aspect", sides[0]):
        raise InputError("The image's aspect ratio is out of range")
