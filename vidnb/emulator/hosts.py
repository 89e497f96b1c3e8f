"""The hosts beside the APIs: the presigned upload target, the CDN and 1min's storage, none of which wants a key.

The upload target speaks S3's form POST: fields first, part `file` last, no Authorization header, within two minutes.
The CDN serves for ever; storage serves signed links that expire, to GET only.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path as FilePath
from urllib.parse import urlencode

import anyio
from starlette.datastructures import UploadFile
from starlette.responses import FileResponse, Response

from vidnb.emulator.app import Ask, Path
from vidnb.emulator.core import Emulator
from vidnb.emulator.replies import CutShort, s3_error, slow_file
from vidnb.emulator.scenes import image_size
from vidnb.emulator.state import EmulatedFile, EmulatedJob

UPLOAD_PATH = "/s3/leonardo-uploads"
CDN_PATH = "/cdn"
STORAGE_PATH = "/s3.us-east-1.amazonaws.com"
BUCKET = "asset.1min.ai"
MP4, JPEG = "video/mp4", "image/jpeg"
DEFAULT_SLOW_S = 2.0
SIGNATURES = {
    "png": b"\x89PNG", "jpg": b"\xff\xd8", "jpeg": b"\xff\xd8", "webp": b"RIFF", "mp4": b"ftyp", "mov": b"ftyp",
    "mp3": b"", "wav": b"RIFF",
}  # fmt: skip


@dataclass
class Hosts:
    """The hosts of one service."""

    emulator: Emulator
    service: str

    def paths(self) -> Sequence[Path]:
        """Their routes."""
        if self.service == "leonardo":
            return [
                Path("POST", UPLOAD_PATH, "bytes", self.receive, host="upload"),
                Path("GET", CDN_PATH + "/users/{user}/generations/{id}/{name:path}", "download", self.cdn, host="cdn"),
                Path("GET", CDN_PATH + "/users/{user}/{folder}/{name}", "download", self.cdn_input, host="cdn"),
            ]
        return [Path("GET", f"{STORAGE_PATH}/{BUCKET}/{{key:path}}", "download", self.storage, host="storage")]

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
        file = self.emulator.state.file_of_key(str(form.get("key", "")))
        if file is None or form.get("x-amz-signature") != signature(self.emulator, file.key):
            return s3_error(403, "AccessDenied", "Invalid according to Policy")
        if self.emulator.now() > file.created_at + self.emulator.settings.upload_window_s:
            return s3_error(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
        self.emulator.state.fill_file(await anyio.to_thread.run_sync(self._kept, file, body))
        return Response(status_code=204)

    def _kept(self, file: EmulatedFile, body: bytes) -> EmulatedFile:
        """The file with its bytes; those that are not what the extension says are kept, and it is noted."""
        size = image_size(body, whole=True) if file.kind != "media" else None
        width, height = size or (None, None)
        fits = SIGNATURES.get(file.extension, b"") in body[:12]
        note = "" if fits else f"the bytes are no {file.extension}"
        return replace(file, sha256=self.emulator.footage.keep(body), note=note, width_px=width, height_px=height)

    async def cdn(self, ask: Ask) -> Response:
        """A clip or its poster."""
        job = self.emulator.state.job(ask.request.path_params["id"])
        if job is None or not job.is_over(self.emulator.now()) or job.outcome != "done":
            return s3_error(404, "NoSuchKey", "The specified key does not exist.")
        return await self._deliver(ask, job, poster=ask.request.path_params["name"].endswith(".jpg"))

    async def cdn_input(self, ask: Ask) -> Response:
        """An uploaded file."""
        file = self.emulator.state.file(ask.request.path_params["name"].rsplit(".", 1)[0])
        if file is None or file.sha256 is None:
            return s3_error(404, "NoSuchKey", "The specified key does not exist.")
        return Response(self.emulator.footage.input(file.sha256), media_type="application/octet-stream")

    async def storage(self, ask: Ask) -> Response:
        """A clip behind a signed link."""
        key, query = ask.request.path_params["key"], ask.request.query_params
        if "authorization" in ask.request.headers:
            return s3_error(400, "InvalidArgument", "Only one auth mechanism allowed")
        if ask.request.method != "GET" or query.get("X-Amz-Signature") != signature(self.emulator, key, *_terms(query)):
            return s3_error(403, "SignatureDoesNotMatch", "The request signature does not match the one provided.")
        if ask.fault("expired_link") or _ends_at(query) < self.emulator.now():
            return s3_error(403, "AccessDenied", "Request has expired")
        job = self.emulator.state.job_of_result(key)
        if job is None or not job.is_over(self.emulator.now()):
            return s3_error(404, "NoSuchKey", "The specified key does not exist.")
        return await self._deliver(ask, job, poster=False)

    async def _deliver(self, ask: Ask, job: EmulatedJob, *, poster: bool) -> Response:
        if ask.fault("not_found_first"):
            return s3_error(404, "NoSuchKey", "The specified key does not exist.")
        if ask.fault("expired_link"):
            return s3_error(403, "AccessDenied", "Request has expired")
        kind = JPEG if poster else MP4
        if ask.fault("empty_download"):
            return Response(b"", media_type=kind)
        footage = self.emulator.footage
        path: FilePath = await anyio.to_thread.run_sync(footage.poster if poster else footage.clip, job)
        if ask.fault("cut_download"):
            return CutShort(path.read_bytes(), media_type=kind)
        if slow := ask.fault("slow_download"):
            return slow_file(path, seconds=slow.seconds or DEFAULT_SLOW_S, media_type=kind)
        return FileResponse(path, media_type=kind)


def signature(emulator: Emulator, *parts: str) -> str:
    """What proves that a link or a form came from this emulator."""
    return hmac.new(emulator.secret, "\n".join(parts).encode(), hashlib.sha256).hexdigest()


def signed_link(emulator: Emulator, base: str, key: str) -> str:
    """A download link that looks like S3's and expires."""
    date = datetime.fromtimestamp(emulator.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
    expires = str(int(emulator.settings.link_life_s))
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD",
        "X-Amz-Credential": f"EMULATED/{date[:8]}/us-east-1/s3/aws4_request",
        "X-Amz-Date": date,
        "X-Amz-Expires": expires,
        "X-Amz-Signature": signature(emulator, key, date, expires),
        "X-Amz-SignedHeaders": "host",
        "x-amz-checksum-mode": "ENABLED",
        "x-id": "GetObject",
    }
    return f"{base.rstrip('/')}{STORAGE_PATH}/{BUCKET}/{key}?{urlencode(query)}"


def _terms(query: Mapping[str, str]) -> tuple[str, str]:
    return query.get("X-Amz-Date", ""), query.get("X-Amz-Expires", "")


def _ends_at(query: Mapping[str, str]) -> float:
    date, expires = _terms(query)
    return datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp() + float(expires)
