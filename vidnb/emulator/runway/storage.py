"""Runway's files: a form to fill without the key, `runway://` addresses, and the host that serves the clips."""

from __future__ import annotations

import asyncio
import re
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, Response

from vidnb.catalog import Param
from vidnb.emulator.ask import Ask, Path
from vidnb.emulator.core import Core
from vidnb.emulator.delivery import deliver, signature
from vidnb.emulator.inputs import InputError, decoded, keep, sample
from vidnb.emulator.replies import s3_error
from vidnb.emulator.runway.errors import refusal
from vidnb.emulator.runway.settings import Settings
from vidnb.emulator.scenes import image_size
from vidnb.emulator.state import EmulatedFile, EmulatedJob

CDN = "dnznrvs05pmza.cloudfront.net"
UPLOADS = "runway-uploads.s3.amazonaws.com"
_DATA = re.compile(r"data:([\w.+/-]*)(?:;[\w=-]+)*;base64,", re.IGNORECASE)
MOST_INLINE = 5 * 2**20


@dataclass
class Storage:
    """The uploads, and the host of the clips."""

    core: Core
    settings: Settings

    def paths(self) -> Sequence[Path]:
        """Return the routes."""
        return [
            Path("POST", "/v1/uploads", "upload", self.announce),
            Path("POST", f"/{UPLOADS}", "bytes", self.receive, host="upload"),
            Path("GET", f"/{CDN}/{{key:path}}", "download", self.serve, host="cdn"),
        ]

    async def announce(self, ask: Ask) -> Response:
        """Return a form for one file, and the address that it will have."""
        try:
            body = await ask.json()
        except ValueError:
            return refusal(400, "The body is no valid JSON.")
        name = body.get("filename") if isinstance(body, dict) else None
        if not isinstance(name, str) or not name or body.get("type") != "ephemeral":
            return refusal(400, "Validation of body failed")
        identifier = str(uuid.uuid4())
        file = EmulatedFile(
            id=identifier, provider="runway", account=ask.account, kind="file",
            extension=name.rpartition(".")[2].lower()[:10], key=f"ephemeral/{secrets.token_hex(12)}",
            created_at=self.core.now(),
        )  # fmt: skip
        self.core.state.add_file(file)
        fields = {"key": file.key, "X-Amz-Signature": signature(self.core, "runway upload", file.key)}
        told = {"uploadUrl": f"{ask.base}{UPLOADS}", "fields": fields, "runwayUri": f"runway://{identifier}"}
        return JSONResponse({"id": identifier, **told})

    async def receive(self, ask: Ask) -> Response:
        """Return nothing, once the bytes are there: fields first, the part `file` last, and no key."""
        if "authorization" in ask.request.headers:
            return s3_error(400, "InvalidArgument", "Only one auth mechanism allowed")
        async with ask.request.form() as form:
            parts = form.multi_items()
            content = parts[-1][1] if parts else None
            if not isinstance(content, UploadFile) or parts[-1][0] != "file":
                return s3_error(400, "InvalidArgument", "POST requires exactly one file upload, as its last part")
            body = await content.read()
        file = self.core.state.file_of_key(str(form.get("key", "")))
        if file is None or form.get("X-Amz-Signature") != signature(self.core, "runway upload", file.key):
            return s3_error(403, "AccessDenied", "Invalid according to Policy")
        if self.core.now() > file.created_at + self.settings.runway_upload_window_s:
            return s3_error(403, "AccessDenied", "Invalid according to Policy: Policy expired.")

        def kept() -> EmulatedFile:
            width, height = image_size(body, whole=True) or (None, None)
            return replace(file, sha256=self.core.footage.keep(body), width_px=width, height_px=height)

        self.core.state.fill_file(await asyncio.to_thread(kept))
        return Response(status_code=204)

    def link(self, job: EmulatedJob, base: str) -> str:
        """Return a fresh link to a task's clip."""
        until = str(int(self.core.now() + self.settings.runway_link_life_s))
        sign = signature(self.core, "runway clip", job.result_key, until)
        return f"{base}{CDN}/{job.result_key}?Expires={until}&Signature={sign}"

    async def serve(self, ask: Ask) -> Response:
        """Return a clip to anybody whose link is signed and not too old."""
        key, query = ask.request.path_params["key"], ask.request.query_params
        until, now = query.get("Expires", ""), self.core.now()
        if query.get("Signature") != signature(self.core, "runway clip", key, until) or now > int(until):
            return s3_error(403, "AccessDenied", "Access denied")
        job = self.core.state.job_of_result(key)
        if job is None or self.core.state.job(job.id) is None or not job.is_over(now) or job.outcome != "done":
            return s3_error(404, "NoSuchKey", "The specified key does not exist.")
        return await deliver(ask, job)

    async def input_at(self, account: str, param: Param, uri: Any) -> dict[str, Any]:
        """Return what an input's address means: an upload here, any https address, or a `data:` URI of at most 5 MB.

        Raises:
            InputError: it is none of these, or its file is not there any more.
        """
        if not isinstance(uri, str):
            raise InputError("must be a valid URI")
        is_picture = param.kind in ("image", "images")
        if uri.startswith("runway://"):
            file = self.core.state.file(uri.removeprefix("runway://"))
            late = file is None or self.core.now() > file.created_at + self.settings.runway_file_life_s
            if file is None or file.sha256 is None or file.account != account or late:
                raise InputError("the upload could not be found, or has expired")
            if is_picture and file.width_px is None:
                raise InputError("the upload is no picture")
            return {"sha256": file.sha256}
        if match := _DATA.match(uri):
            content = decoded(uri[match.end() :])
            if len(content) > MOST_INLINE:
                raise InputError("a data URI may hold at most 5 MB; upload larger files")
            return await keep(self.core, content) if is_picture else {"sha256": self.core.footage.keep(content)}
        if uri.startswith("https://"):
            return await sample(self.core, uri)
        raise InputError("must be an https address, a runway:// address or a data URI")
