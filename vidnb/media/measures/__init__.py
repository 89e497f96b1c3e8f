"""Numbers taken from a clip's pixels and sound: how much moves, whether it flickers, freezes, flashes, how loud it is.

`catalogue` says what each measure is. `file.measure_file` decodes a file once and hands each frame on as a small plane
of brightness (`planes`); `motion`, `light`, `detail` and `likeness` each turn planes into their measures, `sound` does
so with the samples. Needs `pip install 'vidnb[measure]'`.
"""

from typing import Any

from vidnb.media.measures.catalogue import MEASURES, NEED_IMAGE, Measure, no_measure, not_yet

__all__ = ["MEASURES", "NEED_IMAGE", "Measure", "measured", "no_measure", "not_yet"]


def measured(**task: Any) -> dict[str, float | None]:
    """Return what `file.measure_file` measures of a file; it is imported where this runs.

    NumPy and OpenCV take their time, and a worker process that is handed this function imports no more than they need.
    """
    from vidnb.media.measures.file import measure_file

    return measure_file(**task)
