"""A value of a wrong type is refused by the name of its argument, and nothing is written for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import vidnb
from vidnb import Client, History, arguments
from vidnb.display.shrink import shrink
from vidnb.errors import ConfigError, StoreError

WRONG = (
    5, -1, 2.5, True, b"x", object(), [1], {1}, float("nan"), pd.NA, np.int64(3), pd.DataFrame({"a": [1]}),
    [None], lambda: 1, pd.Series([1.5]),
)  # fmt: skip
NO_PATH = (*WRONG, None, [], {}, "", " ", "\0", "a\0.html", "~nobody-of-this-name/x.html")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with Client(tmp_path_factory.mktemp("home")) as opened:
        for seed in (1, 2):
            opened.generate("a koala", seed=seed)
        yield opened


@pytest.fixture
def history(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return client.history()


Call = Callable[[Client, History, Any], object]
PATHS: dict[str, Call] = {
    "open_bundle": lambda client, _, path: client.open_bundle(path),
    "bundle": lambda _, history, path: history.bundle(path),
    "to_html": lambda _, history, path: history.to_html(path),
    "save": lambda _, history, path: history.compare().save(path),
    "to_excel": lambda _, history, path: history.to_excel(path),
    "shrink": lambda _, __, path: shrink(path),
}
OTHERS: dict[str, tuple[Call, tuple[Any, ...]]] = {
    "rows": (lambda _, history, given: history.compare(rows=given), WRONG),
    "rows={'seed'": (lambda _, history, given: history.compare(rows={"seed": given}), (5, "7", b"7", None)),
    "cols": (lambda _, history, given: history.compare(cols=given), WRONG),
    "labels": (lambda _, history, given: history.compare(labels=given), WRONG),
    "labels['x']": (lambda _, history, given: history.compare(labels={"x": given}), WRONG),
    "at_s": (lambda _, history, given: history.compare().save("a.png", at_s=given), ("1", [1], True, float("inf"))),
    "posters_only": (lambda _, history, given: history.to_html("a.html", posters_only=given), ("no", 1, [True])),
    "overwrite": (lambda _, history, given: history.to_html("a.html", overwrite=given), ("no", 1, [True])),
    "replay": (lambda client, _, given: client.open_bundle("a.vidnb", replay=given), ("no", 1, [True])),
    "params": (lambda _, history, given: history.where(params=given), WRONG),
    "columns": (lambda _, history, given: history.table(given), WRONG),
    "question": (lambda _, history, given: history.ballot(given), WRONG),
    "by": (lambda _, history, given: history.ballot(by=given), WRONG),
    "voter": (lambda _, history, given: history.ballot(voter=given), WRONG),
    "pivot rows": (lambda _, history, given: history.pivot(given, "model", "seed"), (*WRONG, None)),
    "pivot cols": (lambda _, history, given: history.pivot("seed", given, "take"), (*WRONG, None)),
    "value": (lambda _, history, given: history.pivot("seed", "model", given), (*WRONG, None, ["take"])),
    "knob": (lambda _, history, given: history.effect(given, on="rating"), (*WRONG, None, ["model"])),
    "on": (lambda _, history, given: history.effect("model", on=given), (*WRONG, None)),
    "ignore": (lambda _, history, given: history.effect("model", on="take", ignore=given), (*WRONG, None)),
    "equal": (lambda _, history, given: history.effect("model", on="take", equal=given), ("1", [1], True, -1, 0)),
    "measure": (lambda _, history, given: history.spread(given), (*WRONG, None, ["motion"])),
    "measures": (lambda _, history, given: history.measure(measures=given), (5, 2.5, b"motion", float("nan"), pd.NA)),
    "workers": (lambda _, history, given: history.measure(workers=given), (0, "2", 1.5, True, [2])),
    "executor": (lambda _, history, given: history.measure(executor=given), (5, "dask", [])),
}


@pytest.mark.parametrize("verb", PATHS)
def test_what_is_no_path_is_refused_with_an_example(client: Client, history: History, verb: str) -> None:
    for given in NO_PATH:
        with pytest.raises(ConfigError, match=r"path=.*give the path of a file, as '\w+\.\w+'"):
            PATHS[verb](client, history, given)
    assert not names_in(Path())


@pytest.mark.parametrize("verb", PATHS)
def test_a_folder_and_a_place_that_is_not_there_are_said(client: Client, history: History, verb: str) -> None:
    ends = {"save": ".png", "to_html": ".html", "to_excel": ".xlsx"}
    folder, nowhere = Path(f"folder{ends.get(verb, '')}"), Path("none") / f"x{ends.get(verb, '')}"
    folder.mkdir()
    with pytest.raises(ConfigError, match=r"is a folder; give the path of a file"):
        PATHS[verb](client, history, folder)
    for path in (nowhere, Path(f"{'x' * 300}{ends.get(verb, '')}")):
        with pytest.raises(StoreError, match=r"cannot be (written|read)|there is no file"):
            PATHS[verb](client, history, path)
    assert names_in(Path()) == [folder.name]


@pytest.mark.parametrize("name", OTHERS)
def test_a_wrong_type_is_refused_by_the_name_of_its_argument(client: Client, history: History, name: str) -> None:
    call, wrong = OTHERS[name]
    for given in wrong:
        with pytest.raises(ConfigError) as refused:
            call(client, history, given)
        said = str(refused.value)
        assert name.split()[-1] in said or said.startswith(("there is no column", "there is no measure")), given
        assert len(said) < 400
        assert "\n" not in said
    assert not names_in(Path())


def test_clips_are_given_in_any_form_and_anything_else_is_refused(client: Client, history: History) -> None:
    clip = history[0]
    assert isinstance(clip, vidnb.Clip)
    frame = history.df
    for given in (clip, clip.job, clip.job.id, [clip], frame[frame.job_id == clip.job.id], frame.job_id[:1]):
        assert [one.job.id for one in vidnb.compare(given, client=client).clips] == [clip.job.id]
    for wrong in (None, 5, 2.5, True, b"x", object(), [1], [None], [clip, None], Path("x"), pd.DataFrame({"a": [1]})):
        for verb in (lambda given: vidnb.compare(given, client=client), client.measure):
            with pytest.raises(vidnb.VidnbError, match=r"is no job: give jobs, clips, or ids"):
                verb(wrong)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_place_in_a_history_is_a_number(history: History) -> None:
    assert repr(history[np.int64(0)]) == repr(history[0])
    for wrong in ("3f2a", None, 1.0, [0]):
        with pytest.raises(TypeError, match=r"give a place or a slice; vidnb\.job"):
            history[wrong]  # type: ignore[index]


def write_half(part: Path) -> None:
    part.write_text("half")
    raise KeyboardInterrupt


def test_a_file_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    target = folder / "a.html"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), arguments.written(target) as part:
        write_half(part)
    assert (target.read_text(), names_in(folder)) == ("old", ["a.html"])
    with arguments.written(target) as part:
        part.write_text("new")
    assert (target.read_text(), part.suffix, names_in(folder)) == ("new", ".html", ["a.html"])
    with pytest.raises(FileExistsError, match="overwrite=True"):
        arguments.new_file(target)
    arguments.new_file(target, overwrite=True)
