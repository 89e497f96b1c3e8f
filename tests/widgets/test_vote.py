"""The vote's Python side: what the page is told of a pair, and what becomes of its answers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rows import add_done

from vidnb.emulator.clips import Scene, render
from vidnb.files import Files
from vidnb.history.history import History
from vidnb.media.video import probe
from vidnb.store import Store
from vidnb.widgets.vote import Vote

SECRETS = ("motion_2.0", "MOTION2FAST", "Motion 2.0", "seed", "leonardo")


@pytest.fixture
def history(tmp_path: Path) -> History:
    store, files = Store(tmp_path / "data"), Files(tmp_path / "data" / "files")
    video = render(Scene("leonardo/motion_2.0", "a fox", width_px=320, height_px=192, duration_s=1))
    for place, model in enumerate(("leonardo/motion_2.0", "leonardo/MOTION2FAST")):
        path = files.path(sha256 := files.put(video + bytes([place]), ".mp4"), ".mp4")
        assert path is not None
        info = replace(probe(path), sha256=sha256)
        add_done(store, {"prompt": "a fox", "seed": 7}, model=model, minute=place, info=info)
    return History(store, files)


class Heard(list[dict[str, Any]]):
    """What the part said, in order."""

    def wait_for(self, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        for _ in range(600):
            if found := [one for one in self if is_it(one)]:
                return found[-1]
            time.sleep(0.1)
        raise AssertionError(f"it was not said: {list(self)}")


@pytest.fixture
def vote(history: History, monkeypatch: pytest.MonkeyPatch) -> tuple[Vote, Heard]:
    made, heard = history.vote("Which one?", voter="Anna"), Heard()
    monkeypatch.setattr(made, "say", lambda kind, content=None, buffers=(): heard.append({"kind": kind, **content}))
    return made, heard


def pair_after(heard: Heard, number: int) -> dict[str, Any]:
    return heard.wait_for(lambda one: one["kind"] == "pair" and one["number"] > number)


def test_the_page_is_told_nothing_that_names_a_clip(vote: tuple[Vote, Heard]) -> None:
    made, heard = vote
    made.heard_begin({}, [])
    pair = pair_after(heard, 0)
    assert [clip["cut"] > 0.05 for clip in pair["clips"]] == [True, True]
    assert [clip["waits"] for clip in pair["clips"]] == [False, False]
    told = json.dumps([pair, {name: value for name, value in made.get_state().items() if name in ("_head", "votes")}])
    assert not [word for word in SECRETS if word in told]
    assert "Motion" not in made.saved_html()


def test_answers_are_kept_at_once_and_the_result_names_who_won(vote: tuple[Vote, Heard], history: History) -> None:
    made, heard = vote
    made.heard_begin({}, [])
    number = pair_after(heard, 0)["number"]
    made.heard_answer({"number": number, "answer": "1"}, [])
    made.heard_answer({"number": number, "answer": "2"}, [])  # an old pair
    assert list(history.votes["answer"]) == ["1"]
    assert made.votes == 1
    assert str(made).endswith("1 vote so far; .result says what they tell>")
    following = pair_after(heard, number)
    assert following["said"] == "Noted."
    made.heard_undo({}, [])
    assert len(history.votes) == 0
    assert pair_after(heard, following["number"])["said"] == "Taken back."
    made.heard_result({}, [])
    told = heard.wait_for(lambda one: one["kind"] == "result")
    assert told["first"] == "Nobody has voted yet."
    assert sorted(row["item"] for row in told["rows"]) == ["Motion 2.0", "Motion 2.0 Fast"]
    assert told["by"] == "Model"


def test_the_last_pair_skipped_leaves_none(vote: tuple[Vote, Heard]) -> None:
    made, heard = vote
    made.heard_skip({}, [])
    said = heard.wait_for(lambda one: one["kind"] == "pair")
    assert said == {"kind": "pair", "number": 0, "said": "No pair is left: all were skipped."}


def test_a_page_without_files_gets_both_clips(vote: tuple[Vote, Heard]) -> None:
    made, heard = vote
    made.heard_begin({}, [])
    number = pair_after(heard, 0)["number"]
    made.heard_bytes({"number": number}, [])
    for place in (0, 1):
        heard.wait_for(lambda one, place=place: one["kind"] == "bytes" and one["place"] == place)
