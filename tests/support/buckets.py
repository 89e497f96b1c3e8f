"""A store of files that speaks S3 over HTTP, in a process of its own: moto's server."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
from labharness import free_port

BUCKET = "clips"


@contextlib.contextmanager
def s3_server(*, checks_keys: bool = False) -> Iterator[dict[str, str]]:
    """The variables with which s3fs reaches an empty server; with `checks_keys` it refuses unknown keys."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {"INITIAL_NO_AUTH_ACTION_COUNT": "0"} if checks_keys else {}
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(url)
                break
            time.sleep(0.1)
        yield {
            "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": url,
        }  # fmt: skip
    finally:
        process.kill()
        process.wait()
