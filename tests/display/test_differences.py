"""What differs between two clips, said in words that are true."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from compared import clip_of, job, numbered
from hypothesis import given
from hypothesis import strategies as st

from vidnb.client.verbs import Client
from vidnb.display.differences import difference, measure_words, prompt_change
from vidnb.emulator import Emulator
from vidnb.files import Files
from vidnb.records import State


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("diff")
    emulator = Emulator(folder / "emulator", latency_s=0.01)
    with Client(folder / "data", emulator=emulator) as made:
        yield made
    emulator.close()


def test_seed_and_model_are_said_as_a_person_says_them(client: Client) -> None:
    one = client.generate("a lighthouse", seed=3)
    other = client.generate("a lighthouse", seed=7, model="leonardo/MOTION2FAST")
    said = client.diff(one, other.job.id[:8])
    assert said.recipe == ("What differs: Motion 2.0 → Motion 2.0 Fast; seed 3 → 7.", "The prompts are the same.")
    assert str(said).startswith("What differs: Motion 2.0")
    assert "seed 3 → 7" in said._repr_html_()


def test_a_clip_that_goes_on_from_anothers_last_frame_is_known(client: Client) -> None:
    one = client.generate("a lighthouse", seed=3)
    model = "leonardo/grok-imagine-1.5"
    other = client.generate("it sinks", model=model, start_image=one.last_frame)
    said = client.diff(one, other)
    assert "The second has the last frame of the first as its start image." in said.lineage
    assert any("“it sinks” instead of “a lighthouse”" in sentence for sentence in said.recipe)


def test_measures_say_how_much_and_whether_that_is_better(tmp_path: Path) -> None:
    files = Files(tmp_path)
    one, other = (clip_of(files, numbered(number), number) for number in (1, 2))
    known = (
        {"motion": 31.0, "flicker": 0.02, "cuts": 0.0, "sharpness": 0.8},
        {"motion": 23.0, "flicker": 0.01, "cuts": 0.0},
    )
    said = difference(one, other, known).measured
    assert "motion: 31 → 23 % of height a second (-26%)" in said
    assert "flicker: 0.02 → 0.01 (-50%), better" in said
    assert not any("cuts" in sentence or "sharpness" in sentence for sentence in said)


def test_measures_are_said_by_names_that_can_be_read_aloud_and_in_plain_numbers() -> None:
    taken = {"cuts": 1.0, "flashes_per_s": 2.0, "flicker": 9.214e-06, "frozen_tail_s": 0.5, "motion": 1.43, "own": 7.0}
    assert list(measure_words(taken).items()) == [
        ("motion", "1.43 % of height a second"), ("flicker", "0.0000092"), ("frozen tail", "0.5 s"), ("cuts", "1"),
        ("flashes", "2 a second"), ("own", "7"),
    ]  # fmt: skip
    assert measure_words(taken, brief=True)["motion"] == "1.43 %/s"


def test_same_recipe_other_pictures_is_said(tmp_path: Path) -> None:
    files = Files(tmp_path)
    one, other = clip_of(files, numbered(1), 1), clip_of(files, numbered(2), 2)
    other = clip_of(files, numbered(2), 2, recipe_hash=one.job.recipe_hash, params=dict(one.params))
    said = difference(one, other)
    assert said.recipe == ("The recipes are the same.",)
    assert any("other pictures" in sentence for sentence in said.lineage)
    twin = clip_of(files, numbered(1), 3, recipe_hash=one.job.recipe_hash, params=dict(one.params), take=1)
    assert "Their files are the same, byte for byte." in difference(one, twin).lineage
    assert difference(one, twin).recipe == ("The recipes are the same; these are take 0 and take 1 of it.",)


def test_jobs_without_a_clip_have_differences_too() -> None:
    failed = job(1, state=State.FAILED)
    assert "The first is failed, the second is running." in difference(failed, job(2, state=State.RUNNING)).measured


def test_hostile_prompts_are_text() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    html = difference(job(1), job(2, params={"prompt": hostile}))._repr_html_()
    assert "<img" not in html


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_prompts_difference_names_only_what_it_has(one: str, other: str) -> None:
    said = prompt_change(one, other)
    if one.split() != other.split():
        assert "“" in said
