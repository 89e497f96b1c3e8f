"""Rows leave for spreadsheets without a formula, and clips and jobs travel to other processes."""

from __future__ import annotations

import copy
import csv
import io
import pickle
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from historyjobs import a_job

from vidnb.clip import Clip
from vidnb.errors import ConfigError, StoreError
from vidnb.files import Files
from vidnb.history.history import History
from vidnb.records import ClipInfo, State
from vidnb.store import Store

HOSTILE = [
    "=HYPERLINK(\"http://x\",\"y\")", "+1+1", "-2+3", "@SUM(A1)", " =1", "\t=1", "\r=1", "\uff1d1+1", "\0=2",
    "\x1b[31mred", "a, \"quoted\"\nline", "koala",
]  # fmt: skip
INFO = ClipInfo("ab" * 32, 1, 848, 480, 24.0, 5.0, 120, "h264", False)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(Store(tmp_path)) as store:
        for number, prompt in enumerate(HOSTILE):
            store.intend(
                a_job(
                    number, {"prompt": prompt, "=cmd()": "x", "styles": ["=1", "b"], "quality": [1, "=2"][number % 2]}
                )
            )
        yield History(store, Files(tmp_path / "files"))


@pytest.mark.filterwarnings("ignore:param")
def test_a_spreadsheet_finds_no_formula_in_csv_or_excel(history: History, tmp_path: Path) -> None:
    text = history.to_csv()
    assert text is not None
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) == len(HOSTILE) + 1
    cells = {cell for row in rows for cell in row}
    assert not {cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))}
    assert {'\'=HYPERLINK("http://x","y")', "'+1+1", "koala", "[31mred", "'=cmd()"} <= cells

    history.to_csv(tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_text(encoding="utf-8") == text
    openpyxl = pytest.importorskip("openpyxl")
    history.to_excel(tmp_path / "rows.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "rows.xlsx").active
    values = [cell for row in sheet.iter_rows() for cell in row]
    assert not [cell.value for cell in values if cell.data_type == "f"]
    assert "koala" in {cell.value for cell in values}
    with pytest.raises(StoreError, match="cannot be written"):
        history.to_csv(tmp_path / "no" / "rows.csv")
    with pytest.raises(ConfigError, match=r"rows\.foo': give a name that ends in \.xlsx"):
        history.to_excel(tmp_path / "rows.foo")


@pytest.mark.filterwarnings("ignore:param")
def test_the_frame_itself_keeps_what_was_written(history: History) -> None:
    # No database takes a NUL; a question mark stands for it.
    assert set(history.df["prompt"]) == {prompt.replace("\0", "?") for prompt in HOSTILE}


def test_clips_and_jobs_can_be_pickled(tmp_path: Path) -> None:
    job = a_job(0, {"prompt": "koala", "seed": 7}, state=State.DONE, clip=INFO)
    assert pickle.loads(pickle.dumps(job)) == job
    clip = pickle.loads(pickle.dumps(Clip(job, Files(tmp_path / "files"))))
    assert (clip.job, clip.seed, clip.info) == (job, 7, INFO)


def test_a_history_cannot_be_pickled_and_names_what_can(history: History) -> None:
    for copied in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match=r"pickle list\(history\) or history.df"):
            copied(history)
    assert pickle.loads(pickle.dumps(list(history))) == list(history)
