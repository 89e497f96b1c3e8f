"""The files of the data folder: clips and posters, named by their content.

Bytes come in through a local part file, are hashed and checked there, and only then get their name, in one step. So a
file under a hash is complete, whatever was killed in between. What happened to it later is noticed when it is read: a
file whose bytes no longer fit its name counts as missing, and is replaced when it comes again. The folder is local, or
anything that fsspec reaches (`VIDNB_FILES_URL=s3://bucket/folder`); files of a remote one are kept in a local copy once
they were read.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import shutil
import stat
import threading
import uuid
from collections.abc import AsyncIterable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from anyio import CapacityLimiter

from vidnb.clock import Clock
from vidnb.errors import ConfigError, StoreError, VidnbError
from vidnb.records import redact
from vidnb.threads import until_over

log = logging.getLogger("vidnb")

T = TypeVar("T")
_MISTYPED = re.compile(r"(s3a?|gc?s|az|abfss?|https?|s?ftp|hdfs|file|memory):/?(?!/)", re.IGNORECASE)
"""An address with a slash too few."""

FREE_BYTES = 64 * 2**20
"""With less free disk than this, nothing new is begun and no download continues."""
LOOK_BYTES = 8 * 2**20
"""After so many bytes of a download the disk is looked at again."""
LARGEST_BYTES = 4 * 2**30
LITTER_S, STALE_S = 30.0, 1800.0
"""A part file to which nobody wrote for so long, and that no process holds, is litter of one that was killed; so is one
that is older still, where files cannot be held."""
SWEEP_EVERY_S = 600.0
SERVED_BYTES = 16 * 2**20
"""A larger file is handed to the Jupyter server without its content being looked at first: that would take too long."""
CHECKS_AT_ONCE = 4
"""How many files are checked at the same time. Each check is a thread, and memory once used to decode is not freed."""

DEFAULT_HOME = "vidnb-data"
_begun: dict[str, Path] = {}
"""Value of VIDNB_HOME ("" where it is unset) -> the data folder that this process uses for it."""

README = """This folder is the history of vidnb: vidnb.db holds the jobs, files/ the clips, named by their content.
It may be moved or copied as a whole while no notebook uses it. Deleting it forgets every job and clip.
"""


def data_home() -> Path:
    """The data folder: VIDNB_HOME, else `vidnb-data` beside the notebook. It may not exist yet.

    Once a client began with it, it stays the same wherever the working directory moves.
    """
    chosen = os.environ.get("VIDNB_HOME") or ""
    if (begun := _begun.get(chosen)) is not None:
        return begun
    if "://" in chosen:
        raise ConfigError(f"VIDNB_HOME={redact(chosen)!r} is no folder; VIDNB_FILES_URL takes the address of a store")
    try:
        return Path(chosen).expanduser().resolve() if chosen else Path.cwd() / DEFAULT_HOME
    except RuntimeError as error:  # a user that nobody knows, or a loop of links
        raise ConfigError(f"VIDNB_HOME={chosen!r} is no folder: {error}; give it a whole path") from None
    except FileNotFoundError:
        raise ConfigError("the working directory was removed; go to another one, or set VIDNB_HOME") from None


def begin_home() -> Path:
    """Return the data folder; from now on this process keeps to it, whatever the working folder is."""
    return _begun.setdefault(os.environ.get("VIDNB_HOME") or "", data_home())


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

    def __init__(self, url: str | Path | None = None, *, clock: Clock | None = None) -> None:
        """Open the folder.

        Args:
            url: where it is; default VIDNB_FILES_URL, else `files` in the data folder.
            clock: says how old a file is that nobody finished.
        """
        given = url or os.environ.get("VIDNB_FILES_URL") or open_home() / "files"
        from pydantic import SecretStr  # here, as every command imports this module

        self._given = None if url is None else SecretStr(str(url))
        if isinstance(given, str) and _MISTYPED.match(given):  # a folder of that name beside the notebook is not meant
            raise ConfigError(f"VIDNB_FILES_URL={redact(given)!r}: an address has two slashes, as s3://bucket/folder")
        remote = isinstance(given, str) and "://" in given and not given.startswith("file://")
        self._clock = clock or Clock()
        self._remote = _remote_folder(str(given), self._clock) if remote else None
        self.folder = (
            open_home() / "cache" if remote else Path(str(given).removeprefix("file://")).expanduser().resolve()
        )
        """Where files lie on this machine: all of them, or the copies of remote ones."""
        self._checks = CapacityLimiter(CHECKS_AT_ONCE)
        self._broom = _Broom(self._clock, self._sweep, LITTER_S)
        self._broom.use()
        self._looked_at: dict[Path, tuple[tuple[int, ...], bool]] = {}
        self._damaged: set[str] = set()

    def __reduce__(self) -> tuple[type[Files], tuple[str | None]]:
        """The folder again, as a clip in another process opens it; a password in the address is not written down."""
        if self._remote is None:
            return Files, (str(self.folder),)
        return Files, (None if self._given is None else self._given.get_secret_value(),)

    async def receive(
        self, chunks: AsyncIterable[bytes], suffix: str, check: Callable[[Path], T], announced: int | None = None
    ) -> tuple[str, T]:
        """Store what comes in; return its hash, and what `check` returned. Nobody sees the file before `check` passed.

        Args:
            chunks: the bytes; whatever it raises passes through, and nothing is kept.
            suffix: of the name, as `.mp4`.
            check: looks at the complete file, in a worker thread; what it raises passes through, and nothing is kept.
            announced: how many bytes there will be, as far as anyone said.

        Raises:
            StoreError: the disk is full, or would be, or the folder refuses.
        """
        file_name("0" * 64, suffix)  # a wrong suffix is found before the download, not after it
        digest, size = hashlib.sha256(), 0
        with self._part(announced or 0) as (path, file):
            # Written from the loop: into the page cache this is quicker than a change of thread for each chunk.
            async for chunk in chunks:
                if size // LOOK_BYTES != (size + len(chunk)) // LOOK_BYTES:
                    self._check_room(0)
                size += len(chunk)
                if size > LARGEST_BYTES:
                    raise StoreError(f"the download passed {LARGEST_BYTES // 2**30} GB and was stopped")
                digest.update(chunk)
                self._write(file, chunk)
            async with self._checks:
                result = await until_over(self._finish, path, file, digest.hexdigest(), suffix, check)
        return digest.hexdigest(), result

    def put(self, data: bytes, suffix: str) -> str:
        """Store these bytes, and return their hash."""
        sha256 = hashlib.sha256(data).hexdigest()
        if not self.exists(sha256, suffix):  # one that is damaged is replaced
            with self._part() as (path, file):
                self._write(file, data)
                self._finish(path, file, sha256, suffix, lambda path: None)
        return sha256

    def exists(self, sha256: str, suffix: str) -> bool:
        """Whether the file is there, with the bytes that its name stands for."""
        name = file_name(sha256, suffix)
        if self._is_intact(self.folder / name, sha256):
            return True
        return self._remote is not None and name not in self._damaged and self._remote.exists(name)

    def is_damaged(self, sha256: str, suffix: str) -> bool:
        """Whether a file is there whose bytes are not those that its name stands for."""
        path = self.folder / file_name(sha256, suffix)
        return path.is_file() and not self._is_intact(path, sha256)

    def path(self, sha256: str, suffix: str) -> Path | None:
        """A file on this machine with these bytes, fetched first where the folder is remote; None if there is none."""
        name = file_name(sha256, suffix)
        path = self.folder / name
        if not self._is_intact(path, sha256) and self._remote is not None and self._remote.exists(name):
            self._fetch(name, sha256)
        return path if self._is_intact(path, sha256) else None

    def local_path(self, sha256: str, suffix: str) -> Path | None:
        """The file itself, where it lies on this machine for good, so that a Jupyter server may serve it; else None."""
        path = self.folder / file_name(sha256, suffix)
        return path if self._remote is None and self._is_intact(path, sha256, SERVED_BYTES) else None

    def read(self, sha256: str, suffix: str) -> bytes:
        """The bytes of a file.

        Raises:
            StoreError: there is no such file, or its bytes are not those that its name stands for.
        """
        path = self.path(sha256, suffix)
        if path is None and self.is_damaged(sha256, suffix):
            raise _damaged(file_name(sha256, suffix), self.folder)
        if path is None:
            raise StoreError(f"{file_name(sha256, suffix)} is not in {self._remote or self.folder}; was it deleted?")
        with disk_errors(path):
            data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:  # changed a moment ago
            raise _damaged(file_name(sha256, suffix), self.folder)
        return data

    def derived_path(self, sha256: str, suffix: str) -> Path:
        """The place on this machine where `derived` keeps what it makes."""
        return self.folder / file_name(sha256, suffix)

    def derived(self, sha256: str, suffix: str, make: Callable[[], bytes]) -> bytes:
        """What was made from a file, as `poster.webp`: made once, then kept on this machine beside the file."""
        path = self.derived_path(sha256, suffix)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            data = make()
        # A folder that may only be read shows its history all the same; it is made again next time.
        with suppress(StoreError), self._part() as (part, file), disk_errors(self.folder):
            file.write(data)
            file.close()
            publish(part, path)
        return data

    def delete(self, sha256: str, suffix: str) -> int:
        """Delete a file and what was made from it, here and at a remote folder; return how many bytes it had."""
        name = file_name(sha256, suffix)
        path = self.folder / name
        freed = path.stat().st_size if path.is_file() else 0
        with disk_errors(self._remote or self.folder):
            if self._remote is not None:
                self._remote.delete(name)
            for made in [path, *path.parent.glob(f"{sha256}.*")]:
                made.unlink(missing_ok=True)
        self._looked_at.pop(path, None)
        return freed

    def _is_intact(self, path: Path, sha256: str, up_to: int | None = None) -> bool:
        """Whether the file is there with the bytes of its name; hashed once, and again when it was written to.

        Args:
            path: of the file.
            sha256: of its bytes.
            up_to: a larger file is believed, unless it was looked at before.
        """
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):
                return False
            # The time of the last change of any kind, too, as a copy or a sync tool sets the time of writing back.
            mark = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
            known, intact = self._looked_at.get(path, ((), True))
            if known == mark or (up_to is not None and found.st_size > up_to):
                return intact
            with path.open("rb") as file:
                intact = hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except OSError:
            return False
        self._looked_at[path] = mark, intact
        return intact

    @contextmanager
    def _part(self, announced: int = 0) -> Iterator[tuple[Path, BinaryIO]]:
        """A new local file to write to; it is gone afterwards unless it was given its name."""
        path = self.folder / ".part" / f"{uuid.uuid4().hex}.part"
        with disk_errors(self.folder):
            self._broom.use()
            if self._remote is not None:
                self._remote.broom.use()
            file = _new(path)
        keeper = _hold(file)
        try:
            with file:
                self._check_room(announced)
                yield path, file
        finally:
            path.unlink(missing_ok=True)
            if keeper is not None:
                os.close(keeper)

    def check_place(self) -> None:
        """Refuse to go on where no file can be stored: the clip of a job would be paid for and then lost.

        Raises:
            StoreError: the folder cannot be made or written to, or its disk is full.
        """
        with self._part():
            pass

    def check_lasting(self) -> None:
        """Refuse to pay for a clip that would be gone with this process.

        Raises:
            ConfigError: the files lie in memory.
        """
        if self._remote is not None and self._remote.is_in_memory:
            raise ConfigError(
                f"VIDNB_FILES_URL={self._remote} keeps files in the memory of this process, and a clip would be gone "
                "when it ends; nothing was sent, so nothing was paid. Unset it to use a folder on the disk, or give "
                "the address of a store that lasts"
            )

    def _check_room(self, more: int) -> None:
        """Refuse to begin, or to go on, where the disk would be left without a reserve for everything else on it.

        Raises:
            StoreError: there is too little room.
        """
        with disk_errors(self.folder):
            free = shutil.disk_usage(self.folder).free
        if free < FREE_BYTES + more:
            of = f", and {more // 2**20} MB are to come" if more >= 2**20 else ""
            raise StoreError(f"{self.folder}: only {free // 2**20} MB are left on the disk{of}; free some space first")

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
                self._remote.upload(path, name, anew=name in self._damaged)
                self._damaged.discard(name)
            publish(path, self.folder / name)
        return result

    def _fetch(self, name: str, sha256: str) -> None:
        with self._part() as (path, file):
            file.close()
            with disk_errors(self._remote):
                self._remote.download(name, path)  # type: ignore[union-attr]  # only called where it is not None
            with path.open("rb") as copy:
                if hashlib.file_digest(copy, "sha256").hexdigest() != sha256:
                    self._damaged.add(name)
                    raise _damaged(name, self._remote)
            publish(path, self.folder / name)

    def _sweep(self) -> bool:
        """Remove what processes left that were killed: what none of those that live holds.

        Returns:
            Whether some files are too young to tell.
        """
        some_are_young = False
        for path in (self.folder / ".part").glob("*.part"):
            with suppress(OSError):  # another process was quicker, or it is open on a system that minds
                found = path.lstat()
                age_s = abs(self._clock.now() - found.st_mtime)  # a clock that was ahead leaves files of the future
                if not stat.S_ISREG(found.st_mode):  # whoever opens a named pipe waits for its other end
                    continue
                if age_s > LITTER_S and not _is_held(path, age_s):
                    path.unlink()
                else:
                    some_are_young = True
        return some_are_young


class _Broom:
    """Says when litter is looked for: now and then, and later again where some was too young to tell.

    Args:
        clock: of the process.
        sweep: looks, and returns whether some was too young.
        grown_s: after so many seconds that can be told.
    """

    def __init__(self, clock: Clock, sweep: Callable[[], bool], grown_s: float) -> None:
        self._clock = clock
        self._sweep = sweep
        self._grown_s = grown_s
        self._swept_at = float("-inf")
        self._later: threading.Timer | None = None

    def use(self) -> None:
        """Look, unless that was done a short while ago."""
        now = self._clock.monotonic()
        if now - self._swept_at < SWEEP_EVERY_S:
            return
        self._swept_at = now
        if self._later is None or not self._later.is_alive():
            self._look()

    def _look(self) -> None:
        """Look now, and as long as some is too young again later: an idle kernel writes nothing for hours."""
        if self._sweep():
            self._later = threading.Timer(self._grown_s + 1, self._look)
            self._later.daemon = True
            with suppress(RuntimeError):  # the interpreter is ending
                self._later.start()


def _new(path: Path) -> BinaryIO:
    """Return a new file, opened to be written to."""
    try:
        return path.open("xb")
    except FileNotFoundError:  # seldom, so it is not looked whether the folder is there
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")


def _hold(file: BinaryIO) -> int | None:
    """Return a handle that keeps others from taking the file for litter until it is closed, or None."""
    try:
        import fcntl

        keeper = os.dup(file.fileno())
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(keeper, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # some network folders have no locks
        os.close(keeper)
        return None
    return keeper


def _is_held(path: Path, age_s: float) -> bool:
    """Return whether a process that lives still works on a part file, as far as anyone can tell."""
    try:
        import fcntl

        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        return age_s < STALE_S


def file_name(sha256: str, suffix: str) -> str:
    """The name of a file below its folder, from nothing but a checked hash and a checked suffix.

    Raises:
        ValueError: for anything that is no hash or no suffix.
    """
    extension = suffix.removeprefix(".")
    if not re.fullmatch(r"[0-9a-f]{64}", sha256) or not re.fullmatch(r"([a-z0-9]{1,8}\.)?[a-z0-9]{1,8}", extension):
        raise ValueError(f"{sha256!r} with {suffix!r} is no name of a file here")
    return f"{sha256[:2]}/{sha256}.{extension}"


def _damaged(name: str, place: object) -> StoreError:
    return StoreError(
        f"{name} in {place} is damaged: its content does not fit its name. A clip is fetched again by vidnb.wait, as "
        "long as the service has it; an input has to be given to the call again"
    )


def publish(part: Path, path: Path) -> None:
    """Give a complete file its name in one step, so that it outlives a crash of the machine too."""
    try:
        part.replace(path)
    except OSError:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() and not path.is_symlink():  # a tool that unpacked or merged folders left it there
            path.rename(path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}"))
        part.replace(path)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci"})
"""Protocols of services that show a file only once it is whole, and that have no folders: to make one there could make
a bucket of a misspelt name."""


SILENT_S = 4.0
"""A service that has not answered a short question for so long is named."""


class _Remote:
    """A folder that fsspec reaches."""

    def __init__(self, filesystem: Any, root: str, shown: str, clock: Clock) -> None:
        self._filesystem = filesystem
        self._is_object_store = bool(OBJECT_STORES & {*_texts(filesystem.protocol)})
        self.is_in_memory = _is_in_memory(filesystem)
        self._root = root.rstrip("/")
        self._shown = shown
        self._clock = clock
        self.broom = _Broom(clock, self._sweep, STALE_S)
        self._is_told = False

    def __str__(self) -> str:
        return self._shown

    def exists(self, name: str) -> bool:
        # Every upload begins with this question, whose answer is short whatever the line can carry.
        with remote_errors(self), self._told_if_silent():
            try:  # not `isfile`, which says no as well where the service is away
                return bool(self._filesystem.info(f"{self._root}/{name}")["type"] == "file")
            except (FileNotFoundError, NotADirectoryError):
                return False
            except PermissionError:  # S3 says so of what is missing, to whoever may not list the bucket
                return False

    @contextmanager
    def _told_if_silent(self) -> Iterator[None]:
        """Say once that the service does not answer yet: its library tries for half a minute before it says so."""
        timer = threading.Timer(SILENT_S, self._tell)
        timer.daemon = True
        timer.start()
        try:
            yield
            self._is_told = False
        finally:
            timer.cancel()

    def _tell(self) -> None:
        if not self._is_told:
            self._is_told = True
            log.warning("%s does not answer yet. It is tried again for a while; nothing is lost", self)

    def upload(self, path: Path, name: str, *, anew: bool = False) -> None:
        """Copy a file into the remote folder, first under a temporary name and then under its own.

        On some services a file can be seen while it is still being written. All temporary names lie in one folder, so
        that what a killed process left is found again. An object store needs none of that.
        """
        with remote_errors(self):
            target, passing = f"{self._root}/{name}", f"{self._root}/.part/{uuid.uuid4().hex}.part"
            if not anew and self.exists(name) and self._filesystem.size(target) == path.stat().st_size:
                return
            if self._is_object_store:
                self._filesystem.put_file(str(path), target)
                return
            for folder in (target.rsplit("/", 1)[0], passing.rsplit("/", 1)[0]):
                self._filesystem.makedirs(folder, exist_ok=True)
            try:
                self._filesystem.put_file(str(path), passing)
                self._filesystem.mv(passing, target)
            except BaseException:
                with suppress(Exception):
                    self._filesystem.rm_file(passing)
                raise

    def delete(self, name: str) -> None:
        """Delete the file, if it is there."""
        with remote_errors(self), contextlib.suppress(FileNotFoundError):
            self._filesystem.rm(f"{self._root}/{name}")

    def download(self, name: str, path: Path) -> None:
        with remote_errors(self):
            self._filesystem.get_file(f"{self._root}/{name}", str(path))

    def _sweep(self) -> bool:
        """Remove what processes left that were killed a while ago; what fails now, a later one does.

        Returns:
            Whether some files are too young to tell.
        """
        some_are_young = False
        with suppress(Exception):
            for entry in self._filesystem.ls(f"{self._root}/.part", detail=True):
                changed = self._filesystem.modified(entry["name"])
                changed = changed.replace(tzinfo=UTC) if changed.tzinfo is None else changed
                if not entry["name"].endswith(".part"):
                    continue
                if (self._clock.utc() - changed).total_seconds() > STALE_S:
                    self._filesystem.rm_file(entry["name"])
                else:
                    some_are_young = True
        return some_are_young


def _remote_folder(url: str, clock: Clock) -> _Remote:
    """The folder behind an address; messages show it without user and query, which may hold a secret."""
    from fsspec.core import url_to_fs

    scheme, _, rest = url.partition("://")
    shown = f"{scheme}://{rest.split('?')[0].rsplit('@', 1)[-1]}"
    told = ""
    try:
        filesystem, root = url_to_fs(url)
    except ImportError as error:
        told = str(error)
    except Exception as error:  # noqa: BLE001  # each service's own library has errors of its own
        told = _in_words(error, url)
    if told:  # raised out here: the library's error may hold the address, password included
        raise ConfigError(f"VIDNB_FILES_URL={shown} cannot be opened: {told}")
    return _Remote(filesystem, root, shown, clock)


def _is_in_memory(filesystem: Any) -> bool:
    """Return whether a file system, or the one below a cache or folder of fsspec's, ends with this process."""
    from fsspec import AbstractFileSystem

    below = getattr(filesystem, "fs", None)  # that of `hdfs://` is Arrow's, which has no protocol
    is_below = isinstance(below, AbstractFileSystem) and _is_in_memory(below)
    return "memory" in _texts(filesystem.protocol) or is_below


def _texts(value: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


REASONS = (
    ("NoCredentials", "no key was found"), ("PermissionError", "the key is not accepted or may not do this"),
    ("FileNotFound", "there is no such bucket or file"), ("NoSuchBucket", "there is no such bucket"),
    ("Connect", "the service cannot be reached"), ("Timeout", "the service does not answer"),
)  # fmt: skip
"""By a part of an error's name, what a person would say: the libraries of the services speak of their own parts."""


@contextmanager
def remote_errors(folder: object) -> Iterator[None]:
    """Raises StoreError, saying what to do, for whatever a service of files, or its library, refuses inside."""
    try:
        yield
    except VidnbError:
        raise
    except Exception as error:  # noqa: BLE001  # each service's own library has errors of its own
        what = next((f"{words} (" for name, words in REASONS if name in type(error).__name__), "")
        said = f"{what}{_in_words(error)}{')' if what else ''}"
        raise StoreError(
            f"{folder}: {said}; check VIDNB_FILES_URL, the network, and the key or profile with which the service is "
            "reached"
        ) from None  # the library's error may hold signed addresses


def _in_words(error: Exception, url: str = "") -> str:
    """Return what another library's error says, on one line and without user, password and signatures."""
    secrets = [*url.partition("://")[2].rpartition("@")[0].split(":"), url.partition("?")[2]]
    said = " ".join(redact(str(error)).split())[:300]
    for secret in secrets:
        said = said.replace(secret, "...") if len(secret) > 2 else said
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
