"""A service on a port of this machine that counts paid POSTs; nothing in it comes from vidnb."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "00000000-1111-4222-8333-444444444444"
VALUES: dict[str, Any] = {"model": "leonardo/motion_2.0"}
"""What to ask this service for."""


class CountingService:
    """Speaks as much of Leonardo as a job needs. Its jobs never end, unless `clip` holds one to deliver.

    Attributes:
        prompts: of the paid POSTs, as they came.
        before_reply: called with the prompt of a POST before it is answered.
    """

    def __init__(self, clip: bytes = b"") -> None:
        self.clip = clip
        self.prompts: list[str] = []
        self.before_reply: Callable[[str], None] = lambda prompt: None
        service, counting = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                if self.path.startswith("/files/"):
                    return self.answer(service.clip, "video/mp4")
                if "/me" in self.path:
                    return self.answer({"user_details": [{"user": {"id": "u-1", "username": "x"}}]})
                if "/generations/user/" in self.path:
                    return self.answer({"generations": []})
                return self.answer({"generations_by_pk": service.told(self.path.rsplit("/", 1)[1].partition("?")[0])})

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                content = self.rfile.read(length)
                if len(content) < length:  # whoever sent it was killed in the middle: there is nothing to do or to pay
                    self.close_connection = True
                    return
                body = json.loads(content or "{}")
                prompt = str(body.get("prompt") or (body.get("parameters") or {}).get("prompt") or "")
                with counting:
                    service.prompts.append(prompt)
                    remote_id = f"gen-{len(service.prompts)}"
                service.before_reply(prompt)
                self.answer({"generate": {"generationId": remote_id}})

            def answer(self, body: Any, kind: str = "application/json") -> None:
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """Where this service is and the key that it takes, as variables."""
        return {"LEONARDO_BASE_URL": f"{self.url}/api/rest", "LEONARDO_API_KEY": KEY}

    def told(self, remote_id: str) -> dict[str, Any]:
        """What the service says of a job."""
        if not self.clip:
            return {"id": remote_id, "status": "PENDING", "generated_images": []}
        image = {"id": "i1", "nsfw": False, "motionMP4URL": f"{self.url}/files/{remote_id}.mp4"}
        numbered = {f"gen-{number}": prompt for number, prompt in enumerate(self.prompts, 1)}
        return {"id": remote_id, "status": "COMPLETE", "prompt": numbered.get(remote_id), "generated_images": [image]}

    @contextmanager
    def serving(self) -> Iterator[CountingService]:
        """Answer for as long as the block runs."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()
