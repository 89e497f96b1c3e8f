"""A seed that is left open: drawn, sent, kept, and found again at no further cost."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from fakes import EmulatorBehind, Wires, emulated

from vidnb import catalog, params
from vidnb.catalog import find
from vidnb.display.clips import recipe_code, shown_params
from vidnb.display.grid.words import differing, facts

pytestmark = pytest.mark.anyio
MODEL = "leonardo/motion_2.0"
QUICK: dict[str, Any] = {"model": MODEL, "resolution": "480p"}


@pytest.fixture
def wires() -> Wires:
    return Wires()


@pytest.fixture
def emulator(tmp_path: Path, wires: Wires) -> EmulatorBehind:
    return EmulatorBehind(tmp_path / "emulator", wires, speed=1000.0)


def sent_seeds(wires: Wires) -> list[int]:
    """The seeds in the bodies of all submits, as the service was told them."""
    bodies = [json.loads(one.content) for wire in wires for one in wire.sent("POST", "/generations")]
    return [body["parameters"]["seed"] for body in bodies]


async def test_an_open_seed_is_sent_and_kept_and_the_same_call_again_is_free(
    tmp_path: Path, emulator: EmulatorBehind, wires: Wires
) -> None:
    async with emulated(tmp_path, emulator) as client:
        clip = await client.generate("a koala", **QUICK)
        again = await client.generate("a koala", **QUICK)
        assert clip.job.seed_drawn
        assert clip.seed == clip.params["seed"]
        assert again.job.id == clip.job.id
    assert sent_seeds(wires) == [clip.seed]


async def test_a_clip_is_found_by_the_seed_that_was_drawn_for_it(
    tmp_path: Path, emulator: EmulatorBehind, wires: Wires
) -> None:
    async with emulated(tmp_path, emulator) as client:
        clip = await client.generate("a koala", **QUICK)
        named = await client.generate("a koala", seed=clip.seed, **QUICK)
        by_request = await client.generate(model=clip.model, **clip.request)
        assert named.job.id == by_request.job.id == clip.job.id
        assert client.quote("a koala", seed=clip.seed, **QUICK).cost.amount == 0
        another = await client.generate("a koala", seed=clip.seed, fresh=True, **QUICK)
        assert (another.job.take, another.seed, another.job.seed_drawn) == (1, clip.seed, False)
    assert sent_seeds(wires) == [clip.seed, clip.seed]


async def test_each_take_draws_a_seed_of_its_own(
    tmp_path: Path, emulator: EmulatorBehind, wires: Wires
) -> None:
    async with emulated(tmp_path, emulator) as client:
        clips = [await client.generate("a koala", fresh=fresh, **QUICK) for fresh in (False, True, True)]
        found = [await client.generate("a koala", seed=clip.seed, **QUICK) for clip in clips]
        assert [clip.job.id for clip in found] == [clip.job.id for clip in clips]
    assert len(set(sent_seeds(wires))) == 3


async def test_a_later_take_whose_seed_was_drawn_is_made_again_at_no_cost_however_it_is_asked_for(
    tmp_path: Path, emulator: EmulatorBehind, wires: Wires
) -> None:
    async with emulated(tmp_path, emulator) as client:
        clips = [await client.generate("a koala", fresh=fresh, **QUICK) for fresh in (False, True, True)]
        for clip in clips:
            again = {"model": clip.model, "take": clip.job.take, **client.request(clip)}  # as the docs of request say
            asked = ast.parse(recipe_code(clip), mode="eval").body  # as "recipe as Python" does
            assert isinstance(asked, ast.Call)
            code = {one.arg: ast.literal_eval(one.value) for one in asked.keywords}
            assert "take" not in code
            found = [await client.submit(**again), await client.submit("a koala", **code)]
            assert {job.id for job in found} == {clip.job.id}
            assert client.quote(**again).cost.amount == 0
            assert ("take", str(clip.job.take)) not in shown_params(clip.job)
        assert differing([facts(clip.job) for clip in clips]) == ["seed"]
        fresh = await client.generate("a koala", seed=clips[2].seed, fresh=True, **QUICK)
        assert (fresh.job.take, fresh.job.seed_drawn) == (3, False)
        assert ("take", "3") in shown_params(fresh.job)
    assert len(sent_seeds(wires)) == 4


async def test_a_given_seed_is_no_drawn_one(tmp_path: Path, emulator: EmulatorBehind) -> None:
    async with emulated(tmp_path, emulator) as client:
        given = await client.generate("a koala", seed=7, **QUICK)
        drawn = await client.generate("a koala", **QUICK)
        assert (given.seed, given.job.seed_drawn) == (7, False)
        assert given.job.id != drawn.job.id


async def test_a_lost_reply_is_found_by_the_drawn_seed_which_is_sent_again_too(tmp_path: Path) -> None:
    wires = Wires()
    emulator = EmulatorBehind(tmp_path / "emulator", wires, speed=1000.0, faults=["lost_reply:submit:1"])
    async with emulated(tmp_path, emulator) as client:
        clip = await client.generate("a koala", **QUICK)
        assert sent_seeds(wires) == [clip.seed]


def test_a_lesson_shows_the_same_seed_everywhere_and_a_real_service_gets_a_random_one() -> None:
    request = params.validate(find(MODEL), {"prompt": "a koala"})

    def seed(take: int, emulated: bool) -> Any:
        chosen = params.drawn(request, take, emulated=emulated)
        assert chosen is not None
        assert chosen.recipe.recipe_hash != request.recipe.recipe_hash
        return chosen.params["seed"]

    assert seed(0, True) == seed(0, True) != seed(1, True)
    assert len({seed(0, False) for _ in range(20)}) == 20


@pytest.mark.parametrize("model", [one.id for one in catalog.load().values()])
def test_every_drawn_seed_is_one_that_its_model_takes(model: str) -> None:
    entry = find(model)
    request, _ = params.draft(entry, {"prompt": "a koala"})
    chosen = params.drawn(request, 0, emulated=False)
    if "seed" not in entry.params:
        assert chosen is None
    elif chosen is not None:
        seed, problems = chosen.params["seed"], params.draft(entry, dict(chosen.params))[1]
        assert seed >= 0
        assert not [problem for problem in problems if problem.field == "seed"]


def test_minus_one_asks_for_a_drawn_seed_where_a_service_would_draw_one() -> None:
    request = params.validate(find("leonardo/seedance-2.0"), {"prompt": "a koala", "seed": -1})
    chosen = params.drawn(request, 0, emulated=False)
    assert chosen is not None
    assert chosen.params["seed"] >= 0
