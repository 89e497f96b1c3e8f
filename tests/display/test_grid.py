"""Clips in rows and columns: no clip is hidden, and what tells them apart is said in a person's words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from compared import job
from hypothesis import given
from hypothesis import strategies as st

from vidnb.display.grid import pivot
from vidnb.display.grid.pivot import MOST_CELLS
from vidnb.display.grid.words import titles_of, words
from vidnb.errors import ConfigError
from vidnb.records import ClipInfo, Job, State

SEEDS, STRENGTHS = (3, 7, 11), (3, 5)
INFO = ClipInfo("0" * 64, 1, 320, 180, 24.0, 2.0, 48, "h264", False)


def made(number: int, **params: Any) -> Job:
    model = params.pop("model", "leonardo/motion_2.0")
    return job(number, model=model, clip=INFO, params={"prompt": "a lighthouse", **params})


def names(heads: Any) -> list[str]:
    return list(map(str, heads))


def test_seeds_stand_down_and_models_across_without_being_asked() -> None:
    models = ("leonardo/motion_2.0", "leonardo/MOTION2FAST")
    jobs = [made(n, seed=seed, model=model) for n, (seed, model) in enumerate((s, m) for s in (11, 3) for m in models)]
    grid = pivot(reversed(jobs))
    assert names(grid.rows) == ["seed 3", "seed 11"]
    assert names(grid.columns) == ["Motion 2.0", "Motion 2.0 Fast"]
    assert [cell.name for cell in grid.cells][:2] == ["seed 3 · Motion 2.0", "seed 3 · Motion 2.0 Fast"]
    assert grid.prompt == "a lighthouse"


def test_seeds_that_each_clip_has_for_itself_are_takes_and_no_diagonal() -> None:
    models = ("leonardo/motion_2.0", "leonardo/MOTION2FAST")
    jobs = [made(n, seed=90 - n, model=models[n % 2]) for n in range(4)]
    grid = pivot(reversed(jobs))
    assert (names(grid.rows), names(grid.columns)) == (["take 0", "take 1"], ["Motion 2.0", "Motion 2.0 Fast"])
    assert [cell.name for cell in grid.cells][::3] == [
        "take 0 · Motion 2.0 · seed 90", "take 1 · Motion 2.0 Fast · seed 87",
    ]  # fmt: skip
    assert [cell.job for cell in grid.cells] == jobs
    assert names(pivot([made(1, seed=3, prompt="a"), made(2, seed=7, prompt="b")]).rows) == [""]
    assert len(pivot(jobs, "seed", "model").cells) == 8, "who asks for seeds gets them"


def test_what_was_not_run_has_its_place() -> None:
    jobs = [made(1, seed=3, motion_strength=3), made(2, seed=7, motion_strength=5)]
    grid = pivot(jobs, "seed", "motion_strength")
    assert [cell.job is None for cell in grid.cells] == [False, True, True, False]
    assert names(grid.columns) == ["strength 3", "strength 5"]


def test_the_parts_of_a_prompt_make_no_empty_places() -> None:
    parts = [(animal, place, seed) for animal in ("koala", "heron") for place in ("snow", "city") for seed in (3, 7)]
    jobs = [made(n, prompt=f"a {a} in the {p}", seed=seed) for n, (a, p, seed) in enumerate(parts)]
    labels = {one.id: {"animal": a, "place": p} for one, (a, p, _) in zip(jobs, parts, strict=True)}
    grid = pivot(jobs, "seed", "animal", labels)
    assert all(cell.job is not None for cell in grid.cells)
    assert names(grid.columns) == ["animal koala", "animal heron"]
    assert names(grid.rows)[:2] == ["seed 3 · place snow", "seed 3 · place city"]


def test_values_may_be_asked_for_that_nobody_has() -> None:
    grid = pivot([made(1, seed=3), made(2, seed=7)], rows={"seed": [99, 3]})
    assert names(grid.rows) == ["seed 99", "seed 3"]
    assert grid.cells[0].job is None


def test_a_wrong_name_says_which_is_near() -> None:
    with pytest.raises(ConfigError, match="did you mean 'motion_strength'"):
        pivot([made(1, motion_strength=3)], rows="motion_strenght")
    with pytest.raises(ConfigError, match="nothing to compare"):
        pivot([])
    with pytest.raises(ConfigError, match="both name seed"):
        pivot([made(1, seed=3)], "seed", "seed")


def test_models_of_one_title_are_told_apart() -> None:
    titles = titles_of(["leonardo/motion_2.0", "leonardo/MOTION2", "leonardo/MOTION2FAST"])
    assert len(set(titles.values())) == 3
    assert titles["leonardo/MOTION2FAST"] == "Motion 2.0 Fast"
    assert titles["leonardo/motion_2.0"].startswith("Motion 2.0 · ")


def test_a_failed_job_gives_way_to_the_clip_of_its_recipe_and_else_keeps_its_place() -> None:
    failed = job(1, state=State.FAILED, recipe_hash="a" * 64, params={"seed": 3})
    grid = pivot([failed, made(2, seed=7)], "seed")
    assert [cell.job.state for cell in grid.cells if cell.job] == [State.FAILED, State.DONE]


def test_values_are_said_as_the_form_says_them() -> None:
    said = {
        "duration_s": (5, "5 s"), "seed": (7, "seed 7"), "size": ([832, 480], "832×480"), "audio": (True, "with sound"),
        "motion_strength": (5.0, "strength 5"), "aspect_ratio": ("16:9", "16:9"), "take": (2, "take 2"),
        "loop": (False, "loop off"),
        "motion_control": ("Dolly In", "motion control Dolly In"),
    }  # fmt: skip
    assert {name: str(words(name, value)) for name, (value, _) in said.items()} == {n: w for n, (_, w) in said.items()}
    assert str(words("seed", None)) == "seed open"


PARAMS = st.fixed_dictionaries(
    {"seed": st.sampled_from(SEEDS)},
    optional={
        "motion_strength": st.sampled_from(STRENGTHS),
        "duration_s": st.sampled_from([5, 8]),
        "model": st.sampled_from(["leonardo/motion_2.0", "leonardo/VEO3", "1min/luma"]),
    },
)


def recipe(params: dict[str, Any]) -> str:
    return str(sorted({"model": "leonardo/motion_2.0", **params}.items(), key=str))


AXES = st.sampled_from([None, "seed", "model", "take", ("seed", "model")])


@given(st.lists(PARAMS, min_size=1, max_size=30, unique_by=recipe), AXES, AXES)
def test_every_clip_has_one_place_and_a_name_of_its_own(recipes: list[dict[str, Any]], rows: Any, cols: Any) -> None:
    jobs = [made(number, **dict(params)) for number, params in enumerate(recipes)]
    if rows == cols or {*(rows or ())} & {cols} or {*(cols or ())} & {rows}:
        cols = None
    if isinstance(rows, tuple) and cols is not None:
        rows = None
    grid = pivot(jobs, rows, cols)
    there = [cell.job.id for cell in grid.cells if cell.job is not None]
    assert len(there) == len(set(there))
    assert len(grid.cells) <= MOST_CELLS
    if not grid.left_out:
        assert sorted(there) == sorted(one.id for one in jobs)
    named = [cell.name for cell in grid.cells if cell.job is not None]
    assert len(set(named)) == len(named)


def test_the_saved_table_says_the_heads_the_gaps_and_nothing_hostile(tmp_path: Path) -> None:
    from vidnb.display.grid.table import grid_html

    hostile = "<img src=x onerror=alert(1)>"
    failed = job(1, state=State.FAILED, params={"prompt": hostile, "seed": 3}, error={"message": hostile})
    html = grid_html(pivot([failed, job(2, clip=INFO, params={"prompt": hostile, "seed": 4})], "seed"))
    assert "<img src=x" not in html
    assert "seed 3" in html
