"""All measures of one file, from one decode."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vidnb.errors import ConfigError, MediaError
from vidnb.media.measures.catalogue import MEASURES, SOUND, no_measure
from vidnb.media.measures.detail import Detail
from vidnb.media.measures.light import Light
from vidnb.media.measures.likeness import Likeness
from vidnb.media.measures.motion import Motion
from vidnb.media.measures.planes import Shape, planes
from vidnb.media.measures.sound import measure_sound
from vidnb.media.video import reading

Values = dict[str, float | None]

USUAL_FPS = 24.0


def measure_file(
    path: str | Path,
    names: Iterable[str] | None = None,
    *,
    start_image: bytes | None = None,
    end_image: bytes | None = None,
) -> Values:
    """What a clip measures, by name; None where it has no such value, as the loudness of one without sound.

    Args:
        path: of the file.
        names: of `MEASURES`; default all. Whichever are asked for, the file is decoded once.
        start_image: the file of the start image, for `start_fidelity`.
        end_image: the file of the end image, for `end_fidelity`.

    Raises:
        MediaError: there is no such file.
        ConfigError: there is no such measure, or OpenCV is not installed.
    """
    wanted = list(MEASURES) if names is None else list(names)
    for name in wanted:
        if name not in MEASURES:
            raise ConfigError(no_measure(name))
    found: Values = {}
    path = Path(path)
    if not path.is_file():
        raise MediaError(f"there is no file {str(path)!r}")
    if set(wanted) - set(SOUND):
        found |= _pictures(path, start_image, end_image)
    if set(wanted) & set(SOUND):
        try:
            found |= measure_sound(path)
        except MediaError:  # of an unknown kind
            found |= dict.fromkeys(SOUND)
    for name in wanted:
        if name not in found:
            raise ConfigError(f"nothing in vidnb computes the measure {name!r}, although its catalogue has it")
    return {name: _rounded(found[name]) for name in wanted}


def _rounded(value: float | None) -> float | None:
    """To six digits: what comes behind them depends on the processor and on where in memory a frame happened to lie."""
    return None if value is None else float(f"{value:.6g}")


def _pictures(path: Path, start_image: bytes | None, end_image: bytes | None) -> Values:
    try:
        with reading(path, threads=1) as (stream, frames):
            rate = stream.average_rate or stream.guessed_rate
            shape = Shape(float(rate) if rate else USUAL_FPS)
            length_s = float((stream.duration or 0) * (stream.time_base or 0))
            motion, light, detail = Motion(shape), Light(shape), Detail(shape)
            likeness = Likeness(shape, stream.frames or round(length_s * shape.fps) or 120)
            for frame in planes(frames, stream, shape):
                for part in (motion, light, detail, likeness):
                    part.see(frame)
    except MediaError:
        return dict.fromkeys(set(MEASURES) - set(SOUND))  # nothing of it can be decoded
    cuts = light.cuts(motion.errors)
    return motion.values(cuts) | light.values(cuts) | detail.values() | likeness.values(start_image, end_image)
