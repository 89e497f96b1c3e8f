"""Clips are measured once for each file and version, in processes or by an executor, and become columns."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import clipmakers
import pytest

from vidnb.client.verbs import Client
from vidnb.clip import Clip
from vidnb.display.counting import Counting
from vidnb.errors import ConfigError
from vidnb.files import Files
from vidnb.history import measuring
from vidnb.history.history import History
from vidnb.history.scorers import of_frames
from vidnb.media import verify_video
from vidnb.media.measures import MEASURES
from vidnb.records import Job, State
from vidnb.store import Store, utcnow


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "files")


@pytest.fixture
def history(store: Store, files: Files, tmp_path: Path) -> History:
    """Three done jobs, the first two with the same file, and one that failed."""
    for number, frames in enumerate((12, 12, 15)):
        add(store, files, clipmakers.write(tmp_path / f"{number}.mp4", frames=frames), number)
    job = blank(3)
    store.intend(job)
    store.move(job.id, State.FAILED, error={"kind": "X", "message": "x", "charged": False})
    return History(store, files)


def blank(number: int, **more: Any) -> Job:
    return Job(
        id=f"{number}" * 32, provider="leonardo", model="leonardo/motion_2.0", recipe_hash=f"{number}" * 64, take=0,
        state=State.INTENDED, params={"prompt": "a koala", "seed": number}, images=more.get("images", {}),
        emulated=True, base_url="https://a.invalid", created_at=utcnow(),
    )  # fmt: skip


def add(store: Store, files: Files, path: Path, number: int, **more: Any) -> Clip:
    from dataclasses import replace

    job = blank(number, **more)
    store.intend(job)
    for state in (State.SUBMITTING, State.QUEUED, State.DOWNLOADING):
        store.move(job.id, state)
    info = replace(verify_video(path), sha256=files.put(path.read_bytes(), ".mp4"))
    return Clip(store.move(job.id, State.DONE, clip=info, done_at=utcnow()), files)


def test_a_row_or_an_id_is_measured_as_its_clip(tmp_path: Path) -> None:
    with Client(tmp_path) as client:
        core = client.asynchronous
        clip = add(core.store, core.files, clipmakers.write(tmp_path / "one.mp4", frames=6), 1)
        for given in (clip.job, clip.job.id[:8], [client.annotate(clip, rating=3)], client.history()):
            assert client.measure(given, measures=["exposure"], workers=1).exposure.notna().tolist() == [True]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The tasks that were measured in this process."""
    tasks: list[Any] = []
    real = measuring.measured

    def counting(**task: Any) -> Any:
        tasks.append(task)
        return real(**task)

    monkeypatch.setattr(measuring, "measured", counting)
    return tasks


def test_each_file_is_measured_once_and_becomes_columns(history: History, counted: list[Any]) -> None:
    found = history.measure(workers=1)
    assert list(found.columns) == ["id", "model", "seed", *MEASURES]
    assert sorted(found.seed) == [0, 1, 2]
    assert len(counted) == 2  # two of the three clips are the same file
    again = history.measure(workers=1)
    assert again.equals(found)
    assert len(counted) == 2
    frame = history.df
    assert frame.motion.notna().sum() == 3
    assert list(frame.columns).index("motion") == list(frame.columns).index("cost_unit") + 1
    assert frame.motion.dtype == "Float64"
    assert "loudness" not in frame or frame.loudness.isna().all()


def test_a_new_version_of_a_measure_is_measured_anew(
    history: History, counted: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    history.measure(measures=["motion", "cuts"], workers=1)
    monkeypatch.setitem(MEASURES, "cuts", replace(MEASURES["cuts"], version="2"))
    history.measure(measures=["motion", "cuts"], workers=1)
    assert [task["names"] for task in counted] == [["motion", "cuts"]] * 2 + [["cuts"]] * 2


def test_a_function_is_a_measure_and_a_changed_one_another(history: History) -> None:
    calls: list[str] = []

    def length(clip: Clip) -> float:
        calls.append(clip.job.id)
        return clip.info.duration_s

    first = history.measure(measures=[length, "exposure"], workers=1)
    assert sorted(first.length.round(2)) == [1.2, 1.2, 1.5]
    assert len(calls) == 2
    history.measure(measures=length)
    assert len(calls) == 2

    def length(clip: Clip) -> float:  # type: ignore[no-redef]  # as somebody changes a cell and runs it again
        return 10 * clip.info.duration_s

    assert sorted(history.measure(measures=[length]).length.round(2)) == [12.0, 12.0, 15.0]
    assert sorted(history.df.length.dropna().round(2)) == [12.0, 12.0, 15.0]


def test_a_score_of_frames_gets_them_and_the_prompt(history: History) -> None:
    seen: list[Any] = []

    def score(frames: Any, prompt: str) -> float:
        seen.append((frames.shape, frames.dtype.name, prompt))
        return float(frames.mean())

    found = history.measure(measures=[of_frames("clip_score", score, frames=5, version="ViT-B-32")])
    assert seen == [((5, 96, 128, 3), "uint8", "a koala")] * 2
    assert found.clip_score.notna().all()
    with pytest.raises(ConfigError, match="one frame or more"):
        of_frames("x", score, frames=0)


def test_a_measure_that_fails_leaves_the_others_and_is_tried_again(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("vidnb.display.say", said.append)
    broken = [True]

    def mine(clip: Clip) -> float:
        if broken[0]:
            raise ZeroDivisionError("no")
        return 1.0

    found = history.measure(measures=[mine, "exposure"], workers=1)
    assert found.mine.isna().all()
    assert found.exposure.notna().all()
    assert len(said) == 1
    assert said[0].startswith("2 measurements failed; the first: mine of job")
    assert "ZeroDivisionError: no" in said[0]
    broken[0] = False
    assert history.measure(measures=[mine]).mine.tolist() == [1.0] * 3


def test_a_clip_whose_file_is_gone_is_said_and_the_others_are_measured(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("vidnb.display.say", said.append)
    clip = next(item for item in history if isinstance(item, Clip) and item.seed == 2)
    clip.path.unlink()
    found = history.measure(measures=["motion"], workers=1).set_index("seed")
    assert found.motion.isna().to_dict() == {0: False, 1: False, 2: True}
    assert "no longer in the data folder" in said[0]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"measures": ["motoin"]}, r"no measure 'motoin'; did you mean motion\?"),
        ({"measures": ["zzz"]}, "no measure 'zzz'; there are motion,"),
        ({"measures": [7]}, "7 is no measure"),
        ({"measures": [lambda clip: 1.0]}, "<lambda>.*must be small letters.*its attribute `name`"),
        ({"workers": 0}, "workers=0"),
        ({"workers": True}, "workers=True"),
    ],
)
def test_what_is_no_measure_is_refused_with_what_would_be(history: History, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        history.measure(**asked)


def test_a_measure_of_ones_own_may_not_take_the_name_of_another(history: History) -> None:
    def motion(clip: Clip) -> float:
        return 1.0

    with pytest.raises(ConfigError, match="'motion', is taken"):
        history.measure(measures=[motion])


def test_an_executor_does_the_work(history: History) -> None:
    def mine(clip: Clip) -> str:
        return str(len(threading.current_thread().name))

    with ThreadPoolExecutor(2, "elsewhere") as executor:
        found = history.measure(measures=["exposure", mine], executor=executor)
    assert found.exposure.notna().all()
    assert set(found.mine) == {float(len("elsewhere_0"))}


class OtherMachine(Executor):
    """Does each task in a new process, in another folder and with another data folder."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        run = "import pickle, sys; given = pickle.load(sys.stdin.buffer); " + (
            "sys.stdout.buffer.write(pickle.dumps(given[0](*given[1], **given[2])))"
        )
        done = subprocess.run(
            [sys.executable, "-c", run], input=pickle.dumps((fn, args, kwargs)), stdout=subprocess.PIPE, check=True,
            cwd=self._home, env=os.environ | {"VIDNB_HOME": str(self._home)}, timeout=120,
        )  # fmt: skip
        future: Future[Any] = Future()
        future.set_result(pickle.loads(done.stdout))
        return future


def test_a_worker_on_another_machine_takes_the_clip_from_the_bucket(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    there.mkdir()
    monkeypatch.setenv("VIDNB_HOME", str(here))
    bucket = Files(f"local://{tmp_path}/bucket")
    clip = add(store, bucket, clipmakers.write(tmp_path / "one.mp4", frames=6), 1)
    shutil.rmtree(here / "cache")
    found = measuring.measure([clip], store, measures=["exposure"], executor=OtherMachine(there))
    assert found.exposure.notna().tolist() == [True]
    assert list(there.glob("cache/**/*.mp4"))
    assert not list(here.glob("cache/**/*.mp4"))


@pytest.mark.long
def test_processes_give_the_same_numbers(history: History, store: Store, files: Files, tmp_path: Path) -> None:
    in_processes = history.measure(workers=2)
    other = Store(tmp_path / "other")
    try:
        here = measuring.measure(history, other, workers=1)
    finally:
        other.close()
    assert in_processes.equals(here)


def test_fidelity_is_measured_against_the_jobs_own_image(store: Store, files: Files, tmp_path: Path) -> None:
    path = clipmakers.write(tmp_path / "a.mp4", pixels=clipmakers.corner, frames=6)
    import io

    import PIL.Image

    images = {}
    for name, pixels in (("same", clipmakers.corner(0)), ("other", clipmakers.corner(0)[::-1, ::-1])):
        sink = io.BytesIO()
        PIL.Image.fromarray(pixels).save(sink, "PNG")
        images[name] = {"start_image": [{"sha256": files.put(sink.getvalue(), ".png"), "extension": "png"}]}
    clips = [add(store, files, path, number, images=images[name]) for number, name in enumerate(images)]
    found = measuring.measure(clips, store, measures=["start_fidelity", "end_fidelity"], workers=1)
    assert found.start_fidelity[0] > 0.9 > 0.7 > found.start_fidelity[1]
    assert found.end_fidelity.isna().all()
    again = measuring.measure(clips, store, measures=["start_fidelity"], workers=1)
    assert again.start_fidelity.equals(found.start_fidelity)


def test_a_measurement_that_is_stopped_keeps_what_it_has(history: History, store: Store) -> None:
    stopped = threading.Event()

    def mine(clip: Clip) -> float:
        stopped.set()
        return 1.0

    measuring.measure(history, store, measures=["exposure", mine], workers=1, stopped=stopped)
    assert history.df.exposure.notna().sum() == 3
    assert 1 <= history.df.mine.notna().sum() < 3


def test_a_history_without_clips_measures_to_an_empty_frame(store: Store, files: Files) -> None:
    found = History(store, files).measure()
    assert len(found) == 0
    assert list(found.columns)[3:] == list(MEASURES)


def test_the_measures_are_a_table() -> None:
    table = measuring.measures_frame()
    assert list(table.index) == list(MEASURES)
    assert table.loc["motion", "unit"] == "% of height a second"
    assert set(table.better) <= {"higher", "lower", "neither"}


def test_a_bar_counts_and_says_how_long_the_rest_takes() -> None:
    shown: list[str] = []
    now = [0.0]

    class Screen:
        def update(self, html: str, text: str) -> None:
            shown.append(text)
            assert f'value="{text.split()[1]}"' in html

        def close(self, html: str) -> None:
            shown.append("closed")

    with Counting("Measured {done} of {total} clips", 4, clock=lambda: now[0], open=lambda html, text: Screen()) as bar:
        for _ in range(4):
            now[0] += 2
            bar.step()
    assert shown == [
        "Measured 1 of 4 clips  about 6.0 s left",
        "Measured 2 of 4 clips  about 4.0 s left",
        "Measured 3 of 4 clips  about 2.0 s left",
        "Measured 4 of 4 clips",
        "closed",
    ]
