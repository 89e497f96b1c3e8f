"""Measures of one's own: any function from a clip to a number, and models that score a clip, as CLIP and VBench do.

A measure is any callable that takes a `Clip` and returns a number (or None where the clip has no such value):

    def redness(clip):
        return float(np.asarray(clip.first_frame)[..., 0].mean()) / 255

    vidnb.measure(history, measures=["motion", redness])
    history.df["redness"]

It may say more of itself with attributes, all of them optional:

- `name`: of its column; else the function's name;
- `version`: what it gives changes with it, and then clips are measured anew; else its code stands for it, so that a
  function that was changed in a notebook counts as another one.

A model that scores pictures (CLIP, an aesthetic predictor, a dimension of VBench) is one function more, and needs no
plug-in: `of_frames` hands it evenly spread frames and the prompt.

    import open_clip, torch                       # whatever the model needs; vidnb needs none of it
    def score(frames, prompt): ...                # frames: uint8, (number, height, width, 3)
    clip_score = of_frames("clip_score", score, frames=8, version="ViT-B-32")
    history.measure(measures=[clip_score])
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vidnb.errors import ConfigError
from vidnb.media.measures import MEASURES

if TYPE_CHECKING:
    from vidnb.clip import Clip

Score = Callable[["Clip"], "float | None"]
NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")


@dataclass(frozen=True)
class OwnMeasure:
    """A person's own measure, with the name and the version under which its values are kept."""

    name: str
    version: str
    score: Score

    @classmethod
    def of(cls, given: Any, taken: Iterable[str]) -> OwnMeasure:
        """Return the measure that a person's function stands for, with its name and version.

        Args:
            given: takes a clip and returns a number.
            taken: names that it may not have.

        Raises:
            ConfigError: it is no callable, or has a name that no column can have.
        """
        if not callable(given):
            known = ", ".join(MEASURES)
            raise ConfigError(f"{given!r} is no measure: give a name ({known}) or a function that takes a clip")
        name = str(getattr(given, "name", None) or getattr(given, "__name__", ""))
        if not NAME.fullmatch(name) or name in {*MEASURES, *taken}:
            why = "is taken" if NAME.fullmatch(name) else "must be small letters, digits and underscores"
            raise ConfigError(f"the name of a measure of your own, {name!r}, {why}; set its attribute `name`")
        return cls(name, str(getattr(given, "version", None) or _version_of(given)), given)


def of_frames(
    name: str, score: Callable[[Any, str], float | None], *, frames: int = 8, version: str | None = None
) -> Score:
    """A measure from a function that scores frames against the prompt: the way in for CLIP and models like VBench's.

    Args:
        name: of its column.
        score: takes the frames, a uint8 array of (number, height, width, 3), and the prompt; returns the number.
        frames: how many, evenly spread from the first to the last.
        version: of the model; with another one clips are measured anew. Default: the code of `score`.
    """
    if frames < 1:
        raise ConfigError(f"frames={frames}: a measure looks at one frame or more")

    def measure(clip: Clip) -> float | None:
        from vidnb.media.video import spread

        return score(spread(clip.path, frames), clip.prompt)

    measure.name = name  # type: ignore[attr-defined]  # read by OwnMeasure.of
    measure.version = f"{version or _version_of(score)} of {frames}"  # type: ignore[attr-defined]
    return measure


def _version_of(given: Any) -> str:
    """A few letters that change with the code of a function; "1" where it has none that can be seen."""
    code = getattr(given, "__code__", None) or getattr(type(given).__call__, "__code__", None)
    if code is None:
        return "1"
    return f"code {hashlib.sha256(_content(code).encode()).hexdigest()[:12]}"


def _content(code: Any) -> str:
    """What a function does, without where it stands."""
    constants = [_content(item) if hasattr(item, "co_code") else repr(item) for item in code.co_consts]
    return repr((code.co_code, code.co_names, constants))
