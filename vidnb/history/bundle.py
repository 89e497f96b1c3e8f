"""A bundle: finished jobs with their recipes, files, measures and ratings in one zip file, to share, merge or replay.

What travels is a list of names (`Entry`), never a whole row: no key, account, purse, address of a service, id there, or
signed link. What comes in is checked before anything is kept: the zip by `archive`, each row by `Entry`, each file by
its hash, and each clip by decoding it.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from vidnb import arguments
from vidnb.display.labels import many
from vidnb.errors import ConfigError, MediaError, StoreError
from vidnb.files import Files
from vidnb.history.scorers import NAME
from vidnb.params.request import Recipe
from vidnb.records import TERMINAL, ClipInfo, Cost, Job, State
from vidnb.store import Store
from vidnb.store.queries import files_of

FORMAT, VERSION = "vidnb-bundle", 1
EXAMPLE = "lighthouse.vidnb"
ADDRESS = "bundle:"
"""Where an imported job was sent to: no service has it."""
SIGNED = re.compile(r"(https?://[^\s?#\"'<>]+)[?#][^\s\"'<>]*")
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Words = Annotated[str, Field(max_length=200)]
MOST_NAMES = 500
"""A bundle whose params have more names would make a table of more columns than a database has."""


def _in_reach(time: datetime) -> datetime:
    """A time that every database and every zone can hold."""
    if time.tzinfo is None or not 1970 <= time.year <= 2200:
        raise ValueError("a time of no zone, or far away")
    return time


Time = Annotated[datetime, AfterValidator(_in_reach)]


class ClipEntry(BaseModel):
    """What was measured of a clip's file; measured again when it comes in."""

    model_config = ConfigDict(extra="forbid")

    sha256: Hash
    note: Annotated[str, Field(max_length=2000)] | None = None


class Entry(BaseModel):
    """One job in a bundle: these names and no others travel."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    provider: Words
    model: Words
    recipe_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{32,64}$")]
    seeded_hash: Hash | None = None
    seed_drawn: bool = False
    take: Annotated[int, Field(ge=0, lt=2**31)]
    state: State
    params: dict[Annotated[str, Field(min_length=1, max_length=200)], Any]
    images: dict[Annotated[str, Field(min_length=1, max_length=200)], list[dict[str, str]]]
    dropped: dict[str, Any] = {}
    emulated: bool
    created_at: Time
    submitted_at: Time | None = None
    finished_at: Time | None = None
    done_at: Time | None = None
    cost: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], Words] | None = None
    nsfw: bool | None = None
    error: dict[str, Any] | None = None
    clip: ClipEntry | None = None
    outputs: Annotated[list[ClipEntry], Field(max_length=20)] = []
    used_seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    used_prompt: Annotated[str, Field(max_length=20_000)] | None = None
    rating: Annotated[int, Field(ge=1, le=5)] | None = None
    tags: Annotated[list[Annotated[str, Field(max_length=60)]], Field(max_length=50)] = []
    note: Annotated[str, Field(max_length=10_000)] = ""


@dataclass(frozen=True)
class Bundled:
    """What was written: `str()` says it."""

    path: Path
    jobs: int
    clips: int
    size_bytes: int
    left_out: int
    """Jobs that are still on their way, or whose file is gone."""

    def __str__(self) -> str:
        left = f"; {self.left_out} left out: on their way, or their file is gone" if self.left_out else ""
        jobs = f"{self.jobs} job{'s' if self.jobs != 1 else ''}"
        return f"{self.path}: {jobs}, {many(self.clips, 'clip')}, {self.size_bytes / 1e6:.1f} MB{left}"

    __repr__ = __str__


def write(store: Store, files: Files, jobs: Iterable[Job], path: str | Path) -> Bundled:
    """Write finished jobs into a bundle; see `History.bundle`."""
    target = arguments.file_path(path, EXAMPLE)
    if os.path.lexists(target):
        raise ConfigError(f"{target} exists already; choose another name, or delete it first")
    with arguments.written(target) as part:
        counts = _write(store, files, jobs, part)
    return Bundled(target, *counts)


def _write(store: Store, files: Files, jobs: Iterable[Job], part: Path) -> tuple[int, int, int, int]:
    lines, written, left_out = [], set[tuple[str, str]](), 0
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for job in jobs:
            wanted = _files(job)
            if job.state not in TERMINAL or not all(files.exists(*one) for one in wanted):
                left_out += 1
                continue
            for sha256, suffix in sorted(wanted - written):
                archive.writestr(f"files/{sha256}{suffix}", files.read(sha256, suffix))
            written |= wanted
            lines.append(_entry(job).model_dump_json(exclude_none=True))
        measured = store.measured_versions({sha256 for sha256, _ in written})
        values = [json.dumps([*key, value]) for key, value in sorted(measured.items())]
        about = {"format": FORMAT, "version": VERSION, "jobs": len(lines)}
        for name, text in (
            ("jobs.jsonl", "\n".join(lines)), ("measures.jsonl", "\n".join(values)), ("bundle.json", json.dumps(about)),
        ):  # fmt: skip
            archive.writestr(name, text, zipfile.ZIP_DEFLATED)
    clips = len({sha256 for sha256, suffix in written if suffix == ".mp4"})
    return len(lines), clips, part.stat().st_size, left_out


def _entry(job: Job) -> Entry:
    names = (
        "id", "provider", "model", "recipe_hash", "seeded_hash", "seed_drawn", "take", "state", "emulated",
        "created_at", "submitted_at", "finished_at", "done_at", "nsfw", "rating", "note",
        "used_seed", "used_prompt",
    )  # fmt: skip
    return Entry.model_construct(
        **{name: getattr(job, name) for name in names},
        params=dict(job.params), dropped=dict(job.dropped), tags=list(job.tags),
        images={name: [dict(item) for item in items] for name, items in job.images.items()},
        cost=(job.cost.amount, job.cost.unit) if job.cost else None,
        error=_unsigned(dict(job.error)) if job.error else None,
        clip=ClipEntry(sha256=job.clip.sha256, note=job.clip.note) if job.clip else None,
        outputs=[ClipEntry(sha256=one.sha256, note=one.note) for one in job.outputs],
    )  # fmt: skip


def _unsigned(value: Any) -> Any:
    """The same without what follows the question mark of an address: a signature may stand there."""
    if isinstance(value, str):
        return SIGNED.sub(r"\1", value)
    if isinstance(value, Mapping):
        return {name: _unsigned(one) for name, one in value.items()}
    return [_unsigned(one) for one in value] if isinstance(value, list | tuple) else value


def read(store: Store, files: Files, path: Path, *, replay: bool = False) -> tuple[list[str], int]:
    """Merge a bundle into a data folder; see `vidnb.open_bundle`.

    Returns:
        The ids of its jobs, and how many of them were new.

    Raises:
        StoreError: it is no bundle, or something in it is not what it says; nothing was taken from it.
    """
    from vidnb.history.archive import opened

    with opened(path) as archive:
        count = _checked_count(archive.text("bundle.json"), archive.refused)
        entries = [_read_entry(line, archive.refused) for line in archive.text("jobs.jsonl").split("\n") if line]
        if len(entries) != count or len({entry.id for entry in entries}) != count:
            raise archive.refused(f"it should hold {many(count, 'job')} and has {len(entries):,}, or one of them twice")
        if len({name for entry in entries for name in (*entry.params, *entry.images)}) > MOST_NAMES:
            raise archive.refused(f"its params have over {MOST_NAMES} names")
        measures = _read_measures(archive.text("measures.jsonl"), archive.refused)
        there = set(archive.files())
        clips: dict[str, ClipInfo] = {}
        for sha256, suffix in sorted(there):  # all of them, before any is kept
            data = archive.file(sha256, suffix)
            if suffix == ".mp4":
                clips[sha256] = _look(data, sha256, archive.refused)
        jobs = [_job(entry, clips, there, replay, archive.refused) for entry in entries]
        for sha256, suffix in sorted({file for job in jobs for file in _files(job)}):
            files.put(archive.file(sha256, suffix), suffix)
    new = store.merge(jobs, {sha256: measures[sha256] for sha256 in clips if sha256 in measures})
    return [job.id for job in jobs], len(new)


Refuse = Callable[[str], StoreError]


def _checked_count(text: str, refused: Refuse) -> int:
    """How many jobs the bundle says it holds, once its form is known."""
    try:
        about = json.loads(text)
        version, count = (about["version"], about.get("jobs")) if about["format"] == FORMAT else (None, None)
    except (ValueError, KeyError, TypeError, RecursionError):
        version = None
    if version is None:
        raise refused("it does not say that it is one")
    if version != VERSION:
        number = arguments.in_short(version)
        raise refused(f"its form has the number {number}, this vidnb knows {VERSION}: pip install -U vidnb")
    if not isinstance(count, int):
        raise refused("it does not say how many jobs it holds")
    return count


def _read_entry(line: str, refused: Refuse) -> Entry:
    try:
        json.loads(line, parse_constant=_no_number)  # pydantic lets NaN and Infinity through where anything may stand
        entry = Entry.model_validate_json(line)
    except (ValidationError, RecursionError, ValueError) as error:
        problems = error.errors() if isinstance(error, ValidationError) else []
        where = ".".join(str(one)[:40] for one in problems[0]["loc"]) if problems else ""
        raise refused(f"{where or 'something'} of a job is not as it must be") from None
    if entry.state not in TERMINAL or (entry.state is State.DONE) != (entry.clip is not None):
        raise refused(f"job {entry.id[:8]} is not at its end")
    return entry


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _read_measures(text: str, refused: Refuse) -> dict[str, dict[tuple[str, str], float | None]]:
    found: dict[str, dict[tuple[str, str], float | None]] = {}
    for line in filter(None, text.split("\n")):
        try:
            sha256, name, version, value = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            raise refused("a measure is not as it must be") from None
        if not (isinstance(sha256, str) and isinstance(name, str) and isinstance(version, str) and _is_measured(value)):
            raise refused("a measure is not as it must be")
        if not NAME.fullmatch(name) or len(version) > 200:
            raise refused("the name of a measure is not as it must be")
        found.setdefault(sha256, {})[name, version] = None if value is None else float(value)
    return found


def _is_measured(value: Any) -> bool:
    """Whether this is a number that a database takes, or none: JSON of Python also knows NaN and Infinity."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | float):
        return value is None
    return abs(value) <= sys.float_info.max


def _look(data: bytes, sha256: str, refused: Refuse) -> ClipInfo:
    """What a clip measures; nothing that the bundle says of it is believed."""
    from vidnb.media import video

    with tempfile.TemporaryDirectory(prefix="vidnb-") as folder:
        path = Path(folder) / "clip.mp4"
        path.write_bytes(data)
        try:
            return replace(video.verify_video(path), sha256=sha256)
        except MediaError as error:
            why = str(error).replace(str(path), path.name)
            raise refused(f"{sha256[:8]}….mp4 is no video ({why})") from None


def _files(job: Job) -> set[tuple[str, str]]:
    return files_of([clip.sha256 for clip in (job.clip, *job.outputs) if clip], job.images)


def _job(
    entry: Entry, clips: Mapping[str, ClipInfo], there: set[tuple[str, str]], replay: bool, refused: Refuse
) -> Job:
    fields = entry.model_dump(exclude={"clip", "cost", "tags", "outputs"})
    clip = clips.get(entry.clip.sha256) if entry.clip else None
    outputs = tuple(clips[one.sha256] for one in entry.outputs if one.sha256 in clips)
    job = Job(
        **fields, base_url=ADDRESS, imported=True, clip=clip, outputs=outputs, tags=tuple(entry.tags),
        cost=Cost(*entry.cost) if entry.cost else None,
    )  # fmt: skip
    missing = (entry.clip is not None and clip is None) or len(outputs) < len(entry.outputs)
    if missing or not _files(job) <= there:
        raise refused(f"a file of job {entry.id[:8]} is missing in it")
    return replace(job, replays=replay and job.state is State.DONE and _is_its_recipe(job))


def _is_its_recipe(job: Job) -> bool:
    """Whether the hash is that of the recipe: only such a job may answer for it."""
    whole = _hash(job, job.params)
    if not job.seed_drawn:
        return job.recipe_hash == whole
    opened = {name: value for name, value in job.params.items() if name != "seed"}
    return job.seeded_hash == whole and job.recipe_hash == _hash(job, opened)


def _hash(job: Job, params: Mapping[str, Any]) -> str:
    return Recipe(job.model, params, job.images).recipe_hash
