"""fal's files: an address to PUT to without the key, a token that uploads, and the public host that serves them."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.responses import JSONResponse, Response

from vidnb.catalog import Param
from vidnb.emulator.ask import Ask, Path
from vidnb.emulator.clock import iso
from vidnb.emulator.core import Core
from vidnb.emulator.delivery import deliver, signature
from vidnb.emulator.fal.errors import refusal
from vidnb.emulator.fal.records import CDN
from vidnb.emulator.fal.settings import Settings
from vidnb.emulator.inputs import InputError, decoded, keep, sample
from vidnb.emulator.replies import s3_error
from vidnb.emulator.scenes import image_size
from vidnb.emulator.state import EmulatedFile

_FILE = re.compile(rf"/{re.escape(CDN)}/files/(b/[a-z0-9]+/[\w.\-]+)$")
_DATA = re.compile(r"data:([\w.+/-]*)(?:;[\w=-]+)*;base64,", re.IGNORECASE)


@dataclass
class Storage:
    """The storage API, and the host behind it."""

    core: Core
    settings: Settings

    def paths(self) -> Sequence[Path]:
        """Return the routes."""
        return [
            Path("POST", "/rest/storage/upload/initiate", "upload", self.initiate),
            Path("POST", "/rest/storage/auth/token", "upload", self.token),
            Path("PUT", f"/{CDN}/put/{{id}}", "bytes", self.put, host="upload"),
            Path("POST", f"/{CDN}/files/upload", "bytes", self.post, host="upload"),
            Path("GET", f"/{CDN}/files/{{key:path}}", "download", self.serve, host="cdn"),
        ]

    async def initiate(self, ask: Ask) -> Response:
        """Return where to put a file, and the address that it will have."""
        try:
            body = await ask.json()
        except ValueError:
            return refusal(422, "invalid JSON")
        told = body if isinstance(body, dict) else {}
        file = self._announced(ask.account, str(told.get("file_name") or "file.bin"))
        sign = signature(self.core, "fal upload", file.id)
        return JSONResponse({
            "upload_url": f"{ask.base}{CDN}/put/{file.id}?X-Signature={sign}",
            "file_url": f"{ask.base}{CDN}/files/{file.key}",
        })  # fmt: skip

    async def token(self, ask: Ask) -> Response:
        """Return a token that uploads for a while."""
        until = int(self.core.now() + self.settings.fal_upload_window_s)
        told = f"{ask.account}.{until}"
        return JSONResponse({
            "token": f"{told}.{signature(self.core, 'fal token', told)}", "token_type": "Bearer",
            "base_url": f"{ask.base}{CDN}", "expires_at": iso(until, zone="+00:00"),
        })  # fmt: skip

    def _announced(self, account: str, name: str) -> EmulatedFile:
        plain = re.sub(r"[^\w.\-]+", "_", name)[-60:] or "file"
        identifier = secrets.token_hex(12)
        file = EmulatedFile(
            id=identifier, provider="fal", account=account, kind="file",
            extension=plain.rpartition(".")[2].lower(), key=f"b/{identifier}/{plain}", created_at=self.core.now(),
        )  # fmt: skip
        return self.core.state.add_file(file)

    async def put(self, ask: Ask) -> Response:
        """Return nothing, once the bytes are there; the key has no business here."""
        if "authorization" in ask.request.headers:
            return s3_error(400, "InvalidArgument", "Only one auth mechanism allowed")
        file = self.core.state.file(ask.request.path_params["id"])
        sign = ask.request.query_params.get("X-Signature")
        if file is None or sign != signature(self.core, "fal upload", file.id):
            return s3_error(403, "SignatureDoesNotMatch", "The request signature does not match the one provided.")
        if self.core.now() > file.created_at + self.settings.fal_upload_window_s:
            return s3_error(403, "ExpiredToken", "Invalid argument: the upload's time is over")
        await self._fill(file, await ask.request.body())
        return Response(status_code=200)

    async def post(self, ask: Ask) -> Response:
        """Return the address of the bytes that came with a token."""
        _, _, token = ask.request.headers.get("authorization", "").partition(" ")
        told, _, sign = token.rpartition(".")
        account, _, until = told.partition(".")
        if not told or sign != signature(self.core, "fal token", told) or self.core.now() > int(until):
            return refusal(401, "Token is invalid or has expired")
        file = self._announced(account, ask.request.headers.get("x-fal-file-name", "file.bin"))
        await self._fill(file, await ask.request.body())
        return JSONResponse({"access_url": f"{ask.base}{CDN}/files/{file.key}"})

    async def _fill(self, file: EmulatedFile, content: bytes) -> None:
        def kept() -> EmulatedFile:
            width, height = image_size(content, whole=True) or (None, None)
            return replace(file, sha256=self.core.footage.keep(content), width_px=width, height_px=height)

        self.core.state.fill_file(await asyncio.to_thread(kept))

    async def serve(self, ask: Ask) -> Response:
        """Return a clip or an upload, to anybody who has the link."""
        key, now = ask.request.path_params["key"], self.core.now()
        job = self.core.state.job_of_result(key)
        if job is not None:
            gone = now > job.done_at + self.settings.fal_file_life_s
            if not job.is_over(now) or job.outcome != "done" or gone:
                return Response("Not found", status_code=404, media_type="text/plain")
            return await deliver(ask, job)
        file = self.core.state.file_of_key(key)
        if file is None or file.sha256 is None or now > file.created_at + self.settings.fal_file_life_s:
            return Response("Not found", status_code=404, media_type="text/plain")
        return Response(self.core.footage.input(file.sha256), media_type="application/octet-stream")

    async def input_at(self, param: Param, link: Any) -> dict[str, Any]:
        """Return what an input field means: a file here, any https address, or a `data:` URI.

        Raises:
            InputError: it is none of these, or its file is not there.
        """
        if not isinstance(link, str):
            raise InputError("Input should be a valid URL")
        if match := _FILE.search(link.partition("?")[0]):
            file = self.core.state.file_of_key(match[1])
            if file is None or file.sha256 is None:
                raise InputError("Failed to download the file")
            if self.core.now() > file.created_at + self.settings.fal_file_life_s:
                raise InputError("Failed to download the file")
            if param.kind in ("image", "images") and file.width_px is None:
                raise InputError("Failed to load the image")
            return {"sha256": file.sha256}
        if match := _DATA.match(link):
            return await keep(self.core, decoded(link[match.end() :]))
        if link.startswith("https://"):
            return await sample(self.core, link)
        raise InputError("Input should be a valid URL")
