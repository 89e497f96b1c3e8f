"""A finished job's video: what a cell shows, and where its frames, measures and recipe are read."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vidnb import catalog, shown
from vidnb.catalog import MEDIA_KINDS
from vidnb.errors import ConfigError, MediaError, StoreError
from vidnb.files import Files
from vidnb.records import ClipInfo, Cost, Job, RemoteMedia

if TYPE_CHECKING:
    from PIL.Image import Image

    from vidnb.media.sheets import Sheet


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
    def outputs(self) -> list[Clip]:
        """Further clips that the service made for the same job, in its order; nearly always none.

        vidnb asks for one clip a job; what a service gives beside it was paid for, and is kept.
        """
        return [Clip(replace(self.job, clip=info, outputs=()), self._files) for info in self.job.outputs]

    @property
    def path(self) -> Path:
        """The file on this machine (fetched to a cache where the data folder is remote).

        Raises:
            StoreError: somebody deleted or damaged it.
        """
        found = self._files.path(self.info.sha256, ".mp4")
        if found is None:
            what = (
                "is damaged" if self._files.is_damaged(self.info.sha256, ".mp4") else "is no longer in the data folder"
            )
            raise StoreError(
                f"the file of job {self.job.id[:8]} {what}; "
                f"vidnb.wait({self.job.id[:8]!r}) fetches it again while the service has it"
            )
        return found

    @property
    def has_file(self) -> bool:
        """Whether the file is there; somebody may have deleted it."""
        return self._files.exists(self.info.sha256, ".mp4")

    @property
    def sheet(self) -> Sheet:
        """Small frames of the whole clip on one sheet; made once and kept beside the clip."""
        from vidnb.media import sheets

        made = self._files.derived(self.info.sha256, "sheet.webp", lambda: sheets.sheet(self.path, self.info.frames))
        return sheets.opened_sheet(made, self.info.frames)

    @property
    def served_path(self) -> Path | None:
        """The file in the data folder, or None where that is not on this machine."""
        return self._files.local_path(self.info.sha256, ".mp4")

    def read(self) -> bytes:
        """The file's bytes."""
        return self._files.read(self.info.sha256, ".mp4")

    @functools.cached_property
    def poster(self) -> bytes:
        """A small WebP of the first frame, at most 480 pixels wide; made once and kept beside the clip.

        Where no frame can be shown, as in a file with sound only, it is a picture of the words that say so.
        """
        from vidnb.media import video

        def make() -> bytes:
            path = self.path
            try:
                return video.poster(path)
            except MediaError:
                return video.card(self.info.note or video.UNDECODED)

        return self._files.derived(self.info.sha256, "poster.webp", make)

    @functools.cached_property
    def flashes(self) -> bool:
        """True where the clip flashes more than three times a second, as WCAG counts; looked at once and remembered.

        Such a clip should not play by itself: it can harm people with photosensitive epilepsy. A clip that cannot be
        decoded here counts as one that flashes.
        """
        from vidnb.media import video

        def look() -> bytes:
            path = self.path
            try:
                return json.dumps(video.flashes(path)).encode()
            except MediaError:
                return json.dumps(bool(self.info.frames)).encode()

        return bool(json.loads(self._files.derived(self.info.sha256, "flashes.json", look)))

    def derived(self, suffix: str, make: Callable[[], bytes]) -> bytes:
        """What is made from the file, as `small.webp`: made once, then kept beside it."""
        return self._files.derived(self.info.sha256, suffix, make)

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
        from vidnb.media import video

        return video.frame(self.path, at)

    def input_bytes(self, item: Mapping[str, str]) -> bytes:
        """The bytes of one of the job's inputs, as `job.images` lists them.

        Raises:
            StoreError: somebody deleted or damaged its file.
        """
        return self._files.read(item["sha256"], f".{item['extension']}")

    def save(self, path: str | Path, *, recipe: bool = False) -> Path:
        """Write a copy of the file, and return its path; an existing file is not overwritten.

        Args:
            path: of the copy.
            recipe: True to write the recipe into the copy's metadata, where `vidnb.request(Path(...))` reads it; the
                pictures stay the same bytes.

        Raises:
            FileExistsError: there is a file already.
        """
        target = Path(path)
        with target.open("xb") as file:
            if not recipe:
                file.write(self.read())
        if recipe:
            from vidnb.media import tagged

            told = {
                "model": self.model, "params": dict(self.params), "inputs": [*self.job.images], "take": self.job.take,
                "emulated": self.emulated,
            }  # fmt: skip
            try:
                tagged.write(self.path, target, told)
            except BaseException:
                target.unlink(missing_ok=True)  # nobody takes half a file for a clip
                raise
        return target

    def __repr__(self) -> str:
        info = self.info
        mark = "".join(f"{mark} " for mark in self.job.marks)
        seed = f", seed {self.seed}" if self.seed is not None else ""
        size = f"{info.width_px}x{info.height_px}" if info.width_px else "no picture"
        rate = f", {info.fps:g} fps" if info.fps else ""
        return f"<Clip {mark}{self.model}{seed}: {size}, {info.duration_s:g} s{rate}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": shown.html(self), **shown.live(self)}


def request_of(job: Job, files: Files) -> dict[str, Any]:
    """The recipe of a job as arguments of `generate`: see `Clip.request`."""
    entry = catalog.load().get(job.model)
    alone = {name for name, param in entry.params.items() if param.kind == "image"} if entry else set()

    def stored(name: str, item: Mapping[str, str]) -> Path | RemoteMedia:
        if "sha256" not in item:
            return RemoteMedia(**item)
        path = files.path(item["sha256"], f".{item['extension']}")
        if path is None:
            raise StoreError(f"the file of {name} of job {job.id[:8]} is no longer in the data folder, or is damaged")
        return path

    inputs = {name: [stored(name, item) for item in items] for name, items in job.images.items()}
    return dict(job.params) | {name: items[0] if name in alone else items for name, items in inputs.items()}


def request_in(path: Path) -> dict[str, Any]:
    """The recipe that an MP4 carries, as arguments of `generate`; its inputs are not in it.

    Raises:
        MediaError: it is no video, or carries no recipe.
    """
    return recipe_in(path, path.name)[0]


def recipe_in(source: Path | io.BytesIO, name: str) -> tuple[dict[str, Any], list[str]]:
    """The recipe that an MP4 carries as arguments of `generate`, and the names of the inputs that it had.

    Whoever made the file wrote the recipe: a path in it, given for a picture, would be read and sent to a service. So
    what stands there for an input is left out.

    Raises:
        MediaError: it is no video, carries no recipe, or one of a model that nobody knows.
    """
    from vidnb.media import tagged

    found = tagged.read(source)
    params = found.get("params") if found else None
    if not found or not isinstance(params, Mapping) or not isinstance(found.get("model"), str):
        raise MediaError(f"{name} carries no recipe; clip.save(path, recipe=True) writes one")
    try:
        entry = catalog.find(found["model"])
    except ConfigError as error:
        raise MediaError(f"the recipe in {name} cannot be used: {error}") from error
    inputs = {one for one, param in entry.params.items() if param.kind in MEDIA_KINDS}
    # Nothing but values of this model: `generate` has arguments of other names, which accept a price or a second take.
    values = {one: value for one, value in params.items() if one in entry.params and one not in inputs}
    had = found.get("inputs")
    missing = [one for one in had if isinstance(one, str) and one in inputs] if isinstance(had, list) else []
    return {"model": entry.id, **values}, missing
