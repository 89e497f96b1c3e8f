"""The inputs of a Leonardo request: uploaded, generated there, behind an address, or within the request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidnb.emulator.core import Core
from vidnb.emulator.inputs import SAMPLE_INPUTS, InputError, decoded, keep, sample


async def input_of(core: Core, account: str, source: Mapping[str, Any], kind: str = "image") -> dict[str, Any]:
    """What a Leonardo request means by `{"id", "type"}` (or URL, BASE64) in a guidance of that kind.

    Raises:
        InputError: there is nothing, or it is of another kind than the request says.
    """
    how, identifier = source.get("type"), source.get("id")
    if identifier in SAMPLE_INPUTS:
        return await sample(core, str(identifier))
    if how == "URL":
        return await _from_url(core, source.get("url"))
    if how == "BASE64":
        return await keep(core, decoded(source.get("data")))
    if not isinstance(identifier, str):
        raise InputError("id is required")
    if core.state.job(identifier):
        raise InputError("Service Error")  # the id of a generation where that of its picture belongs
    if how in ("GENERATED", "GENERATION"):
        return _generated(core, account, identifier)
    if how in ("UPLOADED", "INIT"):
        return _uploaded(core, account, identifier, kind)
    raise InputError("failed to find init variation")


def _generated(core: Core, account: str, identifier: str) -> dict[str, Any]:
    job = core.state.job_of_asset(identifier)
    if job is None or job.account != account or job.outcome != "done" or not job.is_over(core.now()):
        raise InputError("couldn't access image")
    return {"job": job.id, "clip": f"{job.scene_key}:{job.seed}"}


def _uploaded(core: Core, account: str, identifier: str, kind: str) -> dict[str, Any]:
    file = core.state.file(identifier)
    wanted = "init" if kind == "image" else "media"
    if file is None or file.account != account or file.kind != wanted:
        raise InputError("invalid init image id" if kind == "image" else f"couldn't access {kind}")
    if file.sha256 is None or (kind == "image" and file.width_px is None):
        raise InputError("couldn't access image")
    return {"sha256": file.sha256}


async def _from_url(core: Core, url: Any) -> dict[str, Any]:
    """A data URL is read; the emulator never goes to the network, so any other address stands for a drawn picture."""
    if isinstance(url, str) and url.startswith("data:"):
        return await keep(core, decoded(url.partition(",")[2]))
    if isinstance(url, str) and url.startswith("https://"):
        return await sample(core, url)
    raise InputError("url must be an https address or a data URL")
