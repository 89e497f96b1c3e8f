"""Leonardo's hosts beside its API: the presigned upload target and the CDN, neither of which wants a key.

The upload target speaks S3's form POST: fields first, part `file` last, no Authorization header, within two minutes.
The CDN serves for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from starlette.datastructures import UploadFile
from starlette.responses import Response

from vidnb.emulator.ask import Ask, Path
from vidnb.emulator.core import Core
from vidnb.emulator.delivery import deliver, signature
from vidnb.emulator.leonardo.records import CDN_PATH
from vidnb.emulator.replies import s3_error
from vidnb.emulator.scenes import image_size
from vidnb.emulator.state import EmulatedFile

UPLOAD_PATH = "/s3/leonardo-uploads"
SIGNATURES = {
    "png": b"\x89PNG", "jpg": b"\xff\xd8", "jpeg": b"\xff\xd8", "webp": b"RIFF", "mp4": b"ftyp", "mov": b"ftyp",
    "mp3": b"", "wav": b"RIFF",
}  # fmt: skip


@dataclass
class Hosts:
    """The upload target and the CDN.

    Args:
        core: what the service stands on.
        upload_window_s: how long an upload form is good.
    """

    core: Core
    upload_window_s: float

    def paths(self) -> Sequence[Path]:
        """Return their routes."""
        return [
            Path("POST", UPLOAD_PATH, "bytes", self.receive, host="upload"),
            Path("GET", CDN_PATH + "/users/{user}/generations/{id}/{name:path}", "download", self.cdn, host="cdn"),
            Path("GET", CDN_PATH + "/users/{user}/{folder}/{name}", "download", self.cdn_input, host="cdn"),
        ]

    async def receive(self, ask: Ask) -> Response:
        """204 for an upload that keeps all of S3's rules."""
        if "authorization" in ask.request.headers:
            return s3_error(403, "AccessDenied", "Only one auth mechanism allowed; no Authorization header here")
        async with ask.request.form() as form:
            parts = form.multi_items()
            content = parts[-1][1] if parts else None
            if not isinstance(content, UploadFile) or parts[-1][0] != "file":
                return s3_error(400, "InvalidArgument", "POST requires exactly one file upload, as its last part")
            body = await content.read()
        file = self.core.state.file_of_key(str(form.get("key", "")))
        if file is None or form.get("x-amz-signature") != signature(self.core, file.key):
            return s3_error(403, "AccessDenied", "Invalid according to Policy")
        if self.core.now() > file.created_at + self.upload_window_s:
            return s3_error(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
        self.core.state.fill_file(await asyncio.to_thread(self._kept, file, body))
        return Response(status_code=204)

    def _kept(self, file: EmulatedFile, body: bytes) -> EmulatedFile:
        """The file with its bytes; those that are not what the extension says are kept, and it is noted."""
        size = image_size(body, whole=True) if file.kind != "media" else None
        width, height = size or (None, None)
        fits = SIGNATURES.get(file.extension, b"") in body[:12]
        note = "" if fits else f"the bytes are no {file.extension}"
        return replace(file, sha256=self.core.footage.keep(body), note=note, width_px=width, height_px=height)

    async def cdn(self, ask: Ask) -> Response:
        """A clip or its poster."""
        job = self.core.state.job(ask.request.path_params["id"])
        if job is None or not job.is_over(self.core.now()) or job.outcome != "done":
            return s3_error(404, "NoSuchKey", "The specified key does not exist.")
        return await deliver(ask, job, poster=ask.request.path_params["name"].endswith(".jpg"))

    async def cdn_input(self, ask: Ask) -> Response:
        """An uploaded file."""
        file = self.core.state.file(ask.request.path_params["name"].rsplit(".", 1)[0])
        if file is None or file.sha256 is None:
            return s3_error(404, "NoSuchKey", "The specified key does not exist.")
        return Response(self.core.footage.input(file.sha256), media_type="application/octet-stream")
