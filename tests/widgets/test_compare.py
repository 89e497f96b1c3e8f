"""The compare view's Python side: what the page is told, what is kept of a person, what is run and given away."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from waiting import until

import vidnb
from vidnb.client.verbs import Client
from vidnb.clip import Clip
from vidnb.display.grid import pivot
from vidnb.emulator import Emulator
from vidnb.errors import ConfigError, StoreError
from vidnb.media.samples import samples
from vidnb.widgets import Compare, compare

MODELS = ("leonardo/motion_2.0", "leonardo/MOTION2FAST")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("compare")
    emulator = Emulator(folder / "emulator", latency_s=0.01)
    with Client(folder / "data", emulator=emulator) as made:
        yield made
    emulator.close()


@pytest.fixture(scope="module")
def clips(client: Client) -> list[Clip]:
    """Two models and two seeds, the last combination missing."""
    wanted = [(MODELS[0], 1), (MODELS[1], 1), (MODELS[0], 2)]
    return [client.generate("a lighthouse", model=model, seed=seed, duration_s=None) for model, seed in wanted]


def page_says(part: Compare, kind: str, **content: Any) -> None:
    part._received(part, {"kind": kind, **content}, [])


def cells(part: Compare) -> list[dict[str, Any]]:
    return list(part._grid["cells"])


def test_a_history_is_compared_in_the_folder_that_it_is_of(client: Client, clips: list[Clip]) -> None:
    part = client.history().compare(rows="seed", cols="model")
    assert isinstance(part, Compare)
    assert [cell["state"] for cell in cells(part)] == ["clip", "clip", "clip", "not run"]
    assert str(part) == "<Compare: 3 of 4 clips in 2 rows and 2 columns, 'a lighthouse'>"
    assert [head["words"] for head in part._grid["rows"]] == [[{"label": "seed", "value": str(n)}] for n in (1, 2)]
    page_says(part, "rate", at=0, id=part.clips[0].job.id, rating=5)
    until(lambda: client.clip(part.clips[0]).rating == 5 and cells(part)[0]["rating"] == 5)


def test_ids_clips_and_jobs_may_be_mixed_and_nothing_is_an_error(client: Client, clips: list[Clip]) -> None:
    rated = client.annotate(clips[2], rating=4)
    part = compare([clips[0], clips[1].job.id[:8], rated], client=client)
    assert len(part.clips) == 3
    assert {cell["rating"] for cell in cells(part) if cell["state"] == "clip"} == {None, 4}
    with pytest.raises(ConfigError, match="nothing to compare"):
        compare([], client=client)
    with pytest.raises(ConfigError, match="none of these clips"):
        compare(clips, rows="sede", client=client)


def test_one_clip_wins_and_other_tags_stay(client: Client, clips: list[Clip]) -> None:
    client.annotate(clips[0], tags=["keeper"])
    part = compare(client.history(), client=client)
    first, second = (cell["id"] for cell in cells(part)[:2])
    for at, winner, tags in [(0, first, {"keeper", "winner"}), (1, second, {"winner"}), (None, None, set())]:
        page_says(part, "winner", at=at)
        until(lambda winner=winner: (part.winner.job.id if part.winner else None) == winner)
        if winner is not None:
            assert set(client.job(winner).tags) == tags
    assert client.job(first).tags == ("keeper",)
    assert len(client.history(tag="winner")) == 0


def test_a_gap_says_its_price_and_is_sent_once(client: Client, clips: list[Clip]) -> None:
    part = client.history(prompt="a lighthouse").compare(rows="seed", cols="model")
    until(lambda: cells(part)[3].get("price"))
    assert (cells(part)[3]["run"], cells(part)[3]["price"]) == ("Run", "free")
    assert part._grid["missing"] == {"ats": [3], "price": "free", "unknown": False, "ask": False}
    before = len(client.jobs(limit=None))
    for _ in range(3):
        page_says(part, "run", ats=[3])
    until(lambda: cells(part)[3]["state"] == "clip")
    assert len(client.jobs(limit=None)) == before + 1
    assert part.problem == ""


def test_a_model_that_lacks_the_rows_param_says_so(client: Client, clips: list[Clip]) -> None:
    other = client.generate("a lighthouse", model="1min/luma")
    part = compare([*clips, other], rows="seed", cols="model", client=client)
    until(lambda: any(cell["state"] == "unsupported" for cell in cells(part)))
    reasons = {cell["why"] for cell in cells(part) if cell["state"] == "unsupported"}
    assert any("takes no seed" in reason for reason in reasons), reasons


def test_what_goes_wrong_is_said_and_nothing_is_claimed(client: Client, clips: list[Clip]) -> None:
    part = compare(clips, client=client)
    page_says(part, "rate", at=0, id=clips[0].job.id, rating=9)
    until(lambda: "allowed: 1, 2, 3, 4, 5" in part.problem)
    for content in ({"at": 99}, {"at": "0"}, {"at": 0, "id": "another"}, {}):
        page_says(part, "rate", rating=1, **content)
    page_says(part, "want", what="film", ats=[99, "x", None])
    assert client.clip(clips[0]).rating != 1


def test_the_page_gets_the_table_of_pictures_and_the_bytes_it_speaks_of(client: Client, clips: list[Clip]) -> None:
    said: list[tuple[str, Any, Any]] = []
    part = compare(clips, client=client)
    part.say = lambda kind, content=None, buffers=(): said.append((kind, content, buffers))  # type: ignore[method-assign]
    for what in ("poster", "film", "strip", "bytes"):
        page_says(part, "want", what=what, ats=[0])
    until(lambda: {"posters", "film", "strip", "video"} <= {kind for kind, _, _ in said})
    [film] = [content for kind, content, _ in said if kind == "film"]
    data = b"".join(buffers[0] for kind, _, buffers in said if kind == "video")
    assert data == part.clips[0].read()
    rows = film["table"]["rows"]
    assert len(rows) == part.clips[0].info.frames
    assert all(offset > 0 and offset + size <= len(data) for offset, size, _, _ in rows)
    assert sorted(us for _, _, us, _ in rows)[0] == 0
    assert rows[0][3] == 1


def test_the_table_says_when_each_picture_is_shown(clips: list[Clip]) -> None:
    table = samples(clips[0].path)
    shown = sorted(us for _, _, us, _ in table.rows)
    step = 1_000_000 / clips[0].info.fps
    assert all(abs(us - number * step) <= 1 for number, us in enumerate(shown))
    assert table.codec.startswith("avc1.")


def test_a_saved_notebook_keeps_a_table_of_posters(client: Client, clips: list[Clip]) -> None:
    client.annotate(clips[0], rating=4)
    html = compare(client.history(), rows="seed", cols="model", client=client).saved_html()
    assert "seed 1" in html
    assert "Motion 2.0 Fast" in html
    assert "★★★★" in html
    assert "<script" not in html
    assert len(html) < 40_000 * 5


def test_the_page_is_written_once_and_its_size_is_said_before(
    client: Client, clips: list[Clip], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="vidnb"):
        path = client.history().to_html(tmp_path / "x.html", cols="model")
    assert "with" in caplog.text
    assert "clips inside" in caplog.text
    said_mb = float(caplog.text.split("about ")[1].split(" MB")[0])
    assert abs(path.stat().st_size / 1e6 - said_mb) < 0.35 * said_mb + 0.1
    with pytest.raises(FileExistsError, match="overwrite=True"):
        client.history().to_html(path)
    with pytest.raises(ConfigError, match=r"ends in \.html"):
        client.history().to_html(tmp_path / "x.mp4")
    assert sorted(one.name for one in tmp_path.glob("*.html")) == ["x.html"]


def test_the_public_names_lead_here() -> None:
    assert vidnb.compare is compare
    assert vidnb.Compare is Compare


def test_the_studios_compare_takes_the_players_place_until_it_is_closed(client: Client, clips: list[Clip]) -> None:
    studio = vidnb.Studio(client=client)
    until(lambda: studio.clip is not None)
    right = studio.children[1]
    studio.recent.selected = tuple(clips[:2])
    studio.recent._received(studio.recent, {"kind": "compare"}, [])
    [part, strip] = right.children
    assert isinstance(part, Compare)
    assert strip is studio.recent
    assert {clip.job.id for clip in part.clips} == {clip.job.id for clip in clips[:2]}
    page_says(part, "rate", at=0, rating=2)
    until(lambda: any(clip.rating == 2 for clip in (*studio.clips, *studio._older)))
    page_says(part, "close")
    assert right.children == (studio.player, studio.recent)
    assert not part.is_open
    studio.recent._received(studio.recent, {"kind": "compare"}, [])
    studio.recent.clip = clips[2]  # picking one clip leads back to the player, too
    assert right.children == (studio.player, studio.recent)
    assert studio.clip is not None
    assert studio.clip.job.id == clips[2].job.id
    studio.close()


def test_a_clip_that_is_sound_only_has_a_place_and_spoils_no_other(clips: list[Clip], tmp_path: Path) -> None:
    seen, other = clips[0], clips[2]
    heard = replace(seen.info, width_px=0, height_px=0, fps=0.0, frames=0, has_audio=True, note="Only sound.")
    only = Clip(replace(other.job, clip=heard), other._files)
    part = Compare(pivot([seen, only], cols="seed"))
    told = [(cell["state"], cell.get("word"), cell.get("why")) for cell in cells(part)]
    assert told == [("clip", None, None), ("no picture", "Sound only", "Only sound.")]
    assert part._grid["ratio"] == round(seen.info.width_px / seen.info.height_px, 3)
    assert part.save(tmp_path / "x.png").exists()
    page = part.to_html(tmp_path / "x.html").read_text(encoding="utf-8")
    assert "vidnb-video-0" in page
    assert "vidnb-video-1" not in page
    with pytest.raises(StoreError, match="hold no picture"):
        Compare(pivot([only])).save(tmp_path / "y.png")
