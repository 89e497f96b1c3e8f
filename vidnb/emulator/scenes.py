"""From a job to its clip: what the request means as a `Scene`, and the rendered files, made once and kept.

What the services do not say is chosen here, and none of it is a fact about them:

- Frame rate: 24; Kling and Sora 30; Motion 2.0 has 16 without frame interpolation; `fps` where the request says it.
- Duration: what was asked for, else what the catalogue says the service assumes, else 5 s.
- Size: the pair that was asked for; else the resolution in the asked or the start image's shape; else the model's
  default. 0x0 follows the start image. A size beyond 3840x2160 is scaled down to it.
- Motion: 1 to 10 as it is, a motion bucket of 1 to 255 mapped onto it, 5 where the model has no such value.
- Chance: the seed; where none is sent, one that follows from model, prompt, inputs and the number of the repeat. So a
  knob changes what it names, and leaves the rest of the scene as it is.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from vidnb import catalog
from vidnb.catalog import Model
from vidnb.emulator.clips import Scene, poster, render
from vidnb.emulator.state import EmulatedJob, State
from vidnb.forking import in_child

DEFAULT_SIZE = (1280, 720)
MOTION_2_SIZE = (832, 480)
MAX_SIDE, MAX_AREA = 3840, 3840 * 2160
FPS, MOST_FPS = 24, 120
LONGEST_S = 120.0
"""A clip that was asked to be longer is as long as this, so that every job that was taken has one."""
FPS_OF = {"kling": 30, "sora": 30}
MOTION_2_PLAIN_FPS = 16
MOTION_PARAMS = ("motion_strength", "motion_bucket")
STYLE_PARAMS = ("styles", "elements", "variant", "motion_module", "checkpoint")
"""Params that choose a look; what each of them does at a real service, nobody here knows."""


class Footage:
    """The files of one folder: uploaded inputs by hash, clips and posters by what they show.

    The same scene gives the same bytes, so jobs that ask for the same thing share one rendered file.
    """

    def __init__(self, folder: Path, state: State) -> None:
        self._state = state
        self._inputs, self._clips = folder / "inputs", folder / "clips"
        for path in (self._inputs, self._clips):
            path.mkdir(parents=True, exist_ok=True)
        self._guard = threading.Lock()
        self._rendering: dict[Path, threading.Lock] = {}
        self.rendered = 0
        in_child(self._begin_anew)

    def _begin_anew(self) -> object:
        """Free the locks in a forked child; the threads that held them are not there."""
        left = self._guard, self._rendering
        self._guard, self._rendering = threading.Lock(), {}
        return left

    def keep(self, content: bytes) -> str:
        """The hash under which the bytes now lie."""
        sha256 = hashlib.sha256(content).hexdigest()
        path = self._inputs / sha256
        if not path.exists():
            _write(path, content)
        return sha256

    def input(self, sha256: str) -> bytes:
        """The bytes of an uploaded input."""
        return (self._inputs / sha256).read_bytes()

    def clip(self, job: EmulatedJob) -> Path:
        """The job's MP4, rendered the first time somebody asks; call it in a worker thread."""
        scene = self.scene(job)
        return self._made(self._clips / f"{_name_of(scene)}.mp4", lambda: render(scene))

    def poster(self, job: EmulatedJob) -> Path:
        """The job's first frame as a JPEG, likewise."""
        scene = self.scene(job)
        return self._made(self._clips / f"{_name_of(scene)}.jpg", lambda: poster(scene))

    def _made(self, path: Path, make: Callable[[], bytes]) -> Path:
        """The file at that path; made by one thread, while others that ask for it wait."""
        if path.exists():
            return path
        with self._guard:
            lock = self._rendering.setdefault(path, threading.Lock())
        with lock:
            if not path.exists():
                self.rendered += 1
                _write(path, make())
        with self._guard:
            self._rendering.pop(path, None)
        return path

    def scene(self, job: EmulatedJob) -> Scene:
        """What the job's clip shows."""
        model, params = catalog.find(job.model), job.params
        start, end = self._picture(job, "start_image"), self._picture(job, "end_image")
        # A reference is taken up as the picture that moves, where no frame is given: so it can be seen that it arrived.
        start = start or self._picture(job, "reference_images") or self._picture(job, "reference_videos")
        width, height = size_of(model, params, image_size(start) if start else None)
        return Scene(
            model=model.id,
            prompt=job.prompt,
            negative_prompt=params.get("negative_prompt") or "",
            seed=job.seed,
            motion_strength=motion_of(params),
            width_px=width,
            height_px=height,
            duration_s=min(duration_of(model, params), LONGEST_S),
            fps=fps_of(model, params),
            audio=audio_of(model, params),
            start_image=start,
            end_image=end,
            label=model.title,
            camera=str(params.get("motion_control") or params.get("camera_control") or ""),
            camera_weight=min(max(float(params.get("motion_control_weight", 1)), -4.0), 4.0),
            style=style_of(params),
            has_seed="seed" in model.params,
            has_motion=any(name in model.params for name in MOTION_PARAMS),
        )

    def _picture(self, job: EmulatedJob, name: str) -> bytes | None:
        """The first input under that name as an image; of a clip, its first frame."""
        for item in job.media.get(name, ()):
            if "job" in item:
                earlier = self._state.job(item["job"])
                return self.poster(earlier).read_bytes() if earlier else None
            content = self.input(item["sha256"])
            if image_size(content):
                return content
        return None


def _name_of(scene: Scene) -> str:
    """A file name for all that the scene shows."""
    digest = hashlib.sha256(repr(scene).encode())
    for image in (scene.start_image, scene.end_image):  # a scene's repr leaves the pictures out
        digest.update(hashlib.sha256(image or b"").digest())
    return digest.hexdigest()[:32]


def size_of(model: Model, params: Any, shape: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height of the clip, given those of its start image: even, and not more than a clip can have."""
    width, height = params.get("width_px") or 0, params.get("height_px") or 0
    if not (width and height):
        width, height = _chosen_size(model, params, shape)
    shrink = min(1.0, MAX_SIDE / max(width, height), math.sqrt(MAX_AREA / (width * height)))
    return _even(width * shrink), _even(height * shrink)


def _chosen_size(model: Model, params: Any, shape: tuple[int, int] | None) -> tuple[float, float]:
    asked = _ratio(params.get("aspect_ratio"))
    ratio = asked or (shape[0] / shape[1] if shape else None)
    short = _short_side(params.get("resolution"))
    fitting = [s for s in model.sizes if not short or s.resolution == params.get("resolution")]
    if asked and fitting:
        best = min(fitting, key=lambda s: abs(math.log(s.width_px / s.height_px / asked)))
        return best.width_px, best.height_px
    if short and not ratio and fitting:
        return fitting[0].width_px, fitting[0].height_px
    base = _base_size(model)
    if short:
        ratio = ratio or 16 / 9
        return (short * ratio, short) if ratio >= 1 else (short, short / ratio)
    if not ratio:
        return base
    ratio = min(max(ratio, 0.4), 2.5)
    area = base[0] * base[1]
    return _sixteenth(math.sqrt(area * ratio)), _sixteenth(math.sqrt(area / ratio))


def _base_size(model: Model) -> tuple[int, int]:
    if model.size_default and all(model.size_default):
        return model.size_default
    if model.sizes:
        return model.sizes[0].width_px, model.sizes[0].height_px
    return MOTION_2_SIZE if "motion" in model.name.lower() or model.name == "SVD" else DEFAULT_SIZE


def _short_side(resolution: Any) -> int | None:
    digits = re.search(r"\d+", str(resolution or ""))
    return int(digits[0]) if digits else None


def _ratio(label: Any) -> float | None:
    parts = re.fullmatch(r"(\d+):(\d+)", str(label or ""))
    return int(parts[1]) / int(parts[2]) if parts else None


def _even(side: float) -> int:
    return max(64, round(side / 2) * 2)


def _sixteenth(side: float) -> int:
    return max(64, round(side / 16) * 16)


def duration_of(model: Model, params: Any) -> float:
    """Seconds of the clip."""
    if frames := params.get("num_frames") or _usual(model, "num_frames"):
        return float(frames) / fps_of(model, params)
    param = model.params.get("duration_s")
    assumed = (param.service_default or param.default) if param else None
    said = params.get("duration_s") or model.fixed_duration_s or assumed or 5
    digits = re.search(r"\d+(\.\d+)?", str(said))
    return float(digits[0]) if digits else 5.0


def fps_of(model: Model, params: Any) -> int:
    """Frames a second of the clip."""
    if fps := params.get("fps") or _usual(model, "fps"):
        return max(1, min(int(fps), MOST_FPS))
    name = model.name.lower()
    if name.startswith(("motion_2", "motion2")) and params.get("frame_interpolation") is False:
        return MOTION_2_PLAIN_FPS
    return next((fps for prefix, fps in FPS_OF.items() if name.startswith(prefix)), FPS)


def _usual(model: Model, name: str) -> Any:
    """What the service takes for a value that is not given, where the catalogue says it."""
    param = model.params.get(name)
    return None if param is None else param.default if param.service_default is None else param.service_default


def motion_of(params: Any) -> float:
    """How much moves, from 1 to 10."""
    if params.get("motion_bucket") is not None:
        return 1 + (float(params["motion_bucket"]) - 1) / 254 * 9
    strength = params.get("motion_strength")
    return 5.0 if strength is None else min(max(float(strength), 1.0), 10.0)


def style_of(params: Any) -> str:
    """What else a request says of the look, as one text; "" where it says nothing."""
    said = {name: value for name, value in params.items() if name in STYLE_PARAMS and value not in (None, "", [], {})}
    return json.dumps(said, sort_keys=True, default=str) if said else ""


def audio_of(model: Model, params: Any) -> bool:
    """Whether the clip has sound."""
    param = model.params.get("audio")
    if param is None:
        # The vendor's Veo 3 on v1 and Hailuo 03 always have sound and no field for it.
        return model.name.startswith(("VEO3", "hailuo-03"))
    assumed = param.service_default if param.service_default is not None else param.default
    return bool(params.get("audio", assumed))


def image_size(content: bytes, *, whole: bool = False) -> tuple[int, int] | None:
    """Width and height of a picture, or None where the bytes are none; `whole` decodes all of it, to be sure."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            if whole:
                image.load()
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None


def sample_picture(name: str) -> bytes:
    """A picture drawn from a name, for addresses that nobody uploaded (the documents' samples, links to elsewhere)."""
    return poster(Scene(model="emulator", prompt=name, width_px=1024, height_px=768, label="sample picture"))


def _write(path: Path, content: bytes) -> None:
    """The file appears whole or not at all, whoever else writes it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    with os.fdopen(handle, "wb") as part:
        part.write(content)
    Path(name).replace(path)
