"""The emulator's clips are real, exact and repeatable, and they react to what was asked."""

import functools
import io
import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vidnb.emulator.clips import Scene, atoms, badge_image, faststart, open_image, poster, render
from vidnb.emulator.clips.air import Air
from vidnb.emulator.clips.palette import Palette
from vidnb.emulator.clips.pen import Pen
from vidnb.emulator.clips.subjects import KINDS, named
from vidnb.emulator.clips.unbadge import find_badge, without_badge
from vidnb.media.measures.file import measure_file

Picture = NDArray[Any]
MEADOW = Scene("leonardo/motion_2.0", "a koala in a meadow", seed=7, width_px=320, height_px=180, duration_s=2)


def drawing(hue: int, width: int = 400, height: int = 300, kind: str = "PNG") -> bytes:
    """Return a picture with gradients and edges."""
    channels = [Image.radial_gradient("L"), Image.linear_gradient("L"), Image.new("L", (256, 256), hue)]
    image = Image.merge("RGB", channels).resize((width, height))
    draw = ImageDraw.Draw(image)
    for i in range(6):
        x, y = width * (i * 37 % 100) // 100, height * (i * 61 % 100) // 100
        draw.ellipse((x, y, x + width // 6, y + width // 6), fill=(40 * i, 255 - 40 * i, hue))
    sink = io.BytesIO()
    image.save(sink, kind)
    return sink.getvalue()


MODELS = [
    *(f"leonardo/{name}" for name in ("motion_2.0", "grok-imagine-1.5", "MOTION2", "MOTION2FAST", "VEO3", "VEO3FAST")),
    *("leonardo/KLING2_1", "leonardo/KLING2_5", "leonardo/SVD", "1min/leonardo-motion", "1min/luma"),
]
PICTURE = replace(MEADOW, start_image=drawing(60))


@functools.cache
def rendered(scene: Scene) -> bytes:
    """Return the clip of a scene, rendered once for all tests."""
    return render(scene)


def opened(scene: Scene) -> Any:
    """Return the scene's clip, open for reading."""
    return av.open(io.BytesIO(rendered(scene)))


def decoded(scene: Scene, form: str = "rgb24") -> list[Picture]:
    """Return every frame of the scene's clip."""
    with opened(scene) as clip:
        return [frame.to_ndarray(format=form) for frame in clip.decode(video=0)]


def apart(one: Picture, two: Picture) -> float:
    """Return the mean difference of two pictures, 0 to 255, below the badge."""
    rows = round(len(one) * 0.16)
    return float(np.abs(one[rows:].astype(int) - two[rows:]).mean())


def cover(data: bytes, scene: Scene) -> Picture:
    """Return the picture as the clip should show it."""
    return np.asarray(open_image(data, scene.width_px, scene.height_px))


def flow(scene: Scene) -> float:
    """Return the mean optical flow of the scene's clip, in pixels from one frame to the fourth after it."""
    grey, method = decoded(scene, "gray"), cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    pairs = [(grey[i], grey[i + 4]) for i in range(0, len(grey) - 4, 6)]
    return float(np.mean([np.linalg.norm(method.calc(a, b, None), axis=-1).mean() for a, b in pairs]))


@pytest.mark.parametrize("scene", [MEADOW, PICTURE, replace(MEADOW, audio=True)], ids=["text", "image", "audio"])
def test_the_same_scene_gives_the_same_bytes_on_every_thread(scene: Scene) -> None:
    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(render, [scene] * 3)) == {rendered(scene)}


@pytest.mark.parametrize(
    ("width", "height", "fps", "duration_s"),
    [(320, 180, 24, 2), (178, 318, 30, 1.5), (512, 512, 8, 1), (854, 480, 25, 0.4)],
)
@pytest.mark.parametrize("image", [None, drawing(90)], ids=["text", "image"])
def test_size_frames_rate_and_duration_are_exact(
    width: int, height: int, fps: int, duration_s: float, image: bytes | None
) -> None:
    scene = replace(MEADOW, width_px=width, height_px=height, fps=fps, duration_s=duration_s, start_image=image)
    with opened(scene) as clip:
        (video,) = clip.streams
        assert (video.codec_context.name, video.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height, video.average_rate) == (width, height, fps)
        assert video.duration * video.time_base == Fraction(round(duration_s * fps), fps)
        times = [frame.pts * frame.time_base for frame in clip.decode(video)]
    assert times == [Fraction(i, fps) for i in range(round(duration_s * fps))]


def test_a_clip_in_4k_is_a_clip_in_4k() -> None:
    scene = replace(MEADOW, width_px=3840, height_px=2160, duration_s=0.1)
    assert [frame.shape for frame in decoded(scene)] == [(2160, 3840, 3)] * 2


@pytest.mark.parametrize("scene", [MEADOW, replace(MEADOW, audio=True)], ids=["silent", "audio"])
def test_the_index_comes_first_and_points_at_the_pictures(scene: Scene) -> None:
    clip = rendered(scene)
    kinds = [kind for kind, _, _ in atoms(clip, 0, len(clip))]
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    assert faststart(clip) == clip
    assert len(decoded(scene)) == scene.frames


def test_audio_is_there_when_asked_and_as_long_as_the_pictures() -> None:
    with opened(MEADOW) as clip:
        assert not clip.streams.audio
    with opened(replace(MEADOW, audio=True)) as clip:
        (sound,) = clip.streams.audio
        assert sound.codec_context.name == "aac"
        assert float(sound.duration * sound.time_base) == pytest.approx(2, abs=1 / 48)
        heard = np.concatenate([frame.to_ndarray() for frame in clip.decode(sound)], axis=1)
    assert 0.02 < np.abs(heard).max() < 0.9


@pytest.mark.parametrize(
    "change", [{"seed": 8}, {"prompt": "a neon city at night"}, {"negative_prompt": "meadow koala"}]
)
def test_another_seed_or_prompt_looks_different(change: dict[str, Any]) -> None:
    other = replace(MEADOW, **change)
    assert apart(decoded(MEADOW)[0], decoded(other)[0]) > 6


def closest(pictures: list[Picture]) -> float:
    """Return how far apart the two most alike of the pictures are."""
    return min(apart(a, b) for a, b in itertools.combinations(pictures, 2))


@pytest.mark.parametrize("prompt", ["a koala in a meadow", "waves on the sea", "snow in the mountains"])
def test_every_two_models_look_different(prompt: str) -> None:
    assert closest([decoded(replace(MEADOW, prompt=prompt, model=model, duration_s=0.1))[0] for model in MODELS]) > 3


@pytest.mark.parametrize(
    ("name", "values", "least"),
    [
        ("model", MODELS, 4),
        ("seed", [0, 1, 2, 3, 7, 42, 2**31 - 1, 2**31], 2),
        ("prompt", ["", "a koala", "a cat", "sunset", "a storm at night", "snow falls", "zoom in"], 2.5),
    ],
    ids=["model", "seed", "prompt"],
)
def test_a_picture_is_animated_differently_by_every_model_seed_and_prompt(
    name: str, values: list[Any], least: float
) -> None:
    clips = [decoded(replace(PICTURE, **{name: value})) for value in values]
    assert closest([clip[len(clip) // 2] for clip in clips]) > least
    given = cover(drawing(60), PICTURE)
    assert max(apart(clip[0], given) for clip in clips) < 5


def test_words_choose_the_colours() -> None:
    sea, sunset = (
        decoded(replace(MEADOW, prompt=p, duration_s=0.1))[0].mean((0, 1)) for p in ("blue sea", "sunset desert")
    )
    assert sea[2] > sea[0] + 20
    assert sunset[0] > sunset[2] + 20


def first(prompt: str) -> Picture:
    """Return the first frame of a prompt."""
    return decoded(replace(MEADOW, prompt=prompt, duration_s=0.1))[0]


def test_words_choose_the_light() -> None:
    light = {word: first(f"a meadow, {word}").mean() for word in ("night", "storm", "day", "snow")}
    assert light["night"] + 20 < light["storm"] + 10 < light["day"] < light["snow"], light


@pytest.mark.parametrize("word", sorted(set(KINDS) | {"forest", "ships", "village", "kitten", "skyline"}))
def test_what_is_named_is_drawn(word: str) -> None:
    names = [name for name, kind in KINDS.items() if kind in named(replace(MEADOW, prompt=f"the {word} of x"))]
    assert names, word
    assert word not in KINDS or names == [word]
    kinds = {kind.draw for kind in KINDS.values()}
    assert len(kinds) == len(KINDS)


def test_a_drawing_stays_inside_its_square_and_looks_like_no_other() -> None:
    drawn = []
    for kind in KINDS.values():
        pen = Pen(64)
        kind.draw(pen, (0.8, 0.3, 0.3))
        drawn.append(np.asarray(pen.sprite(), int))
        assert 0.05 < (drawn[-1][..., 3] > 128).mean() < 0.8
    assert min(np.abs(a - b).mean() for a, b in itertools.combinations(drawn, 2)) > 1


@pytest.mark.parametrize("image", [None, drawing(60)], ids=["text", "image"])
@pytest.mark.parametrize("weather", ["snow", "rain"])
def test_snow_and_rain_fall(weather: str, image: bytes | None) -> None:
    scene = replace(MEADOW, prompt=f"{weather} on a hill", camera="Tilt Up", motion_strength=1, start_image=image)
    still = Air(scene, Palette.of(scene), scene.width_px / scene.height_px / 2)
    assert still.fall is not None
    dry = replace(scene, negative_prompt=weather)
    assert Air(dry, Palette.of(dry), 1.0).fall is None
    assert len(still.pieces) == still.fall.pieces > 20


@pytest.mark.parametrize(
    "scene",
    [
        MEADOW,
        replace(MEADOW, prompt="", camera="Dolly In"),
        replace(MEADOW, prompt="a lighthouse in a storm at night"),
        replace(MEADOW, prompt="a village in the snow", seed=3),
        PICTURE,
        replace(PICTURE, prompt="rain", seed=4),
        replace(PICTURE, prompt="night", seed=3, model="leonardo/VEO3"),
    ],
    ids=["text", "in", "storm", "snow", "image", "rain on an image", "night on an image"],
)
def test_every_step_of_motion_strength_moves_more(scene: Scene) -> None:
    amounts = [flow(replace(scene, motion_strength=strength)) for strength in range(1, 11)]
    assert all(more > less * 1.02 for less, more in itertools.pairwise(amounts)), amounts
    assert amounts[-1] > 4 * amounts[0]


def saved_array(pixels: Picture) -> bytes:
    return saved(Image.fromarray(pixels), "PNG")


def photograph() -> Picture:
    """Return detail of every size, as a photograph has it."""
    dice, made = np.random.default_rng(3), np.zeros((240, 400, 3), np.float32)
    for size, share in ((4, 1.0), (8, 0.6), (16, 0.4), (32, 0.3), (64, 0.2), (128, 0.15)):
        layer = dice.normal(size=(size, 2 * size, 3)).astype(np.float32)
        made += share * cv2.resize(layer, (400, 240), interpolation=cv2.INTER_CUBIC)
    return np.clip(125 + 50 * (made - made.mean()) / made.std(), 0, 255).astype(np.uint8)


def portrait() -> Picture:
    """Return a face before a plain ground, upright."""
    image = Image.new("RGB", (240, 360), (90, 110, 130))
    draw = ImageDraw.Draw(image)
    draw.rectangle((60, 220, 180, 360), fill=(60, 70, 140))
    draw.ellipse((72, 80, 168, 210), fill=(224, 180, 150))
    draw.pieslice((66, 60, 174, 170), 180, 360, fill=(60, 40, 30))
    for x in (94, 132):
        draw.ellipse((x, 128, x + 14, 138), fill=(40, 40, 60))
    return np.asarray(image)


IMAGES: dict[str, Picture] = {
    "photograph": photograph(),
    "noise": np.random.default_rng(5).integers(0, 256, (240, 400, 3)).astype(np.uint8),
    "flat": np.full((240, 400, 3), (120, 140, 160), np.uint8),
    "portrait": portrait(),
}


@pytest.mark.parametrize("image", IMAGES)
def test_the_measured_motion_rises_with_every_step_whatever_moves(image: str, tmp_path: Any) -> None:
    size = (180, 320) if image == "portrait" else (320, 180)
    scene = Scene(
        "1min/leonardo-motion", seed=7, width_px=size[0], height_px=size[1], duration_s=1.5,
        start_image=saved_array(IMAGES[image]), has_seed=False,
    )  # fmt: skip
    amounts = []
    for strength in range(1, 11):
        path = tmp_path / "clip.mp4"
        path.write_bytes(render(replace(scene, motion_strength=strength)))
        amounts.append(measure_file(path, ["motion"])["motion"])
    assert all(more > less * 1.02 for less, more in itertools.pairwise(amounts)), amounts  # type: ignore[operator]  # floats


@pytest.mark.parametrize("scene", [MEADOW, PICTURE], ids=["text", "image"])
def test_a_style_changes_the_colours_and_leaves_the_rest(scene: Scene) -> None:
    plain, styled = (decoded(replace(scene, style=style))[-1].astype(int) for style in ("", '{"styles": ["anime"]}'))
    assert apart(plain, styled) > 3
    greys = [decoded(replace(scene, style=style), "gray")[-1] for style in ("", '{"styles": ["anime"]}')]
    edges = [cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 2), cv2.CV_32F) for grey in greys]
    assert np.corrcoef(edges[0].ravel(), edges[1].ravel())[0, 1] > 0.6


@pytest.mark.parametrize("scene", [MEADOW, PICTURE], ids=["text", "image"])
def test_motion_strength_leaves_the_first_frame_as_it_is(scene: Scene) -> None:
    calm, wild = (decoded(replace(scene, motion_strength=strength)) for strength in (1, 10))
    assert apart(calm[0], wild[0]) < 1
    assert apart(calm[-1], wild[-1]) > 3


@pytest.mark.parametrize("scene", [MEADOW, PICTURE], ids=["text", "image"])
@pytest.mark.parametrize(("camera", "axis"), [("Dolly {}", 0), ("Orbit {}", 0), ("Tilt {}", 1), ("Crane {}", 1)])
def test_a_motion_control_steers_the_picture(scene: Scene, camera: str, axis: int) -> None:
    method, means = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST), []
    for way in (("Left", "Right"), ("Up", "Down"))[axis]:
        grey = decoded(replace(scene, camera=camera.format(way), motion_strength=8), "gray")
        means.append(method.calc(grey[0], grey[8], None)[..., axis].mean())
    assert means[0] > 0 > means[1]


@pytest.mark.parametrize("scene", [MEADOW, PICTURE], ids=["text", "image"])
@pytest.mark.parametrize("camera", ["Dolly In", "Orbit Left", "Crane Up"])
def test_the_weight_of_a_motion_control_says_how_far_and_which_way_it_goes(scene: Scene, camera: str) -> None:
    amounts = [flow(replace(scene, camera=camera, camera_weight=weight)) for weight in (0.5, 1, 1.5, 2)]
    assert all(more > less * 1.02 for less, more in itertools.pairwise(amounts)), amounts
    back = camera.replace("In", "Out").replace("Left", "Right").replace("Up", "Down")
    there, reverse = (
        decoded(replace(scene, camera=name, camera_weight=weight)) for name, weight in ((back, 1), (camera, -1))
    )
    assert all(apart(one, other) < 1 for one, other in zip(there, reverse, strict=True))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_clip_goes_from_the_start_image_to_the_end_image(kind: str) -> None:
    start, end = drawing(20, kind=kind), drawing(220, 300, 500, kind=kind)
    scene = replace(MEADOW, start_image=start, end_image=end, motion_strength=9)
    frames = decoded(scene)
    assert apart(frames[0], cover(start, scene)) < 5 < 20 < apart(frames[0], cover(end, scene))
    assert apart(frames[-1], cover(end, scene)) < 5 < 20 < apart(frames[-1], cover(start, scene))


def test_an_end_image_alone_is_where_the_clip_arrives() -> None:
    scene = replace(MEADOW, end_image=drawing(220), motion_strength=9)
    frames = decoded(scene)
    assert apart(frames[-1], cover(drawing(220), scene)) < 5 < apart(frames[0], cover(drawing(220), scene))


@pytest.mark.parametrize("size", [(320, 180), (180, 320), (848, 480)])
@pytest.mark.parametrize("image", [None, drawing(90)], ids=["text", "image"])
def test_every_frame_says_emulated(size: tuple[int, int], image: bytes | None) -> None:
    scene = replace(MEADOW, width_px=size[0], height_px=size[1], duration_s=0.5, start_image=image, motion_strength=10)
    badge, margin = badge_image(scene), int(min(size) * 0.025) // 2 * 2
    assert badge.width + margin <= size[0]
    wanted = np.asarray(badge.convert("LA"), float)
    solid = wanted[..., 1] > 200
    for frame in decoded(scene, "gray"):
        seen = frame[margin : margin + badge.height, margin : margin + badge.width]
        assert np.corrcoef(wanted[..., 0][solid], seen[solid])[0, 1] > 0.95


def saved(image: Image.Image, kind: str, **how: Any) -> bytes:
    """Return the picture as a file."""
    sink = io.BytesIO()
    image.save(sink, kind, **how)
    return sink.getvalue()


def last_frame(scene: Scene) -> Image.Image:
    """Return the last frame of the scene's clip."""
    return Image.fromarray(decoded(scene)[-1])


FORMS: list[tuple[str, dict[str, int]]] = [("PNG", {}), ("JPEG", {"quality": 60}), ("WEBP", {"quality": 60})]
SHAPES = [(832, 480), (480, 832), (512, 512), (1280, 720), (320, 180), (180, 320)]


@pytest.mark.parametrize("prompt", ["a koala in a meadow", "snow in the mountains", "a city at night"])
@pytest.mark.parametrize(("width", "height"), SHAPES)
def test_a_frame_of_a_clip_loses_its_old_badge_and_nothing_else(
    prompt: str, width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = replace(MEADOW, prompt=prompt, width_px=width, height_px=height, duration_s=0.2)
    frame, foot = last_frame(scene), round(min(width, height) * 0.025 + badge_image(scene).height * 1.3 + 3)
    monkeypatch.setattr("vidnb.emulator.clips.encode.badge", lambda _scene: lambda _frame: None)
    with av.open(io.BytesIO(render(scene))) as clip:
        bare = [picture.to_ndarray(format="rgb24") for picture in clip.decode(video=0)][-1].astype(int)
    for kind, how in FORMS:
        given = Image.open(io.BytesIO(saved(frame, kind, **how))).convert("RGB")
        cleaned = without_badge(given)
        assert find_badge(given) is not None
        assert find_badge(cleaned) is None
        assert (np.asarray(given)[foot:] == np.asarray(cleaned)[foot:]).all()
        marked, off = (np.abs(np.asarray(image)[:foot] - bare[:foot]) for image in (given, cleaned))
        assert off.mean() < 6 < 15 < marked.mean()
        assert np.percentile(off, 99) < 50 < 90 < np.percentile(marked, 99)


@pytest.mark.parametrize("scale", [0.75, 1.25, 1.5, 2.0])
@pytest.mark.parametrize(("width", "height"), SHAPES[:4])
def test_a_resized_frame_loses_its_badge_too(width: int, height: int, scale: float) -> None:
    frame = last_frame(replace(MEADOW, width_px=width, height_px=height, duration_s=0.2))
    given = frame.resize((round(width * scale), round(height * scale)), Image.Resampling.LANCZOS)
    assert find_badge(given) is not None
    assert find_badge(without_badge(given)) is None


@pytest.mark.parametrize("role", ["start_image", "end_image"])
def test_a_clip_of_a_frame_of_a_clip_shows_one_badge(role: str) -> None:
    frame = last_frame(replace(MEADOW, width_px=832, height_px=480, duration_s=0.2))
    clean, badged = (saved(image, "PNG") for image in (without_badge(frame), frame))
    asked = replace(MEADOW, width_px=832, height_px=480, duration_s=1, motion_strength=10)
    assert rendered(replace(asked, **{role: badged})) == rendered(replace(asked, **{role: clean}))
    at = -1 if role == "end_image" else 0
    assert apart(decoded(replace(asked, **{role: badged}))[at], np.asarray(frame)) < 5


def ordinary() -> list[Image.Image]:
    """Return pictures that have no badge, some of them with something like one in its place."""
    noise = np.random.default_rng(5).integers(0, 256, (480, 832, 3)).astype(np.uint8)
    squares = ((np.indices((480, 832)) // 9).sum(axis=0) % 2 * 255).astype(np.uint8)
    plain = [Image.new("RGB", (832, 480), colour) for colour in ("white", "black", "teal")]
    labels = []
    for word in ("SIMULATED", "HOLIDAYS", "EMULATOR", "|||||||||"):
        image = Image.open(io.BytesIO(drawing(90, 832, 480))).convert("RGB")
        draw = ImageDraw.Draw(image)
        draw.rounded_rectangle((12, 12, 124, 40), 9, fill="white")
        draw.text((22, 26), word, font=ImageFont.load_default(14.4), fill="black", anchor="lm")
        labels.append(image)
    drawings = [Image.open(io.BytesIO(drawing(hue, *size))) for hue in (0, 90, 200) for size in ((400, 300), (64, 900))]
    tiny = [Image.new("RGB", size, "white") for size in ((1, 1), (3, 500), (4000, 2))]
    return [Image.fromarray(noise), Image.fromarray(squares).convert("RGB"), *plain, *labels, *drawings, *tiny]


def test_an_ordinary_picture_is_left_as_it_is() -> None:
    for image in ordinary():
        assert without_badge(image) is image


def test_a_cat_is_no_fox() -> None:
    drawn = {}
    for name in ("cat", "fox"):
        pen = Pen(128)
        KINDS[name].draw(pen, (0.8, 0.3, 0.3))
        drawn[name] = np.asarray(pen.image.resize((128, 128)), int)
    cat, fox = (image[image[..., 3] > 200][:, :3] for image in drawn.values())
    assert np.median(cat.max(axis=1) - cat.min(axis=1)) < 40 < 120 < np.median(fox.max(axis=1) - fox.min(axis=1))
    shapes = [image[..., 3] > 128 for image in drawn.values()]
    assert (shapes[0] ^ shapes[1]).sum() > 0.15 * shapes[1].sum()


def test_the_badge_reads_emulated_and_names_model_seed_and_strength() -> None:
    plain = np.asarray(badge_image(MEADOW).convert("L"), int)
    for change in ({"model": "leonardo/motion_3.0"}, {"seed": 1}, {"motion_strength": 6.0}, {"label": "Motion"}):
        other = np.asarray(badge_image(replace(MEADOW, **change)).convert("L"), int)
        assert plain.shape != other.shape or np.abs(plain - other).max() > 60
    word = Image.new("L", (12, 12), 255)
    ImageDraw.Draw(word).text((1, 6), "E", font=ImageFont.load_default(10.0), fill=14, anchor="lm")
    match = cv2.matchTemplate(plain[:, :30].astype(np.uint8), np.asarray(word)[2:10, 1:8].copy(), cv2.TM_CCOEFF_NORMED)
    assert match.max() > 0.8


def test_the_badge_claims_only_what_the_model_has() -> None:
    def image(**change: Any) -> Picture:
        return np.asarray(badge_image(replace(MEADOW, **change)).convert("L"), int)

    bare = {"has_seed": False, "has_motion": False}
    assert np.array_equal(image(**bare), image(**bare, seed=99, motion_strength=9))
    assert np.array_equal(image(has_seed=False), image(has_seed=False, seed=99))
    assert np.array_equal(image(has_motion=False), image(has_motion=False, motion_strength=9))
    assert image(**bare).shape[1] < image(has_seed=False).shape[1] < image().shape[1]


def test_a_long_or_hostile_name_keeps_the_badge_inside_the_frame() -> None:
    scene = replace(MEADOW, model="m\n\x00\u202e" * 90, label="<b>" * 99, prompt="\ud800\x00", duration_s=0.1)
    assert badge_image(scene).width <= scene.width_px
    assert len(decoded(scene)) == 2


@pytest.mark.parametrize("scene", [replace(MEADOW, motion_strength=10), replace(PICTURE, end_image=drawing(240))])
def test_no_large_area_flashes(scene: Scene) -> None:
    light = np.array(
        [cv2.resize(frame, (8, 4), interpolation=cv2.INTER_AREA) for frame in decoded(scene, "gray")], float
    )
    steps = np.diff(light, axis=0)
    assert np.abs(light[8:] - light[:-8]).mean((1, 2)).max() < 25  # a third of a second
    assert np.abs(steps).mean((1, 2)).max() < 6


def test_the_poster_is_the_first_frame() -> None:
    image = Image.open(io.BytesIO(poster(MEADOW)))
    assert (image.format, image.size) == ("JPEG", (320, 180))
    assert apart(np.asarray(image), decoded(MEADOW)[0]) < 3


def bomb() -> bytes:
    """Return a small PNG that says it has 10,000 megapixels."""
    png = bytearray(drawing(1))
    png[16:24] = (100_000).to_bytes(4, "big") * 2
    return bytes(png)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"GIF89a" + bytes(50),
        b"<svg/>",
        drawing(1)[:-400],
        drawing(1, kind="JPEG")[:300],
        bomb(),
        drawing(1, 8200, 8200),
    ],
    ids=["nothing", "gif", "svg", "cut png", "cut jpeg", "bomb", "67 megapixels"],
)
@pytest.mark.parametrize("role", ["start_image", "end_image"])
def test_hostile_image_bytes_are_refused_with_a_reason(data: bytes, role: str) -> None:
    asked: dict[str, Any] = {role: data}
    scene = replace(MEADOW, **asked)
    with pytest.raises(ValueError, match=r"the image cannot be used: ."):
        render(scene)


@pytest.mark.parametrize(
    "change",
    [
        {"width_px": 321},
        {"height_px": 0},
        {"width_px": -2},
        {"width_px": 4096},
        {"motion_strength": 0},
        {"motion_strength": float("nan")},
        {"fps": 0},
        {"duration_s": 0},
        {"duration_s": float("inf")},
    ],
    ids=str,
)
def test_a_scene_no_clip_can_be_made_of_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"not .*\d|not nan|not inf"):
        replace(MEADOW, **change)


@pytest.mark.parametrize("data", [b"", b"moov", b"\x00\x00\x00\x09moov", bytes(32)])
def test_bytes_that_are_no_mp4_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not an MP4"):
        faststart(data)
