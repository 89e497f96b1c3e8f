"""What a person gave as an input: its bytes, and how to name it in a message."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import stat
import threading
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from vidnb.errors import MediaError
from vidnb.forking import call_in_child
from vidnb.records import MediaFile

LARGEST_FILE = 500 * 2**20
"""Inputs are held in memory; no provider takes one this large."""
_reading = threading.Lock()


def reading() -> threading.Lock:
    """Return the lock that is held while an object that a person holds is read, an open file or a PIL image.

    A form may draw it in one thread while another sends it, and each would get only a part of it.
    """
    return _reading


@call_in_child
def _begin_anew() -> object:
    """Free the lock in a forked child: the thread that held it is not there."""
    global _reading
    left, _reading = _reading, threading.Lock()
    return left


def file_of(data: bytes, extension: str, content_type: str, size: tuple[int | None, int | None]) -> MediaFile:
    return MediaFile(hashlib.sha256(data).hexdigest(), extension, content_type, data, *size)


def given_bytes(given: Any, wanted: str) -> tuple[bytes, str]:
    """The content, and how to name it in a message."""
    if isinstance(given, bytes | bytearray | memoryview):
        return bytes(given), f"{len(given)} bytes"
    if isinstance(given, str) and given[:5].lower() == "data:":
        return _decoded(given), f"the picture in {named(given[:30])}"
    if isinstance(given, str | os.PathLike):
        return _read(given), named(given)
    if callable(getattr(given, "read", None)):
        data = _read_open(given)
        if isinstance(data, bytes):
            return data, _name_of(given)
    raise MediaError(f"{named(given)} ({type(given).__name__}) given; it must be {wanted}")


def _read_open(file: Any) -> Any:
    """Read an open file to its end and put it back to where it stood, so that a check takes nothing from a submit.

    One that stands at its end, as after a picture was saved into it, is read from its start.
    """
    try:
        seekable = bool(file.seekable())
    except (AttributeError, ValueError):  # ValueError: it is closed, as reading it says too
        seekable = False
    try:
        if not seekable:
            return file.read()
        with reading():
            stood = file.tell()
            data = file.read()
            if not data and stood:
                file.seek(0)
                data = file.read()
            file.seek(stood)
            return data
    except Exception as error:  # somebody else's object with a `read` raises anything
        said = str(error) if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: {error}"
        raise MediaError(f"{_name_of(file)} cannot be read: {said}") from error


def _name_of(file: Any) -> str:
    """Return how to name an open file; a temporary one may have no name, and a pipe's is a number."""
    name = getattr(file, "name", None)
    return named(name) if isinstance(name, str | bytes) else f"the open file ({type(file).__name__})"


def _read(given: str | os.PathLike[Any]) -> bytes:
    try:
        path = _path(given)
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
            raise MediaError(f"{named(given)} is a device or a pipe, which may never end; give a file")
        if found.st_size > LARGEST_FILE:
            raise MediaError(f"{named(given)} has over {LARGEST_FILE // 2**20} MB; no provider takes such a file")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise MediaError(f"there is no file {named(given)} (looked in {Path.cwd()})") from error
    except (OSError, RuntimeError, ValueError) as error:  # ValueError: a path with a NUL; RuntimeError: ~nobody
        raise MediaError(f"{named(given)} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _path(given: str | os.PathLike[Any]) -> Path:
    """Return the path that was given, also as an address, `file:///home/ada/koala.png`, as browsers and desktops do."""
    if isinstance(given, str) and given[:7].lower() == "file://":
        address = urlsplit(given)
        if address.netloc not in ("", "localhost"):
            raise MediaError(f"{named(given)} lies on another machine; give a path on this one")
        plain = unquote(address.path)
        return Path(plain.lstrip("/") if re.match(r"/+[A-Za-z]:", plain) else plain)  # "/C:/koala.png" on Windows
    return Path(os.fsdecode(given)).expanduser()


def _decoded(given: str) -> bytes:
    """Return the bytes in an address that carries them, `data:image/png;base64,...`, as copied from a page."""
    kind, _, text = given.partition(",")
    try:
        return base64.b64decode(unquote(text)) if kind.lower().endswith(";base64") else unquote_to_bytes(text)
    except ValueError as error:
        raise MediaError(f"{named(given)} cannot be read: {error}") from error


def named(given: object) -> str:
    """A short name for a message, with nothing in it that a terminal would obey."""
    if isinstance(given, io.BytesIO):
        return "the given video"
    text = repr(os.fsdecode(given) if isinstance(given, os.PathLike) else given)
    return text if len(text) <= 120 else f"{text[:117]}..."


def is_text(start: bytes) -> bool:
    """Whether a file that starts like this is text, such as the page or the message of a server, and no media."""
    if not start or b"\0" in start:
        return False
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:  # else the last letter was cut in two
            return False
        text = start[: error.start].decode("utf-8")
    return all(letter.isprintable() or letter.isspace() for letter in text.removeprefix("\ufeff"))


def is_page(data: bytes) -> bool:
    """Return whether the bytes are a web page: what comes when an address leads to a page and not to a file."""
    start = data[:512].lower()
    return is_text(data[:512]) and any(mark in start for mark in (b"<!doctype html", b"<html", b"<head", b"<body"))
