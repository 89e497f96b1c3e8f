"""More than one machine: workers on one PostgreSQL and one S3 bucket, and measures on a Dask cluster."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from buckets import BUCKET, s3_server
from databases import postgres_server, schema_on
from fakes import QUICK, emulated

import vidnb
from vidnb.emulator import Emulator
from vidnb.emulator.server import running
from vidnb.errors import StoreError
from vidnb.files import Files
from vidnb.media.measures import MEASURES
from vidnb.records import State
from vidnb.store import Store

__all__ = ["postgres_server"]  # a fixture

pytestmark = [pytest.mark.long, pytest.mark.anyio]
s3fs = pytest.importorskip("s3fs")
COUNT = 300


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A file system with an empty bucket; the variables with which it is reached are set."""
    with s3_server() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        filesystem = s3fs.S3FileSystem(use_listings_cache=False)
        filesystem.mkdir(BUCKET)
        yield filesystem
        s3fs.S3FileSystem.clear_instance_cache()


def test_of_three_workers_on_one_database_and_bucket_one_is_killed_and_nothing_is_paid_twice_or_lost(
    tmp_path: Path, bucket: Any, postgres_server: str
) -> None:
    toml = tmp_path / "s.toml"
    toml.write_text(
        f'prompt = "a {{animal}}"\nanimal = {[f"koala {n}" for n in range(COUNT)]}\nmodel = "{QUICK["model"]}"\n'
        f"width_px = 640\nheight_px = 360\nduration_s = 3\nbudget_jobs = {COUNT}\n"
    )
    emulator = Emulator(tmp_path / "service", latency_s=1.0)
    with schema_on(postgres_server) as url, running(emulator) as service, closing(Store(url)) as store:
        shared = os.environ | {
            "VIDNB_DATABASE_URL": url, "VIDNB_FILES_URL": f"s3://{BUCKET}/lab",
            "LEONARDO_BASE_URL": f"{service}/api/rest",
        }  # fmt: skip

        def begun(name: str, *words: str) -> subprocess.Popen[str]:
            environment = shared | {"VIDNB_HOME": str(tmp_path / name)}  # each machine has a disk of its own
            command = [sys.executable, "-m", "vidnb", *words]
            return subprocess.Popen(command, env=environment, text=True, cwd=tmp_path, stderr=subprocess.PIPE)

        assert "waits for vidnb work" in begun("desk", "sweep", str(toml), "--queue").communicate(timeout=120)[1]
        workers = [begun(f"machine-{n}", "work", "--until-idle", "--at-once", "8") for n in range(3)]
        deadline = time.monotonic() + 240
        while store.states().get(State.DONE, 0) < COUNT // 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        workers[0].send_signal(signal.SIGKILL)
        said = [worker.communicate(timeout=400)[1] for worker in workers]
        jobs = store.jobs()
    assert [worker.returncode for worker in workers] == [-signal.SIGKILL, 0, 0], said
    accepted = emulator.stats()["jobs_by_prompt"]
    assert set(accepted.values()) == {1}, "a job was paid twice"
    unclear = {job.prompt for job in jobs if job.state is State.AMBIGUOUS}
    done = [job for job in jobs if job.state is State.DONE]
    assert len({job.prompt for job in jobs}) == len(jobs) == COUNT
    assert {job.prompt for job in done} | unclear == set(accepted) | unclear == {job.prompt for job in jobs}
    found = bucket.find(BUCKET)
    assert not [path for path in found if ".part" in path]
    for job in done:
        name = job.clip.sha256
        content = bucket.cat_file(f"{BUCKET}/lab/{name[:2]}/{name}.mp4")
        assert hashlib.sha256(content).hexdigest() == name
    print(f"{len(done)} done, {len(unclear)} unclear, {len(found)} files in the bucket")


async def test_a_bucket_that_is_missing_a_key_that_is_wrong_and_a_store_that_is_away_are_said_in_one_sentence(
    tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match="s3://misspelt/lab: there is no such bucket or file") as missing:
        Files("s3://misspelt/lab").put(b"clip", ".webp")
    assert bucket.ls("") == [BUCKET]  # and none of that name was made
    with s3_server(checks_keys=True) as strict:
        for name, value in strict.items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        with pytest.raises(StoreError, match="s3://clips/lab: the key is not accepted or may not do this") as refused:
            Files("s3://clips/lab").put(b"clip", ".webp")
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StoreError, match="s3://clips/lab: the service cannot be reached") as away:
        Files("s3://clips/lab").put(b"clip", ".webp")
    for caught in (missing, refused, away):
        assert (caught.value.__cause__, "\n" in str(caught.value)) == (None, False)


async def test_measures_go_on_when_one_of_several_dask_workers_is_killed(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    pytest.importorskip("cv2")
    async with emulated(tmp_path) as client:
        sweep = vidnb.sweep("a {animal}", animal=[f"koala {n}" for n in range(24)], **QUICK, client=client)
        await sweep.run_async()

        def measured() -> Any:
            options = {"n_workers": 3, "threads_per_worker": 1, "dashboard_address": None, "processes": True}
            with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as dask:
                victim = next(iter(cluster.workers.values())).pid
                threading.Timer(1.5, os.kill, (victim, signal.SIGKILL)).start()
                return sweep.history.measure(executor=dask.get_executor())

        frame = await asyncio.to_thread(measured)
    assert len(frame) == 24
    assert frame["motion"].notna().all()
    assert set(frame.columns) >= {"motion", "sharpness"} & set(MEASURES)
