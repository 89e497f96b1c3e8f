"""A bundle carries clips with their recipes to another data folder, and nothing else; a hostile one is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from databases import database, postgres_server
from historyjobs import a_job
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vidnb
from vidnb.emulator.clips import Scene, render
from vidnb.errors import ConfigError, StoreError
from vidnb.files import Files
from vidnb.history import bundle
from vidnb.history.history import History
from vidnb.media.video import probe
from vidnb.params.request import Recipe
from vidnb.records import Cost, Job, State
from vidnb.store import Store

__all__ = ["database", "postgres_server"]  # fixtures

SEEDED: dict[str, Any] = {"model": "leonardo/seedance-2.0", "duration_s": 4, "width_px": 640, "height_px": 640}
SIGNED = "https://cdn.example/clip.mp4?Signature=canary&Key-Pair-Id=canary"


@pytest.fixture(scope="module")
def video() -> bytes:
    return render(Scene("leonardo/motion_2.0", "a koala", width_px=64, height_px=64, duration_s=0.2))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "mine")


def done(files: Files, video: bytes, number: int, params: dict[str, Any], **fields: Any) -> Job:
    """A done job with a file; its recipe hash is that of its recipe."""
    sha256 = files.put(video, ".mp4")
    path = files.path(sha256, ".mp4")
    assert path is not None
    recipe = Recipe("leonardo/motion_2.0", params, fields.get("images", {}))
    more = {"recipe_hash": recipe.recipe_hash, "state": State.DONE, "clip": probe(path), "emulated": False}
    return a_job(number, params, **{**more, **fields})


@pytest.fixture
def mine(tmp_path: Path, files: Files, video: bytes) -> Iterator[History]:
    with closing(Store(tmp_path / "mine")) as store:
        picture = files.put(b"\x89PNG\r\n\x1a\n" + b"x" * 100, ".png")
        one = done(
            files, video, 0, {"prompt": "a lighthouse", "seed": 7}, cost=Cost(0.25, "USD"), remote_id="remote-canary",
            account="account-canary", purse="purse-canary", base_url="https://me:canary@proxy",
            images={"start_image": [{"sha256": picture, "extension": "png"}]},
        )  # fmt: skip
        failed = a_job(1, {"prompt": "no"}, state=State.FAILED, error={"message": f"gone: {SIGNED}", "charged": False})
        for job in (one, failed, a_job(2, {"prompt": "on its way"})):
            store.intend(job)
        store.update(one.id, rating=4, tags=("keeper",), note="the\u2028light!")  # ends a line, for Python
        store.keep_measures(one.clip.sha256 if one.clip else "", {("motion", "1"): 3.5})
        yield History(store, files)


def opened(path: Path, home: Path, **options: Any) -> vidnb.History:
    with vidnb.Client(home) as client:
        return client.open_bundle(path, **options)


def test_rows_files_measures_and_ratings_come_through(mine: History, tmp_path: Path) -> None:
    written = mine.bundle(tmp_path / "x.vidnb")
    assert str(written).endswith("left out: on their way, or their file is gone")
    assert (written.jobs, written.clips, written.left_out) == (2, 1, 1)
    with vidnb.Client(tmp_path / "other") as client:
        failed, clip = client.open_bundle(tmp_path / "x.vidnb")
        assert isinstance(clip, vidnb.Clip)
        assert (clip.prompt, clip.seed, clip.rating, clip.tags, clip.note) == (
            "a lighthouse", 7, 4, ("keeper",), "the\u2028light!",
        )  # fmt: skip
        assert clip.job.imported
        assert clip.cost == Cost(0.25, "USD")
        assert clip.path.read_bytes() == mine[2].path.read_bytes()  # type: ignore[union-attr]
        assert clip.request["start_image"].read_bytes().startswith(b"\x89PNG")
        assert isinstance(failed, Job)
        assert failed.state is State.FAILED
        row = client.history(imported=True, state="done").df.iloc[0]
        assert (row["motion"], row["imported"], row["replayed"]) == (3.5, True, False)
        assert dict(client.spent()) == {}
        assert "IMPORTED" in clip._repr_mimebundle_()["text/html"]
        again = client.open_bundle(tmp_path / "x.vidnb")
        assert len(again) == len(client.history()) == 2


def test_no_key_account_link_or_address_travels(mine: History, tmp_path: Path) -> None:
    mine.bundle(tmp_path / "x.vidnb")
    with zipfile.ZipFile(tmp_path / "x.vidnb") as archive:
        text = b"".join(archive.read(name) for name in archive.namelist() if not name.startswith("files/"))
    assert b"canary" not in text
    assert b"gone: https://cdn.example/clip.mp4" in text
    with pytest.raises(ConfigError, match="exists already"):
        mine.bundle(tmp_path / "x.vidnb")


def test_a_replay_answers_for_its_recipe_at_no_cost(tmp_path: Path) -> None:
    with vidnb.Client(tmp_path / "teacher") as teacher:
        clip = teacher.generate("a koala", seed=7, **SEEDED)
        drawn = teacher.generate("a fox", **SEEDED)
        teacher.history().bundle(tmp_path / "lesson.vidnb")
    with vidnb.Client(tmp_path / "class") as client:
        merged = client.open_bundle(tmp_path / "lesson.vidnb", replay=True)
        assert len(merged) == 2
        again = client.generate("a koala", seed=7, **SEEDED)
        assert again.job.id == clip.job.id
        assert again.job.replays
        assert "REPLAYED" in again._repr_mimebundle_()["text/html"]
        assert "REPLAYED" in repr(again)
        assert client.generate("a fox", **SEEDED).job.id == drawn.job.id
        assert client.generate("a fox", seed=drawn.seed, **SEEDED).job.id == drawn.job.id
        assert client.quote("a koala", seed=7, **SEEDED).certainty == "exact"
        fresh = client.submit("a koala", seed=7, fresh=True, **SEEDED)
        assert (fresh.imported, fresh.take) == (False, 1)
        assert len(client.history()) == 3


def test_without_replay_the_recipe_is_made_anew(tmp_path: Path) -> None:
    with vidnb.Client(tmp_path / "teacher") as teacher:
        clip = teacher.generate("a koala", seed=7, **SEEDED)
        teacher.history().bundle(tmp_path / "lesson.vidnb")
    with vidnb.Client(tmp_path / "class") as client:
        client.open_bundle(tmp_path / "lesson.vidnb")
        own = client.submit("a koala", seed=7, **SEEDED)
        assert own.id != clip.job.id
        assert (own.take, own.imported) == (0, False)


# hostile ones

HTML = b"<!doctype html><script>alert(1)</script>"


def rewritten(source: Path, target: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    with zipfile.ZipFile(source) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return target


def named(data: bytes, suffix: str) -> str:
    return f"files/{hashlib.sha256(data).hexdigest()}{suffix}"


def changed_row(**news: Any) -> Callable[[dict[str, bytes]], None]:
    def change(entries: dict[str, bytes]) -> None:
        rows = [json.loads(line) for line in entries["jobs.jsonl"].decode().split("\n")]
        rows[-1].update(news)
        entries["jobs.jsonl"] = "\n".join(map(json.dumps, rows)).encode()

    return change


def one_job_twice(entries: dict[str, bytes]) -> None:
    row = json.loads(entries["jobs.jsonl"].decode().split("\n")[0])
    changed_row(id=row["id"])(entries)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda entries: entries.update({"../../escaped.mp4": b"x"}), "no name that a bundle has"),
        (lambda entries: entries.update({"/etc/cron.d/x": b"x"}), "no name that a bundle has"),
        (lambda entries: entries.update({"files/index.html": HTML}), "no name that a bundle has"),
        (lambda entries: entries.update({named(HTML, ".html"): HTML}), "no name that a bundle has"),
        (lambda entries: entries.update({named(HTML, ".mp4"): HTML}), "is a page"),
        (lambda entries: entries.update({named(HTML, ".png"): HTML}), "is a page"),
        (lambda entries: entries.update({named(b"junk", ".mp4"): b"junk"}), "is no video"),
        (lambda entries: entries.update({f"files/{'a' * 64}.mp4": b"x"}), "not those that its name stands for"),
        (lambda entries: entries.update({"bundle.json": b"{}"}), "does not say that it is one"),
        (lambda entries: entries.pop("bundle.json"), "does not say that it is one"),
        (
            lambda entries: entries.update({"bundle.json": b'{"format":"vidnb-bundle","version":9}'}),
            "pip install -U vidnb",
        ),
        (lambda entries: [entries.pop(name) for name in list(entries) if name.endswith(".mp4")], "missing in it"),
        (lambda entries: entries.update({"measures.jsonl": b'["a"]'}), "a measure is not"),
        (lambda entries: entries.update({"measures.jsonl": b'["a", "motion", "1", NaN]'}), "a measure is not"),
        (lambda entries: entries.update({"jobs.jsonl": b"[" * 100_000}), "something of a job is not as it must be"),
        (lambda entries: entries.update({"bundle.json": b"[" * 100_000}), "does not say that it is one"),
        (lambda entries: entries.pop("jobs.jsonl"), "should hold 2 jobs and has 0"),
        (changed_row(state="running"), "not at its end"),
        (changed_row(state="done", clip=None), "not at its end"),
        (changed_row(id="../../x"), "id of a job is not"),
        (changed_row(account="me"), "account of a job is not"),
        (changed_row(rating=99), "rating of a job is not"),
        (changed_row(created_at="2026-01-01T00:00:00"), "created_at of a job is not"),
        (changed_row(done_at="9999-12-31T23:59:59-12:00"), "done_at of a job is not"),
        (changed_row(cost=[-5, "USD"]), "cost.0 of a job is not"),
        (changed_row(params={"seed": float("nan")}), "something of a job is not"),
        (one_job_twice, "one of them twice"),
        (changed_row(params={f"p{n}": n for n in range(501)}), "over 500 names"),
    ],
)
def test_a_hostile_bundle_is_refused_and_leaves_nothing(
    mine: History, tmp_path: Path, change: Callable[[dict[str, bytes]], None], said: str
) -> None:
    mine.bundle(tmp_path / "x.vidnb")
    bad = rewritten(tmp_path / "x.vidnb", tmp_path / "bad.vidnb", change)
    with vidnb.Client(tmp_path / "other") as client:
        with pytest.raises(StoreError, match=said):
            client.open_bundle(bad)
        assert len(client.history()) == 0
    assert not list((tmp_path / "other").rglob("*.mp4"))
    assert not list(tmp_path.parent.glob("escaped*"))


def test_links_bombs_and_names_that_stand_twice_are_refused(mine: History, tmp_path: Path) -> None:
    mine.bundle(tmp_path / "x.vidnb")
    link = zipfile.ZipInfo(f"files/{'b' * 64}.mp4")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    bomb = zipfile.ZipInfo("measures.jsonl")
    bomb.compress_type = zipfile.ZIP_DEFLATED
    for name, entry, data, said in (
        ("link", link, b"/etc/passwd", "is a link"),
        ("bomb", bomb, b"0" * 50_000_000, "grow far beyond"),
        ("twice", zipfile.ZipInfo("bundle.json"), b"{}", "one name twice"),
    ):
        shutil.copy(tmp_path / "x.vidnb", tmp_path / name)
        if name == "bomb":
            rewritten(tmp_path / "x.vidnb", tmp_path / name, lambda entries: entries.pop("measures.jsonl"))
        with zipfile.ZipFile(tmp_path / name, "a") as archive, pytest.warns() if name == "twice" else closing(archive):
            archive.writestr(entry, data)
        with pytest.raises(StoreError, match=said):
            opened(tmp_path / name, tmp_path / "other")
    (tmp_path / "text").write_text("these are my notes")
    with pytest.raises(StoreError, match="no bundle"):
        opened(tmp_path / "text", tmp_path / "other")
    with pytest.raises(StoreError, match="no file"):
        opened(tmp_path / "nothing", tmp_path / "other")


def test_a_row_whose_hash_is_not_its_recipe_answers_for_nothing(mine: History, tmp_path: Path) -> None:
    mine.bundle(tmp_path / "x.vidnb")
    bad = rewritten(tmp_path / "x.vidnb", tmp_path / "y.vidnb", changed_row(params={"prompt": "another", "seed": 7}))
    (job,) = opened(bad, tmp_path / "other", replay=True).where(state="done").jobs
    assert (job.imported, job.replays) == (True, False)


# round trip

TEXT = st.text(st.sampled_from("aÄ<>&'\"\\\n\0=é🦊"), max_size=6)
VALUE = st.one_of(TEXT, st.booleans(), st.integers(-(2**70), 2**70), st.floats(-1e9, 1e9), st.lists(TEXT, max_size=2))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(["prompt", "seed", "loop", "X y", "styles"]), VALUE),
            st.sampled_from([None, 1, 5]), st.lists(st.sampled_from(["a", "b c"]), max_size=2), TEXT,
        ),
        max_size=4,
    )
)  # fmt: skip
def test_what_goes_in_comes_out(
    database: str, tmp_path_factory: pytest.TempPathFactory, video: bytes, rows: Any
) -> None:
    folder = tmp_path_factory.mktemp("round")
    files = Files(folder / "files")
    with closing(Store(folder / "mine")) as store, closing(Store(database)) as other:
        sent = []
        for number, (params, rating, tags, note) in enumerate(rows):
            job = done(files, video, number, params, take=number)
            store.intend(job)
            store.update(job.id, rating=rating, tags=tuple(tags), note=note.replace("\0", "?"))
            sent.append(store.get(job.id))
        History(store, files).bundle(folder / "x.vidnb")
        ids, new = bundle.read(other, Files(folder / "others"), folder / "x.vidnb")
        assert new == len(ids) == len(sent)
        for job in sent:
            assert other.get(job.id) == replace(job, base_url=bundle.ADDRESS, imported=True)
        assert bundle.read(other, Files(folder / "others"), folder / "x.vidnb")[1] == 0


# the trash


def test_what_is_in_the_trash_is_not_shown_and_comes_back(tmp_path: Path, files: Files, video: bytes) -> None:
    with closing(Store(tmp_path)) as store:
        jobs = [done(files, video, number, {"seed": number}) for number in range(3)]
        picture = files.put(b"\x89PNG\r\n\x1a\n", ".png")
        inputs = {"start_image": [{"sha256": picture, "extension": "png"}]}
        jobs.append(done(files, video + b"\0" * 8, 3, {"seed": 3}, images=inputs))
        for job in jobs:
            store.intend(job)
        history = History(store, files)
        assert history.where(seed=[2, 3]).trash() == 2
        assert [job.params["seed"] for job in History(store, files).jobs] == [1, 0]
        trash = History(store, files, trashed=True)
        assert trash.where(seed=2).restore() == 1
        assert len(History(store, files)) == 3
        assert store.standing("http://x", jobs[3].recipe_hash, 0) is not None
        assert History(store, files).purge() == 0  # nothing that is not in the trash
        assert History(store, files, trashed=True).purge() > len(video)
        assert files.path(jobs[0].clip.sha256, ".mp4") is not None  # type: ignore[union-attr]
        assert files.path(jobs[3].clip.sha256, ".mp4") is None  # type: ignore[union-attr]
        assert files.path(picture, ".png") is None
        assert store.standing("http://x", jobs[3].recipe_hash, 0) is None
        assert len(History(store, files, trashed=True)) == 1
