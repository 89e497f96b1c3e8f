"""A client stays with the data folder it began with, and notices when another one lies there before it pays."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from counting import VALUES, CountingService
from fakes import QUICK

import vidnb
from vidnb.emulator import Emulator
from vidnb.errors import DataMovedError
from vidnb.store import Store


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingService]:
    with CountingService().serving() as service:
        for name, value in service.environment.items():
            monkeypatch.setenv(name, value)
        yield service


def sent(client: vidnb.Client, prompt: str) -> vidnb.Job:
    """The row of a job once the service has it."""
    for row in client.watch(client.submit(prompt, **VALUES)):
        if row.remote_id is not None:
            return row
    raise AssertionError("it ended")


def removed(folder: Path) -> None:
    """Take the folder away although a client may be writing into it."""
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


def in_python(code: str, **options: object) -> str:
    """What the code prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300, **options
    )  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    return str(done.stdout).strip()


# -- the folder that a client began with


def test_a_client_stays_with_its_folder_when_the_working_directory_moves(
    service: CountingService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "one")
    with vidnb.Client("data", database_url="sqlite:///mine.db", files_url="clips") as client:
        monkeypatch.chdir(tmp_path / "two")
        first = sent(client, "a koala")
        assert client.submit("a koala", **VALUES).id == first.id
        assert client.asynchronous.home == tmp_path / "one" / "data"
        assert client.asynchronous.files.folder == tmp_path / "one" / "clips"
    assert (tmp_path / "one" / "mine.db").exists()
    assert not any((tmp_path / "two").iterdir())
    assert service.prompts == ["a koala"]


@pytest.mark.parametrize("home", ["s3://bucket/data", "https://host/data?X-Amz-Signature=5ec4e7"])
def test_the_address_of_a_store_is_no_data_folder(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(vidnb.ConfigError, match="is no data folder; files_url takes") as caught:
        vidnb.Client(home)
    monkeypatch.setenv("VIDNB_HOME", home)
    with pytest.raises(vidnb.ConfigError, match="is no folder; VIDNB_FILES_URL takes") as of_setting:
        vidnb.jobs()
    assert "5ec4e7" not in f"{caught.value} {of_setting.value}"


def test_a_working_directory_that_was_removed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.delenv("VIDNB_HOME")
    monkeypatch.setattr("vidnb.files._begun", {})
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(vidnb.ConfigError, match="the working directory was removed"):
        vidnb.jobs()


def test_the_verbs_stay_with_the_folder_with_which_the_process_began_and_say_so(
    service: CountingService, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    code = """
import os, vidnb
def sent(client):
    for row in client.watch(client.submit("a koala", model="leonardo/motion_2.0")):
        if row.remote_id:
            return row.id
ids = [sent(vidnb)]
os.chdir("elsewhere")
ids += [sent(vidnb), sent(vidnb), sent(vidnb.Client())]
print(len(set(ids)), os.path.exists("vidnb-data"))
"""
    environment = {name: value for name, value in os.environ.items() if name != "VIDNB_HOME"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment, check=True
    )
    assert done.stdout.strip().splitlines()[-1] == "1 False"
    assert (done.stdout + done.stderr).count(f"vidnb goes on with the data folder {tmp_path / 'vidnb-data'}") == 1
    assert service.prompts == ["a koala"]


# -- another database under its feet


def remove_folder(home: Path, copy: Path) -> None:
    removed(home)


def remove_file(home: Path, copy: Path) -> None:
    (home / "vidnb.db").unlink()


def remove_log(home: Path, copy: Path) -> None:
    (home / "vidnb.db-wal").unlink()


def replace_by_another(home: Path, copy: Path) -> None:
    other = home.with_name("other")
    Store(other).close()
    (other / "vidnb.db").replace(home / "vidnb.db")


def restore_the_folder(home: Path, copy: Path) -> None:
    removed(home)
    shutil.copytree(copy, home)


def restore_the_file(home: Path, copy: Path) -> None:
    for path in home.glob("vidnb.db*"):
        path.unlink()
    shutil.copy(copy / "vidnb.db", home)


def empty_the_tables(home: Path, copy: Path) -> None:
    with closing(sqlite3.connect(home / "vidnb.db")) as other:
        for table in ("reservations", "events", "jobs"):
            other.execute(f"DELETE FROM {table}")
        other.commit()


def go_back_in_place(home: Path, copy: Path) -> None:
    with closing(sqlite3.connect(copy / "vidnb.db")) as older, closing(sqlite3.connect(home / "vidnb.db")) as newer:
        older.backup(newer)


def truncate(home: Path, copy: Path) -> None:
    (home / "vidnb.db").write_bytes(b"")


@pytest.mark.parametrize(
    "change",
    [
        remove_folder, remove_file, remove_log, replace_by_another, restore_the_folder, restore_the_file,
        empty_the_tables, go_back_in_place, truncate,
    ],
)  # fmt: skip
def test_nothing_is_paid_once_another_database_lies_there(
    service: CountingService, tmp_path: Path, change: Callable[[Path, Path], None]
) -> None:
    home, copy = tmp_path / "data", tmp_path / "copy"
    with vidnb.Client(home) as before:
        sent(before, "the oldest")
    shutil.copytree(home, copy)
    with vidnb.Client(home) as client:
        sent(client, "before")
        change(home, copy)
        for prompt in ("before", "after", "after"):
            with pytest.raises(DataMovedError, match="restart the kernel"):
                client.submit(prompt, **VALUES)
    assert service.prompts == ["the oldest", "before"]


def restore_over_the_folder(home: Path, copy: Path) -> None:
    shutil.copytree(copy, home, dirs_exist_ok=True)  # what is newer, and has other names, stays


def restore_all_but_the_clips(home: Path, copy: Path) -> None:
    for path in home.iterdir():
        if path.name != "files":
            path.unlink()
    shutil.copytree(copy, home, dirs_exist_ok=True, ignore=shutil.ignore_patterns("files"))


@pytest.mark.parametrize(
    "change", [restore_the_file, restore_over_the_folder, restore_all_but_the_clips, remove_file, go_back_in_place]
)
def test_nothing_is_paid_where_an_older_copy_was_put_back_between_two_kernels(
    service: CountingService, tmp_path: Path, change: Callable[[Path, Path], None]
) -> None:
    home, copy = tmp_path / "data", tmp_path / "copy"
    with vidnb.Client(home) as before:
        sent(before, "yesterday")
    shutil.copytree(home, copy)
    with vidnb.Client(home) as first, vidnb.Client(home) as second:
        sent(first, "today")
        sent(second, "today, in another kernel")
    change(home, copy)
    told_of = home / "files" / "sent" / "vidnb.db"
    told = re.escape(f"put the newer vidnb.db back, or remove the folder {told_of} to go on".lower())
    with vidnb.Client(home) as client:
        for prompt in ("today", "tomorrow", "today"):
            with pytest.raises(DataMovedError, match=f"(?i)does not know the newest job .*{told}"):
                client.submit(prompt, **VALUES)
        assert [job.prompt for job in client.jobs()] == ["yesterday"] * (change is not remove_file)
        shutil.rmtree(home / "files" / "sent")
        sent(client, "tomorrow")
    with vidnb.Client(home) as later:
        sent(later, "the day after")
    assert service.prompts == ["yesterday", "today", "today, in another kernel", "tomorrow", "the day after"]


def test_databases_beside_each_other_know_of_their_own_jobs_only(service: CountingService, tmp_path: Path) -> None:
    for name, prompt in (("a.db", "one"), ("b.db", "two"), ("a.db", "three")):
        with vidnb.Client(tmp_path, database_url=f"sqlite:///{tmp_path / name}") as client:
            sent(client, prompt)
    assert service.prompts == ["one", "two", "three"]


def test_a_row_that_waited_in_the_older_copy_is_not_sent_again(service: CountingService, tmp_path: Path) -> None:
    home, copy = tmp_path / "data", tmp_path / "copy"
    with vidnb.Client(home, max_in_flight=1) as client:
        first, waiting = sent(client, "first"), client.submit("second", **VALUES)
        with closing(sqlite3.connect(home / "vidnb.db")) as living:
            copy.mkdir()
            with closing(sqlite3.connect(copy / "vidnb.db")) as backup:
                living.backup(backup)
                backup.execute("UPDATE jobs SET lease_owner = NULL")  # that kernel is long gone by then
                backup.commit()
        client.stop_waiting(first)
        sent(client, "second")
    restore_the_file(home, copy)
    with vidnb.Client(home) as client:
        client.resume(wait=False)
        with pytest.raises(DataMovedError, match="put back from an older copy"):
            client.wait(waiting, timeout_s=60)
    assert service.prompts == ["first", "second"]


def test_a_job_that_waits_to_be_sent_is_not_sent_either(service: CountingService, tmp_path: Path) -> None:
    home = tmp_path / "data"
    with vidnb.Client(home, max_in_flight=1) as client:
        sent(client, "first")
        waiting = client.submit("second", **VALUES)
        (first,) = [job for job in client.jobs() if job.id != waiting.id]
        removed(home)
        client.stop_waiting(first)
        with pytest.raises(vidnb.VidnbError):
            client.wait(waiting, timeout_s=60)
    assert service.prompts == ["first"]


def test_no_empty_history_is_begun_where_one_was_removed(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as store, store.reading():  # so the next read needs a connection of its own
        removed(tmp_path)
        with pytest.raises(DataMovedError, match=r"was removed .*restart the kernel"):
            store.jobs()
        assert not (tmp_path / "vidnb.db").exists()


def test_other_processes_and_clients_are_no_other_database(service: CountingService, tmp_path: Path) -> None:
    with vidnb.Client(tmp_path) as client:
        sent(client, "one")
        with vidnb.Client(tmp_path) as other:
            sent(other, "two")
        code = (
            f"import vidnb; c = vidnb.Client({str(tmp_path)!r}); c.budget('x', jobs=3); print(len(c.jobs())); c.close()"
        )
        assert in_python(code) == "2"
        sent(client, "three")
    assert service.prompts == ["one", "two", "three"]


# -- what is left behind, and what is begun


@pytest.mark.parametrize("end", ["", "client.close()", "raise SystemExit(0)", "del client; import gc; gc.collect()"])
def test_a_copy_of_the_database_file_alone_is_whole_after_every_end(tmp_path: Path, end: str) -> None:
    home, copy = tmp_path / "data", tmp_path / "copy"
    code = f"""
import vidnb
client = vidnb.Client({str(home)!r})
client.generate("a koala", **{QUICK!r})
client.submit("a cat", **{QUICK!r})
{end}
"""
    in_python(code, env=os.environ | {"VIDNB_EMULATOR_SPEED": "1000"})
    copy.mkdir()
    shutil.copy(home / "vidnb.db", copy)
    with vidnb.Client(copy) as client:
        assert {job.prompt for job in client.jobs()} == {"a koala", "a cat"}


@pytest.mark.parametrize("left", ["nothing", "an empty file", "a copy without its log"])
def test_no_history_is_begun_where_the_clips_of_another_one_lie(tmp_path: Path, left: str) -> None:
    home, fresh = tmp_path / "data", tmp_path / "fresh"
    with Emulator(tmp_path / "emulator", speed=1000.0) as emulator, vidnb.Client(home, emulator=emulator) as client:
        client.generate("a koala", **QUICK)
    Store(fresh).close()
    (home / "vidnb.db").unlink()
    if left == "an empty file":
        (home / "vidnb.db").touch()
    elif left == "a copy without its log":
        shutil.copy(fresh / "vidnb.db", home)
    with vidnb.Client(home) as client, pytest.raises(vidnb.StoreError, match="holds 1 clip, but the history"):
        client.submit("a koala", **QUICK)
    (home / "files").rename(home / "old")
    with vidnb.Client(home) as client:
        assert client.jobs() == []
