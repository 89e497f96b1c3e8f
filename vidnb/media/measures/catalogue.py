"""What each measure is, as data: unit, range, which direction is better, and where the idea comes from.

A change of what a measure gives raises its version: then clips that were measured before are measured anew.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Measure:
    """One number of a clip."""

    name: str
    """Name of its column, and what `measures=[...]` takes."""
    means: str
    """What it says, in a sentence for a person."""
    definition: str
    unit: str
    """Of the number; "" where it is a plain share or ratio."""
    low: float
    high: float
    """Its range; infinite where it has no end."""
    better: Literal["higher", "lower", "neither"]
    source: str
    version: str = "1"

    @property
    def words(self) -> str:
        """What it is called in a sentence, without its unit: "frozen tail", "flashes"."""
        return self.name.removesuffix("_s").removesuffix("_per").replace("_", " ")

    @property
    def short_unit(self) -> str:
        """The unit where there is little room: "%/s"."""
        return SHORT_UNITS.get(self.unit, self.unit)


SHORT_UNITS = {"% of height a second": "%/s", "1/s": "a second"}
NO_END = math.inf
OWN = "vidnb"

_ALL = (
    Measure(
        "motion", "How much moves.",
        "Mean length of dense optical flow (DIS), of it what can be seen: across edges, and not in plain places; times "
        "the frame rate, as a share of the frame's height; cuts left out",
        "% of height a second", 0, NO_END, "neither", "after EvalCrafter's Flow-Score; a stand-in without torch",
    ),
    Measure(
        "jerkiness", "How unevenly it moves: 0 is smooth.",
        "Mean change of the flow from frame to frame, divided by the mean flow",
        "", 0, NO_END, "lower", "ours; VBench's motion smoothness asks the same of a neural network",
    ),
    Measure(
        "warp_error", "How much changes that movement does not explain.",
        "Mean difference of a frame and the next one moved back along the flow, divided by 255",
        "", 0, 1, "lower", "after EvalCrafter's warping error",
    ),
    Measure(
        "flicker", "How much the whole picture's brightness trembles.",
        "RMS of the mean brightness (0 to 1) less its mean over 5 frames; cuts left out",
        "", 0, 1, "lower", OWN,
    ),
    Measure(
        "sharpness", "How much fine detail there is.",
        "Variance of the Laplacian, divided by the variance of the brightness; median over the frames",
        "", 0, NO_END, "higher", "Pech-Pacheco 2000",
    ),
    Measure(
        "sharpness_drift", "Whether detail is lost on the way: below 0.8 the picture melts.",
        "Sharpness of the last half second, divided by that of the first",
        "", 0, NO_END, "higher", OWN,
    ),
    Measure(
        "exposure", "How bright it is: 0 is black, 1 is white.",
        "Mean brightness, from black to white",
        "", 0, 1, "neither", "FFmpeg signalstats",
    ),
    Measure(
        "clipped", "How much of the picture is pure black or pure white.",
        "Share of the pixels at the lowest or the highest brightness",
        "", 0, 1, "lower", "FFmpeg signalstats",
    ),
    Measure(
        "frozen_share", "How much of the clip stands still.",
        "Share of the time in which, for 0.4 s or longer, nothing changes but the noise of the encoding",
        "", 0, 1, "lower", "after FFmpeg freezedetect",
    ),
    Measure(
        "frozen_tail_s", "How long it stands still at its end.",
        "Length of the frozen part that reaches the last frame",
        "s", 0, NO_END, "lower", OWN,
    ),
    Measure(
        "start_fidelity", "How like the start image the first frame is.",
        "SSIM of the first frame and the start image, which is cropped and scaled to the clip's shape",
        "", -1, 1, "higher", "Wang et al. 2004",
    ),
    Measure(
        "end_fidelity", "How like the end image the last frame is.",
        "SSIM of the last frame and the end image, which is cropped and scaled to the clip's shape",
        "", -1, 1, "higher", "Wang et al. 2004",
    ),
    Measure(
        "loop_seam", "How much a loop jumps where it begins anew: 1 is no more than between any two frames.",
        "1 - SSIM of the last and the first frame, divided by the median of the same between neighbouring frames",
        "", 0, NO_END, "lower", OWN,
    ),
    Measure(
        "cuts", "How often the scene changes at once.",
        "Jumps of the mean difference of neighbouring frames (score 10 of 100) that do not jump back as a flash does",
        "", 0, NO_END, "neither", "FFmpeg scdet",
    ),
    Measure(
        "flashes_per_s", "How often it flashes in its worst second: above 3 it can harm.",
        "Pairs of opposing changes of a tenth of the full brightness that a quarter of the picture has in one second",
        "1/s", 0, NO_END, "lower", "WCAG 2.3.1",
    ),
    Measure(
        "loudness", "How loud it is.",
        "Integrated loudness; nothing where there is no sound",
        "LUFS", -70, 10, "neither", "EBU R128",
    ),
    Measure(
        "silent_share", "How much of its sound is silence.",
        "Share of the tenths of a second below -60 dB of full scale; nothing where there is no sound",
        "", 0, 1, "neither", "after FFmpeg silencedetect",
    ),
)  # fmt: skip

MEASURES: dict[str, Measure] = {measure.name: measure for measure in _ALL}
"""By name, in the order of the table."""

NEED_IMAGE = {"start_fidelity": "start_image", "end_fidelity": "end_image"}
"""Measures that compare with an input of the job -> the name of that param."""
SOUND = ("loudness", "silent_share")


def no_measure(name: str) -> str:
    """Say that there is no measure of this name, and which one was probably meant."""
    close = difflib.get_close_matches(name, MEASURES, n=2)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(MEASURES)}"
    return f"there is no measure {name!r}; {hint}"


def not_yet(name: str) -> str:
    """Say that a measure exists, but was taken of none of the clips."""
    return f"no clip here has the measure {name!r} yet; h.measure() measures the clips of a history h"
