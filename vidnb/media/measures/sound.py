"""How loud a clip is, as EBU R128 has it, and how much of its sound is silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vidnb.media.containers import opened_container

Values = dict[str, float | None]

SILENCE = 10 ** (-60 / 20)
"""Of full scale."""
BLOCK_S = 0.1
QUIETEST = -70.0
"""What EBU R128 gives for silence."""


def measure_sound(path: Path) -> Values:
    """The measures of a file's first sound; None where there is none or it cannot be decoded."""
    import av

    nothing: Values = {"loudness": None, "silent_share": None}
    with opened_container(path) as container:
        stream = next(iter(container.streams.audio), None)
        if stream is None or stream.codec_context is None:
            return nothing
        loudness, squares, rate = _Loudness(), [], 0
        flat = av.AudioResampler(format="fltp")
        try:
            for packet in container.demux(stream):
                for frame in _decoded(packet):
                    rate = frame.sample_rate
                    loudness.push(frame)
                    for samples in flat.resample(frame):
                        squares.append(np.square(samples.to_ndarray()).max(axis=0))
        except av.FFmpegError:  # the sound changes its form on the way: what came before counts
            pass
    if not squares:
        return nothing
    found = np.concatenate(squares)
    block = max(round(rate * BLOCK_S), 1)
    blocks = found[: max(len(found) // block, 1) * block].reshape(-1, min(block, len(found))).mean(axis=1)
    return {"loudness": loudness.value(), "silent_share": float(np.mean(blocks < SILENCE**2))}


def _decoded(packet: Any) -> list[Any]:
    import av

    try:
        return list(packet.decode())
    except av.FFmpegError:
        return []


class _Loudness:
    """FFmpeg's own meter."""

    def __init__(self) -> None:
        self._graph: Any = None
        self._last: float | None = None

    def push(self, frame: Any) -> None:
        """Count the next samples in."""
        if self._graph is None:
            self._graph = self._connected(frame)
        self._graph.push(frame)
        self._pull()

    def value(self) -> float | None:
        """LUFS; None where it was too short to say."""
        if self._graph is not None:
            self._graph.push(None)
            self._pull()
        return None if self._last is None else max(self._last, QUIETEST)

    def _connected(self, frame: Any) -> Any:
        import av.filter

        graph = av.filter.Graph()
        rate, base = frame.sample_rate, frame.time_base
        layout = frame.layout.name
        source = graph.add_abuffer(sample_rate=rate, format=frame.format.name, layout=layout, time_base=base)
        meter = graph.add("ebur128", "metadata=1")
        sink = graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(sink)
        graph.configure()
        return graph

    def _pull(self) -> None:
        import av

        while True:
            try:
                told = self._graph.pull().metadata.get("lavfi.r128.I")
            except (av.BlockingIOError, av.EOFError):
                return
            if told is not None:
                self._last = float(told)
