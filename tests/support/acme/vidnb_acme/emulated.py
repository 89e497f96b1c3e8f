"""Acme Video without a key: the same routes, real clips, nothing to pay."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import anyio
from starlette.responses import FileResponse, JSONResponse, Response

from vidnb import catalog
from vidnb.catalog import Model
from vidnb.emulator import Ask, EmulatedJob, Path, Service


class AcmeService(Service):
    """The emulated service."""

    name: ClassVar[str] = "acme"
    title: ClassVar[str] = "Acme Video"
    slots: ClassVar[int | None] = 4
    prefix: ClassVar[str] = "/acme/"
    base_url_env: ClassVar[str] = "ACME_BASE_URL={base}"

    def paths(self) -> Sequence[Path]:
        """Return its routes."""
        return [
            Path("POST", "/acme/jobs", "submit", self.submit),
            Path("GET", "/acme/jobs/{id}", "poll", self.poll),
            Path("GET", "/acme/me", "account", self.me),
            Path("GET", "/acme/clips/{id}", "download", self.clip, host="cdn"),
        ]

    def authorize(self, ask: Ask) -> Response | None:
        """Return the refusal of a missing key."""
        ask.account = ask.request.headers.get("x-acme-key", "")
        return None if ask.account else self.refuse("bad_key")

    def refuse(self, kind: str, retry_after_s: float | None = None) -> Response:
        """Return the body of a fault."""
        status = int(kind) if kind.isdecimal() else 401
        return JSONResponse({"error": kind}, status_code=status)

    def latency_s(self, model: Model, params: Mapping[str, Any]) -> float:
        """Return the seconds that a job takes."""
        return 5.0

    async def submit(self, ask: Ask) -> Response:
        """Answer with the new job's id."""
        try:
            body = await ask.json()
            model = catalog.find(f"acme/{body['model']}")
        except (KeyError, TypeError, ValueError):
            return JSONResponse({"error": "no such model"}, status_code=400)
        job = EmulatedJob(
            id=uuid.uuid4().hex, provider=self.name, account=ask.account, model=model.id, mode="text",
            prompt=str(body.get("text", "")), media={},
            params={"seed": body.get("seed", 0), "duration_s": body.get("seconds", 1)}, body=body,
            body_hash=repr(sorted(body.items())), scene_key=repr(sorted(body.items())),
            asset_id=uuid.uuid4().hex, result_key=uuid.uuid4().hex, created_at=self.core.now(), cost=0.02,
            seed=int(body.get("seed", 0)), notes={"width_px": 320, "height_px": 240},
        )  # fmt: skip
        job = self.core.create(job, model, ask.faults)
        return JSONResponse({"id": job.id, "usd": job.cost})

    async def poll(self, ask: Ask) -> Response:
        """Answer with the job's state, and the clip's link once it is ready."""
        job = self.core.state.job(ask.request.path_params["id"])
        if job is None or job.account != ask.account:
            return JSONResponse({"error": "no such job"}, status_code=404)
        over = job.is_over(self.core.now())
        state = "working" if not over else "broken" if job.outcome != "done" else "ready"
        link = {"url": f"{ask.base}acme/clips/{job.id}"} if state == "ready" else {}
        return JSONResponse({"id": job.id, "state": state, **link})

    async def me(self, ask: Ask) -> Response:
        """Answer with the account."""
        return JSONResponse({"id": ask.account})

    async def clip(self, ask: Ask) -> Response:
        """Answer with the clip."""
        job = self.core.state.job(ask.request.path_params["id"])
        if job is None or not job.is_over(self.core.now()):
            return Response(status_code=404)
        return FileResponse(await anyio.to_thread.run_sync(self.core.footage.clip, job), media_type="video/mp4")
