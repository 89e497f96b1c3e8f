"""Numbers taken from a clip's pixels and sound: how much moves, whether it flickers, freezes, flashes, how loud it is.

`catalogue` says what each measure is. `file.measure_file` decodes a file once and hands each frame on as a small plane
of brightness (`planes`); `motion`, `light`, `detail` and `likeness` each turn planes into their measures, `sound` does
so with the samples. Needs `pip install 'vidnb[measure]'`.
"""

from vidnb.media.measures.catalogue import MEASURES, NEED_IMAGE, Measure, no_measure, not_yet

__all__ = ["MEASURES", "NEED_IMAGE", "Measure", "no_measure", "not_yet"]
