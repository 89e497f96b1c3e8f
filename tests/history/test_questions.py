"""A history answers questions with what is in its folder, and draws what it answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rows import add_done

from vidnb.errors import ConfigError
from vidnb.files import Files
from vidnb.history import need
from vidnb.history.history import History
from vidnb.records import Cost
from vidnb.store import Store


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Eight seeds at two motion strengths; the stronger ones wait longer and are liked better."""
    store = Store(f"sqlite:///{tmp_path / 'vidnb.db'}")
    rng = np.random.default_rng(3)
    for seed in range(8):
        for level in (3, 7):
            params = {"prompt": "a lighthouse", "seed": seed, "motion_strength": level, "resolution": "480p"}
            add_done(
                store, params, minute=seed * 10 + level, wait_s=20 + seed + level + float(rng.normal(0, 1)),
                rating=2 + (level > 3) + seed % 2, cost=Cost(0.05, "USD"),
            )  # fmt: skip
    return History(store, Files(tmp_path / "files"))


def test_any_column_of_numbers_is_a_measure(history: History) -> None:
    said = history.effect("motion_strength", "wait_s")
    assert str(said).startswith("+4.")
    assert " s of wait s " not in str(said)
    assert said.pairs == 8
    assert said.is_clear
    liked = history.effect("motion_strength", on="rating")
    assert (liked.mean, liked.low, liked.high) == (1.0, 1.0, 1.0)
    assert str(liked).startswith("+1 star of rating with motion strength 7 instead of 3")
    assert "emulator" in str(liked)


def test_a_grid_of_a_column(history: History) -> None:
    grid = history.pivot("seed", "motion_strength", "rating")
    assert grid.shape == (8, 2)
    assert list(grid[3.0]) == [2 + seed % 2 for seed in range(8)]
    ids = history.pivot("seed", "motion_strength", "job_id")
    assert set(ids.to_numpy().ravel()) == set(history.ids)


def test_where_waiting_comes_from(history: History) -> None:
    shares = history.spread("wait_s").shares
    assert shares["motion_strength"] + shares["seed"] > 0.7
    assert set(shares) == {"motion_strength", "seed", "noise"}


def test_plots_draw_what_was_asked(history: History) -> None:
    matplotlib: Any = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    axes = history.effect("motion_strength", "wait_s").plot()
    assert len(axes.lines) == 9  # eight pairs and their mean
    assert [label.get_text() for label in axes.get_xticklabels()] == ["3", "7"]
    assert len(history.plot.pairs("motion_strength", "wait_s").lines) == 9
    axes = history.plot.heatmap("seed", "motion_strength", "rating")
    assert sorted({text.get_text() for text in axes.texts}) == ["2.0", "3.0", "4.0"]
    axes = history.plot.over_time("wait_s", by="motion_strength")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["3, emulated", "7, emulated"]
    with pytest.raises(ConfigError, match="no numbers"):
        history.plot.heatmap("seed", "motion_strength", "job_id")
    import matplotlib.pyplot as plt

    plt.close("all")


def test_without_matplotlib_it_says_what_to_install(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    original = need.import_module

    def missing(name: str) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return original(name)

    monkeypatch.setattr(need, "import_module", missing)
    with pytest.raises(ConfigError, match=r"pip install 'vidnb\[plot\]'"):
        history.plot.over_time("wait_s")


def test_the_package_stays_light() -> None:
    import subprocess
    import sys

    code = "import sys, vidnb; vidnb.History; print([m for m in ('scipy', 'matplotlib', 'pandas') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_whether_a_seed_is_honoured_is_seen_by_the_pixels(tmp_path: Path) -> None:
    from dataclasses import replace

    from vidnb.emulator.clips import Scene, render
    from vidnb.media.video import probe

    store, files = Store(tmp_path / "data"), Files(tmp_path / "data" / "files")

    def add(model: str, seed: int, drawn: int, tail: bytes = b"", minute: int = 0) -> None:
        scene = Scene("leonardo/motion_2.0", "a fox", seed=drawn, width_px=320, height_px=192, duration_s=1)
        path = files.path(sha256 := files.put(render(scene) + tail, ".mp4"), ".mp4")
        assert path is not None
        info = replace(probe(path), sha256=sha256)
        add_done(store, {"prompt": "a fox", "seed": seed}, model=model, minute=minute, info=info)

    for minute, (seed, drawn, tail) in enumerate([(7, 1, b""), (7, 1, b"again"), (8, 2, b"")]):
        add("leonardo/motion_2.0", seed, drawn, tail, minute)
    for minute, drawn in enumerate((3, 4)):
        add("leonardo/MOTION2FAST", 7, drawn, minute=minute)
    add("leonardo/VEO3", 7, 5)
    says = History(store, files).seeds()
    assert says["repeats"].to_dict() == {"leonardo/motion_2.0": 1, "leonardo/MOTION2FAST": 1, "leonardo/VEO3": 0}
    assert says["same"].to_dict() == {"leonardo/motion_2.0": 1, "leonardo/MOTION2FAST": 0, "leonardo/VEO3": 0}
    assert says.loc["leonardo/motion_2.0", "says"].startswith("honoured")
    assert says.loc["leonardo/MOTION2FAST", "says"].startswith("not honoured")
    assert says.loc["leonardo/VEO3", "says"].startswith("not known")


def test_a_param_of_a_plug_in_that_is_gone_is_part_of_the_recipe(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    for seed in range(6):
        for level, swirl in ((3, 0.1), (7, 0.1), (7, 0.9)):
            # `path` is also the name of a column of ours, which differs in every row and is no part of a recipe.
            params = {"prompt": "a fox", "seed": seed, "motion_strength": level, "swirl": swirl, "path": "left"}
            wait_s = 20 + level + 100 * (swirl == 0.9)
            add_done(store, params, model="gone/model", minute=seed * 10 + level + swirl, wait_s=wait_s)
    found = History(store, Files(tmp_path / "data" / "files")).effect("motion_strength", "wait_s")
    assert found.mean == pytest.approx(4.0)  # the clips with another swirl are no takes of these
