"""The table as Python sees it: its rows, what is selected, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rows import add_done

from vidnb.clip import Clip
from vidnb.errors import ConfigError
from vidnb.files import Files
from vidnb.history.history import History
from vidnb.records import Cost
from vidnb.store import Store
from vidnb.widgets import table as module
from vidnb.widgets.table import Table


@pytest.fixture
def history(tmp_path: Path) -> History:
    store = Store(tmp_path / "data")
    for seed in range(12):
        params = {"prompt": f"a fox {seed}", "seed": seed, "motion_strength": 3.14159265, "audio": seed % 2 == 0}
        add_done(store, params, minute=seed, rating=1 + seed % 5, cost=Cost(0.1, "USD") if seed else None)
    return History(store, Files(tmp_path / "data" / "files"))


def cells(table: Table) -> list[list[Any]]:
    rows: list[list[Any]] = json.loads(table._dt_args["data_json"])
    return rows


def names(table: Table) -> list[str]:
    import re

    return re.findall(r"<th>(.*?)</th>", table._dt_args["table_html"])


def test_it_has_a_poster_column_and_columns_to_choose_without_the_empty_ones(history: History) -> None:
    table = history.table()
    columns = names(table)
    assert columns[:3] == ["poster", "id", "model"]
    assert {"seed", "rating", "cost_usd", "audio"} <= set(columns)
    assert not {"error", "resolution", "recipe_hash", "path"} & set(columns)
    hidden = table._dt_args["columnDefs"][0]["targets"]
    assert columns.index("prompt") not in hidden
    assert columns.index("wait_s") in hidden
    first = dict(zip(columns, cells(table)[0], strict=True))
    assert (first["poster"], first["seed"], first["motion_strength"], first["audio"]) == ("clip:0", 11, "3.14159", "no")
    assert dict(zip(columns, cells(table)[-1], strict=True))["cost"] == ""


def test_what_is_selected_are_clips_and_is_handed_on(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    table = history.table()
    with pytest.raises(ConfigError, match="no clip is selected"):
        table.compare()
    table.selected_rows = [4, 1]
    assert [clip.seed for clip in table.selected if isinstance(clip, Clip)] == [7, 10]
    assert str(table) == "<Table: 12 rows, 2 selected; .selected has them>"
    given: list[Any] = []
    monkeypatch.setattr(module.shown, "view", lambda name: lambda *args, **options: given.append((name, args, options)))
    table.compare(cols="seed", debug=True)
    (name, (clips, *axes), options) = given[0]
    assert name == "compare"
    assert [clip.seed for clip in clips] == [7, 10]
    assert (axes, options) == ([None, "seed"], {"debug": True})


def test_it_keeps_the_historys_order(history: History) -> None:
    table = history.sort("seed").table()
    table.selected_rows = [0, 2]
    assert [clip.seed for clip in table.selected if isinstance(clip, Clip)] == [0, 2]


def test_it_says_that_there_are_more_rows_than_it_shows(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    assert history.table()._words == ""
    monkeypatch.setattr(module, "MOST_ROWS", 5)
    table = history.table()
    assert len(cells(table)) == 5
    assert table._words == "newest 5 of 12; h.where(...) finds others"
    assert table._words in str(table)


def test_its_rows_are_no_synced_state(history: History) -> None:
    state = history.table().get_state()
    assert "_dt_args" not in state
    assert "a fox" not in json.dumps({name: value for name, value in state.items() if not name.startswith("_esm")})


def test_html_in_a_cell_is_text(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    hostile = "<img src=x onerror=alert(1)>"
    for seed in range(2):
        add_done(store, {"prompt": hostile, "seed": seed, hostile: hostile}, minute=seed, note=hostile, tags=(hostile,))
    table = History(store, Files(tmp_path / "data" / "files")).table()
    said = json.dumps(table._dt_args)
    assert "<img" not in said
    assert "&lt;img src=x" in said


def test_a_wrong_column_is_named(history: History) -> None:
    with pytest.raises(ConfigError, match="no column 'sed'; there are id, model, seed"):
        history.table(columns=["sed"])
    assert names(history.table(columns=["seed"]))[0] == "poster"


@pytest.mark.parametrize("differs", [False, True])
def test_a_seed_that_the_service_used_is_in_view_where_it_is_another_one(tmp_path: Path, differs: bool) -> None:
    store = Store(tmp_path / "data")
    for seed in range(3):
        job = add_done(store, {"prompt": "a fox", "seed": seed}, minute=seed)
        store.update(job.id, used_seed=seed + 100 * (differs and seed == 2))
    table = History(store, Files(tmp_path / "data" / "files")).table()
    place = names(table).index("used_seed")
    assert (place not in table._dt_args["columnDefs"][0]["targets"]) == differs
