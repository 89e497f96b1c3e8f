"""How a clip is handed out: the file, or one of the faults that a download can meet; and what signs links."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from pathlib import Path

from starlette.responses import FileResponse, Response

from vidnb.emulator.ask import Ask
from vidnb.emulator.core import Core
from vidnb.emulator.replies import CutShort, s3_error, slow_file
from vidnb.emulator.state import EmulatedJob

MP4, JPEG = "video/mp4", "image/jpeg"
DEFAULT_SLOW_S = 2.0


async def deliver(ask: Ask, job: EmulatedJob, *, poster: bool = False) -> Response:
    """Return the job's clip or its poster."""
    if ask.fault("not_found_first"):
        return s3_error(404, "NoSuchKey", "The specified key does not exist.")
    if ask.fault("expired_link"):
        return s3_error(403, "AccessDenied", "Request has expired")
    kind = JPEG if poster else MP4
    if ask.fault("empty_download"):
        return Response(b"", media_type=kind)
    footage = ask.core.footage
    path: Path = await asyncio.to_thread(footage.poster if poster else footage.clip, job)
    if ask.fault("cut_download"):
        return CutShort(path.read_bytes(), media_type=kind)
    if slow := ask.fault("slow_download"):
        return slow_file(path, seconds=slow.seconds or DEFAULT_SLOW_S, media_type=kind)
    response = FileResponse(path, media_type=kind, stat_result=path.stat())
    if ask.request.method == "HEAD" or "range" in ask.request.headers:
        return response
    # Read at once: a file response reads in threads that it starts, which an ending interpreter does not allow.
    return Response(await asyncio.to_thread(path.read_bytes), headers=dict(response.headers))


def signature(core: Core, *parts: str) -> str:
    """What proves that a link or a form came from this emulator."""
    return hmac.new(core.secret, "\n".join(parts).encode(), hashlib.sha256).hexdigest()
