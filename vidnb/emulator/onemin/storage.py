"""1min's storage: signed links that expire, to GET only, without a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from starlette.responses import Response

from vidnb.emulator.ask import Ask, Path
from vidnb.emulator.core import Core
from vidnb.emulator.delivery import deliver, signature
from vidnb.emulator.replies import s3_error

STORAGE_PATH = "/s3.us-east-1.amazonaws.com"
BUCKET = "asset.1min.ai"


@dataclass
class Storage:
    """The bucket with the clips."""

    core: Core

    def paths(self) -> Sequence[Path]:
        """Return its routes."""
        return [Path("GET", f"{STORAGE_PATH}/{BUCKET}/{{key:path}}", "download", self.storage, host="storage")]

    async def storage(self, ask: Ask) -> Response:
        """A clip behind a signed link."""
        key, query = ask.request.path_params["key"], ask.request.query_params
        if "authorization" in ask.request.headers:
            return s3_error(400, "InvalidArgument", "Only one auth mechanism allowed")
        if ask.request.method != "GET" or query.get("X-Amz-Signature") != signature(self.core, key, *_terms(query)):
            return s3_error(403, "SignatureDoesNotMatch", "The request signature does not match the one provided.")
        if ask.fault("expired_link") or _ends_at(query) < self.core.now():
            return s3_error(403, "AccessDenied", "Request has expired")
        job = self.core.state.job_of_result(key)
        if job is None or not job.is_over(self.core.now()):
            return s3_error(404, "NoSuchKey", "The specified key does not exist.")
        return await deliver(ask, job)


def signed_link(core: Core, base: str, key: str, life_s: float) -> str:
    """A download link that looks like S3's and expires."""
    date = datetime.fromtimestamp(core.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
    expires = str(int(life_s))
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD",
        "X-Amz-Credential": f"EMULATED/{date[:8]}/us-east-1/s3/aws4_request",
        "X-Amz-Date": date,
        "X-Amz-Expires": expires,
        "X-Amz-Signature": signature(core, key, date, expires),
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
