"""A zip file that a stranger made, opened with care: only names and sizes that a bundle has, every file by its hash."""

from __future__ import annotations

import hashlib
import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidnb.errors import StoreError

NAMES = re.compile(r"bundle\.json|jobs\.jsonl|measures\.jsonl|files/[0-9a-f]{64}\.[a-z0-9]{2,5}")
SUFFIXES = {".mp4", ".mov", ".webm", ".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".mp3", ".wav", ".m4a"}
MOST_ENTRIES = 400_000
LARGEST_TEXT = 2**30
LARGEST_FILE = 2**32
MOST_BYTES = 2**38
MOST_GROWTH = 200
"""A text may be so many times larger than its part of the zip; files are stored as they are."""


class Archive:
    """The checked entries of a bundle; nothing is written anywhere by it.

    Args:
        path: of the zip file.
        opened: the zip file.
    """

    def __init__(self, path: Path, opened: zipfile.ZipFile) -> None:
        self._path = path
        self._zip = opened
        self._entries = {entry.filename: entry for entry in opened.infolist()}
        self._check()

    def _check(self) -> None:
        entries = self._zip.infolist()
        if len(entries) > MOST_ENTRIES or len(entries) != len(self._entries):
            raise self.refused("it holds too many files, or one name twice")
        if sum(entry.file_size for entry in entries) > MOST_BYTES:
            raise self.refused(f"it would take more than {MOST_BYTES // 2**30} GB")
        for entry in entries:
            self._check_entry(entry)

    def _check_entry(self, entry: zipfile.ZipInfo) -> None:
        name = entry.filename
        if not NAMES.fullmatch(name) or (name.startswith("files/") and Path(name).suffix not in SUFFIXES):
            raise self.refused(f"{name[:80]!r} is no name that a bundle has")
        mode = entry.external_attr >> 16
        if entry.is_dir() or (stat.S_IFMT(mode) and not stat.S_ISREG(mode)) or entry.flag_bits & 1:
            raise self.refused(f"{name!r} is a link, a folder, or locked with a password")
        is_file = name.startswith("files/")
        if entry.file_size > (LARGEST_FILE if is_file else LARGEST_TEXT):
            raise self.refused(f"{name!r} is too large")
        if entry.file_size > entry.compress_size * (1 if is_file else MOST_GROWTH) + 4096:
            raise self.refused(f"{name!r} would grow far beyond its size in the zip")

    def refused(self, why: str) -> StoreError:
        """The error that says what is wrong with the file."""
        return StoreError(f"{self._path.name} is no bundle that can be opened: {why}; nothing was taken from it")

    def text(self, name: str) -> str:
        """An entry as text; "" where there is none."""
        if name not in self._entries:
            return ""
        try:
            return self._read(name).decode("utf-8")
        except UnicodeDecodeError:
            raise self.refused(f"{name!r} is no text") from None

    def files(self) -> list[tuple[str, str]]:
        """The files by hash and suffix."""
        names = (name.removeprefix("files/") for name in self._entries if name.startswith("files/"))
        return [(name[:64], name[64:]) for name in names]

    def file(self, sha256: str, suffix: str) -> bytes:
        """A file's bytes.

        Raises:
            StoreError: they are not those that its name stands for, or no picture, video or sound.
        """
        data = self._read(f"files/{sha256}{suffix}")
        if hashlib.sha256(data).hexdigest() != sha256:
            raise self.refused(f"the bytes of {sha256[:8]}…{suffix} are not those that its name stands for")
        if data[:512].lstrip(b"\xef\xbb\xbf \t\r\n\0").startswith(b"<"):
            raise self.refused(f"{sha256[:8]}…{suffix} is a page and no picture, video or sound")
        return data

    def _read(self, name: str) -> bytes:
        entry = self._entries[name]
        try:
            with self._zip.open(entry) as file:
                data = file.read(entry.file_size + 1)
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise self.refused(f"{name!r} is damaged ({error})") from None
        if len(data) != entry.file_size:
            raise self.refused(f"{name!r} is not as long as it says")
        return data


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """The checked entries of a bundle.

    Raises:
        StoreError: it is no bundle, or one that nobody should open.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield Archive(path, archive)
    except FileNotFoundError:
        raise StoreError(f"there is no file {path}") from None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}") from None
    except zipfile.BadZipFile as error:
        raise StoreError(f"{path.name} is no bundle: {error}; nothing was taken from it") from None
