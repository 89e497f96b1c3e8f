"""The boxes an MP4 is made of, and their order."""

from collections.abc import Iterator

import numpy as np


def atoms(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind, start and end of each box of an MP4 between two offsets."""
    while start + 8 <= stop:
        size, kind = int.from_bytes(data[start : start + 4], "big"), bytes(data[start + 4 : start + 8])
        size = int.from_bytes(data[start + 8 : start + 16], "big") if size == 1 else size or stop - start
        if size < 8 or start + size > stop:
            raise ValueError(f"not an MP4: box {kind!r} at byte {start} does not fit")
        yield kind, start, start + size
        start += size


def faststart(mp4: bytes) -> bytes:
    """Return the MP4 with its index first, so that it plays while it loads.

    ffmpeg's own `+faststart` opens the output a second time by name, which a file in memory has not.

    Raises:
        ValueError: if the bytes are not a whole MP4.
    """
    boxes = list(atoms(mp4, 0, len(mp4)))
    kinds = [kind for kind, _, _ in boxes]
    if b"moov" not in kinds or b"mdat" not in kinds:
        raise ValueError("not an MP4: it has no moov or no mdat")
    if kinds.index(b"moov") < kinds.index(b"mdat"):
        return mp4
    _, start, stop = boxes[kinds.index(b"moov")]
    moov = bytearray(mp4[start:stop])
    shift_chunks(moov, 8, len(moov), len(moov))
    first = kinds.index(b"mdat")
    head = b"".join(mp4[a:b] for kind, a, b in boxes[:first])
    rest = b"".join(mp4[a:b] for kind, a, b in boxes[first:] if kind != b"moov")
    return head + bytes(moov) + rest


def shift_chunks(moov: bytearray, start: int, stop: int, by: int) -> None:
    """Add `by` to every chunk offset in the index, in place."""
    for kind, a, b in list(atoms(bytes(moov), start, stop)):
        if kind in (b"trak", b"mdia", b"minf", b"stbl"):
            shift_chunks(moov, a + 8, b, by)
        elif kind in (b"stco", b"co64"):
            width = ">u4" if kind == b"stco" else ">u8"
            table = np.frombuffer(bytes(moov[a + 16 : b]), width)
            moov[a + 16 : b] = (table + by).astype(width).tobytes()
