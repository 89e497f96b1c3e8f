"""The job server's HTTP surface: whoever has the token, on this machine, may use the card.

Web pages are refused, by the rules of `visitors`. Every answer is JSON, but for pictures and clips.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from vidnb.errors import MediaError
from vidnb.gpu import queue as states
from vidnb.gpu import recipes
from vidnb.gpu.orders import Order, RefusedError, order_of
from vidnb.gpu.queue import Entry, Queue, TokenTakenError
from vidnb.gpu.weights import Weights
from vidnb.gpu.worker import Worker
from vidnb.media.pictures import image_file
from vidnb.visitors import Visitors

MOST_JSON, MOST_FILE = 2**20, 50 * 2**20
MOST_WAITING = 10_000
MOST_LISTED = 500
FREE_BYTES = 500 * 2**20
"""With less free space no clip is begun."""
DECODING = 0.15
"""About this part of the time goes into what follows the steps; chosen, not measured."""

Handler = Callable[[Request], Awaitable[Response]]


class App:
    """The routes, over one folder's queue.

    Args:
        queue: the jobs.
        worker: renders them.
        folder: of the server.
        weights: the models that are here.
        token: what a client has to show.
        longest_s: refuse a clip that is known to take longer.
    """

    def __init__(
        self,
        queue: Queue,
        worker: Worker,
        folder: Path,
        weights: Mapping[str, Weights],
        token: str,
        *,
        longest_s: float = float("inf"),
    ) -> None:
        self._queue, self._worker, self._folder, self._weights = queue, worker, folder, weights
        self._visitors, self._longest_s = Visitors(token), longest_s
        self.starlette = Starlette(
            routes=[
                Route("/gpu/health", self._guarded(self.health), methods=["GET"]),
                Route("/gpu/files", self._guarded(self.upload), methods=["POST"]),
                Route("/gpu/jobs", self._guarded(self.create), methods=["POST"]),
                Route("/gpu/jobs", self._guarded(self.recent), methods=["GET"]),
                Route("/gpu/jobs/{id}", self._guarded(self.get), methods=["GET"]),
                Route("/gpu/jobs/{id}/cancel", self._guarded(self.cancel), methods=["POST"]),
                Route("/gpu/jobs/{id}/content", self._guarded(self.content), methods=["GET"]),
                Route("/gpu/jobs/{id}/preview", self._guarded(self.preview), methods=["GET"]),
            ],
            exception_handlers={404: _unknown, 405: _unknown},
        )

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            why = self._visitors.refuses(request.headers)
            if why == "token":
                return _error(401, "the token is missing or not this server's")
            if why is not None:
                return _error(403, "this server answers programs on this machine, not web pages")
            try:
                return await handler(request)
            except RefusedError as refusal:
                return _error(refusal.status_code, str(refusal))

        return guarded

    # -- jobs

    async def create(self, request: Request) -> Response:
        """Return the job of an order: a new one (201), or the one that the same token made before (200)."""
        body = await _json(request)
        order = await run_in_threadpool(order_of, body, self._input)
        self._check(order)
        work = recipes.work_of(order.model, order.values)
        try:
            entry, is_new = self._queue.add(order, work)
        except TokenTakenError:
            raise RefusedError("this client_token was used for another request before", 409) from None
        self._worker.wake()
        return JSONResponse(self._entry_record(entry), status_code=201 if is_new else 200)

    def _check(self, order: Order) -> None:
        """Refuse what cannot be rendered here.

        Raises:
            RefusedError: with the reason.
        """
        model = order.model
        if model.id not in self._weights:
            raise RefusedError(
                f"the weights of {model.wire} are in none of the folders that this server was started with; download "
                "them into one of these (hf download), and start it again"
            )
        if self._worker.broken:
            raise RefusedError(self._worker.broken, 503)
        if self._queue.count(states.WAITING) >= MOST_WAITING:
            raise RefusedError(f"{MOST_WAITING} jobs wait here already", 503)
        if shutil.disk_usage(self._folder).free < FREE_BYTES:
            raise RefusedError(f"the disk of {self._folder} is nearly full; free some space", 503)
        device = self._worker.device
        if device is not None and (why := recipes.refusal(recipes.recipe_of(model), model, order.values, device)):
            raise RefusedError(why)
        takes_s = self._takes_s(model.id, recipes.work_of(model, order.values))
        if takes_s is not None and takes_s > self._longest_s:
            raise RefusedError(
                f"this clip would take about {takes_s / 60:.0f} minutes, as earlier ones of {model.title} here show, "
                f"and the server takes {self._longest_s / 60:.0f} at most (vidnb gpu --longest-minutes)"
            )

    def _takes_s(self, model: str, work: float) -> float | None:
        pace = self._queue.pace(model)
        return None if pace is None else pace * work

    async def recent(self, request: Request) -> Response:
        """Return the newest jobs, newest first."""
        asked = request.query_params.get("limit", "50")
        limit = min(int(asked), MOST_LISTED) if asked.isdecimal() else 50
        return JSONResponse({"jobs": [self._entry_record(entry) for entry in self._queue.recent(limit)]})

    async def get(self, request: Request) -> Response:
        """Return how a job stands."""
        return JSONResponse(self._entry_record(self._entry(request)))

    async def cancel(self, request: Request) -> Response:
        """End a job, or ask its renderer to, and return how the job stands."""
        entry = self._queue.cancel(self._entry(request).id)
        self._worker.wake()
        return JSONResponse(self._entry_record(entry))

    async def content(self, request: Request) -> Response:
        """Return a clip, or the part of it that is asked for."""
        entry = self._entry(request)
        path = self._worker.clip(entry.id)
        if entry.state != states.DONE or not path.is_file():
            raise RefusedError("the clip is not there: it is not done, or was deleted since", 404)
        return FileResponse(path, media_type="video/mp4")

    async def preview(self, request: Request) -> Response:
        """Return a small picture of how far a job is."""
        path = self._worker.preview(self._entry(request).id)
        if not path.is_file():
            raise RefusedError("there is no preview yet", 404)
        return Response(path.read_bytes(), media_type="image/jpeg", headers={"Cache-Control": "no-store"})

    def _entry(self, request: Request) -> Entry:
        entry = self._queue.get(request.path_params["id"])
        if entry is None:
            raise RefusedError("there is no job with this id", 404)
        return entry

    # -- pictures

    async def upload(self, request: Request) -> Response:
        """Return the id of a picture: the hash of its bytes, so that the same one is kept once."""
        content = await _body(request, MOST_FILE)
        try:
            file = await run_in_threadpool(image_file, content)
        except MediaError as error:
            raise RefusedError(f"this is no picture: {error}") from None
        name = f"{hashlib.sha256(content).hexdigest()}.{file.extension}"
        await run_in_threadpool(_put, self._folder / "inputs" / name, content)
        return JSONResponse({"id": name}, status_code=201)

    def _input(self, name: str) -> Path | None:
        path = self._folder / "inputs" / name
        return path if "/" not in name and "\\" not in name and path.is_file() else None

    # -- the rest

    async def health(self, request: Request) -> Response:
        """Return the card, the models that are here, and what is going on."""
        device = self._worker.device
        told = {
            "device": None if device is None else f"{device.name}, {device.memory_gb:.0f} GB",
            "versions": {} if device is None else dict(device.versions),
            "broken": self._worker.broken,
            "models": [{"id": found.model, "revision": found.revision} for found in self._weights.values()],
            "waiting": self._queue.count(states.WAITING),
            "running": self._worker.running or None,
            "renderer_pid": self._worker.renderer_pid,
        }
        return JSONResponse(told)

    def _entry_record(self, entry: Entry) -> dict[str, Any]:
        told: dict[str, Any] = {
            "id": entry.id, "client_token": entry.client_token, "model": entry.wire, "params": dict(entry.params),
            "created_at": entry.created, "state": entry.state,
        }  # fmt: skip
        if entry.state == states.WAITING:
            ahead = self._queue.ahead_of(entry)
            told |= {"ahead": len(ahead), "takes_s": self._takes_s(entry.model, entry.work)}
        elif entry.state == states.RUNNING:
            told |= self._running(entry)
        elif entry.state == states.DONE:
            told |= {"facts": dict(entry.facts), "took_s": entry.took_s, "bytes": entry.bytes}
            if not entry.bytes:
                told |= {"state": "failed", "error": {"kind": "gone", "message": GONE}}
        elif entry.state == states.FAILED:
            told["error"] = {"kind": entry.error_kind, "message": entry.error}
        return told

    def _running(self, entry: Entry) -> dict[str, Any]:
        progress = self._worker.progress
        if self._worker.running != entry.id:
            return {"state": "loading"}
        told: dict[str, Any] = {"state": "cancelling" if entry.cancelled else progress.phase}
        if progress.steps:
            share = progress.step / progress.steps * (1 - DECODING)
            done = share if progress.phase == "denoising" else 1 - DECODING
            told |= {"progress": round(done, 3), "step": progress.step, "steps": progress.steps}
            if progress.phase == "denoising" and progress.step > 1:
                spent = self._worker.spent_s()
                told["eta_s"] = round(
                    spent / max(progress.step - 1, 1) * (progress.steps - progress.step) / (1 - DECODING), 1
                )
        return told


GONE = (
    "the clip was made, and deleted since: the server keeps clips for a while only (vidnb gpu --keep-hours, --keep-gb)"
)


def _put(path: Path, content: bytes) -> None:
    if path.is_file():
        path.touch()
        return
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


async def _json(request: Request) -> Any:
    import json

    try:
        return json.loads(await _body(request, MOST_JSON))
    except (ValueError, RecursionError):
        raise RefusedError("the body is no JSON", 400) from None


async def _body(request: Request, most: int) -> bytes:
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > most:
            raise RefusedError(f"more than {most // 2**20} MB", 413)
    return bytes(received)


async def _unknown(request: Request, _: Exception) -> Response:
    return _error(404, "there is no such thing here; this is the job server of vidnb gpu")


def _error(status_code: int, message: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message}}, status_code=status_code)
