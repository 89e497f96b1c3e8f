"""The inputs of a prediction: an uploaded file's address, any https address, or a `data:` URI of at most 256 kB."""

from __future__ import annotations

import re
from typing import Any

from vidnb.catalog import Param
from vidnb.emulator.core import Core
from vidnb.emulator.inputs import InputError, decoded, keep, sample

_FILE = re.compile(r"/v1/files/([a-z0-9]+)(?:/download)?$")
_DATA = re.compile(r"data:([\w.+/-]*)(?:;[\w=-]+)*;base64,", re.IGNORECASE)
MOST_INLINE = 256 * 1024


async def input_of(core: Core, account: str, param: Param, link: Any, life_s: float) -> dict[str, Any]:
    """Return what an input field means.

    Raises:
        InputError: it is no address, its file is not there any more, or a `data:` URI is too long.
    """
    if not isinstance(link, str):
        raise InputError("must be a valid URI")
    if match := _FILE.search(link.partition("?")[0]):
        file = core.state.file(match[1])
        if file is None or file.sha256 is None or file.account != account:
            raise InputError("the file could not be found")
        if core.now() > file.created_at + life_s:
            raise InputError("the file has expired")
        if param.kind in ("image", "images") and file.width_px is None:
            raise InputError("cannot identify image file")
        return {"sha256": file.sha256}
    if match := _DATA.match(link):
        content = decoded(link[match.end() :])
        if len(content) > MOST_INLINE:
            raise InputError("data URIs may hold at most 256 kB; upload larger files")
        return await keep(core, content)
    if link.startswith("https://"):
        return await sample(core, link)
    raise InputError("must be a valid URI")
