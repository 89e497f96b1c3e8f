"""A grid as one film or one picture: every clip at the right moment, labels in it, and recipes that are read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL.Image
import pytest
from compared import LEAST, STEP, clip_of, grid_of, job, numbered
from hypothesis import given
from hypothesis import strategies as st

from vidnb import catalog
from vidnb.clip import request_in
from vidnb.display.grid import pictures, pivot
from vidnb.errors import ConfigError, MediaError, StoreError
from vidnb.files import Files
from vidnb.media import mosaic, tagged


def number_at(image: PIL.Image.Image, tile: mosaic.Tile, step: int = STEP) -> int:
    """Which frame of a clip stands at its place."""
    red = image.getpixel((tile.left + tile.width // 4, tile.top + tile.height // 2))
    assert isinstance(red, tuple)
    return round((red[0] - LEAST) / step)


def test_the_film_shows_every_clip_at_its_own_moment(tmp_path: Path) -> None:
    files = Files(tmp_path)
    videos = [numbered(frames=24, step=8), numbered(frames=9, fps=12, step=16)]
    clips = [clip_of(files, video, number) for number, video in enumerate(videos)]
    grid = pivot(clips, cols="seed")
    made = pictures.board(grid, pictures.WIDTH_PX[".mp4"])
    images = list(mosaic.pictures(made.tiles, made.ground, [n / 24 for n in range(24)]))
    shown = [[number_at(image, tile, step) for tile, step in zip(made.tiles, (8, 16), strict=True)] for image in images]
    assert shown == [[n, min(n // 2, 8)] for n in range(24)]  # the shorter one keeps its last frame
    path = pictures.save(grid, tmp_path / "grid.mp4")
    with av.open(str(path)) as film:
        sizes = [(frame.width, frame.height) for frame in film.decode(video=0)]
        assert film.streams.video[0].average_rate == 24
        assert "seed 1" in film.metadata["comment"]
    assert sizes == [images[0].size] * 24


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_an_animation_repeats_at_its_own_pace(tmp_path: Path, kind: str) -> None:
    grid = pivot(grid_of(tmp_path, 2, frames=24, step=8), cols="seed")
    with PIL.Image.open(pictures.save(grid, tmp_path / f"grid.{kind}")) as image:
        count = getattr(image, "n_frames", 1)
        assert count == round(pictures.FPS[f".{kind}"])
        assert image.info["loop"] == 0
        lengths = []
        for at in range(count):
            image.seek(at)
            image.load()
            lengths.append(image.info["duration"])
    assert sum(lengths) == pytest.approx(1000, rel=0.02)


def test_the_contact_sheet_has_the_words_and_the_moment_that_is_asked_for(tmp_path: Path) -> None:
    failed = job(9, params={"prompt": "a lighthouse in a storm", "seed": 9})
    grid = pivot([*grid_of(tmp_path, 2), failed], cols="seed")
    made = pictures.board(grid, pictures.WIDTH_PX[".png"])
    with PIL.Image.open(pictures.save(grid, tmp_path / "sheet.png", at_s=1.0)) as image:
        assert [number_at(image.convert("RGB"), tile) for tile in made.tiles] == [24, 24]
        heads = np.asarray(image.convert("L"))[: made.tiles[0].top]
    assert heads.max() > 200  # something was written there


def test_what_was_said_of_a_clip_stands_on_its_picture(tmp_path: Path) -> None:
    files = Files(tmp_path)
    said = [{"rating": 4, "tags": ("winner",)}, {"rating": 2}, {}]
    clips = [clip_of(files, numbered(frames=4), number, **more) for number, more in enumerate(said)]
    grid = pivot(clips, cols="seed")
    made = pictures.board(grid, pictures.WIDTH_PX[".png"])
    (image,) = mosaic.pictures(made.tiles, made.ground, [0.0], made.marks)
    for tile, (stars, winner) in zip(made.tiles, [(4, True), (2, False), (0, False)], strict=True):
        pixels = np.asarray(image)[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width].astype(int)
        left, right = np.split(pixels, [tile.width // 2], axis=1)
        gold = (abs(left - (255, 210, 77)).max(axis=2) < 12).any(axis=0).astype(int)
        assert int((np.diff(gold, prepend=0) == 1).sum()) == stars, "one run of gold columns a star"
        assert bool((right > 240).all(axis=2).any()) == winner


def test_wrong_names_and_files_that_are_there_are_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    grid = pivot(grid_of(tmp_path / "files", 1))
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(ConfigError, match=r"must end in \.png"):
        pictures.save(grid, folder / "grid.avi")
    with pytest.raises(ConfigError, match="no clip"):
        pictures.save(pivot([job(1)]), folder / "grid.png")
    path = pictures.save(grid, folder / "grid.png")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        pictures.save(grid, path)
    grid.clips[0].path.write_bytes(b"damaged")
    with pytest.raises(StoreError, match="gone from the data folder, damaged, or hold no picture"):
        pictures.save(grid, path, overwrite=True)
    assert [one.name for one in folder.iterdir()] == ["grid.png"]


def test_odd_words_and_other_scripts_do_not_break_a_picture(tmp_path: Path) -> None:
    prompt = "Ein Leuchtturm 灯塔 🌊\u202e\x00 " + "very " * 200
    clip = clip_of(Files(tmp_path), numbered(frames=4), 1, params={"prompt": prompt, "seed": 1})
    assert pictures.save(pivot([clip]), tmp_path / "odd.png").stat().st_size > 0


def test_a_copy_carries_its_recipe_and_the_same_pictures(tmp_path: Path) -> None:
    clip = clip_of(Files(tmp_path), numbered(sound=True), 7)
    path = clip.save(tmp_path / "copy.mp4", recipe=True)
    assert request_in(path) == {"model": clip.model, **clip.params}

    def pixels(file: Path) -> list[np.ndarray]:
        with av.open(str(file)) as film:
            return [frame.to_ndarray() for frame in film.decode(video=0)]

    assert all((one == other).all() for one, other in zip(pixels(clip.path), pixels(path), strict=True))
    with av.open(str(path)) as film:
        assert len(film.streams.audio) == 1
    with pytest.raises(MediaError, match="carries no recipe"):
        request_in(clip.save(tmp_path / "plain.mp4"))
    assert (tmp_path / "plain.mp4").read_bytes() == clip.read()
    with pytest.raises(FileExistsError):
        clip.save(path, recipe=True)


def test_a_recipe_in_a_file_names_no_file_of_this_machine(tmp_path: Path) -> None:
    told = {"model": "1min/luma", "params": {"prompt": "a koala", "start_image": "/etc/passwd"}}
    (tmp_path / "plain.mp4").write_bytes(numbered(frames=4))
    tagged.write(tmp_path / "plain.mp4", tmp_path / "sent.mp4", told)
    assert request_in(tmp_path / "sent.mp4") == {"model": "1min/luma", "prompt": "a koala"}


@pytest.mark.parametrize(
    "told",
    [
        {"model": "motion_2.0", "params": {"prompt": "x", "start_image": "/etc/passwd"}, "inputs": [{}, 3, None]},
        {"model": "1min/luma", "params": {"model": "leonardo/motion_2.0", "prompt": "x", "start_image": "/etc/passwd"}},
        {"model": "1min/luma", "params": {"prompt": "x", "fresh": True, "accept_unknown_price": True, "take": 3}},
    ],
)
def test_a_recipe_in_a_file_gives_nothing_but_values_of_its_model(tmp_path: Path, told: dict[str, Any]) -> None:
    (tmp_path / "plain.mp4").write_bytes(numbered(frames=4))
    tagged.write(tmp_path / "plain.mp4", tmp_path / "sent.mp4", told)
    assert request_in(tmp_path / "sent.mp4") == {"model": catalog.find(told["model"]).id, "prompt": "x"}


@pytest.mark.parametrize("model", ["nobody/knows", 3])
def test_a_recipe_in_a_file_of_an_unknown_model_is_refused_in_words(tmp_path: Path, model: object) -> None:
    (tmp_path / "plain.mp4").write_bytes(numbered(frames=4))
    tagged.write(tmp_path / "plain.mp4", tmp_path / "sent.mp4", {"model": model, "params": {}})
    with pytest.raises(MediaError, match="recipe"):
        request_in(tmp_path / "sent.mp4")


@pytest.mark.parametrize(
    "text", ["[]", "{", '"vidnb-recipe"', '{"vidnb-recipe": 1}', '{"vidnb-recipe": 1, "model": 3, "params": []}']
)
def test_a_comment_that_is_no_recipe_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "film.mp4"
    mosaic.write_mp4(path, [PIL.Image.new("RGB", (32, 32))] * 3, 24, text)
    with pytest.raises(MediaError, match="carries no recipe"):
        request_in(path)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=10).filter(lambda name: name != tagged.MARK), JSON, max_size=5))
def test_any_recipe_is_read_back_as_it_was_written(recipe: dict[str, object]) -> None:
    text = tagged.text_of(recipe)
    assert text.isascii()
    assert {name: value for name, value in json.loads(text).items() if name != tagged.MARK} == recipe
