"""Seeded runs of odd and damaged bytes: clips in forms that nobody expected, and files that changed in the data folder.

What the service sent and what it was sent is held against what came out: a whole clip is kept as it is and fetched
once, a cut one is fetched again, and no byte that fits no name is handed out, uploaded or paid for.
"""

from __future__ import annotations

import asyncio
import functools
import io
import json
import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import PIL.Image
from clipmakers import remuxed, write
from fakes import picture
from hardships import client_on, tried, within
from stranger import LEONARDO, Stranger, Work, film

from vidnb.client.asynchronous import AsyncClient
from vidnb.errors import VidnbError

# -- A8: forms of a clip

CODECS: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("libx264", "yuv420p", ".mp4", {"g": "6", "bf": "2"}),
    ("libx264", "yuv444p", ".mov", {}),
    ("libx265", "yuv420p10le", ".mp4", {"x265-params": "log-level=none"}),
    ("mpeg4", "yuv420p", ".mp4", {}),
    ("mjpeg", "yuvj420p", ".mov", {}),
    ("prores_ks", "yuv422p10le", ".mov", {}),
    ("libvpx-vp9", "yuv420p", ".webm", {}),
    ("libvpx", "yuv420p", ".webm", {}),
    ("libx264", "yuv420p", ".mkv", {}),
    ("mpeg4", "yuv420p", ".avi", {}),
    ("mpeg2video", "yuv420p", ".ts", {}),
    ("ffv1", "yuv420p", ".mkv", {}),
)
LAYOUTS: tuple[dict[str, str], ...] = (
    {},
    {"movflags": "+faststart"},
    {"movflags": "frag_keyframe+empty_moov+default_base_moof"},
    {"movflags": "frag_every_frame+empty_moov"},
    {"movflags": "dash+frag_keyframe"},
    {"movflags": "+faststart+negative_cts_offsets"},
)
HEADERS = (b"mvhd", b"tkhd", b"mdhd", b"stsz", b"stts", b"elst")
TAILS = (b"", b"\0" * 20, b"\xff" * 9, b"\0\0\x10\0free\0\0", b"abc", b"\0\0\0\x08free", b"<html></html>")


@functools.cache
def _made(codec: int, layout: int, sound: str, dropped: str, earlier_s: int) -> bytes:
    """A whole clip in one of many forms."""
    name, pixel_format, suffix, options = CODECS[codec]
    container = LAYOUTS[layout] if suffix in (".mp4", ".mov") else {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        voice = None if sound == "none" else "aac" if suffix in (".mp4", ".mov", ".mkv") else None
        write(path, name, pixel_format, frames=12, options=options, container=container, sound=voice)
        if dropped or earlier_s:
            keep: dict[str, Callable[[int, Any], bool]] = {
                "": lambda index, packet: True, "first": lambda index, packet: index > 0,
                "keys": lambda index, packet: not packet.is_keyframe or index > 6,
            }  # fmt: skip
            path = remuxed(path, path.with_name(f"b{suffix}"), keep[dropped], earlier_s=earlier_s)
        return path.read_bytes()


@functools.cache
def _sound(suffix: str) -> bytes:
    """A whole file without any picture."""
    codec = {".m4a": "aac", ".mp3": "libmp3lame", ".wav": "pcm_s16le", ".ogg": "libvorbis", ".flac": "flac"}[suffix]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        with av.open(str(path), "w", format="mp4" if suffix == ".m4a" else None) as out:
            voice: Any = out.add_stream(codec, rate=44100)
            for index in range(20):
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), format="s16", layout="mono")
                silence.sample_rate, silence.pts = 44100, index * 1152
                out.mux(voice.encode(silence))
            out.mux(voice.encode(None))
        return path.read_bytes()


def _odd(dice: random.Random) -> tuple[bytes, str]:
    """A whole clip, and how it was made."""
    if dice.random() < 0.12:
        suffix = dice.choice([".m4a", ".mp3", ".wav", ".flac"])
        return _sound(suffix), f"sound only {suffix}"
    codec = dice.randrange(len(CODECS))
    can_drop = CODECS[codec][0] in ("libx264", "mpeg4") and CODECS[codec][2] == ".mp4"
    dropped = dice.choice(["", "", "first", "keys"]) if can_drop else ""
    earlier_s = dice.choice([0, 0, 1]) if CODECS[codec][:3:2] == ("libx264", ".mp4") else 0
    content = _made(codec, dice.randrange(len(LAYOUTS)), dice.choice(["none", "aac"]), dropped, earlier_s)
    how = f"{CODECS[codec][0]} {CODECS[codec][2]} {dropped} {earlier_s}"
    if dice.random() < 0.4:
        content, more = _miscounted(content, dice)
        how += more
    return content + dice.choice(TAILS), how


def _miscounted(content: bytes, dice: random.Random) -> tuple[bytes, str]:
    """The clip with a number in one of its headers that does not fit the rest."""
    there = [name for name in HEADERS if content.find(name) > 0]
    if not there:
        return content, ""
    name, changed = dice.choice(there), bytearray(content)
    at = changed.index(name) + {b"mvhd": 20, b"tkhd": 24, b"mdhd": 20, b"stsz": 12, b"stts": 8, b"elst": 12}[name]
    count = int.from_bytes(changed[at : at + 4], "big")
    changed[at : at + 4] = dice.choice([0, 1, max(0, count - 1), count + 1, count * 2, 10 * count]).to_bytes(4, "big")
    return bytes(changed), f" {name.decode()} {count}"


def _cut(content: bytes, dice: random.Random) -> bytes | None:
    """A beginning of the clip of which anyone can tell that the rest is missing; None where nobody can."""
    boxes = _boxes(content)
    needed = [(at, end) for name, at, end in boxes if name in (b"moov", b"mdat", b"moof") and end - at > 16]
    if content[4:8] != b"ftyp" or not needed:
        return None
    at, end = dice.choice(needed)
    return content[: dice.randint(at + 9, end - 1)]


def _boxes(content: bytes) -> list[tuple[bytes, int, int]]:
    """Name, start and end of each box of an MP4."""
    at, found = 0, []
    while at + 8 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        if length < 8:
            break
        found.append((content[at + 4 : at + 8], at, at + length))
        at += length
    return found


def odd_clips(seed: int) -> Counter[str]:
    """A8: a whole clip in an odd form is kept and shown; a cut one, and only that, is fetched again."""
    return asyncio.run(_odd_clips(seed))


async def _odd_clips(seed: int) -> Counter[str]:
    dice, found, service = random.Random(seed), Counter[str](runs=1), Stranger()
    content, _ = _odd(dice)
    cuts: list[bytes] = []
    if dice.random() < 0.4:
        cuts = [cut for _ in range(dice.randint(1, 3)) if (cut := _cut(content, dice)) is not None]
    expected = len(cuts) + 1

    def download(request: httpx.Request, work: Work | None) -> httpx.Response:
        sent = cuts.pop() if cuts else content
        return httpx.Response(200, stream=httpx.ByteStream(sent), headers={"content-length": str(len(sent))})

    service.on_download = download
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        async with client_on(Path(home), service) as client, within(found):
            clip = await tried(client.generate("a koala", timeout_s=60, **LEONARDO))
            found["lost or wrong clips"] += int(clip is None or clip.path.read_bytes() != content)
            found["fetched in vain"] += abs(len(service.downloads) - expected)
            if clip is not None:
                try:
                    _look_at(clip)
                except Exception as error:  # noqa: BLE001  # that there is none is what is tried here
                    found["raw errors"] += int(not isinstance(error, VidnbError))
                unseen = clip.info.frames == 0 or clip.info.width_px == 0
                found["unmarked clips"] += int(unseen and not clip.info.note)
        found["second payments"] += len(service.paid) - 1
    return found


def _look_at(clip: Any) -> None:
    """Show a clip in every way that a cell has."""
    clip._repr_mimebundle_()
    repr(clip)
    assert len(clip.poster) > 50
    if clip.info.frames:
        _ = clip.sheet


# -- A9: files that changed


class Uploads(Stranger):
    """The services with the form for pictures; keeps what was uploaded."""

    def __init__(self) -> None:
        super().__init__()
        self.uploaded: list[bytes] = []
        self.refuses = False

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/init-image"):
            if self.refuses:
                raise httpx.ConnectError("no")
            where = {"url": "https://forms.example.com/s3", "fields": json.dumps({"key": "k"})}
            form = {"id": f"img-{len(self.uploaded)}", **where}
            return httpx.Response(200, json={"uploadInitImage": form})
        if request.url.host == "forms.example.com":
            self.uploaded.append(request.content)
            return httpx.Response(204)
        return super()._answer(request)


def _grey(form: bytes) -> bytes:
    """The film of which an uploaded picture is a frame, told by its one grey; b"" for a picture of another kind."""
    start, end = form.find(b"\x89PNG"), form.rfind(b"IEND")
    if start < 0 or end < 0:
        return b""
    levels = np.asarray(PIL.Image.open(io.BytesIO(form[start : end + 8])).convert("L"))
    shade = 20 * round(float(levels.mean()) / 20)
    return film(shade) if levels.shape == (64, 64) and np.ptp(levels) <= 4 and abs(levels.mean() - shade) <= 5 else b""


def _flip(path: Path, dice: random.Random) -> None:
    data, at = bytearray(path.read_bytes()), dice.randrange(path.stat().st_size)
    data[at] ^= 1 << dice.randrange(8)
    path.write_bytes(data)


def _truncate(path: Path, dice: random.Random) -> None:
    os.truncate(path, dice.randrange(path.stat().st_size))


def _lengthen(path: Path, dice: random.Random) -> None:
    with path.open("ab") as file:
        file.write(dice.randbytes(dice.randint(1, 99)))


def _replace(path: Path, dice: random.Random) -> None:
    other = path.with_name("other")
    other.write_bytes(dice.choice([b"<html>moved</html>", film(99), picture(colour="red"), dice.randbytes(200), b""]))
    other.replace(path)


def _swap(path: Path, dice: random.Random) -> None:
    others = [other for other in _contents(path.parents[1]) if other != path]
    if others:
        other, aside = dice.choice(others), path.with_name("aside")
        path.rename(aside)
        other.rename(path)
        aside.rename(other)


def _link(path: Path, dice: random.Random) -> None:
    others = [other for other in _contents(path.parents[1]) if other != path]
    path.unlink()
    path.symlink_to(dice.choice(others) if others else "/dev/null")


def _folder(path: Path, dice: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _delete(path: Path, dice: random.Random) -> None:
    path.unlink()


DAMAGES = (_flip, _flip, _truncate, _lengthen, _replace, _swap, _link, _folder, _delete)


def _contents(folder: Path) -> list[Path]:
    """The clips and inputs, without what was made from them."""
    return sorted(path for path in folder.glob("??/*") if path.suffix in (".mp4", ".png") and path.name.count(".") == 1)


def _damage(folder: Path, dice: random.Random) -> None:
    """Change one or more files; sometimes nothing but their bytes tells."""
    paths = _contents(folder)
    for path in dice.sample(paths, dice.randint(1, len(paths))):
        if not path.is_file() or not path.stat().st_size:
            continue
        before = path.stat()
        dice.choice(DAMAGES)(path, dice)
        if dice.random() < 0.5 and path.is_file() and not path.is_symlink():
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def damaged_files(seed: int) -> Counter[str]:
    """A9: files under files/ change behind vidnb's back, while a kernel lives or between two of them."""
    return asyncio.run(_damaged_files(seed))


async def _damaged_files(seed: int) -> Counter[str]:
    dice, found, service = random.Random(seed), Counter[str](runs=1), Uploads()
    start, second = picture(64, 64, colour="teal"), picture(64, 64, colour="navy")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as parent:
        home = Path(parent) / "data"
        first = client_on(home, service)
        async with within(found):
            made = [await first.generate(name, **LEONARDO) for name in ("a koala", "a cat")]
            made.append(await first.generate("from a picture", start_image=start, **LEONARDO))
            service.refuses = True  # so that one job waits with an input that the service does not have yet
            waiting = await tried(first.generate("waits", start_image=second, timeout_s=60, **LEONARDO))
            service.refuses = False
        films = {clip.job.id: film(service.work(clip.job.remote_id).shade) for clip in made}  # type: ignore[arg-type,union-attr]
        right = {path.read_bytes() for path in _contents(home / "files")}
        begun = len(service.paid)
        lives = dice.random() < 0.5
        if lives:
            _read_all(first, found, films)
        else:
            await first.aclose()
        _damage(home / "files", dice)
        gone = dice.random() < 0.3  # the service may no longer have the clips
        if gone:
            service.on_poll = lambda request, work: httpx.Response(200, json={"generations_by_pk": None})
        client = first if lives else client_on(home, service)
        async with within(found):
            steps = [_read_all, _show_all, _fetch_all, _use_all, _resume_all]
            dice.shuffle(steps)
            for step in steps:
                outcome = step(client, found, films)
                if outcome is not None:
                    await outcome
        service.on_poll = lambda request, work: None
        async with within(found):
            if waiting is None:  # the person gives the picture once more, as the sentence says
                await tried(client.generate("waits", start_image=second, timeout_s=60, **LEONARDO))
            for clip in made:
                back = await tried(client.wait(clip.job, 60, quiet=True))
                content = back.path.read_bytes() if back is not None and back.has_file else b""
                found["lost or wrong clips"] += int(content != films[clip.job.id])
            await client.aclose()
        right |= {start, second}
        for form in service.uploaded:
            is_right = any(content in form for content in right) or _grey(form) in films.values()
            found["damaged uploads"] += int(not is_right)
        bodies = [json.dumps(work.body, sort_keys=True) for work in service.paid]
        found["second payments"] += len(bodies) - len(set(bodies))
        found["lost or wrong clips"] += int(len(service.paid) < begun)
    return found


def _read_all(client: AsyncClient, found: Counter[str], films: dict[str, bytes]) -> None:
    """Read each clip in every way; what comes out is right, or there is a sentence."""
    for job_id, content in films.items():
        for way in ("path", "read", "served"):
            try:
                clip = client.clip(job_id)
                if way == "path":
                    data = clip.path.read_bytes()
                elif way == "read":
                    data = clip.read()
                else:
                    data = content if clip.served_path is None else clip.served_path.read_bytes()
            except VidnbError:
                continue
            found["damaged files handed out"] += int(data != content)


def _show_all(client: AsyncClient, found: Counter[str], films: dict[str, bytes]) -> None:
    for job_id in films:
        try:
            client.clip(job_id)._repr_mimebundle_()
            client.history()._repr_html_()
        except Exception as error:  # noqa: BLE001  # that there is none is what is tried here
            found["raw errors"] += int(not isinstance(error, VidnbError))


async def _fetch_all(client: AsyncClient, found: Counter[str], films: dict[str, bytes]) -> None:
    for job_id, content in films.items():
        clip = await tried(client.wait(job_id, 60, quiet=True))
        if clip is not None and clip.has_file:
            found["damaged files handed out"] += int(clip.path.read_bytes() != content)


async def _use_all(client: AsyncClient, found: Counter[str], films: dict[str, bytes]) -> None:
    """Make more from what is there: the last frame of each clip, and each job once more with its own input."""
    for number, job_id in enumerate(films):
        try:
            clip = client.clip(job_id)
            await client.generate(f"goes on {number}", start_image=clip.last_frame, timeout_s=60, **LEONARDO)
            values = {**clip.request, "prompt": f"once more {number}"}
            await client.generate(timeout_s=60, model=clip.model, **values)
        except VidnbError:
            continue
        except Exception:  # noqa: BLE001  # that there is none is what is tried here
            found["raw errors"] += 1


async def _resume_all(client: AsyncClient, found: Counter[str], films: dict[str, bytes]) -> None:
    await tried(client.resume(timeout_s=60))


DAMAGED = {"A8 odd clips": odd_clips, "A9 files that changed": damaged_files}
