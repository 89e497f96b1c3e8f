"""The history says of every job what was asked, what came and what it cost, in columns that keep their types."""

from __future__ import annotations

import pickle
import sys
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from databases import database, postgres_server
from historyjobs import START, a_job

from vidnb.clip import Clip
from vidnb.emulator.clips import Scene, render
from vidnb.errors import StoreError
from vidnb.files import Files
from vidnb.history import history as histories
from vidnb.history.frame import AFTER_VARYING, FIRST, TYPES
from vidnb.history.history import History
from vidnb.media.video import probe
from vidnb.records import MISSING, ClipInfo, Cost, Job, State
from vidnb.store import Store
from vidnb.store import scan as scanning
from vidnb.store.search import Search

__all__ = ["database", "postgres_server"]  # fixtures

SHA = "ab" * 32
INFO = ClipInfo(SHA, 123_456, 848, 480, 23.976, 5.005, 120, "h264", True)


@pytest.fixture(autouse=True)
def _working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def add(store: Store) -> Callable[..., Job]:
    """`add(state, params, **more)`: a job in the store that went its way to that state, one minute after the last."""
    count = iter(range(10**6))

    def add(
        state: State, params: dict[str, Any] | None = None, *, clip: ClipInfo = INFO, cost: Cost | None = None,
        error: dict[str, Any] | None = None, **fields: Any,
    ) -> Job:  # fmt: skip
        at = START + timedelta(minutes=next(count))
        given: dict[str, Any] = {"model": "leonardo/motion_2.0", "images": {}, "emulated": True} | fields
        job = Job(
            id=uuid.uuid4().hex, provider=given["model"].split("/")[0], recipe_hash=uuid.uuid4().hex, take=0,
            state=State.INTENDED, params=params or {}, base_url="http://x", created_at=at, **given,
        )  # fmt: skip
        store.intend(job)
        if state is State.INTENDED:
            return job
        store.move(job.id, State.SUBMITTING, submitted_at=at + timedelta(seconds=1))
        if state is State.FAILED:
            return store.move(job.id, State.FAILED, error=error or {}, done_at=at + timedelta(seconds=2))
        store.move(job.id, State.RUNNING, remote_id="remote-1")
        store.move(
            job.id, State.DOWNLOADING, finished_at=at + timedelta(seconds=31), wire_status="COMPLETE", nsfw=False
        )
        return store.move(job.id, State.DONE, done_at=at + timedelta(seconds=33.5), clip=clip, cost=cost)

    return add


def test_an_empty_history_has_every_column_with_its_type(store: Store, files: Files) -> None:
    frame = History(store, files).df
    assert tuple(frame.columns[:6]) == (*FIRST, *AFTER_VARYING)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == TYPES
    assert len(frame) == 0
    assert "No clips yet" in History(store, files)._repr_html_()


def test_ids_are_those_of_the_rows_newest_first_and_filtered(
    store: Store, files: Files, add: Callable[..., Job]
) -> None:
    jobs = [add(State.DONE, {"prompt": f"koala {place}"}) for place in range(4)]
    add(State.FAILED, {"prompt": "koala"})
    done = History(store, files, state="done")
    assert done.ids == [job.id for job in reversed(jobs)] == list(done.df["job_id"])
    assert History(store, files, limit=2, state="done", prompt="KOALA").ids == done.ids[:2]


def test_a_row_says_what_was_asked_what_came_and_how_long_it_took(
    store: Store, files: Files, add: Callable[..., Job], tmp_path: Path
) -> None:
    job = add(
        State.DONE, {"prompt": "a koala", "seed": 7, "duration_s": 5, "width_px": 832, "height_px": 480, "loop": True},
        images={"start_image": [{"sha256": "cd" * 32, "extension": "png"}]}, cost=Cost(0.25, "USD"),
    )  # fmt: skip
    row = History(store, files).df.iloc[0]
    expected = {
        "job_id": job.id, "provider": "leonardo", "model": "leonardo/motion_2.0", "state": "done", "emulated": True,
        "prompt": "a koala", "seed": 7, "duration_s": 5, "width_px": 832, "loop": True, "start_image": "cdcdcdcd",
        "take": 0, "cost": 0.25, "cost_unit": "USD", "cost_usd": 0.0, "wait_s": 30.0, "download_s": 2.5,
        "total_s": 33.5,
        "actual_width_px": 848, "actual_height_px": 480, "actual_fps": 23.976, "actual_duration_s": 5.005,
        "frames": 120,
        "size_bytes": 123_456, "has_audio": True, "codec": "h264", "nsfw": False, "wire_status": "COMPLETE",
        "remote_id": "remote-1", "clip_sha256": SHA, "path": f"vidnb-data/files/ab/{SHA}.mp4",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert row["created_at"] == START
    assert str(row["created_at"].tz) == "UTC"


def test_what_tells_the_rows_apart_comes_first(store: Store, files: Files, add: Callable[..., Job]) -> None:
    same = {"prompt": "a koala", "audio": True, "loop": True}
    add(State.DONE, {**same, "seed": 1, "motion_strength": 3, "styles": ["Moody"]}, images={"end_image": ["x"]})
    job = add(State.DONE, {**same, "seed": 2, "motion_strength": 7, "styles": ["Bold"]}, images={"end_image": ["x"]})
    frame = History(store, files).df
    first = ["id", "model", "seed", "motion_strength", "styles", "rating", "cost", "cost_unit", "prompt"]
    assert list(frame.columns[:9]) == first
    assert {*frame.columns} == {*TYPES, "styles", "audio", "loop", "end_image"}
    assert frame["id"][0] == job.id[:8]
    add(State.FAILED, {**same, "seed": 2})
    assert list(History(store, files).df.columns[3:6]) == ["motion_strength", "end_image", "styles"]


def test_types_stay_whatever_is_missing(store: Store, files: Files, add: Callable[..., Job]) -> None:
    add(State.DONE, {"seed": 1, "motion_strength": 5, "loop": True, "steps": 20, "guidance_scale": 7.5})
    add(State.FAILED, {}, error={"message": "no", "charged": False})
    frame = History(store, files).df
    assert {name: str(frame.dtypes[name]) for name in TYPES} == TYPES
    kinds = {name: str(frame.dtypes[name]) for name in ("loop", "steps", "guidance_scale")}
    assert kinds == {"loop": "boolean", "steps": "Int64", "guidance_scale": "Float64"}
    assert frame["seed"].isna().tolist() == [True, False]
    assert (frame.loc[0, "error"], frame.loc[0, "charged"]) == ("no", False)


def test_values_of_kinds_that_do_not_go_together_become_text_with_a_warning(
    store: Store, files: Files, add: Callable[..., Job]
) -> None:
    add(State.INTENDED, {"seed": 2**70, "quality": "pro", "elements": [{"id": "x", "weight": 1}], "loop": True})
    add(State.INTENDED, {"seed": 3, "quality": 4, "elements": None, "loop": "yes", "steps": 1})
    add(State.INTENDED, {"steps": 1.5})
    with pytest.warns(UserWarning, match="different kinds") as said:
        frame = History(store, files).df
    assert sorted(str(one.message).split("'")[1] for one in said) == ["loop", "quality", "seed"]
    assert list(frame["seed"][1:]) == ["3", str(2**70)]
    assert list(frame["quality"][1:]) == ["4", "pro"]
    assert list(frame["loop"][1:]) == ["yes", "true"]
    assert frame["elements"][2] == '[{"id":"x","weight":1}]'
    assert list(frame["steps"][:2]) == [1.5, 1.0]
    whole = History(store, files, params={"quality": 4}).df  # no warning where these rows have one kind
    assert str(whole["quality"].dtype) == "Int64"


def test_the_frame_is_the_same_by_every_way_of_reading(
    database: str, files: Files, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import pandas as pd

    pytest.importorskip("adbc_driver_sqlite")
    pytest.importorskip("adbc_driver_postgresql")
    with closing(Store(database)) as store:
        odd = "a 'quoted' \\ %s \U0001f98a"
        rows: list[dict[str, Any]] = [{"prompt": odd, "styles": ["x"]}, {}, {"prompt": "", "steps": 2}]
        rows += [{}] * 30  # of the newest nothing is known: no type may be guessed from them
        for number, params in enumerate([{"seed": 2**40, "loop": True, "motion_strength": 2.5, "fps": 24}, *rows]):
            cost = Cost(0.5, "USD") if number == 1 else None
            store.intend(a_job(number, params, clip=INFO if number < 3 else None, cost=cost, emulated=number > 2))
        store.update(store.search(Search())[-1], tags=("a", 'b"c'), note="n", error={"message": "no", "charged": True})
        slow = History(store, files).df
        monkeypatch.setattr(scanning, "MANY", 0)
        fast = History(store, files).df
        pd.testing.assert_frame_equal(slow, fast)
        monkeypatch.setattr(scanning, "PER_PROCESS", 10)
        monkeypatch.setattr("os.cpu_count", lambda: 3)
        parts: list[int] = []
        arrow = scanning.arrow
        monkeypatch.setattr(scanning, "arrow", lambda at, scans: parts.append(len(scans)) or arrow(at, scans))
        pd.testing.assert_frame_equal(slow, History(store, files).df)
        newest = History(store, files).newest(9).df
        assert (parts, list(newest["job_id"])) == ([3, 1], list(slow["job_id"][:9]))  # in parts, and in one
        assert (fast["seed"].iloc[-1], fast["fps"].iloc[-1], fast["prompt"].iloc[-2]) == (2**40, 24, odd)
        assert fast["created_at"].iloc[-1] == pd.Timestamp(START)
        hostile = History(store, files, prompt="'quoted' \\ %", seed=MISSING)
        assert len(hostile.df) == len(hostile) == 1
        table = hostile.arrow()
        assert table.column("prompt").to_pylist() == [odd]
        polars = pytest.importorskip("polars")
        assert polars.from_arrow(table)["styles"].to_list() == ['["x"]']
        assert pytest.importorskip("pyarrow").table(hostile).column("prompt").to_pylist() == [odd]
        monkeypatch.setattr(scanning, "has_adbc", lambda dialect: False)
        monkeypatch.setattr(scanning, "ROWS_AT_ONCE", 7)
        pd.testing.assert_frame_equal(slow, History(store, files).df)


def in_children(monkeypatch: pytest.MonkeyPatch, code: str = "", path: Path | None = None) -> None:
    """Let even a short history be read by processes beside each other, which run this code if one is given."""
    pytest.importorskip("adbc_driver_sqlite")
    monkeypatch.setattr(scanning, "MANY", 0)
    monkeypatch.setattr(scanning, "PER_PROCESS", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    if path is not None:
        path.write_text(code, encoding="utf-8")
        monkeypatch.setattr(scanning, "CHILD", path)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a pipe be made larger")
def test_a_person_who_may_make_no_pipe_larger_reads_a_long_history_all_the_same(
    store: Store, files: Files, add: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> int:
        raise PermissionError(1, "Operation not permitted")

    added = [add(State.INTENDED, {"seed": seed}).id for seed in range(4)]
    in_children(monkeypatch)
    monkeypatch.setattr("fcntl.fcntl", refuse)
    assert list(History(store, files).df["job_id"]) == added[::-1]


def test_an_interrupt_while_a_long_history_is_read_ends_all_that_reads_it(
    store: Store, files: Files, add: Callable[..., Job], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for seed in range(4):
        add(State.INTENDED, {"seed": seed})
    marker = tmp_path / "interrupted"
    code = f"""
import os, signal, sys, time
sys.stdin.read()
try:
    open({str(marker)!r}, "x").close()
    os.kill(os.getppid(), signal.SIGINT)
except FileExistsError:
    pass
time.sleep(3600)
"""
    in_children(monkeypatch, code, tmp_path / "child.py")
    with pytest.raises(KeyboardInterrupt):
        _ = History(store, files).df


def test_a_process_that_is_killed_while_it_reads_leaves_no_shorter_history(
    store: Store, files: Files, add: Callable[..., Job], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for seed in range(4):
        add(State.INTENDED, {"seed": seed})
    code = scanning.CHILD.read_text(encoding="utf-8").replace("main()\n", "main()\n    raise SystemExit('killed')\n")
    in_children(monkeypatch, code, tmp_path / "child.py")
    with pytest.raises(StoreError, match="the history cannot be read: killed"):
        _ = History(store, files).df


def test_a_param_named_like_a_column_gets_a_column_of_its_own(
    store: Store, files: Files, add: Callable[..., Job]
) -> None:
    add(State.INTENDED, {"state": "Bavaria", "path": "x"})
    row = History(store, files).df.iloc[0]
    assert (row["state"], row["param_state"], row["param_path"]) == ("intended", "Bavaria", "x")


def test_credits_are_no_dollars(store: Store, files: Files, add: Callable[..., Job]) -> None:
    import pandas as pd

    add(State.DONE, cost=Cost(45, "CREDITS"), emulated=False)
    row = History(store, files).df.iloc[0]
    assert (row["cost"], row["cost_unit"]) == (45, "CREDITS")
    assert row["cost_usd"] is pd.NA


def test_a_path_outside_the_working_folder_is_whole(
    store: Store, tmp_path_factory: pytest.TempPathFactory, add: Callable[..., Job]
) -> None:
    far = tmp_path_factory.mktemp("far")
    add(State.DONE)
    assert History(store, Files(far)).df.loc[0, "path"] == f"{far.as_posix()}/ab/{SHA}.mp4"


def test_filters_and_the_limit_reach_the_store(store: Store, files: Files, add: Callable[..., Job]) -> None:
    for seed in range(5):
        add(State.INTENDED, {"prompt": f"Koala {seed}", "seed": seed})
    assert len(History(store, files, prompt="koala", seed=[1, 2]).df) == 2
    assert list(History(store, files, limit=2).df["seed"]) == [4, 3]


def test_it_is_a_sequence_of_clips_and_jobs_newest_first(store: Store, files: Files, add: Callable[..., Job]) -> None:
    first, second = add(State.DONE, {"prompt": "a"}), add(State.INTENDED)
    history = History(store, files)
    assert len(history) == 2
    newest, oldest = history
    assert isinstance(oldest, Clip)
    assert newest == second
    assert oldest.job == store.get(first.id)
    assert isinstance(history[-1], Clip)
    assert [isinstance(item, Clip) for item in history[:5]] == [False, True]
    assert "2 jobs" in repr(history)


def test_a_history_that_was_looked_at_does_not_change(store: Store, files: Files, add: Callable[..., Job]) -> None:
    add(State.INTENDED)
    history = History(store, files)
    assert len(history) == 1
    add(State.INTENDED)
    assert len(history.df) == len(list(history)) == 1
    assert len(History(store, files)) == 2


def test_in_a_cell_it_is_a_gallery_of_the_newest_clips(store: Store, files: Files, add: Callable[..., Job]) -> None:
    video = render(Scene("leonardo/motion_2.0", "a koala", width_px=320, height_px=192, duration_s=1))
    path = files.path(sha256 := files.put(video, ".mp4"), ".mp4")
    assert path is not None
    measured = probe(path)
    info = ClipInfo(**{**vars(measured), "sha256": sha256})
    for number in range(70):
        add(State.DONE, {"prompt": f"<b>koala</b> {number}"}, clip=info)
    html = History(store, files)._repr_html_()
    assert html.count("data:image/webp;base64,") == 24
    assert "70 jobs" in html
    assert "The newest 24 clips of 70 jobs." in html
    assert "&lt;b&gt;koala&lt;/b&gt; 69" in html
    assert "<b>" not in html
    assert len(html) < 90_000


def test_a_failed_or_lost_clip_still_has_its_line(store: Store, files: Files, add: Callable[..., Job]) -> None:
    add(State.FAILED, {"prompt": "rude"}, error={"message": "<i>moderation</i>", "charged": False})
    add(State.DONE, {"prompt": "its file is gone"})
    html = History(store, files)._repr_html_()
    assert "&lt;i&gt;moderation&lt;/i&gt;" in html
    assert "its file is gone" in html
    assert "1 failed" in html
    assert "no picture" in html
    assert "<img" not in html


def test_a_large_history_says_once_how_it_is_read_faster_where_that_is_not_installed(
    store: Store, files: Files, add: Callable[..., Job], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level("INFO", "vidnb")
    monkeypatch.setattr(histories, "HINT_ROWS", 3)
    for number, said in ((2, 0), (3, 1), (4, 1)):
        while store.count(Search()) < number:
            add(State.INTENDED, {"prompt": "a koala"})
        assert len(History(store, files).df) == number
        assert caplog.text.count("pip install 'vidnb[fast]'") == said


def test_a_prompt_that_no_clip_has_is_answered_with_the_nearest_one(
    store: Store, files: Files, add: Callable[..., Job]
) -> None:
    add(State.DONE, {"prompt": "A lighthouse in a storm", "seed": 1})
    add(State.DONE, {"prompt": "A lighthouse at dawn", "seed": 2})
    html = History(store, files, prompt="Lighthose")._repr_html_()
    assert "No clip has “Lighthose” in its prompt. Did you mean “lighthouse” (2 jobs)?" in html
    assert "Did you mean “storm” (1 job)?" in History(store, files, prompt="strom", seed=1)._repr_html_()
    for filters in ({"prompt": "strom", "seed": 2}, {"prompt": "zebra"}, {"seed": 3}):
        assert "No clip passes these filters: none has " in History(store, files, **filters)._repr_html_()


@pytest.mark.parametrize(
    ("filters", "why"),
    [
        ({"seed": 99}, "No clip passes these filters: none has seed=99. vidnb.history() has all."),
        ({"seed": 1, "rating": (4, None)}, "No clip passes these filters: none has rating from 4. "),
        ({"tag": "nobody gave it", "seed": [8, 9]}, "none has tag='nobody gave it' and seed=8 or 9."),
        ({"prompt": "dawn", "seed": 1}, "No clip passes these filters. vidnb.history() has all."),
        ({"since": "2999-01-01"}, "none has created_at from 2999-01-01 00:00."),
        ({"seed": 3}, "No clip passes these filters, 1 job in the trash do (trashed=True)."),
        ({"trashed": True, "seed": 1}, "No clip in the trash passes these filters, 1 job that"),
        ({"seed": []}, ""),
        ({"limit": 0, "seed": 99}, ""),
    ],
)
def test_an_empty_history_says_why(
    filters: dict[str, Any], why: str, store: Store, files: Files, add: Callable[..., Job],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    for seed, prompt in enumerate(["a storm", "dawn", "night"], 1):
        job = add(State.DONE, {"prompt": prompt, "seed": seed})
    store.trash([job.id])
    found = History(store, files, **filters)
    assert found.df.empty
    assert found.why_empty.startswith(why) if why.startswith("No") else why in found.why_empty
    assert bool(found.why_empty) is bool(why)
    assert found.why_empty in caplog.text, "whoever looks at the frame only reads it, too"
    assert found.why_empty in repr(found)


def test_rows_stand_in_sets(store: Store, add: Callable[..., Job]) -> None:
    job = add(State.INTENDED, {"prompt": "a koala"})
    assert len({job, store.get(job.id), pickle.loads(pickle.dumps(job)), add(State.DONE, {"prompt": "a cat"})}) == 2


def test_what_a_person_says_is_in_a_history_that_was_read_before(store: Store, files: Files) -> None:
    jobs = [a_job(number, {"seed": number}) for number in range(3)]
    for job in jobs:
        store.intend(job)
    history = History(store, files)
    assert history.df.rating.isna().all()
    assert history.df is history.df
    assert history.jobs[0].rating is None
    newer, _ = store.intend(a_job(9, {"seed": 9}))
    store.update(jobs[2].id, rating=4)
    assert history.df.rating.tolist()[0] == 4
    assert history.jobs[0].rating == 4
    assert newer.id not in history.ids


def test_a_loop_that_rates_the_clips_it_was_asked_for_keeps_its_place(store: Store, files: Files) -> None:
    for number in range(150):
        store.update(store.intend(a_job(number, {"seed": number}))[0].id, rating=1)
    history = History(store, files, rating=1).sort("-rating")
    seen = []
    for place in range(len(history)):
        seen.append(history[place].params["seed"])  # type: ignore[union-attr]  # none of them is done
        store.update(history[place].id, rating=None if place % 2 else 5)  # type: ignore[union-attr]
    assert seen == list(range(149, -1, -1))
