"""Files: complete or not there at all, named by nothing but their content, the same locally and far away."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections import namedtuple
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread
from clocks import TestClock
from hypothesis import given
from hypothesis import strategies as st

import vidnb
from vidnb import files as module
from vidnb.errors import ConfigError, StoreError
from vidnb.files import Files, data_home, file_name, open_home

pytestmark = pytest.mark.anyio
DATA = b"not really a clip" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


async def pieces(data: bytes = DATA, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def size_of(path: Path) -> int:
    return path.stat().st_size


def all_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture(params=["local", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    """An empty folder on this machine, and one that is remote to fsspec."""
    return Files(tmp_path / "files" if request.param == "local" else f"memory://{uuid.uuid4().hex}")


def test_a_service_of_files_that_arrow_reaches_is_not_taken_for_memory() -> None:
    """`hdfs://` is one: what lies below its file system is none of fsspec's."""
    pytest.importorskip("pyarrow")
    from fsspec.implementations.arrow import ArrowFSWrapper
    from fsspec.implementations.dirfs import DirFileSystem
    from fsspec.implementations.memory import MemoryFileSystem
    from pyarrow.fs import LocalFileSystem

    assert not module._is_in_memory(ArrowFSWrapper(LocalFileSystem()))
    assert module._is_in_memory(DirFileSystem("/clips", MemoryFileSystem()))


async def test_what_is_received_lies_under_its_hash(files: Files) -> None:
    assert await files.receive(pieces(), "mp4", size_of) == (SHA256, len(DATA))
    assert files.exists(SHA256, "mp4")
    assert files.read(SHA256, "mp4") == DATA
    assert all_files(files.folder) == [f"{SHA256[:2]}/{SHA256}.mp4"]


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a folder cannot be opened")
async def test_a_file_gets_its_name_in_one_step_once_its_bytes_would_outlive_a_loss_of_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files(tmp_path / "files")
    path = files.folder / file_name(SHA256, "mp4")
    path.parent.mkdir(parents=True)  # as another clip's name begins like this one's
    synced: list[tuple[int, bool]] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append((os.fstat(number).st_ino, path.exists())))
    await files.receive(pieces(), "mp4", size_of)
    assert synced == [(path.stat().st_ino, False), (path.parent.stat().st_ino, True)]


def test_a_file_that_changed_after_it_was_looked_at_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files(tmp_path / "files")
    files.put(DATA, "mp4")
    path = files.path(SHA256, "mp4")
    assert path is not None
    monkeypatch.setattr(files, "path", lambda sha256, suffix: path)  # the look is over
    path.write_bytes(b"something else")
    with pytest.raises(StoreError, match="is damaged"):
        files.read(SHA256, "mp4")


@pytest.mark.skipif(os.name != "posix", reason="a device is no file elsewhere, either")
def test_what_is_no_file_is_not_read_for_one(tmp_path: Path) -> None:
    files, empty = Files(tmp_path / "files"), hashlib.sha256(b"").hexdigest()
    path = files.folder / file_name(empty, "mp4")
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/null")  # another device or a pipe may never end
    assert not files.exists(empty, "mp4")


async def test_a_download_ends_where_the_disk_fills_up_meanwhile(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage, looks = namedtuple("usage", ["free"]), iter([2**40, 2**20])
    monkeypatch.setattr(module, "LOOK_BYTES", 5000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(next(looks)))
    with pytest.raises(StoreError, match="only 1 MB are left on the disk"):
        await files.receive(pieces(), "mp4", size_of)
    assert all_files(files.folder) == []


async def test_a_download_for_which_the_disk_has_no_room_is_not_begun(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", ["free"])
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(module.FREE_BYTES + 2**20))
    with pytest.raises(StoreError, match="and 2 MB are to come"):
        await files.receive(pieces(), "mp4", size_of, 2 * 2**20)
    assert all_files(files.folder) == []


async def test_half_a_file_at_a_service_is_replaced() -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    url = f"memory://{uuid.uuid4().hex}"
    MemoryFileSystem().pipe(f"{url}/{file_name(SHA256, 'mp4')}", DATA[:10])
    await Files(url).receive(pieces(), "mp4", size_of)
    assert MemoryFileSystem().cat(f"{url}/{file_name(SHA256, 'mp4')}") == DATA


def test_a_file_that_a_service_did_not_take_is_offered_to_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    url = f"memory://{uuid.uuid4().hex}"
    files = Files(url)
    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, "put_file", lambda *_, **__: (_ for _ in ()).throw(OSError("away")))
        with pytest.raises(StoreError, match="away"):
            files.put(DATA, "mp4")
    files.put(DATA, "mp4")
    assert MemoryFileSystem().cat(f"{url}/{file_name(SHA256, 'mp4')}") == DATA


async def test_receiving_the_same_again_changes_nothing(files: Files) -> None:
    first = await files.receive(pieces(), "mp4", size_of)
    assert await files.receive(pieces(size=7777), "mp4", size_of) == first
    assert files.put(DATA, "mp4") == SHA256
    assert all_files(files.folder) == [f"{SHA256[:2]}/{SHA256}.mp4"]


async def test_what_fails_its_check_leaves_nothing(files: Files) -> None:
    def refuse(path: Path) -> None:
        assert path.read_bytes() == DATA
        raise ValueError("no video")

    with pytest.raises(ValueError, match="no video"):
        await files.receive(pieces(), "mp4", refuse)
    assert not files.exists(SHA256, "mp4")
    assert all_files(files.folder) == []


async def test_a_download_that_breaks_off_leaves_nothing(files: Files) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield DATA
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        await files.receive(broken(), "mp4", size_of)
    assert all_files(files.folder) == []


async def test_a_cancelled_download_leaves_nothing(files: Files) -> None:
    begun = anyio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield DATA
        begun.set()
        await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(files.receive, endless(), "mp4", size_of)
        await begun.wait()
        group.cancel_scope.cancel()
    assert all_files(files.folder) == []


async def test_nobody_sees_a_file_before_its_check(files: Files) -> None:
    def look(path: Path) -> bool:
        return files.exists(SHA256, "mp4")

    assert await files.receive(pieces(), "mp4", look) == (SHA256, False)


async def test_the_check_does_not_block_the_loop(files: Files) -> None:
    entered, left = anyio.Event(), threading.Event()
    running = asyncio.get_running_loop()

    def wait(path: Path) -> bool:
        running.call_soon_threadsafe(entered.set)
        return left.wait(30)

    async with anyio.create_task_group() as group:
        group.start_soon(files.receive, pieces(), "mp4", wait)
        await entered.wait()
        left.set()
    assert files.exists(SHA256, "mp4")


async def test_many_may_receive_the_same_at_once(files: Files) -> None:
    async with anyio.create_task_group() as group:
        for size in range(100, 1100, 100):
            group.start_soon(files.receive, pieces(size=size), "mp4", size_of)
    assert files.read(SHA256, "mp4") == DATA
    assert all_files(files.folder) == [f"{SHA256[:2]}/{SHA256}.mp4"]


async def test_a_stream_without_end_is_stopped(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_BYTES", 5000)
    with pytest.raises(StoreError, match="was stopped"):
        await files.receive(pieces(), "mp4", size_of)
    assert all_files(files.folder) == []


async def test_a_disk_that_is_almost_full_takes_nothing_new(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 10, 5 * 2**20))
    with pytest.raises(StoreError, match="only 5 MB are left"):
        await files.receive(pieces(), "mp4", size_of)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_up_is_an_error_that_says_so(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(StoreError, match="No space left"):
        Files(tmp_path)._write(full, DATA)


@pytest.mark.parametrize("url", ["s3:/bucket/folder", "s3:bucket", "gs:/b", "SFTP:/host/x"])
def test_an_address_with_a_slash_too_few_is_no_folder_beside_the_notebook(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="an address has two slashes, as s3://bucket/folder"):
        Files(url)
    assert Files(str(tmp_path / "s3:b")).folder == tmp_path / "s3:b"


async def test_a_folder_that_refuses_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "files").touch()
    with pytest.raises(StoreError, match="VIDNB_FILES_URL"):
        await Files(tmp_path / "files").receive(pieces(), "mp4", size_of)


HOLDER = """
import sys, pathlib
from vidnb.files import Files
with Files(pathlib.Path(sys.argv[1]))._part() as (path, file):
    print(path.name, flush=True)
    sys.stdin.readline()
"""


def holder(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """A process that has a part file open, and the file's name."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_parts_of_killed_processes_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    clock = TestClock(time.time())
    files = Files(tmp_path, clock=clock)
    (killed, dead), (living, alive) = holder(tmp_path), holder(tmp_path)
    try:
        killed.kill()
        killed.communicate()
        parts = tmp_path / ".part"
        assert all_files(parts) == sorted([alive, dead])
        for name in (alive, dead):
            os.utime(parts / name, (clock.now(),) * 2)
        clock.forward(module.LITTER_S - 1)
        Files(tmp_path, clock=clock)
        assert all_files(parts) == sorted([alive, dead]), "somebody may just have begun it"
        clock.forward(2)
        files.put(DATA, ".mp4")
        assert all_files(parts) == sorted([alive, dead]), "the folder was looked through a moment ago"
        clock.forward(module.SWEEP_EVERY_S)
        files.put(DATA[::-1], ".mp4")
        assert all_files(parts) == [alive]
    finally:
        living.communicate("done\n")
    assert all_files(parts) == []


@pytest.mark.parametrize("remote", [False, True], ids=["a folder", "a bucket"])
def test_litter_that_was_too_young_goes_although_nothing_else_is_written(
    tmp_path: Path, remote: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LITTER_S", 0.3)
    monkeypatch.setattr(module, "STALE_S", 0.3)
    memory, parts = _memory(), tmp_path / ".part"
    if remote:
        memory.pipe_file("/idle/.part/young.part", b"half")
        Files("memory://idle").put(DATA, ".mp4")
    else:
        parts.mkdir()
        (parts / "young.part").touch()
        Files(tmp_path)
    deadline = time.monotonic() + 60
    while (memory.find("/idle/.part") if remote else all_files(parts)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not (memory.find("/idle/.part") if remote else all_files(parts))


def test_a_folder_without_locks_loses_its_litter_after_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*args: Any) -> None:
        raise OSError("no locks here")

    monkeypatch.setattr("fcntl.flock", none)
    parts = tmp_path / ".part"
    parts.mkdir()
    clock = TestClock()
    for name in ("dead", "alive"):
        (parts / f"{name}.part").touch()
        os.utime(parts / f"{name}.part", (clock.now(),) * 2)
        clock.forward(module.STALE_S - 60)
    Files(tmp_path, clock=clock)
    assert all_files(parts) == ["alive.part"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_lies_oddly_among_the_litter_holds_nobody_up_and_stays(tmp_path: Path) -> None:
    parts = tmp_path / "files" / ".part"
    (parts / "folder.part").mkdir(parents=True)
    os.mkfifo(parts / "pipe.part")
    (parts / "link.part").symlink_to("/nowhere")
    (tmp_path / "mine.txt").touch()
    (parts / "mine.part").symlink_to(tmp_path / "mine.txt")
    for name, moved_s in (("past.part", -1e6), ("future.part", 1e6)):
        (parts / name).touch()
        os.utime(parts / name, (time.time() + moved_s,) * 2)
    os.utime(parts / "pipe.part", (0, 0))
    os.utime(tmp_path / "mine.txt", (0, 0))
    Files(tmp_path / "files")
    assert sorted(path.name for path in parts.iterdir()) == ["folder.part", "link.part", "mine.part", "pipe.part"]
    assert (tmp_path / "mine.txt").exists()


def test_a_bucket_loses_its_litter_after_an_hour_too() -> None:
    memory, clock = _memory(), TestClock()
    files = Files("memory://littered", clock=clock)
    for name in ("old", "young"):
        memory.pipe_file(f"/littered/.part/{name}.part", b"half")
        memory.store[f"/littered/.part/{name}.part"].modified = clock.utc()
        clock.forward(module.STALE_S - 60)
    files.put(DATA, "mp4")
    assert memory.find("/littered") == ["/littered/.part/young.part", f"/littered/{SHA256[:2]}/{SHA256}.mp4"]


def test_an_upload_that_fails_leaves_no_part_in_the_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = _memory()

    def refuse(*args: Any, **options: Any) -> None:
        raise BotoishError("AccessDenied for key AKIA at https://s3/x?X-Amz-Signature=5ec4e7")

    monkeypatch.setattr(memory, "mv", refuse)
    with pytest.raises(StoreError, match="VIDNB_FILES_URL") as caught:
        Files("memory://refusing").put(DATA, "mp4")
    assert "5ec4e7" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert memory.find("/refusing") == []


class BotoishError(Exception):
    """What the clients of object stores raise: no OSError."""


def test_a_service_that_does_not_answer_at_once_is_named_while_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "SILENT_S", 0.0)
    asked = 0

    def info(path: str) -> dict[str, str]:
        nonlocal asked
        asked += 1
        deadline = time.monotonic() + 30
        while not caplog.records and time.monotonic() < deadline:
            time.sleep(0.01)
        raise BotoishError("could not connect")

    monkeypatch.setattr(_memory(), "info", info)
    with pytest.raises(StoreError, match="could not connect"):
        Files("memory://slow").put(DATA, "mp4")
    assert caplog.messages == ["memory://slow does not answer yet. It is tried again for a while; nothing is lost"]
    assert asked == 1, "each further question takes as long"


@pytest.mark.parametrize("verb", ["exists", "path", "put"])
def test_whatever_a_services_library_raises_becomes_a_sentence(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise BotoishError("could not connect")

    monkeypatch.setattr(_memory(), "info", refuse)
    files = Files("memory://away")
    with pytest.raises(StoreError, match=r"memory://away: BotoishError: could not connect; check VIDNB_FILES_URL"):
        files.put(DATA, "mp4") if verb == "put" else getattr(files, verb)(SHA256, "mp4")


def test_an_address_whose_service_cannot_be_opened_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(url: str) -> None:
        raise BotoishError(f"cannot reach {url}")

    monkeypatch.setattr("fsspec.core.url_to_fs", refuse)
    with pytest.raises(ConfigError, match="VIDNB_FILES_URL=sftp://host/clips cannot be opened") as caught:
        Files("sftp://me:pa55w0rd@host/clips")
    assert "pa55w0rd" not in str(caught.value)
    assert caught.value.__context__ is None


async def test_what_is_missing_is_missing(files: Files) -> None:
    assert not files.exists(SHA256, "mp4")
    assert files.path(SHA256, "mp4") is None
    assert files.local_path(SHA256, "mp4") is None
    with pytest.raises(StoreError, match="was it deleted"):
        files.read(SHA256, "mp4")


async def test_only_a_local_folder_has_a_path_to_serve(tmp_path: Path) -> None:
    near, far = Files(tmp_path / "files"), Files("memory://serving")
    for files in (near, far):
        files.put(DATA, "mp4")
    assert near.local_path(SHA256, "mp4") == tmp_path / "files" / SHA256[:2] / f"{SHA256}.mp4"
    assert far.local_path(SHA256, "mp4") is None


async def test_a_remote_file_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Files("memory://shared").put(DATA, "mp4")
    monkeypatch.setenv("VIDNB_HOME", str(tmp_path / "another machine"))
    files = Files("memory://shared")
    assert all_files(files.folder) == []
    path = files.path(SHA256, "mp4")
    assert path is not None
    assert path.read_bytes() == DATA
    _memory().rm("/shared", recursive=True)
    assert files.path(SHA256, "mp4") == path


async def test_a_remote_file_that_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Files("memory://changed").put(DATA, "mp4")
    monkeypatch.setenv("VIDNB_HOME", str(tmp_path / "another machine"))
    _memory().pipe_file(f"/changed/{SHA256[:2]}/{SHA256}.mp4", b"something else")
    with pytest.raises(StoreError, match="damaged"):
        Files("memory://changed").path(SHA256, "mp4")
    assert all_files(tmp_path / "another machine" / "cache") == []


async def test_a_file_that_changed_later_counts_as_missing_and_is_replaced(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.put(DATA, "mp4")
    path = files.path(SHA256, "mp4")
    assert path is not None
    path.write_bytes(DATA[:-1] + b"?")
    assert not files.exists(SHA256, "mp4")
    assert files.is_damaged(SHA256, "mp4")
    assert (files.path(SHA256, "mp4"), files.local_path(SHA256, "mp4")) == (None, None)
    with pytest.raises(StoreError, match=r"is damaged: its content does not fit its name.*given to the call again"):
        files.read(SHA256, "mp4")
    files.put(DATA, "mp4")
    assert files.read(SHA256, "mp4") == DATA
    path.write_bytes(b"")
    await files.receive(pieces(), "mp4", size_of)
    assert files.path(SHA256, "mp4") == path
    assert not files.is_damaged(SHA256, "mp4")


def test_what_is_no_file_under_a_files_name_counts_as_missing(tmp_path: Path) -> None:
    (tmp_path / SHA256[:2] / f"{SHA256}.mp4").mkdir(parents=True)
    files = Files(tmp_path)
    assert not files.exists(SHA256, "mp4")
    assert files.local_path(SHA256, "mp4") is None


async def test_a_damaged_copy_of_a_remote_file_is_fetched_again(tmp_path: Path) -> None:
    files = Files("memory://copies")
    files.put(DATA, "mp4")
    (files.folder / file_name(SHA256, "mp4")).write_bytes(b"something else")
    assert files.read(SHA256, "mp4") == DATA


async def test_a_damaged_remote_file_is_replaced_when_it_comes_again(tmp_path: Path) -> None:
    files = Files("memory://replaced")
    files.put(DATA, "mp4")
    _memory().pipe_file(f"/replaced/{SHA256[:2]}/{SHA256}.mp4", DATA[:-1] + b"?")
    (files.folder / file_name(SHA256, "mp4")).unlink()
    with pytest.raises(StoreError, match="damaged"):
        files.path(SHA256, "mp4")
    files.put(DATA, "mp4")
    assert _memory().cat_file(f"/replaced/{SHA256[:2]}/{SHA256}.mp4") == DATA


async def test_a_large_file_is_served_without_being_read_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SERVED_BYTES", 10)
    Files(tmp_path).put(DATA, "mp4")
    path = tmp_path / file_name(SHA256, "mp4")
    path.write_bytes(DATA[::-1])
    files = Files(tmp_path)
    assert files.local_path(SHA256, "mp4") == path
    assert files.path(SHA256, "mp4") is None  # what is read is looked at, and then it is served no more
    assert files.local_path(SHA256, "mp4") is None


@pytest.mark.parametrize("where", ["local", "memory"])
def test_files_may_be_pickled(tmp_path: Path, where: str) -> None:
    files = Files(tmp_path / "files" if where == "local" else "memory://pickled")
    files.put(DATA, "mp4")
    again = pickle.loads(pickle.dumps(files))
    assert again.folder == files.folder
    assert again.read(SHA256, "mp4") == DATA


async def test_a_remote_folder_keeps_no_parts(files: Files) -> None:
    await to_thread.run_sync(Files("memory://parts").put, DATA, "mp4")
    assert _memory().find("/parts") == [f"/parts/{SHA256[:2]}/{SHA256}.mp4"]


def test_what_is_derived_is_made_once(files: Files) -> None:
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return b"poster"

    assert [files.derived(SHA256, "poster.webp", make) for _ in range(3)] == [b"poster"] * 3
    assert len(made) == 1


@given(text=st.text(max_size=80))
def test_nothing_from_outside_becomes_part_of_a_path(text: str) -> None:
    for sha256, suffix in ((text, "mp4"), (SHA256, f"../{text}"), (SHA256[:-1] + text[:1] + "/", "mp4")):
        with pytest.raises(ValueError, match="is no name of a file"):
            file_name(sha256, suffix)


@pytest.mark.parametrize("sha256", ["", "../../etc/passwd", SHA256.upper(), SHA256 + "\n", SHA256[:-1]])
def test_what_is_no_hash_is_refused(sha256: str, files: Files) -> None:
    with pytest.raises(ValueError, match="is no name of a file"):
        files.path(sha256, "mp4")


@pytest.mark.parametrize("suffix", ["", "/", "mp4/x", "..", "a.b.c", "mp4\n", "MP4", "x" * 9])
def test_what_is_no_suffix_is_refused(suffix: str, files: Files) -> None:
    with pytest.raises(ValueError, match="is no name of a file"):
        files.put(DATA, suffix)
    assert all_files(files.folder) == []


def test_a_suffix_may_have_its_dot(files: Files) -> None:
    assert files.put(DATA, ".mp4") == SHA256
    assert files.exists(SHA256, "mp4")


def test_a_service_that_fsspec_does_not_know_is_refused_without_its_password() -> None:
    with pytest.raises(ConfigError, match="VIDNB_FILES_URL=nothing://bucket/x") as caught:
        Files("nothing://me:canary@bucket/x?token=canary")
    assert "canary" not in str(caught.value)


def test_the_folder_is_where_the_settings_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Files().folder == data_home() / "files"
    monkeypatch.setenv("VIDNB_FILES_URL", f"file://{tmp_path}/elsewhere")
    assert Files().folder == tmp_path / "elsewhere"


def test_the_data_folder_is_beside_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIDNB_HOME")
    monkeypatch.chdir(tmp_path)
    assert data_home() == tmp_path / "vidnb-data"
    assert not data_home().exists()
    assert open_home() == tmp_path / "vidnb-data"
    assert all_files(data_home()) == [".gitignore", "README.txt"]
    assert (data_home() / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize("home", ["~nobody-here/clips", "~nobody-here"])
def test_a_data_folder_of_nobody_is_refused_by_name(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"nobody-here.*whole path"):
        vidnb.Client(home)
    monkeypatch.setenv("VIDNB_HOME", home)
    with pytest.raises(ConfigError, match=r"VIDNB_HOME='~nobody-here.*whole path"):
        data_home()


def test_the_notes_in_the_data_folder_may_be_changed(tmp_path: Path) -> None:
    open_home()
    (data_home() / "README.txt").write_text("mine")
    (data_home() / "vidnb.db").touch()
    (data_home() / ".gitignore").unlink()
    open_home()
    assert all_files(data_home()) == ["README.txt", "vidnb.db"]
    assert (data_home() / "README.txt").read_text() == "mine"


def _memory() -> Any:
    import fsspec

    return fsspec.filesystem("memory")


def test_a_damaged_file_is_noticed_although_its_size_and_time_are_the_old_ones(tmp_path: Path) -> None:
    files = Files(tmp_path / "files")
    sha256 = files.put(DATA, "mp4")
    path = files.path(sha256, "mp4")
    assert path is not None
    before = path.stat()
    path.write_bytes(DATA[:-1] + bytes([DATA[-1] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert files.path(sha256, "mp4") is None
    assert files.is_damaged(sha256, "mp4")


def test_a_folder_in_a_files_place_is_moved_out_of_the_way_and_kept(tmp_path: Path) -> None:
    files = Files(tmp_path / "files")
    path = files.folder / file_name(SHA256, "mp4")
    path.mkdir(parents=True)
    (path / "note.txt").write_text("somebody's", encoding="utf-8")
    assert not files.exists(SHA256, "mp4")
    assert files.read(files.put(DATA, "mp4"), "mp4") == DATA
    assert [note.read_text("utf-8") for note in path.parent.glob("*/note.txt")] == ["somebody's"]
