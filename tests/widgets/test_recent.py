"""The strip of recent clips reads what is asked for and no more, off the caller's thread, and keeps its order."""

from __future__ import annotations

import asyncio
import io
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from waiting import PATIENCE_S, until

from vidnb.client.verbs import Client
from vidnb.clip import Clip
from vidnb.emulator import Emulator
from vidnb.emulator.clips import Scene, render
from vidnb.errors import ConfigError, StoreError
from vidnb.records import ClipInfo, Job, State
from vidnb.widgets import live
from vidnb.widgets.recent import CLIPS_SAVED, FIRST_CLIPS, PAGE_CLIPS, POSTER_BYTES, SAVED_BYTES, Recent

HOSTILE = "<img src=x onerror=alert(1)>"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)

Say = tuple[str, dict[str, Any], list[bytes]]


@pytest.fixture(scope="session")
def video() -> bytes:
    return render(Scene("leonardo/motion_2.0", "a koala", seed=7, width_px=320, height_px=192, duration_s=1))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """A client of a folder of its own, with an emulator."""
    emulator = Emulator(tmp_path / "emulator", latency_s=0.05)
    with Client(tmp_path / "data", emulator=emulator) as made:
        yield made
    emulator.close()


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Say]:
    """What strips said to their pages, in order."""
    said: list[Say] = []
    monkeypatch.setattr(
        Recent, "say", lambda self, kind, content=None, buffers=(): said.append((kind, dict(content or {}), [*buffers]))
    )
    return said


def of_kind(heard: list[Say], kind: str) -> list[Say]:
    return [one for one in heard if one[0] == kind]


def ask(recent: Recent, kind: str, **content: Any) -> None:
    """What the page sends."""
    recent._received(recent, {"kind": kind, **content}, [])


def shown(client: Client, **filters: Any) -> Recent:
    """A strip that has read its list."""
    recent = Recent(client, **filters)
    until(lambda: recent._list)
    return recent


def fill(client: Client, video: bytes, count: int, **changes: Any) -> list[str]:
    """So many done jobs, all with one file; their ids, the newest first."""
    store = client.asynchronous.store  # before there are files: a history is not begun beside those of another one
    sha256 = client.asynchronous.files.put(video, ".mp4")
    info = ClipInfo(sha256, len(video), 320, 192, 24.0, 1.0, 24, "h264", False)

    def job(place: int) -> Job:
        at = LONG_AGO + timedelta(seconds=place)
        params = {"prompt": f"koala {place}", "seed": place, "width_px": 320, "height_px": 192, **changes}
        return Job(
            id=uuid.uuid4().hex, provider="leonardo", model="leonardo/motion_2.0", recipe_hash=f"{place:064x}",
            take=0, state=State.DONE, params=params, images={}, emulated=True, base_url="http://emulator.vidnb.invalid",
            created_at=at, submitted_at=at, done_at=at, clip=info,
        )  # fmt: skip

    jobs = [job(place) for place in range(count)]
    store.merge(jobs, {})
    return [one.id for one in reversed(jobs)]


def one_more(client: Client) -> Clip:
    """A new clip of the emulator, the smallest that it makes."""
    return client.generate(model="1min/damo", prompt="a new koala", num_frames=16, fps=8, steps=10)


# -- what is read ------------------------------------------------------------------------------------------------------


def test_ten_thousand_clips_are_a_list_of_ids_and_one_page_of_facts(
    client: Client, video: bytes, heard: list[Say], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = fill(client, video, 10_000)
    read: list[str] = []
    clip_of = client.clip

    def clip(job_id: str) -> Clip:
        read.append(job_id)
        return clip_of(job_id)

    monkeypatch.setattr(client.asynchronous, "clip", clip)
    recent = shown(client)
    assert recent.count == 10_000
    assert [one["id"] for one in recent._first] == ids[:FIRST_CLIPS]
    assert len(read) == FIRST_CLIPS
    ask(recent, "page", start=4_980)
    until(lambda: of_kind(heard, "page"))
    ((_, content, _),) = of_kind(heard, "page")
    assert (content["list"], content["start"]) == (recent._list, 4_980)
    assert [one["id"] for one in content["facts"]] == ids[4_980 : 4_980 + PAGE_CLIPS]
    assert len(read) == FIRST_CLIPS + PAGE_CLIPS


def test_posters_are_small_and_made_off_the_thread_that_asks(
    client: Client, video: bytes, heard: list[Say], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = fill(client, video, 30)
    threads: set[str] = set()
    opened = PIL.Image.open

    def noted(*given: Any) -> PIL.Image.Image:
        threads.add(threading.current_thread().name)
        return opened(*given)

    monkeypatch.setattr(PIL.Image, "open", noted)
    recent = shown(client)
    ask(recent, "posters", ids=ids)
    until(lambda: sum(len(content["ids"]) for _, content, _ in of_kind(heard, "posters")) == 30)
    assert threads
    assert not threads & {threading.main_thread().name, "vidnb-loop"}
    for _, content, posters in of_kind(heard, "posters"):
        assert len(content["ids"]) == len(posters)
        assert all(0 < len(poster) <= POSTER_BYTES for poster in posters)
    with opened(io.BytesIO(of_kind(heard, "posters")[0][2][0])) as image:
        assert (image.format, image.size) == ("WEBP", (240, 144))


def test_a_video_comes_with_the_word_whether_it_flashes_and_its_bytes_only_when_asked(
    client: Client, video: bytes, heard: list[Say]
) -> None:
    (job_id,) = fill(client, video, 1)
    recent = shown(client)
    ask(recent, "video", id=job_id)
    until(lambda: len(heard) == 1)
    ask(recent, "video", id=job_id, bytes=True)
    until(lambda: len(heard) == 2)
    assert heard == [
        ("video", {"id": job_id, "flashes": False}, []),
        ("video", {"id": job_id, "flashes": False, "part": 0, "parts": 1}, [video]),
    ]


def test_a_large_video_comes_in_pieces_that_every_server_lets_through(
    client: Client, video: bytes, heard: list[Say], monkeypatch: pytest.MonkeyPatch
) -> None:
    (job_id,) = fill(client, video, 1)
    size = len(video) // 5
    monkeypatch.setattr(live, "PIECE_BYTES", size)
    recent = shown(client)
    ask(recent, "video", id=job_id, bytes=True)
    until(lambda: not recent._wants)
    sent = of_kind(heard, "video")
    assert b"".join(pieces[0] for _, _, pieces in sent) == video
    assert [content["part"] for _, content, _ in sent] == list(range(len(sent)))
    assert {content["parts"] for _, content, _ in sent} == {len(sent)}
    assert all(len(pieces[0]) <= size for _, _, pieces in sent)


def test_bytes_that_one_view_no_longer_wants_still_come_whole_for_the_other(
    client: Client, video: bytes, heard: list[Say], monkeypatch: pytest.MonkeyPatch
) -> None:
    (job_id,) = fill(client, video, 1)
    monkeypatch.setattr(live, "PIECE_BYTES", len(video) // 5)
    recent = shown(client)
    gate = threading.Event()
    read = Clip.read
    monkeypatch.setattr(Clip, "read", lambda self: gate.wait(PATIENCE_S) and read(self))
    ask(recent, "video", id=job_id, bytes=True)
    ask(recent, "enough", id=job_id)
    ask(recent, "video", id=job_id, bytes=True)
    gate.set()
    until(lambda: not recent._wants)
    assert b"".join(pieces[0] for _, _, pieces in of_kind(heard, "video")) == video
    heard.clear()
    gate.clear()
    ask(recent, "video", id=job_id, bytes=True)
    ask(recent, "enough", id=job_id)
    gate.set()
    ask(recent, "video", id=job_id)
    until(lambda: heard)
    assert [pieces for _, _, pieces in heard] == [[]], "nobody wanted the bytes"


def test_a_file_that_was_deleted_is_a_tile_without_a_poster(client: Client, video: bytes, heard: list[Say]) -> None:
    (job_id,) = fill(client, video, 1)
    client.clip(job_id).path.unlink()
    recent = shown(client)
    assert recent._first[0]["path"] is None
    ask(recent, "posters", ids=[job_id])
    ask(recent, "video", id=job_id)
    until(lambda: len(heard) == 2)
    assert of_kind(heard, "posters")[0][2] == [b""]
    assert "no longer in the data folder" in of_kind(heard, "video")[0][1]["error"]
    assert recent.saved_html()


def test_only_done_jobs_are_clips_and_filters_are_those_of_the_history(client: Client, video: bytes) -> None:
    ids = fill(client, video, 20)
    client.annotate(ids[3], rating=5, tags=["keeper"])
    assert shown(client).count == 20
    assert [one["id"] for one in shown(client, rating=4, tag="keeper")._first] == [ids[3]]
    assert shown(client, seed=[1, 2]).count == 2
    with pytest.raises(ConfigError, match="colour"):
        Recent(client, colour="red")


def test_words_in_the_filter_make_another_list(client: Client, video: bytes) -> None:
    ids = fill(client, video, 20)
    recent = shown(client, words="KOALA 1")
    assert (recent.words, recent.count) == ("KOALA 1", 11)
    recent.words = "koala 17 "
    until(lambda: recent.count == 1)
    assert [one["id"] for one in recent._first] == [ids[2]]
    recent.words = ""
    until(lambda: recent.count == 20)
    assert shown(client, prompt="koala 1", words="17").count == 1, "a prompt is a filter of its own"


def test_the_filter_finds_tags_and_notes_too(client: Client, video: bytes) -> None:
    ids = fill(client, video, 5)
    client.annotate(ids[1], tags=["Keeper", "best of week"])
    client.annotate(ids[3], note="Keep the light of this one!")
    recent = shown(client, words="keep")
    assert [one["id"] for one in recent._first] == [ids[1], ids[3]]
    recent.words = "week"
    until(lambda: recent.count == 1)
    assert [one["id"] for one in recent._first] == [ids[1]]
    recent.words = "the LIGHT"
    until(lambda: recent._first[0]["id"] == ids[3])
    assert recent.count == 1


# -- what comes in -----------------------------------------------------------------------------------------------------


def test_a_new_clip_comes_first_with_its_poster_and_a_known_one_keeps_its_place(
    client: Client, video: bytes, heard: list[Say]
) -> None:
    ids = fill(client, video, 3)
    recent = shown(client)
    newest = one_more(client).job.id
    recent.add(client.clip(newest))
    until(lambda: recent.count == 4)
    assert [one["id"] for one in recent._first] == [newest, *ids]
    until(lambda: len(heard) == 2)  # the poster comes a moment later
    assert [kind for kind, _, _ in heard] == ["added", "posters"]
    assert heard[0][1]["list"] == recent._list

    client.annotate(ids[1], rating=4)
    recent.add(client.clip(ids[1]))
    until(lambda: recent._first[2]["rating"] == 4)
    changed = [(told["facts"]["id"], told["facts"]["rating"]) for _, told, _ in of_kind(heard, "changed")]
    assert (ids[1], 4) in changed
    assert [one["id"] for one in recent._first] == [newest, *ids]
    assert recent.count == 4


def test_a_new_clip_that_does_not_pass_the_filter_stays_away(client: Client, video: bytes, heard: list[Say]) -> None:
    fill(client, video, 3)
    recent, all_of_them = shown(client, words="koala 1"), shown(client)
    clip = one_more(client)
    recent.add(clip)
    all_of_them.add(clip)
    until(lambda: all_of_them.count == 4)
    recent.refresh()
    until(lambda: recent._list == 2)
    assert recent.count == 1


def test_many_clips_at_once_from_many_threads_lose_none(client: Client, video: bytes, heard: list[Say]) -> None:
    recent = shown(client)
    ids = fill(client, video, 40)
    clips = [client.clip(one) for one in ids]
    threads = [threading.Thread(target=recent.add, args=(clip,)) for clip in clips]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: recent.count == 40)
    assert sorted(recent._ids) == sorted(ids)
    numbers = [content["list"] for _, content, _ in of_kind(heard, "added")]
    assert numbers == [*range(2, 42)]


# -- picking -----------------------------------------------------------------------------------------------------------


def test_a_click_is_news_each_time(client: Client, video: bytes) -> None:
    ids = fill(client, video, 3)
    recent = shown(client)
    picked: list[Clip] = []
    recent.observe(lambda change: picked.append(change["new"]), "clip")
    ask(recent, "choose", id=ids[1])
    ask(recent, "choose", id=ids[1])
    assert [clip.job.id for clip in picked] == [ids[1], ids[1]]
    assert recent._chosen == ids[1]
    recent.clip = None
    assert recent._chosen == ""


def test_marked_clips_are_a_tuple_and_compare_hands_them_over(client: Client, video: bytes) -> None:
    ids = fill(client, video, 5)
    recent = shown(client)
    ask(recent, "select", ids=[ids[3], ids[1]])
    assert [clip.job.id for clip in recent.selected] == recent._marked == [ids[3], ids[1]]
    assert not recent._can_compare
    handed: list[tuple[Clip, ...]] = []
    recent.on_compare(handed.append)
    assert recent._can_compare
    ask(recent, "compare")
    assert handed == [recent.selected]
    recent.selected = ()
    assert recent._marked == []


def test_an_id_that_no_job_has_is_said_in_the_strip(client: Client, video: bytes) -> None:
    recent = shown(client)
    ask(recent, "choose", id=HOSTILE)
    assert HOSTILE in recent.problem
    assert recent.clip is None


# -- what is saved -----------------------------------------------------------------------------------------------------


def test_the_saved_output_has_the_newest_clips_within_its_budget(client: Client) -> None:
    noisy = render(Scene("leonardo/motion_2.0", "a crowd of cats", seed=3, width_px=832, height_px=480, duration_s=1))
    fill(client, noisy, 40, negative_prompt=HOSTILE * 40)
    html = shown(client).saved_html()
    assert html.count("<img") == CLIPS_SAVED
    assert len(html.encode()) <= SAVED_BYTES
    assert "koala 39" in html
    assert HOSTILE not in html


def test_no_bytes_are_synced(client: Client, video: bytes) -> None:
    fill(client, video, 100)
    recent = shown(client)
    state = {name: value for name, value in recent.get_state().items() if name not in ("_esm", "_css")}
    assert len(str(state)) < 20_000
    assert "bytes" not in {type(value).__name__ for value in state.values()}


def test_an_empty_folder_is_no_error(client: Client) -> None:
    recent = shown(client)
    assert (recent.count, recent._first) == (0, [])
    assert recent.saved_html()


def test_a_folder_that_cannot_be_read_is_not_looked_at_without_a_pause(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []

    def refuse(**_: Any) -> None:
        looks.append("look")
        raise StoreError("the database is locked")

    async def wait(seconds: float) -> None:
        looks.append("wait")
        await asyncio.sleep(0.01)

    monkeypatch.setattr(client.asynchronous, "jobs", refuse)
    monkeypatch.setattr(client.asynchronous.clock, "wait", wait)
    recent = Recent(client)
    until(lambda: len(looks) > 6)
    recent.close()
    assert "look look" not in " ".join(looks)
