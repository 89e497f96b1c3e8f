"""A finished job's video: what a cell shows, and where its frames, measures and recipe are read."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vidnb import catalog
from vidnb.errors import StoreError
from vidnb.files import Files
from vidnb.records import ClipInfo, Cost, Job, RemoteMedia

if TYPE_CHECKING:
    from PIL.Image import Image


class Clip:
    """The video of a done job; as the last value of a cell it plays there.

    Example:
        >>> clip = vidnb.generate("a koala in a meadow", model="leonardo/motion_2.0", seed=7)
        >>> clip.path, clip.info.duration_s
        >>> vidnb.generate("it runs away", model="leonardo/grok-imagine-1.5", start_image=clip.last_frame)
    """

    def __init__(self, job: Job, files: Files) -> None:
        if job.clip is None:
            raise StoreError(f"job {job.id} is {job.state}, it has no clip")
        self.job = job
        self._files = files

    @property
    def model(self) -> str:
        """Id of the model."""
        return self.job.model

    @property
    def params(self) -> Mapping[str, Any]:
        """The recipe's params."""
        return self.job.params

    @property
    def prompt(self) -> str:
        """The prompt, or ""."""
        return self.job.prompt

    @property
    def seed(self) -> int | None:
        """The seed that was sent, or None."""
        return self.job.params.get("seed")

    @property
    def cost(self) -> Cost | None:
        """What the service said that it charged, or None where it says nothing."""
        return self.job.cost

    @property
    def emulated(self) -> bool:
        """True where no real service made it."""
        return self.job.emulated

    @property
    def rating(self) -> int | None:
        """A person's, from 1 to 5; `vidnb.annotate` sets it."""
        return self.job.rating

    @property
    def tags(self) -> tuple[str, ...]:
        """A person's tags."""
        return self.job.tags

    @property
    def note(self) -> str:
        """A person's note, or ""."""
        return self.job.note

    @property
    def request(self) -> dict[str, Any]:
        """The recipe as arguments: `vidnb.generate(model=clip.model, **clip.request)` finds this clip's first take.

        Inputs are the paths of the files that were stored, or where they lie at the provider.

        Raises:
            StoreError: somebody deleted an input's file.
        """
        return request_of(self.job, self._files)

    @property
    def info(self) -> ClipInfo:
        """What was measured of the file: pixels, frames a second, seconds, codec."""
        assert self.job.clip is not None
        return self.job.clip

    @property
    def path(self) -> Path:
        """The file on this machine (fetched to a cache where the data folder is remote).

        Raises:
            StoreError: somebody deleted it.
        """
        found = self._files.path(self.info.sha256, ".mp4")
        if found is None:
            raise StoreError(
                f"the file of job {self.job.id[:8]} is no longer in the data folder; "
                f"vidnb.wait({self.job.id[:8]!r}) fetches it again while the service has it"
            )
        return found

    @property
    def served_path(self) -> Path | None:
        """The file in the data folder, or None where that is not on this machine."""
        return self._files.local_path(self.info.sha256, ".mp4")

    def read(self) -> bytes:
        """The file's bytes."""
        return self._files.read(self.info.sha256, ".mp4")

    @functools.cached_property
    def poster(self) -> bytes:
        """A small WebP of the first frame, at most 480 pixels wide; made once and kept beside the clip."""
        from vidnb import media

        return self._files.derived(self.info.sha256, "poster.webp", lambda: media.poster(self.path))

    @functools.cached_property
    def flashes(self) -> bool:
        """True where the clip flashes more than three times a second, as WCAG counts; looked at once and remembered.

        Such a clip should not play by itself: it can harm people with photosensitive epilepsy.
        """
        from vidnb import media

        def look() -> bytes:
            return json.dumps(media.flashes(self.path)).encode()

        return bool(json.loads(self._files.derived(self.info.sha256, "flashes.json", look)))

    @property
    def first_frame(self) -> Image:
        """The first frame as a PIL image."""
        return self.frame(0.0)

    @property
    def last_frame(self) -> Image:
        """The last frame as a PIL image: what a next clip can start from."""
        return self.frame("last")

    def frame(self, at: float | Literal["first", "last"]) -> Image:
        """The frame that is shown `at` seconds (or `"first"`, `"last"`) as a PIL image."""
        from vidnb import media

        return media.frame(self.path, at)

    def save(self, path: str | Path) -> Path:
        """The path to which a copy of the file was written; an existing file is not overwritten.

        Raises:
            FileExistsError: there is a file already.
        """
        target = Path(path)
        with target.open("xb") as file:
            file.write(self.read())
        return target

    def __repr__(self) -> str:
        info, mark = self.info, "EMULATED " if self.emulated else ""
        seed = f", seed {self.seed}" if self.seed is not None else ""
        size = f"{info.width_px}x{info.height_px}"
        return f"<Clip {mark}{self.model}{seed}: {size}, {info.duration_s:g} s, {info.fps:g} fps>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from vidnb import display

        return {"text/plain": repr(self), "text/html": str(display.clip_html(self))}  # marimo takes no subclass of str


def request_of(job: Job, files: Files) -> dict[str, Any]:
    """The recipe of a job as arguments of `generate`: see `Clip.request`."""
    entry = catalog.load().get(job.model)
    alone = {name for name, param in entry.params.items() if param.kind == "image"} if entry else set()

    def stored(name: str, item: Mapping[str, str]) -> Path | RemoteMedia:
        if "sha256" not in item:
            return RemoteMedia(**item)
        path = files.path(item["sha256"], f".{item['extension']}")
        if path is None:
            raise StoreError(f"the file of {name} of job {job.id[:8]} is no longer in the data folder")
        return path

    inputs = {name: [stored(name, item) for item in items] for name, items in job.images.items()}
    return dict(job.params) | {name: items[0] if name in alone else items for name, items in inputs.items()}
