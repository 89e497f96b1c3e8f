"""`effect` says what the data can say: by pairs, with honest intervals, in fixed sentences, or that it cannot."""

from __future__ import annotations

import itertools
import math
import statistics as plain
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidnb.errors import ConfigError
from vidnb.history import need
from vidnb.history.statistics import Effect, Effects, effect, estimates, pivot, spread

RECIPE = ("prompt", "seed", "motion_strength", "resolution", "width_px", "height_px")


def clips(
    seeds: int, rise: float = 1.0, *, models: int = 1, levels: tuple[Any, ...] = (5, 7), takes: int = 1,
    generator: int | np.random.Generator = 0, seed_slope: float = 0.3, **columns: Any,
) -> pd.DataFrame:  # fmt: skip
    """Rows of a sweep whose true effect is known: each level of the knob adds `rise`, each seed has its own slope."""
    rng = np.random.default_rng(generator)
    own, slope = rng.normal(0, 1, (models, seeds)), rng.normal(0, seed_slope, seeds)  # a seed's slope in all models
    rows = [
        {
            "state": "done", "emulated": False, "model": f"acme/{model}", "prompt": "a lighthouse", "seed": seed,
            "motion_strength": level, "cost": 0.05, "cost_unit": "USD",
            "motion": 9 + own[model, seed] + (rise + slope[seed]) * place + rng.normal(0, 0.6),
        }
        for model in range(models) for seed in range(seeds) for place, level in enumerate(levels) for _ in range(takes)
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**columns)


def asked(frame: pd.DataFrame, knob: str = "motion_strength", on: Any = "motion", **how: Any) -> Any:
    return effect(frame, knob, on=on, recipe=RECIPE, **how)


def exact(differences: list[float], **how: Any) -> Effect:
    """The effect of pairs with exactly these differences."""
    rows = [
        {"model": "a", "seed": seed, "motion_strength": level, "motion": 10 + seed % 3 + (level == 7) * value}
        for seed, value in enumerate(differences)
        for level in (5, 7)
    ]
    found: Effect = asked(pd.DataFrame(rows), **how)
    return found


# -- the interval is honest --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pairs", [4, 8, 12])
@pytest.mark.parametrize("tails", ["normal", "heavy"])
def test_the_95_percent_interval_holds_the_truth_at_least_93_times_of_100(pairs: int, tails: str) -> None:
    rng, runs, truth = np.random.default_rng(pairs), 4_000, 0.5
    noise = rng.normal(0, 1, (runs, pairs)) if tails == "normal" else rng.standard_t(3, (runs, pairs))
    intervals = (estimates.t_interval(truth + values) for values in noise)
    assert sum(found.low <= truth <= found.high for found in intervals) >= 0.93 * runs


@pytest.mark.parametrize(("models", "seeds"), [(1, 8), (3, 4)])
def test_so_it_does_from_the_rows_on_and_when_models_share_their_seeds(models: int, seeds: int) -> None:
    runs, rng = 100, np.random.default_rng(seeds)
    found = [asked(clips(seeds, models=models, generator=rng, seed_slope=1.0)) for _ in range(runs)]
    assert {each.pairs for each in found} == {models * seeds}
    # A seed's own slope is in each of its pairs: counted as three witnesses it would leave the truth out far too often.
    assert sum(each.low <= 1.0 <= each.high for each in found) >= 0.93 * runs


def test_no_effect_is_called_one_five_times_of_a_hundred_at_most() -> None:
    rng, runs = np.random.default_rng(5), 1_500
    alarms = sum(estimates.sign_flip(rng.normal(0, 1, 8)) < 0.05 for _ in range(runs))
    assert alarms <= 0.065 * runs


@settings(max_examples=30)
@given(st.lists(st.floats(-50, 50).map(lambda value: round(value, 2)), min_size=2, max_size=9))
def test_the_sign_flip_test_counts_every_way_to_flip_the_signs(values: list[float]) -> None:
    seen = abs(sum(values)) - 1e-9
    ways = [abs(sum(sign * value for sign, value in zip(signs, values, strict=True))) >= seen
            for signs in itertools.product((-1, 1), repeat=len(values))]  # fmt: skip
    assert estimates.sign_flip(np.array(values)) == pytest.approx(plain.mean(ways), abs=1e-9)


@given(st.lists(st.floats(-50, 50).map(lambda value: round(value, 3)), min_size=6, max_size=24, unique=True))
@settings(max_examples=15)
def test_the_rank_interval_holds_the_centres_that_wilcoxons_test_allows(values: list[float]) -> None:
    from scipy import stats

    found = estimates.hodges_lehmann(np.array(values))
    assert found is not None
    means = sorted({(a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2)})
    assert found.low <= found.mean <= found.high
    for before, after in itertools.pairwise(means):
        centre = before + (after - before) * 0.37
        apart = np.array(values) - centre
        if after - before < 1e-6 or len(set(np.round(np.abs(apart), 9))) < len(values):
            continue  # equal ranks: the tables know none
        p = stats.wilcoxon(apart, method="exact").pvalue
        assert (found.low <= centre <= found.high) == (p > 0.05)


def test_rank_interval_has_the_critical_values_of_the_tables() -> None:
    table = {6: 0, 7: 2, 8: 3, 9: 5, 10: 8, 12: 13, 15: 25, 20: 52, 25: 89}
    assert {size: estimates.signed_rank_cut(size) for size in table} == table
    assert estimates.signed_rank_cut(26) == pytest.approx(98, abs=1)
    assert estimates.hodges_lehmann(np.ones(5)) is None


def test_several_questions_are_answered_more_strictly_by_holm() -> None:
    assert estimates.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert estimates.holm([0.6, math.nan, 0.9])[0] == 1.0
    assert math.isnan(estimates.holm([0.6, math.nan])[1])


# -- the sentences -----------------------------------------------------------------------------------------------------

CLEAR = [1.2, 2.6, 1.9, 0.8, 2.4, 1.6, 2.0, 1.1, 2.9, 1.4, 1.7, 2.2]


def test_a_clear_effect_is_said_with_its_mean_and_interval_first() -> None:
    assert str(exact(CLEAR)) == (
        "+1.82 %/s of motion with motion strength 7 instead of 5 (95 % interval +1.41 to +2.22; 12 pairs of the same "
        "model and seed). Seeds alone differ by 1.26 %/s. This is not seed noise (p < 0.001)."
    )


def test_what_the_data_cannot_say_is_said_with_what_would_help() -> None:
    frame = clips(5, 0.4, generator=3)
    said = str(asked(frame))
    assert said.startswith("+0.1 %/s of motion with motion strength 7 instead of 5 (95 % interval -")
    assert "5 pairs of the same model and seed). The data cannot say whether that is more than seed noise. " in said
    assert "A verdict needs 6 pairs or more. A difference under " in said
    found = asked(frame)
    assert found.more_units is not None
    assert f"{found.more_units} more pairs would show one of" in said
    assert said.endswith(f"(about ${found.more_units * 2 * 0.05:.2f}).")


def test_what_the_user_calls_equal_is_equal_only_where_the_whole_interval_is() -> None:
    values = [0.1, -0.1, 0.05, -0.02, 0.08, -0.04, 0.0, 0.03]
    assert "No difference larger than 0.3 %/s." in str(exact(values, equal=0.3))
    assert "The data cannot say" in str(exact(values, equal=0.05))
    assert exact(values, equal=0.3).is_equal
    assert not exact(CLEAR, equal=2.0).is_equal


def test_two_pairs_are_dots_only() -> None:
    found = exact([1.0, 2.0])
    assert str(found) == (
        "+1.0 and +2.0 %/s of motion with motion strength 7 instead of 5 (2 pairs of the same model and seed). The "
        "data cannot say: a verdict needs 6 pairs or more."
    )
    assert math.isnan(found.low)
    assert math.isnan(found.p)


@pytest.mark.parametrize("count", [3, 4, 5])
def test_three_to_five_pairs_get_an_interval_and_no_verdict(count: int) -> None:
    found = exact([1.0, 1.1, 0.9, 1.05, 0.95][:count])
    assert found.low > 0
    assert not found.is_clear
    assert "The data cannot say" in str(found)
    assert "not seed noise" not in str(found)


def test_no_sentence_says_significant_or_a_p_value_alone() -> None:
    for frame in (clips(12), clips(4), clips(8, 0.0), clips(12, models=2)):
        said = str(asked(frame))
        assert "significant" not in said
        assert said.index("95 % interval") < said.find("p =") or "p =" not in said


@pytest.mark.parametrize(
    ("knob", "levels", "words"),
    [
        ("prompt_enhance", (False, True), "with prompt enhance on instead of off"),
        ("quality", ("draft", "fine"), "with quality fine instead of draft"),
        ("model", ("a/1", "b/2"), "with b/2 instead of a/1"),
        (
            "model",
            ("leonardo/MOTION2FAST", "leonardo/motion_2.0"),
            "with Motion 2.0 instead of Motion 2.0 Fast",
        ),
    ],
)
def test_any_knob_is_named_as_people_say_it(knob: str, levels: tuple[Any, ...], words: str) -> None:
    frame = clips(8, levels=(1, 2)).rename(columns={"motion_strength": "level"})
    frame[knob] = frame["level"].map(dict(zip((1, 2), levels, strict=True)))
    assert words in str(effect(frame, knob, on="motion", recipe=("prompt", "seed", knob)))


def test_emulated_clips_say_that_they_are() -> None:
    assert str(asked(clips(8, emulated=True))).endswith("made by the emulator: this says nothing of a real model.")


# -- pairs -------------------------------------------------------------------------------------------------------------

rows = st.lists(
    st.fixed_dictionaries(
        {
            "model": st.sampled_from(["a", "b"]),
            "seed": st.sampled_from([1, 2, 3, 4, None]),
            "prompt": st.sampled_from(["x", "y"]),
            "motion_strength": st.sampled_from([5, 7]),
            "motion": st.floats(0, 10).map(lambda value: round(value, 3)),
        }
    ),
    max_size=40,
)


@given(rows)
@settings(max_examples=40)
def test_pairs_are_the_recipes_that_have_both_levels_and_takes_are_averaged(found: list[dict[str, Any]]) -> None:
    by_recipe: dict[Any, dict[int, list[float]]] = {}
    for row in found:
        key = (row["model"], row["seed"], row["prompt"])
        by_recipe.setdefault(key, {}).setdefault(row["motion_strength"], []).append(row["motion"])
    if any(row["seed"] is not None for row in found) and len({row["seed"] for row in found}) > 1:
        by_recipe = {key: cells for key, cells in by_recipe.items() if key[1] is not None}
    by_takes = all(key[1] is None for key in by_recipe) and any(
        len(cells) == 2 and min(map(len, cells.values())) > 1 for cells in by_recipe.values()
    )
    expected = {key: plain.mean(cells[7]) - plain.mean(cells[5]) for key, cells in by_recipe.items() if len(cells) == 2}
    frame = pd.DataFrame(found, columns=["model", "seed", "prompt", "motion_strength", "motion"])
    frame["seed"] = frame["seed"].astype("Int64")
    if not expected:
        with pytest.raises(ConfigError):
            asked(frame)
    elif not by_takes:
        said = asked(frame)
        assert said.pairs == len(expected)
        assert sorted(said.differences["difference"]) == pytest.approx(sorted(expected.values()))


def test_the_order_of_the_rows_does_not_matter() -> None:
    frame = clips(7, models=2)
    found, shuffled = asked(frame), asked(frame.sample(frac=1, random_state=1))
    assert (found.mean, found.low, found.high) == pytest.approx((shuffled.mean, shuffled.low, shuffled.high))
    assert found.p == pytest.approx(shuffled.p)


def test_a_seed_counts_once_whatever_number_of_models_it_went_through() -> None:
    found = asked(clips(8, models=3))
    assert (found.pairs, found.units) == (24, 8)
    assert "24 pairs of the same model and seed, 8 seeds" in str(found)


def test_clips_of_one_seed_hold_for_that_seed_and_say_so() -> None:
    frame = pd.concat([clips(1, prompt=f"prompt {number}", generator=number) for number in range(8)])
    frame["seed"] = [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2]
    found = asked(frame)
    assert (found.pairs, found.units) == (8, 8)
    assert "With only 2 seeds this holds for those." in str(found)


def test_what_else_differs_is_named_where_it_leaves_no_pair() -> None:
    frame = clips(6)
    frame["resolution"] = frame["motion_strength"].map({5: "480p", 7: "720p"})
    with pytest.raises(ConfigError, match=r"also differ in .*resolution.*ignore=\['resolution'\] would leave 6 pairs"):
        asked(frame)
    assert asked(frame, ignore=["resolution"]).pairs == 6


def test_a_size_is_one_knob_whatever_its_columns() -> None:
    frame = clips(6).rename(columns={"motion_strength": "width_px"})
    frame = frame.assign(resolution=frame["width_px"].map({5: "480p", 7: "720p"}), height_px=frame["width_px"] * 2)
    assert asked(frame, "resolution").pairs == 6


def test_models_without_a_seed_are_compared_by_their_takes() -> None:
    frame = clips(8, 2.0).assign(seed=pd.NA)
    found = asked(frame)
    assert found.by_takes
    assert "16 takes of 1 recipe without a seed, not paired" in str(found)
    five, seven = (frame.loc[frame["motion_strength"] == level, "motion"] for level in (5, 7))
    from scipy import stats

    welch = stats.ttest_ind(seven, five, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((welch.low, welch.high))
    assert found.mean == pytest.approx(seven.mean() - five.mean())


def test_takes_of_several_pictures_are_compared_within_each() -> None:
    parts = [clips(4, 2.0, generator=at).assign(seed=pd.NA, prompt=f"p{at}") for at in range(3)]
    frame = pd.concat(parts)
    frame["motion"] += frame["prompt"].map({"p0": 0, "p1": 50, "p2": 100})  # far apart, and no matter
    found = asked(frame)
    assert "24 takes of 3 recipes" in str(found)
    assert 1.0 < found.mean < 3.0
    assert found.high - found.low < 2.5
    assert found.is_clear


def test_many_pictures_without_a_seed_are_pairs_of_their_own() -> None:
    found = asked(pd.concat([clips(1, 2.0, generator=at).assign(seed=pd.NA, prompt=f"p{at}") for at in range(7)]))
    assert not found.by_takes
    assert "7 pairs of the same prompt" in str(found)


def test_clips_without_a_seed_are_left_out_where_others_have_one() -> None:
    frame = pd.concat([clips(8), clips(1).assign(seed=pd.NA, model="b")])
    found = asked(frame)
    assert found.pairs == 8
    assert "2 clips without a seed were left out." in str(found)


# -- levels and measures -----------------------------------------------------------------------------------------------


def test_more_levels_of_a_number_give_a_slope_with_each_level_beside_it() -> None:
    found = asked(clips(8, 1.0, levels=(3, 5, 7), seed_slope=0.0))
    assert found.is_slope
    assert 0.3 < found.mean < 0.7
    assert "for each 1 more of motion strength" in str(found)
    assert [step.level for step in found.levels] == [5, 7]
    assert {step.questions for step in found.levels} == {2}


@given(st.floats(-5, 5), st.lists(st.integers(-20, 20), min_size=3, max_size=5, unique=True))
@settings(max_examples=20)
def test_a_straight_line_has_its_slope_in_every_recipe(slope: float, levels: list[int]) -> None:
    frame = pd.DataFrame(
        [{"model": "a", "seed": seed, "motion_strength": level, "motion": 5 * seed + slope * level, "state": "done"}
         for seed in range(3) for level in levels]
    )  # fmt: skip
    assert asked(frame).mean == pytest.approx(slope, abs=1e-9)


def test_base_and_to_choose_two_of_many_levels() -> None:
    frame = clips(8, levels=(1, 3, 5, 7))
    found = asked(frame, base=7, to=3)
    assert (found.base, found.level, found.is_slope) == (7, 3, False)
    assert found.mean == pytest.approx(-asked(frame, base=3, to=7).mean)
    for odd in (pd.NA, pd.DataFrame({"a": [3]}), np.array([3, 5]), [3]):
        with pytest.raises(ConfigError, match=r"base=.*: no measured clip has that motion strength"):
            asked(frame, base=odd)
    with pytest.raises(ConfigError, match=r"base=4: no measured clip has that motion strength; there are 1, 3, 5, 7"):
        asked(frame, base=4)


def test_several_measures_are_several_effects_by_holm() -> None:
    frame = clips(8)
    frame["flicker"] = frame["motion"] * -0.01
    found = asked(frame, on=["motion", "flicker"])
    assert isinstance(found, Effects)
    assert [each.measure for each in found] == ["motion", "flicker"]
    assert found["flicker"].mean == pytest.approx(found["motion"].mean * -0.01)
    assert found[0].p == pytest.approx(2 * asked(frame).p)
    assert list(found.df["measure"]) == ["motion", "flicker"]
    assert "one of 2 questions asked at once" in str(found)


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_emulated_and_real_clips_are_never_counted_together() -> None:
    frame = clips(8)
    frame.loc[:3, "emulated"] = True
    for ask in (asked, lambda rows: spread(rows, "motion", recipe=RECIPE)):
        with pytest.raises(ConfigError, match=r"4 of these clips are emulated and 12 are real.*emulated=False"):
            ask(frame)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"on": "moton"}, "no column 'moton'; did you mean motion"),
        ({"on": "fliker"}, "no column 'fliker'; did you mean flicker"),
        ({"on": "flicker"}, r"no clip here has the measure 'flicker' yet; h.measure\(\)"),
        ({"knob": "motion_stregth"}, "did you mean motion_strength"),
        ({"on": "prompt"}, "'prompt' is no measure"),
        ({"on": []}, "names no measure"),
        ({"knob": "motion"}, "both the knob and the measure"),
        ({"knob": "seed"}, r"chance, not a knob: h.spread\('motion'\)"),
        ({"equal": -1}, "equal=-1"),
        ({"knob": "prompt"}, "the same prompt"),
        ({"base": 5, "to": 5}, "name two levels"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(how: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        asked(clips(4), **how)


def test_differences_that_are_all_alike_are_told_without_the_dust_of_rounding() -> None:
    steady = str(exact([0.2 * 3 - 0.4] * 8))  # 0.2000000000000000... and a little, in each pair another little
    assert steady.startswith("+0.20 %/s of motion with motion strength 7 instead of 5 (95 % interval +0.20 to +0.20;")
    assert "would go unseen" not in str(exact([0.2] * 5))
    assert str(exact([0.0] * 6)).endswith("No pair differs at all.")


def test_an_endless_value_is_no_number_to_count_with() -> None:
    frame = clips(8)
    frame.loc[3, "motion"] = math.inf
    assert asked(frame).pairs == 7
    assert math.isfinite(asked(frame).mean)


def test_clips_that_were_not_measured_are_none() -> None:
    frame = clips(4).assign(motion=math.nan)
    with pytest.raises(ConfigError, match=r"h.measure\(\) measures them"):
        asked(frame)


def test_without_scipy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(need, "import_module", missing)
    with pytest.raises(ConfigError, match=r"pip install 'vidnb\[stats\]'"):
        asked(clips(4))


# -- spread ------------------------------------------------------------------------------------------------------------


def test_spread_finds_the_shares_that_were_put_in() -> None:
    rng, found = np.random.default_rng(2), []
    for _ in range(40):
        seed, model = rng.normal(0, 1.0, (3, 12, 1)), rng.normal(0, 0.7, (3, 1, 1))
        values = seed + model + rng.normal(0, 0.8, 4) + rng.normal(0, 0.6, (3, 12, 4))
        frame = pd.DataFrame(
            [(f"m{m}", s, k, values[m, s, k]) for m, s, k in np.ndindex(3, 12, 4)],
            columns=["model", "seed", "motion_strength", "motion"],
        )
        found.append(spread(frame, "motion", recipe=RECIPE).shares)
    total = 1.0 + 0.49 + 0.64 + 0.36
    means = pd.DataFrame(found).mean()
    for name, variance in (("seed", 1.0), ("model", 0.49), ("motion_strength", 0.64), ("noise", 0.36)):
        assert means[name] == pytest.approx(variance / total, abs=0.09)


def test_spread_says_its_shares_and_when_seed_and_noise_are_one() -> None:
    said = spread(clips(12, 2.0), "motion", recipe=RECIPE)
    assert sum(said.shares.values()) == pytest.approx(1)
    assert list(said.shares)[-1] == "noise"
    assert str(said).startswith("Motion differs by ")
    alone = spread(clips(12, levels=(5,)), "motion", recipe=RECIPE)
    assert alone.seed_is_noise
    assert "seed and noise 100 %" in str(alone)
    with pytest.raises(ConfigError, match="too few"):
        spread(clips(2), "motion", recipe=RECIPE)
    with pytest.raises(ConfigError, match="no spread"):
        spread(clips(4).assign(motion=1.0), "motion", recipe=RECIPE)


# -- pivot -------------------------------------------------------------------------------------------------------------


@given(rows)
@settings(max_examples=50)
def test_a_pivot_has_the_mean_of_each_cell_and_nothing_else(found: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame(found, columns=["model", "seed", "prompt", "motion_strength", "motion"])
    frame["seed"] = frame["seed"].astype("Int64")
    grid = pivot(frame, "seed", ["model", "motion_strength"], "motion")
    cells: dict[Any, list[float]] = {}
    for row in found:
        if row["seed"] is not None:
            cells.setdefault((row["seed"], row["model"], row["motion_strength"]), []).append(row["motion"])
    assert int(grid.notna().sum().sum()) == len(cells)
    for (seed, model, level), values in cells.items():
        assert grid.loc[seed, (model, level)] == pytest.approx(plain.mean(values))


def test_a_pivot_of_words_takes_the_newest() -> None:
    frame = pd.DataFrame({"seed": [1, 1, 2], "model": ["a", "a", "b"], "job_id": ["new", "old", "x"]})
    grid = pivot(frame, "seed", "model", "job_id")
    assert grid.loc[1, "a"] == "new"
    assert pd.isna(grid.loc[1, "b"])


def test_a_pivot_refuses_a_cell_of_emulated_and_real_clips() -> None:
    frame = clips(3, takes=2)
    frame["emulated"] = [True, False] * 6
    with pytest.raises(ConfigError, match="emulated and real clips would be averaged"):
        pivot(frame, "seed", "motion_strength", "motion")
    assert pivot(frame, "seed", ["emulated", "motion_strength"], "motion").shape == (3, 4)
    with pytest.raises(ConfigError, match="names a column twice"):
        pivot(frame, "seed", "seed", "motion")


# -- in a cell ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "find",
    [
        lambda: asked(clips(12)),
        lambda: asked(clips(2)),
        lambda: asked(clips(8, levels=(1, 2, 3))),
        lambda: asked(clips(8).assign(seed=pd.NA)),
        lambda: asked(clips(8).assign(flicker=lambda rows: rows["motion"] / 7), on=["motion", "flicker"]),
        lambda: spread(clips(12, 2.0), "motion", recipe=RECIPE),
    ],
)
def test_in_a_cell_it_says_its_sentence_without_scripts_in_a_few_kilobytes(find: Callable[[], Any]) -> None:
    found = find()
    html = found._repr_html_()
    assert str(found).split(" (")[0][:40] in html
    assert "<script" not in html
    assert len(html) < 12_000 * (len(found) if isinstance(found, Effects) else 1)
    assert "nan" not in html.lower()


def test_hostile_words_are_escaped() -> None:
    frame = clips(8).assign(quality=lambda rows: rows["motion_strength"].map({5: "<img src=x onerror=a()>", 7: "b"}))
    html = effect(frame, "quality", on="motion", recipe=("seed",), ignore=["motion_strength"])._repr_html_()
    assert "<img src=x" not in html
    assert "&lt;img src=x" in html
