"""The gallery groups clips by prompt, says under each only what it alone has, and is safe and small."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from vidnb.clip import Clip
from vidnb.display.clips import clips_left_behind
from vidnb.display.gallery import OPEN_TILES, gallery_html
from vidnb.emulator.clips import Scene, render
from vidnb.files import Files
from vidnb.media.video import probe
from vidnb.records import ClipInfo, Job, State

NOW = datetime(2026, 10, 8, 14, 3, tzinfo=UTC)
Make = Callable[..., Clip]


@pytest.fixture(autouse=True)
def _beside_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "vidnb-data" / "files")


@pytest.fixture
def made(files: Files) -> ClipInfo:
    sha256 = files.put(render(Scene("leonardo/motion_2.0", "a koala", width_px=320, height_px=192)), ".mp4")
    path = files.path(sha256, ".mp4")
    assert path is not None
    return replace(probe(path), sha256=sha256)


@pytest.fixture
def make(files: Files, made: ClipInfo) -> Make:
    """`make(prompt, seed=3, ...)`: a clip; params by name, fields of the job with `job={...}`."""
    count = iter(range(10**6))

    def make(prompt: str = "a koala", model: str = "leonardo/motion_2.0", job: Any = None, **params: Any) -> Clip:
        at = next(count)
        row = Job(
            id=f"{at:032x}"[::-1], provider="leonardo", model=model, recipe_hash="0" * 64, take=0, state=State.DONE,
            params={"prompt": prompt, **params}, images={}, emulated=True, base_url="http://x",
            created_at=NOW + timedelta(minutes=at), clip=made,
        )  # fmt: skip
        return Clip(replace(row, **(job or {})), files)

    return make


def show(items: list[Any], count: int | None = None) -> str:
    return gallery_html(items, len(items) if count is None else count)


def captions(html: str) -> list[str]:
    found = re.findall(r"<figcaption.*?>(.*?)</figcaption>", html)
    return [" | ".join(text for text in re.sub(r"<[^>]+>", "\n", unescape(one)).split("\n") if text) for one in found]


def test_a_caption_says_only_what_differs_and_the_head_what_is_shared(make: Make) -> None:
    clips = [
        make(seed=seed, model=model, duration_s=5)
        for seed in (3, 7)
        for model in ("leonardo/motion_2.0", "leonardo/MOTION2FAST")
    ]
    html = show(clips)
    assert captions(html) == [
        "Motion 2.0 | seed 3", "Motion 2.0 Fast | seed 3", "Motion 2.0 | seed 7", "Motion 2.0 Fast | seed 7",
    ]  # fmt: skip
    assert "4 clips · 320×192 · 5 s" in html
    assert html.count("EMULATED") == 1


def test_captions_of_one_prompt_take_one_line_all_or_none(make: Make) -> None:
    short = [make(seed=seed, motion_strength=strength) for seed in (1, 2) for strength in (3, 5)]
    assert "flex-flow:column" not in gallery_html(short, 4)
    long = gallery_html([*short, make(seed=2_000_000_000, motion_strength=5)], 5)
    assert long.count("flex-flow:column") == 5


def test_lengths_and_sizes_are_the_clips_own_where_they_differ_or_were_left_open(make: Make, made: ClipInfo) -> None:
    upright = replace(made, width_px=192, height_px=320, duration_s=8.04)
    html = show([make(seed=5, resolution="480p", job={"clip": upright}), make(seed=5), make(seed=7)])
    assert captions(html) == ["seed 5 | 192×320", "seed 5 | 320×192", "seed 7 | 320×192"]
    assert (html.count(">8 s<"), html.count(">5 s<")) == (1, 2), "on the pictures"
    assert "not given" not in html
    assert "320×192 · 5 s" in show([make(seed=5), make(seed=7)])


def test_a_start_image_is_told_by_its_picture_and_by_its_name_once_it_is_gone(make: Make, files: Files) -> None:
    def from_picture(colour: str, seed: int) -> Clip:
        sink = io.BytesIO()
        PIL.Image.new("RGB", (640, 360), colour).save(sink, "PNG")
        sha256 = files.put(sink.getvalue(), ".png")
        return make(seed=seed, job={"images": {"start_image": [{"sha256": sha256, "extension": "png"}]}})

    clips = [from_picture(colour, seed) for colour in ("red", "blue") for seed in (3, 7)]
    html = show(clips)
    assert captions(html) == ["seed 3 | start image ", "seed 7 | start image "] * 2
    drawn = re.findall(r"<img[^>]* src=\"data:image/webp;base64,([^\"]+)\" alt=\"\w{8}\"", html)
    pictures = [PIL.Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB") for data in drawn]
    reds = [red > blue for red, _, blue in (picture.getpixel((20, 20)) for picture in pictures)]
    assert reds == [True, True, False, False]

    other = from_picture("green", 3)
    gone = other.job.images["start_image"][0]["sha256"]
    path = files.path(gone, ".png")
    assert path is not None
    there = path.read_bytes()
    path.unlink()
    assert f"start image {gone[:8]}" in show([other, make(seed=3)])
    path.write_bytes(there)  # the store of files was away for a while
    assert "start image <img" in show([other, make(seed=3)])


def test_prompts_are_groups_newest_first(make: Make) -> None:
    html = show([make("a fox", seed=1), make("a koala", seed=1), make("a fox", seed=2)])
    assert html.index("a fox") < html.index("a koala")
    assert captions(html) == ["seed 1", "seed 2"]
    assert "3 clips, 2 prompts" in html


def test_stars_and_the_winner_stand_where_there_are_any(make: Make) -> None:
    html = show([make(seed=1, job={"rating": 4, "tags": ("winner",)}), make(seed=2)])
    assert captions(html) == ["seed 1 | ★★★★ · Winner", "seed 2"]


def test_emulated_and_real_clips_are_told_apart(make: Make) -> None:
    html = show([make(seed=1), make(seed=2, job={"emulated": False})])
    assert captions(html) == ["seed 1 | emulated", "seed 2 | real"]


def test_many_clips_of_one_prompt_fold_after_two_rows(make: Make) -> None:
    html = show([make(seed=seed) for seed in range(OPEN_TILES + 5)])
    assert html.count("<figure") == OPEN_TILES + 5
    assert html.index("Show 5 more") < html.index("seed 12<")


def test_jobs_without_a_clip_are_one_line_that_opens(make: Make) -> None:
    clip = make(seed=1)
    failed = replace(clip.job, state=State.FAILED, clip=None, error={"message": "<i>no</i>"})
    running = replace(clip.job, state=State.RUNNING, clip=None)
    html = show([failed, clip, make(seed=2), running, failed])
    assert "2 failed, 1 still running" in html
    assert "&lt;i&gt;no" in html


def test_one_clip_is_the_player(make: Make) -> None:
    html = show([make(seed=1)])
    assert "<figure" not in html
    assert html.count("<video") == 1
    assert "recipe as Python" in html


def test_an_empty_folder_says_how_to_begin() -> None:
    assert "No clips yet. vidnb.Studio() makes one; without a key it costs nothing." in show([])


def test_only_the_first_page_is_shown_and_the_rest_is_counted(make: Make) -> None:
    html = show([make(seed=seed) for seed in range(30)], count=412_806)
    assert html.count("<figure") == 24
    assert "412,806 jobs" in html
    assert "The newest 24 clips of 412,806 jobs." in html


def test_each_tile_is_a_video_beside_the_notebook_with_its_poster_inside(make: Make) -> None:
    html = show([make(seed=seed) for seed in range(24)])
    assert len(re.findall(r'src="\./vidnb-data/files/[^"]*\.mp4"', html)) == 24
    assert html.count('preload="none"') == 24
    assert html.count("<script>") == 1
    assert len(html) < 24 * 3_600 + 6_000


def test_a_clip_that_flashes_or_was_not_looked_at_waits_for_a_press(make: Make, files: Files, made: ClipInfo) -> None:
    clips = [make(seed=1), make(seed=2)]
    assert "data-vidnb-waits" not in show(clips).split("<script>")[0]
    clips = [make(seed=1), make(seed=2)]
    clips[0].__dict__["flashes"] = True
    html = show(clips).split("<script>")[0]
    assert html.count("data-vidnb-waits") == 1
    assert captions(html)[0] == "seed 1 | flashes"


def test_where_the_page_reaches_no_file_it_says_so(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidnb.display.gallery.host", lambda: "colab")
    html = show([make(seed=1), make(seed=2)])
    assert "<video" not in html
    assert "These are pictures: this page cannot reach the videos." in html


def test_a_gallery_says_of_each_folder_how_many_of_its_clips_were_not_sent_along(make: Make, tmp_path: Path) -> None:
    html = show([make(seed=1), make(seed=2)])  # both of one file
    assert html.count('alt="Not sent along: 1 video in vidnb-data/files/') == 1
    ways = [Path("a/1.mp4"), Path("b/2.mp4"), None, Path("b/3.mp4"), Path("b/3.mp4")]
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    html = clips_left_behind(tmp_path, ways) or ""
    assert re.findall(r'alt="([^"]*)"', html) == [
        "Not sent along: 1 video in a. ", "Not sent along: 2 videos in b. ",
    ]  # fmt: skip
    assert 'data-vidnb-gone="3"' in html
    assert all((tmp_path / dot).is_file() for dot in re.findall(r'src="([^"]*\.gif)"', html))


def test_a_gallery_plays_clips_that_lie_where_no_server_reaches(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lab").mkdir()
    monkeypatch.chdir(tmp_path / "lab")  # the data folder lies beside it
    monkeypatch.setattr("vidnb.display.gallery.host", lambda: "jupyter")
    assert show([make(seed=1), make(seed=2)]).count('src="./vidnb-clips/') == 3  # with the dot beside the two


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</figure></div>"])
def test_hostile_words_stay_words(make: Make, text: str) -> None:
    html = show([make(text, quality=text, seed=1), make(text, quality="x", seed=2, job={"tags": (text,)})])
    assert html.count("<script") == 1
    assert "<img src=x" not in html
    assert html.count("</figure>") == 2
