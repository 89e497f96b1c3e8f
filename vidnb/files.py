"""The files of the data folder: clips and posters, named by their content.

Bytes come in through a local part file, are hashed and checked there, and only then get their name, in one step. So a
file under a hash is complete, whatever was killed in between. The folder is local, or anything that fsspec reaches
(`VIDNB_FILES_URL=s3://bucket/folder`); files of a remote one are kept in a local copy once they were read.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from anyio import CapacityLimiter, to_thread

from vidnb.errors import ConfigError, StoreError

T = TypeVar("T")

FREE_BYTES = 64 * 2**20
"""Less than this left on the disk, and nothing new is begun."""
LARGEST_BYTES = 4 * 2**30
STALE_S = 24 * 3600
CHECKS_AT_ONCE = 4
"""Each is a thread, and what a thread that decodes video once took is not given back."""

README = """This folder is the history of vidnb: vidnb.db holds the jobs, files/ the clips, named by their content.
It may be moved or copied as a whole while no notebook uses it. Deleting it forgets every job and clip.
"""


def data_home() -> Path:
    """The data folder: VIDNB_HOME, else `vidnb-data` beside the notebook. It may not exist yet."""
    chosen = os.environ.get("VIDNB_HOME")
    return Path(chosen).expanduser().resolve() if chosen else Path.cwd() / "vidnb-data"


def open_home(home: Path | None = None) -> Path:
    """The data folder, made if it was missing, with a note for people and one for git.

    Raises:
        StoreError: the folder cannot be made.
    """
    home = home or data_home()
    with disk_errors(home):
        home.mkdir(parents=True, exist_ok=True)
        for name, text in (("README.txt", README), (".gitignore", "*\n")):
            if not (home / name).exists() and not (home / "vidnb.db").exists():
                (home / name).write_text(text, encoding="utf-8")
    return home


@contextmanager
def disk_errors(folder: object) -> Iterator[None]:
    """Raises StoreError, saying what to do, for whatever the disk or the file service refuses inside."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{folder}: {error.strerror or error}; check that the disk has space and the folder may be written to, "
            "or set VIDNB_HOME or VIDNB_FILES_URL to another place"
        ) from error


class Files:
    """Files by hash, in a folder on this machine or on a service that fsspec knows.

    Example:
        >>> files = Files("memory://clips")
        >>> sha256 = files.put(b"...", ".webp")
        >>> files.read(sha256, ".webp")
        b'...'
    """

    def __init__(self, url: str | Path | None = None) -> None:
        """Opens the folder; without `url` it is VIDNB_FILES_URL, else `files` in the data folder."""
        given = url or os.environ.get("VIDNB_FILES_URL") or open_home() / "files"
        remote = isinstance(given, str) and "://" in given and not given.startswith("file://")
        self._remote = _remote_folder(str(given)) if remote else None
        self.folder = (
            open_home() / "cache" if remote else Path(str(given).removeprefix("file://")).expanduser().resolve()
        )
        """Where files lie on this machine: all of them, or the copies of remote ones."""
        self._swept = False
        self._checks = CapacityLimiter(CHECKS_AT_ONCE)

    async def receive(self, chunks: AsyncIterator[bytes], suffix: str, check: Callable[[Path], T]) -> tuple[str, T]:
        """The hash of what came in and what `check` said of it; only then does the file exist under its name.

        Args:
            chunks: the bytes; whatever it raises passes through, and nothing is kept.
            suffix: of the name, as `.mp4`.
            check: looks at the complete file, in a worker thread; what it raises passes through, and nothing is kept.

        Raises:
            StoreError: the disk is full or the folder refuses.
        """
        file_name("0" * 64, suffix)  # a wrong suffix is found before the download, not after it
        digest, size = hashlib.sha256(), 0
        with self._part() as (path, file):
            # Written from the loop: into the page cache this is quicker than a change of thread for each chunk.
            async for chunk in chunks:
                size += len(chunk)
                if size > LARGEST_BYTES:
                    raise StoreError(f"the download passed {LARGEST_BYTES // 2**30} GB and was stopped")
                digest.update(chunk)
                self._write(file, chunk)
            result = await to_thread.run_sync(
                self._finish, path, file, digest.hexdigest(), suffix, check, limiter=self._checks
            )
        return digest.hexdigest(), result

    def put(self, data: bytes, suffix: str) -> str:
        """The hash under which the bytes now lie."""
        sha256 = hashlib.sha256(data).hexdigest()
        if not self.exists(sha256, suffix):
            with self._part() as (path, file):
                self._write(file, data)
                self._finish(path, file, sha256, suffix, lambda path: None)
        return sha256

    def exists(self, sha256: str, suffix: str) -> bool:
        """Whether the file is there."""
        name = file_name(sha256, suffix)
        return (self.folder / name).is_file() or (self._remote is not None and self._remote.exists(name))

    def path(self, sha256: str, suffix: str) -> Path | None:
        """A file on this machine with these bytes, fetched first where the folder is remote; None if there is none."""
        name = file_name(sha256, suffix)
        path = self.folder / name
        if not path.is_file() and self._remote is not None and self._remote.exists(name):
            self._fetch(name, sha256)
        return path if path.is_file() else None

    def local_path(self, sha256: str, suffix: str) -> Path | None:
        """The file itself, where it lies on this machine for good, so that a Jupyter server may serve it; else None."""
        path = self.folder / file_name(sha256, suffix)
        return path if self._remote is None and path.is_file() else None

    def read(self, sha256: str, suffix: str) -> bytes:
        """The bytes of a file.

        Raises:
            StoreError: there is no such file.
        """
        path = self.path(sha256, suffix)
        if path is None:
            raise StoreError(f"{file_name(sha256, suffix)} is not in {self._remote or self.folder}; was it deleted?")
        with disk_errors(path):
            return path.read_bytes()

    def derived(self, sha256: str, suffix: str, make: Callable[[], bytes]) -> bytes:
        """What was made from a file, as `poster.webp`: made once, then kept on this machine beside the file."""
        path = self.folder / file_name(sha256, suffix)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            data = make()
        with self._part() as (part, file), disk_errors(self.folder):
            file.write(data)
            file.close()
            publish(part, path)
        return data

    @contextmanager
    def _part(self) -> Iterator[tuple[Path, BinaryIO]]:
        """A new local file to write to; it is gone afterwards unless it was given its name."""
        parts = self.folder / ".part"
        with disk_errors(self.folder):
            parts.mkdir(parents=True, exist_ok=True)
            self._sweep(parts)
            free = shutil.disk_usage(parts).free
        if free < FREE_BYTES:
            raise StoreError(f"{self.folder}: only {free // 2**20} MB are left on the disk; free some space first")
        path = parts / f"{uuid.uuid4().hex}.part"
        with disk_errors(self.folder):
            file = path.open("xb")
        try:
            with file:
                yield path, file
        finally:
            path.unlink(missing_ok=True)

    def _write(self, file: BinaryIO, data: bytes) -> None:
        with disk_errors(self.folder):
            file.write(data)

    def _finish(self, path: Path, file: BinaryIO, sha256: str, suffix: str, check: Callable[[Path], T]) -> T:
        with disk_errors(self.folder):
            file.flush()
            os.fsync(file.fileno())
            file.close()
        result = check(path)
        name = file_name(sha256, suffix)
        with disk_errors(self._remote or self.folder):
            if self._remote is not None:
                self._remote.upload(path, name)
            publish(path, self.folder / name)
        return result

    def _fetch(self, name: str, sha256: str) -> None:
        with self._part() as (path, file):
            file.close()
            with disk_errors(self._remote):
                self._remote.download(name, path)  # type: ignore[union-attr]  # only called where it is not None
            with path.open("rb") as copy:
                if hashlib.file_digest(copy, "sha256").hexdigest() != sha256:
                    raise StoreError(f"{name} in {self._remote} is damaged: its content does not fit its name")
            publish(path, self.folder / name)

    def _sweep(self, parts: Path) -> None:
        """Remove what processes left that died a day ago or longer; one that lives writes, so its file is young."""
        if self._swept:
            return
        self._swept = True
        for path in parts.glob("*.part"):
            try:
                if time.time() - path.stat().st_mtime > STALE_S:
                    path.unlink()
            except FileNotFoundError:
                continue  # another process was quicker


def file_name(sha256: str, suffix: str) -> str:
    """The name of a file below its folder, from nothing but a checked hash and a checked suffix.

    Raises:
        ValueError: for anything that is no hash or no suffix.
    """
    extension = suffix.removeprefix(".")
    if not re.fullmatch(r"[0-9a-f]{64}", sha256) or not re.fullmatch(r"([a-z0-9]{1,8}\.)?[a-z0-9]{1,8}", extension):
        raise ValueError(f"{sha256!r} with {suffix!r} is no name of a file here")
    return f"{sha256[:2]}/{sha256}.{extension}"


def publish(part: Path, path: Path) -> None:
    """Give a complete file its name in one step, so that it outlives a crash of the machine too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part.replace(path)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class _Remote:
    """A folder that fsspec reaches."""

    def __init__(self, filesystem: Any, root: str, shown: str) -> None:
        self._filesystem = filesystem
        self._root = root.rstrip("/")
        self._shown = shown

    def __str__(self) -> str:
        return self._shown

    def exists(self, name: str) -> bool:
        with disk_errors(self):
            return bool(self._filesystem.isfile(f"{self._root}/{name}"))

    def upload(self, path: Path, name: str) -> None:
        """Under a passing name first: on some services a file is seen while it is still being written."""
        if self.exists(name):
            return
        target = f"{self._root}/{name}"
        passing = f"{target}.{uuid.uuid4().hex}.part"
        self._filesystem.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
        self._filesystem.put_file(str(path), passing)
        self._filesystem.mv(passing, target)

    def download(self, name: str, path: Path) -> None:
        self._filesystem.get_file(f"{self._root}/{name}", str(path))


def _remote_folder(url: str) -> _Remote:
    """The folder behind an address; messages show it without user and query, which may hold a secret."""
    from fsspec.core import url_to_fs

    scheme, _, rest = url.partition("://")
    shown = f"{scheme}://{rest.split('?')[0].rsplit('@', 1)[-1]}"
    try:
        filesystem, root = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise ConfigError(f"VIDNB_FILES_URL={shown} cannot be opened: {error}") from error
    return _Remote(filesystem, root, shown)
