"""Axes: what a person gives, and the cells and jobs that a plain product of it comes to."""

from __future__ import annotations

import itertools
from array import array
from collections import deque
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import picture
from hypothesis import given
from hypothesis import strategies as st

import vidnb
from vidnb import catalog, params
from vidnb.errors import ConfigError, ParamsError
from vidnb.sweeps import seeds, templates
from vidnb.sweeps.axes import Axis, counted
from vidnb.sweeps.conditions import condition

MOTION, FAST, KLING = "leonardo/motion_2.0", "leonardo/motion_2.0-fast", "1min/kling"


def jobs(sweep: vidnb.Sweep) -> list[tuple[str, int]]:
    return [(job.recipe_hash, job.take) for job in sweep.plan.jobs]


@given(
    animals=st.lists(st.sampled_from(["koala", "heron", "a {b}", "{{", "café"]), min_size=1, max_size=3),
    weights=st.lists(st.sampled_from([-9.0, -2, 0.3, 0.7, 2]), min_size=1, max_size=3),
    models=st.lists(st.sampled_from([MOTION, FAST, KLING]), min_size=1, max_size=3),
    numbers=st.one_of(
        st.integers(1, 4), st.lists(st.sampled_from([0, 7, -1, 2**40, True, 1.0]), min_size=1, max_size=3)
    ),
    takes=st.one_of(st.none(), st.integers(1, 2)),
    unsupported=st.sampled_from(["error", "drop", "skip"]),
    limit=st.one_of(st.none(), st.sampled_from([0.0, 0.5])),
)
def test_a_plan_is_the_plain_product_of_its_axes_under_the_rules_of_one_request(
    animals: list[str], weights: list[float], models: list[str], numbers: Any, takes: int | None, unsupported: Any,
    limit: float | None,
) -> None:  # fmt: skip
    where = None if limit is None else lambda cell: cell["motion_control_weight"] > limit
    sweep = vidnb.sweep(
        "a {animal} walks", animal=animals, model=models, motion_control="Dolly In", motion_control_weight=weights,
        seeds=numbers, takes=takes, unsupported=unsupported, where=where,
    )  # fmt: skip
    expected: list[tuple[str, int] | None] = []
    for animal, weight, model, place, take in itertools.product(
        animals, weights, models, range(numbers) if isinstance(numbers, int) else numbers, range(takes or 1)
    ):
        if limit is not None and not weight > limit:
            continue
        seed = seeds.number(place) if isinstance(numbers, int) else place
        values = {
            "prompt": f"a {animal} walks", "motion_control": "Dolly In", "motion_control_weight": weight, "seed": seed
        }  # fmt: skip
        try:
            request = params.validate(
                catalog.find(model), values, unsupported="drop" if unsupported == "drop" else "error"
            )
            expected.append((request.recipe.recipe_hash, take))
        except ParamsError:
            expected.append(None)
    told = [None if cell.job is None else jobs(sweep)[cell.job] for cell in sweep.plan.cells]
    assert told == expected
    assert jobs(sweep) == list(dict.fromkeys(key for key in expected if key is not None))
    assert sum(refusal.count for refusal in sweep.plan.refused) == expected.count(None)


def test_seeds_are_the_first_of_one_published_sequence() -> None:
    assert [seeds.number(n) for n in range(3)] == [1756299776, 1078374968, 68895900]
    small, large = (vidnb.sweep("a koala", seeds=count) for count in (4, 8))
    assert jobs(large)[:4] == jobs(small)


@given(low=st.integers(-5, 5), width=st.integers(1, 40))
def test_seeds_lie_within_narrow_bounds_and_differ_as_long_as_the_bounds_allow(low: int, width: int) -> None:
    param = catalog.Param("seed", "integer", min=low, max=low + width - 1)
    found = [seeds.PublishedSeed(n).within(param) for n in range(width)]
    assert sorted(found) == list(range(low, low + width))


def test_only_the_names_of_axes_are_replaced_in_a_prompt() -> None:
    assert templates.filled('a {x} and {y} {{x}} {"z": 1}', {"x": "cat"}) == 'a cat and {y} {x} {"z": 1}'
    assert templates.filled('{"a": {"b": 1}} {{c}}', {"x": "cat"}) == '{"a": {"b": 1}} {{c}}'


@pytest.mark.parametrize("prompt", ["ein {größe} Tier", "ein {gro\u0308ße} Tier"])
def test_a_part_of_a_prompt_may_have_a_name_of_any_language(prompt: str) -> None:
    for names in ({"größe": ["kleines"]}, {"gro\u0308ße": ["kleines"]}):
        for sweep in (vidnb.sweep(prompt, **names, where="größe != 'x'"), vidnb.sweep(prompt, vidnb.zipped(**names))):
            assert [job.params["prompt"] for job in sweep.plan.jobs] == ["ein kleines Tier"]


@pytest.mark.parametrize("name", ["seed", "model", "duration_s", "budget_usd"])
def test_a_part_of_a_prompt_must_not_be_called_like_a_param_or_an_option(name: str) -> None:
    with pytest.raises(ConfigError, match=f"my_{name}"):
        vidnb.sweep(f"a {{animal}} {{{name}}}", animal=["koala"])


def test_a_name_that_means_nothing_is_refused_and_said() -> None:
    with pytest.raises(ConfigError, match="'anmial' is no param"):
        vidnb.sweep("a {animal}", anmial=["koala"])
    with pytest.raises(ConfigError, match="given twice"):
        vidnb.sweep("a koala", seed=[1, 2], seeds=2)
    with pytest.raises(ConfigError, match="is empty"):
        vidnb.sweep("a koala", seed=[])


def test_lists_ranges_arrays_and_series_are_axes() -> None:
    import pandas as pd

    for values in ([1, 2], range(1, 3), np.array([1, 2]), pd.Series([1, 2]), (1, 2), iter([1, 2])):
        assert [cell.values for cell in vidnb.sweep("a koala", seed=values).plan.cells] == [(1,), (2,)]


def test_every_kind_of_collection_is_an_axis_and_each_value_stands_as_one_would_write_it() -> None:
    class Animal(Enum):
        KOALA, HERON = "koala", "heron"

    for many in (Animal, [Animal.KOALA, Animal.HERON], deque(["koala", "heron"]), {"koala": 1, "heron": 2}.keys()):
        prompts = [job.params["prompt"] for job in vidnb.sweep("a {animal}", animal=many).plan.jobs]
        assert prompts == ["a koala", "a heron"]
    assert vidnb.sweep("a {animal}", animal=Animal.HERON).plan.jobs[0].params["prompt"] == "a heron"
    weights = ([Decimal("0.1"), Fraction(7, 10)], array("d", [0.1, 0.7]), np.array([0.1, 0.7], dtype=np.float16))
    for some in weights:
        plan = vidnb.sweep("a koala", motion_control="Dolly In", motion_control_weight=some,
                           where="motion_control_weight < 0.5").plan  # fmt: skip
        assert [job.params["motion_control_weight"] for job in plan.jobs] == [0.1]
    assert [job.params["seed"] for job in vidnb.sweep("a koala", seeds={100, 9, 10}).plan.jobs] == [9, 10, 100]
    (narrow,) = vidnb.sampled(1, x=(Decimal("1e-9"), np.float64(2e-9))).rows
    assert 1e-9 < narrow[0] < 2e-9


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: vidnb.sweep("a koala", seeds=100_000, takes=100_000), "are 10,000,000,000 combinations; "),
        (lambda: vidnb.sweep("a koala", take=["x"]), r"take=\['x'\]: give how many takes"),
        (lambda: vidnb.sweep("a {animal}", anmial=["koala"]), "did you mean {animal}?"),
        (lambda: vidnb.sweep("a koala", motion_contorl="Dolly In"), "did you mean motion_control?"),
        (lambda: vidnb.sweep("a koala", vidnb.zipped(seeds=[1, 2])), r"link seed=\[...\] instead"),
        (lambda: vidnb.sampled(2, draw="x", seed=(1, 9)), "draw='x': give a whole number"),  # type: ignore[arg-type]
        (lambda: vidnb.sampled(2, seed=(0, float("inf"))), "of which the first is below the second"),
        (lambda: vidnb.sweep("a koala", seed=range(10**12)), "seed: over 1,000,000 values given"),
        (lambda: vidnb.sweep("a koala", takes=10**12), "takes: over 1,000,000 values given"),
        (lambda: vidnb.sweep("a {animal}", animal=itertools.repeat("koala")), "animal: over 1,000,000 values given"),
        (lambda: vidnb.sweep("a koala", model=vidnb.models()), r"a whole table given; .* model=table\['id'\]"),
        (lambda: vidnb.sweep("a koala", client="mine"), "client='mine': give a vidnb.Client"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_an_axis_is_said_at_once(wrong: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        wrong()


def test_numbers_of_a_computation_are_what_one_would_write_and_stand_in_a_prompt_in_full() -> None:
    weights = vidnb.sweep("a koala", motion_control="Dolly In", motion_control_weight=np.arange(0.1, 0.35, 0.1)).plan
    assert [job.params["motion_control_weight"] for job in weights.jobs] == [0.1, 0.2, 0.3]
    texts = vidnb.sweep("a {x}", x=[0.1 + 0.2, np.float32(0.1), 1234567.5, 1e7, True]).plan.jobs
    assert [job.params["prompt"] for job in texts] == ["a 0.3", "a 0.1", "a 1234567.5", "a 10000000", "a True"]
    assert len(vidnb.sweep("a koala", seeds=np.int64(3), takes=np.int8(2)).plan.cells) == 6
    assert len(vidnb.sweep("a {x}", x={"koala": 1, "heron": 2}.keys()).plan.jobs) == 2


@pytest.mark.parametrize("value", [None, float("nan"), b"koala", {"a": 1}])
def test_what_is_no_part_of_a_prompt_is_refused_rather_than_written_into_it(value: Any) -> None:
    for given_ in (value, ["koala", value]):
        with pytest.raises(ConfigError, match=r"animal=.*: a part of the prompt is text or a number"):
            vidnb.sweep("a {animal}", animal=given_)


def test_names_in_braces_that_nothing_fills_are_said_in_the_plan() -> None:
    told = repr(vidnb.sweep("a {animal} in {plaec} {{literal}}", animal=["koala"]))
    assert "{plaec} stands in the prompt as it is: the sweep has no values of that name" in told
    assert "{literal} stands" not in told


def test_another_prompt_leaves_out_the_parts_that_it_does_not_name() -> None:
    sweep = vidnb.sweep((f"a {{animal}} in the {place}" for place in ("snow", "city")), animal=iter(["koala", "heron"]))
    assert len(sweep.plan.jobs) == len(sweep.with_(seed=7).plan.jobs) == 4
    assert [job.params["prompt"] for job in sweep.with_(prompt="an owl").plan.jobs] == ["an owl"]
    assert len(sweep.with_(prompt=iter(["an owl", "a {animal}"]), negative_prompt="rain").plan.jobs) == 3
    assert len(sweep.with_(prompt="a {bird}", bird=["owl"]).plan.jobs) == 1
    linked = vidnb.sweep("a {animal}", vidnb.zipped(animal=["koala", "heron"], seed=[7, 8]))
    assert [job.params["seed"] for job in linked.with_(prompt="an owl").plan.jobs] == [7, 8]
    prompts = vidnb.sweep(None, vidnb.zipped(prompt=["a {animal}", "the {animal}"], seed=[7, 8]), animal=["koala"])
    assert {job.params["prompt"] for job in prompts.with_(takes=2).plan.jobs} == {"a koala", "the koala"}
    with pytest.raises(ConfigError, match="'animal' is no param"):
        sweep.with_(prompt="an {anmial}")


def test_a_list_for_a_param_that_takes_a_list_is_one_value_and_a_list_of_lists_an_axis() -> None:
    assert len(vidnb.sweep("a koala", styles=["Clay", "Logo"]).plan.jobs) == 1
    assert len(vidnb.sweep("a koala", styles=[["Clay"], ["Logo"]]).plan.jobs) == 2


def test_linked_names_change_together() -> None:
    sweep = vidnb.sweep("a {animal} in the {place}", vidnb.zipped(animal=["koala", "heron"], place=["snow", "city"]))
    assert [job.params["prompt"] for job in sweep.plan.jobs] == ["a koala in the snow", "a heron in the city"]
    with pytest.raises(ConfigError, match="same length"):
        vidnb.zipped(animal=["koala"], place=["snow", "city"])
    models = vidnb.sweep("a koala", vidnb.zipped(model=[MOTION, KLING], duration_s=[None, 5]), unsupported="drop")
    assert [job.model for job in models.plan.jobs] == [MOTION, KLING]
    with pytest.raises(ConfigError, match="'model' is given twice"):
        vidnb.sweep("a koala", vidnb.zipped(model=[MOTION, KLING]), model=FAST)


@pytest.mark.parametrize("how", ["sobol", "latin", "random"])
def test_sampled_points_lie_in_their_ranges_and_are_the_same_each_time(how: Any) -> None:
    axis = vidnb.sampled(8, how, motion_control_weight=(-1.0, 1.0), seed=(1, 4), resolution=["480p", "720p"])
    assert axis == vidnb.sampled(8, how, motion_control_weight=(-1.0, 1.0), seed=(1, 4), resolution=["480p", "720p"])
    assert axis.names == ("motion_control_weight", "seed", "resolution")
    assert len(axis) == 8
    assert all(-1 <= weight <= 1 and seed in range(1, 5) for weight, seed, _ in axis.rows)
    assert {resolution for *_, resolution in axis.rows} == {"480p", "720p"}
    if how != "random":  # each quarter of a range has its share
        assert sorted(int((weight + 1) * 2) for weight, *_ in axis.rows) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_folder_is_an_axis_of_its_pictures_which_are_read_once(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.png").write_bytes(picture(colour="teal" if name == "a" else "red"))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._a.png").write_bytes(b"what macOS keeps beside a file")
    sweep = vidnb.sweep("it moves", start_image=tmp_path, seeds=2)
    assert [cell.values[0] for cell in sweep.plan.cells] == ["a", "a", "b", "b"]
    assert len(sweep.plan.files) == 2
    with pytest.raises(ConfigError, match=r"start_image: .*notes"):
        vidnb.sweep("it moves", start_image=[tmp_path / "notes.txt"])


def test_a_condition_that_fails_or_keeps_nothing_is_said_with_its_cell() -> None:
    with pytest.raises(ConfigError, match=r"where= failed with KeyError: 'sed', for the cell .*seed="):
        _ = vidnb.sweep("a koala", seeds=2, where=lambda cell: cell["sed"] > 3).plan
    with pytest.raises(ConfigError, match="No cells: where= leaves none of 2"):
        vidnb.sweep("a koala", seeds=2, where="seed < 0").run()


def test_a_cause_that_several_models_share_is_one_line() -> None:
    sweep = vidnb.sweep("a koala", model=[MOTION, KLING, "1min/pika", "runway/gen4.5", "1min/luma"], seeds=2,
                        motion_control="Dolly In")  # fmt: skip
    (refusal,) = sweep.plan.refused
    assert str(refusal).startswith(
        "8 cells of 4 models (1min/kling, 1min/pika, runway/gen4.5 and 1 more): motion_control (Dolly In): this model"
    )


def test_cells_that_fall_together_are_one_job_and_that_is_said() -> None:
    sweep = vidnb.sweep("a koala", model=[MOTION, KLING], motion_control="Dolly In", motion_control_weight=[0.3, 0.7],
                        duration_s=5, unsupported="drop")  # fmt: skip
    assert (len(sweep.plan.cells), len(sweep.plan.jobs), sweep.plan.shared) == (4, 3, 1)
    assert "1 cell would be the same clip as another one" in repr(sweep)
    assert "motion_control_weight: dropped there, so it compares nothing" in repr(sweep)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("seed < 3", [1, 2]), ("not seed < 3 and weight == 1", [3]), ("seed in [1, 3]", [1, 3]),
        ("1 < seed <= 3", [2, 3]), ("seed % 2 == 0 or seed + 1 == 2", [1, 2]), ("name == 'x'", [1, 2, 3]),
    ],
)  # fmt: skip
def test_a_condition_may_be_text(text: str, kept: list[int]) -> None:
    keeps = condition(text)
    assert keeps is not None
    assert [seed for seed in (1, 2, 3) if keeps({"seed": seed, "weight": 1, "name": "x"})] == kept


@pytest.mark.parametrize(
    "text", ["__import__('os')", "seed.real", "[x for x in y]", "(", "lambda: 1", "seed[0]", "f'{1}'"]
)
def test_a_condition_as_text_can_do_nothing_but_compare(text: str) -> None:
    with pytest.raises(ConfigError, match="where="):
        condition(text)


@pytest.mark.parametrize(
    ("names", "steps", "words"),
    [
        (("animal",), 1, "1 animal"),
        (("motion_control_weight",), 3, "3 motion control weights"),
        (("steps",), 2, "2 steps"),
        (("animal", "place"), 2, "2 pairs of animal and place"),
        (("animal", "motion_control_weight", "seed"), 1, "1 set of animal, motion control weight and seed"),
    ],
)
def test_how_many_steps_an_axis_has_is_said_in_words(names: tuple[str, ...], steps: int, words: str) -> None:
    assert counted(Axis(names, tuple((1,) * len(names) for _ in range(steps)))) == words
