"""The player's Python side: what the page is told, which frame is meant, what is kept of a person's words."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from waiting import until

from vidnb import display
from vidnb.client.verbs import Client
from vidnb.clip import Clip
from vidnb.emulator import Emulator
from vidnb.errors import StoreError
from vidnb.widgets import player as module
from vidnb.widgets.player import ACTIONS, Player, Pressed, clip_facts, file_name

HOSTILE = "<img src=x onerror=alert(1)> ../../etc \u202e\ud800"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("player")
    made = Client(folder / "data", emulator=Emulator(folder / "emulator", latency_s=0.01))
    yield made
    made.close()
    made.asynchronous.emulator.close()


@pytest.fixture(scope="module")
def clips(client: Client) -> list[Clip]:
    """Two clips of a model that takes a seed."""
    return [client.generate(f"a koala, number {seed}", seed=seed) for seed in (7, 8)]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any], list[bytes]]]:
    """The messages to the page."""
    heard: list[tuple[str, dict[str, Any], list[bytes]]] = []

    def say(self: Player, kind: str, content: Any = None, buffers: Any = ()) -> None:
        heard.append((kind, dict(content or {}), list(buffers)))

    monkeypatch.setattr(Player, "say", say)
    return heard


Said = list[tuple[str, dict[str, Any], list[bytes]]]


def kinds(said: Said) -> list[str]:
    return [kind for kind, _, _ in said]


def page_says(player: Player, kind: str, **content: Any) -> None:
    player._received(player, {"kind": kind, **content}, [])


def at(player: Player, time_s: float, playing: bool = False) -> None:
    assert player.clip is not None
    page_says(player, "at", id=player.clip.job.id, time_s=time_s, playing=playing)


# -- the clip ----------------------------------------------------------------------------------------------------------


def test_no_clip_is_nothing_to_show(said: Said) -> None:
    player = Player()
    assert (player._shown, player.frame, player.frame_index, player._actions) == ({}, None, 0, [])
    assert "No clip" in player.saved_html()
    assert said == []


def test_a_clip_brings_its_poster_and_without_a_server_its_bytes(clips: list[Clip], said: Said) -> None:
    player = Player(clips[0])
    until(lambda: "video" in kinds(said) and player._flashes)
    assert said[0] == ("poster", {"id": clips[0].job.id}, [display.clips.poster_of(clips[0])])
    parts = [(content, buffers) for kind, content, buffers in said if kind == "video"]
    assert b"".join(buffers[0] for _, buffers in parts) == clips[0].read()
    assert [content["part"] for content, _ in parts] == list(range(parts[0][0]["parts"]))
    assert player._flashes == {"id": clips[0].job.id, "flashes": False}


def test_where_a_server_has_the_file_no_bytes_are_sent(
    clips: list[Clip], said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "server_path", lambda path: f"data/{path.name}")
    player = Player(clips[0])
    until(lambda: player._flashes)
    assert kinds(said) == ["poster"]
    assert player._shown["video"] == f"data/{clips[0].path.name}"


def test_what_a_view_asks_for_comes_again(clips: list[Clip], said: Said) -> None:
    player = Player(clips[0])
    until(lambda: player._flashes)
    said.clear()
    page_says(player, "want", what="poster", id=clips[0].job.id)
    until(lambda: kinds(said) == ["poster"])
    page_says(player, "want", what="video", id=clips[0].job.id)
    until(lambda: "video" in kinds(said))
    said.clear()
    page_says(player, "want", what="video", id=clips[1].job.id)
    at(player, 0.1)
    assert said == [], "not the clip that is shown"


def test_a_file_that_is_gone_is_told_and_its_recipe_stays(
    clips: list[Clip], said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(self: Clip) -> bytes:
        raise StoreError("the file is gone")

    for name in ("read", "flashes"):
        monkeypatch.setattr(Clip, name, gone if name == "read" else property(gone))
    player = Player(clips[0])
    until(lambda: "gone" in kinds(said))
    assert player._shown["code"].startswith("vidnb.generate(")
    assert player._flashes == {}, "what cannot be looked at is not said to be harmless"


def test_another_clip_begins_at_its_start(clips: list[Clip], said: Said) -> None:
    player = Player(clips[0])
    at(player, 1.0, playing=True)
    assert (player.time_s, player.playing) == (1.0, True)
    player.clip = clips[1]
    assert (player.time_s, player.playing) == (0.0, False)
    assert player._shown["id"] == clips[1].job.id
    assert "seek" not in kinds(said)


def test_no_bytes_are_synced(clips: list[Clip]) -> None:
    state = Player(clips[0]).get_state()
    told = {name: value for name, value in state.items() if name not in ("_esm", "_css")}
    assert len(json.dumps(told)) < 10_000
    assert str(clips[0].path.parent) not in json.dumps(told)


# -- the playhead ------------------------------------------------------------------------------------------------------


def test_the_frame_is_the_one_at_the_playhead(clips: list[Clip], said: Said) -> None:
    clip = clips[0]
    player = Player(clip)
    for index in (0, 1, 5, clip.info.frames - 1):
        at(player, round(index / clip.info.fps, 6))
        assert player.frame_index == index
        expected = clip.frame((index + 0.5) / clip.info.fps) if index < clip.info.frames - 1 else clip.last_frame
        assert np.array_equal(np.asarray(player.frame), np.asarray(expected))


def test_a_time_beyond_the_end_is_the_last_frame(clips: list[Clip], said: Said) -> None:
    player = Player(clips[0])
    player.time_s = 1e9
    assert player.frame_index == clips[0].info.frames - 1
    assert player.time_s == clips[0].info.duration_s
    player.time_s = float("nan")
    assert player.time_s == 0


def test_an_assigned_time_goes_to_the_page_and_a_told_one_does_not_come_back(clips: list[Clip], said: Said) -> None:
    player = Player(clips[0])
    player.time_s = 0.5
    assert said[-1][:2] == ("seek", {"time_s": 0.5}) or ("seek", {"time_s": 0.5}, []) in said
    count = kinds(said).count("seek")
    at(player, 0.75)
    assert (player.time_s, kinds(said).count("seek")) == (0.75, count)
    player.seek(0.75)
    assert kinds(said).count("seek") == count + 1, "it may have played on since"


# -- actions -----------------------------------------------------------------------------------------------------------


def test_actions_are_offered_while_somebody_listens(clips: list[Clip], said: Said) -> None:
    player = Player(clips[0])
    assert player._actions == []
    heard: list[tuple[str, float]] = []

    def listen(pressed: Pressed) -> None:
        assert pressed.clip == clips[0]
        heard.append((pressed.name, pressed.time_s))

    player.on_action(listen)
    assert player._actions == list(ACTIONS)
    page_says(player, "action", name="start_frame", id=clips[0].job.id, time_s=0.5)
    page_says(player, "action", name="rm -rf", id=clips[0].job.id, time_s=0.5)
    assert heard == [("start_frame", 0.5)]
    page_says(player, "action", name="take", id="a clip that was there before", time_s=0.5)
    assert heard == [("start_frame", 0.5)]
    assert "press it again" in player.problem
    player.on_action(listen, remove=True)
    assert player._actions == []


def test_who_listens_gets_the_clip_and_frame_that_were_shown_though_another_clip_comes(
    clips: list[Clip], said: Said
) -> None:
    player = Player(clips[0])
    heard: list[Pressed] = []
    player.on_action(lambda pressed: setattr(player, "clip", clips[1]))
    player.on_action(heard.append)
    page_says(player, "action", name="start_frame", id=clips[0].job.id, time_s=0.5)
    assert player.clip == clips[1]
    assert [(one.name, one.clip, one.time_s) for one in heard] == [("start_frame", clips[0], 0.5)]
    assert np.array_equal(np.asarray(heard[0].frame), np.asarray(clips[0].frame(0.5 + 0.5 / clips[0].info.fps)))


def test_what_is_unavailable_is_not_done_and_says_why(clips: list[Clip], said: Said) -> None:
    player = Player(clips[0])
    heard: list[Pressed] = []
    player.on_action(heard.append)
    player.unavailable = {"end_frame": "This model takes no end image."}
    page_says(player, "action", name="end_frame", id=clips[0].job.id, time_s=0.5)
    assert heard == []
    assert player.problem == "This model takes no end image."
    page_says(player, "action", name="start_frame", id=clips[0].job.id, time_s=0.5)
    assert [one.name for one in heard] == ["start_frame"]
    assert player.problem == ""


def test_another_seed_is_not_offered_where_the_model_takes_none(clips: list[Clip], said: Said) -> None:
    seedless = Clip(replace(clips[0].job, model="leonardo/kling-2.1-pro-of-nobody"), clips[0]._files)
    player = Player(seedless)
    player.on_action(lambda pressed: None)
    assert "vary" not in player._actions
    assert "take" in player._actions


def test_an_error_of_a_listener_is_shown(clips: list[Clip], said: Said) -> None:
    player = Player(clips[0])

    def break_down(pressed: Pressed) -> None:
        raise ValueError("no form")

    player.on_action(break_down)
    page_says(player, "action", name="remix", id=clips[0].job.id, time_s=0)
    assert player.problem == "ValueError: no form"


# -- rating, tags, note ------------------------------------------------------------------------------------------------


def test_a_persons_words_are_kept_and_the_row_is_fresh(clips: list[Clip], client: Client, said: Said) -> None:
    player = Player(clips[0], client)
    at(player, 0.5)
    page_says(player, "annotate", id=clips[0].job.id, rating=4, tags=["keeper", HOSTILE], note="the light!")
    until(lambda: "annotated" in kinds(said))
    row = client.job(clips[0].job.id)
    assert (row.rating, row.note, row.tags[0]) == (4, "the light!", "keeper")
    assert player.clip is not None
    assert player.clip.rating == 4
    assert (player._shown["rating"], player.time_s) == (4, 0.5), "the playhead stays"
    page_says(player, "annotate", id=clips[0].job.id, rating=None)
    until(lambda: client.job(clips[0].job.id).rating is None)
    assert client.job(clips[0].job.id).note == "the light!"


def test_what_is_said_of_a_clip_that_left_the_player_reaches_who_listens(
    clips: list[Clip], client: Client, said: Said
) -> None:
    player, heard = Player(clips[0], client), []
    player.observe(lambda change: heard.append(change["new"]), "annotated")
    page_says(player, "annotate", id=clips[0].job.id, rating=2)
    until(lambda: len(heard) == 1)
    assert player.clip is heard[0]
    player.clip = clips[1]
    page_says(player, "annotate", id=clips[0].job.id, note="before it left")
    until(lambda: len(heard) == 2)
    assert (heard[1].job.id, heard[1].note, heard[1].rating) == (clips[0].job.id, "before it left", 2)
    assert player.clip is clips[1]


def test_a_clip_that_comes_while_words_are_being_kept_stays(
    clips: list[Clip], client: Client, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    player, make = Player(clips[0], client), client.asynchronous.clip

    def make_slowly(row: Any) -> Clip:
        player.clip = clips[1]
        return make(row)

    monkeypatch.setattr(client.asynchronous, "clip", make_slowly)
    page_says(player, "annotate", id=clips[0].job.id, note="of the first")
    until(lambda: "annotated" in kinds(said))
    assert player.clip is clips[1]
    assert player._shown["id"] == clips[1].job.id


def test_an_error_of_who_listens_is_shown_and_the_words_are_kept(clips: list[Clip], client: Client, said: Said) -> None:
    def break_down(change: Any) -> None:
        raise ValueError("no list")

    player = Player(clips[0], client)
    player.observe(break_down, "annotated")
    page_says(player, "annotate", id=clips[0].job.id, note="kept")
    until(lambda: player.problem)
    assert player.problem == "ValueError: no list"
    assert [content["problem"] for kind, content, _ in said if kind == "annotated"] == [""]
    assert client.job(clips[0].job.id).note == "kept"


def test_what_cannot_be_kept_is_told(clips: list[Clip], client: Client, said: Said) -> None:
    player = Player(clips[0], client)
    page_says(player, "annotate", id=clips[0].job.id, rating=9)
    page_says(player, "annotate", id="f" * 32, note="of a job that is not here")
    until(lambda: kinds(said).count("annotated") == 2)
    problems = [content["problem"] for kind, content, _ in said if kind == "annotated"]
    assert all(problems)
    assert "rating" in problems[0]


def test_words_come_in_the_order_in_which_they_were_given(clips: list[Clip], client: Client, said: Said) -> None:
    player = Player(clips[1], client)
    for number in range(20):
        page_says(player, "annotate", id=clips[1].job.id, note=str(number))
    until(lambda: kinds(said).count("annotated") == 20)
    assert client.job(clips[1].job.id).note == "19"


# -- hostile text, threads, saved notebooks ----------------------------------------------------------------------------


def test_hostile_text_can_be_sent_and_names_no_folder(clips: list[Clip]) -> None:
    words = {"model": f"x/{HOSTILE}", "tags": (HOSTILE,), "note": HOSTILE}
    job = replace(clips[0].job, params={"prompt": HOSTILE * 90, "seed": 7}, **words)
    told = clip_facts(Clip(job, clips[0]._files))
    json.dumps(told, ensure_ascii=False).encode("utf-8")
    assert len(told["prompt"]) <= 160
    assert set(told["name"]) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert not told["name"].startswith(".")


def test_the_file_is_named_by_model_seed_and_job(clips: list[Clip]) -> None:
    assert file_name(clips[0]) == f"leonardo-motion_2.0-seed7-{clips[0].job.id[:8]}.mp4"


def test_clips_assigned_from_many_threads_end_in_one_of_them(clips: list[Clip], said: Said) -> None:
    player = Player()
    threads = [threading.Thread(target=setattr, args=(player, "clip", clips[index % 2])) for index in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert player.clip is not None
    assert player._shown["id"] == player.clip.job.id


def test_a_saved_notebook_shows_the_clip(clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    html = Player(clips[0]).saved_html()
    assert clips[0].prompt in html
    assert "poster=" in html or "<img" in html
