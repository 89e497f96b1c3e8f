"""Reading what a service answered: lenient look-ups, text made fit for a person, and no secret in any of it.

Strict response models broke the vendors' own SDKs, so nothing here assumes that a field is there or has its type.
Everything a service says is hostile input: keys, user ids and signed links are cut before it becomes a message.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, TypeVar
from urllib.parse import urlsplit

from vidnb.errors import (
    AuthError,
    CreditError,
    ProviderError,
    RateLimitError,
    RejectedError,
    UnavailableError,
    UnexpectedReplyError,
)
from vidnb.providers.base import Provider
from vidnb.records import MediaFile, Reply

UNDECIDED = frozenset({*range(300, 400), 408, 409, 421, 424, 425, 444, 449, 460, 499})
"""HTTP statuses that a gateway says also after the service has taken a request: the answer lies elsewhere, the wait was
over, the connection was closed, the same request is on its way already. Such a submit may have been charged."""

_LOST = re.compile(
    r"time[ds]?[ -]?out\b|timeout of \d|deadline exceeded|connection (was )?(reset|closed|aborted)|socket hang ?up"
    r"|\be(conn|timed)[a-z]{3,7}\b|bad gateway|upstream (request|server|connect)"
    r"|already (being|in) (process|progress)|(duplicate|same) request|request (is )?(still )?in progress|idempoten",
    re.IGNORECASE,
)

SomeError = TypeVar("SomeError", bound=ProviderError)

LONGEST_TEXT = 600
LONGEST_WAIT_S = 24 * 3600.0

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,199}")
_CUTS = (
    (re.compile(r"\b[a-z][a-z0-9+.-]{0,20}://[^\s\"'<>]+", re.IGNORECASE), "[link]"),
    (re.compile(r"[?&]?X-Amz-[^\s\"'<>]+", re.IGNORECASE), "[link]"),
    (re.compile(r"\bbearer\s+\S+", re.IGNORECASE), "[key]"),
    # "api-key": "...", token=..., userId: ...; "api tokens userId: ..." keeps its first two words.
    (
        re.compile(
            r"[\"']?\b(api[-_ ]?key|x-auth-token|authorization|secret|password|token|user-?_?id|team-?_?id)\b[\"']?"
            r"\s*[:=]\s*[\"']?[^\s\"',}]+[\"']?",
            re.IGNORECASE,
        ),
        "[id]",
    ),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "[id]"),
    (re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[a-z])[\w-]{28,}", re.IGNORECASE), "[id]"),
)


def dig(value: Any, *path: str | int) -> Any:
    """What lies at the path of keys and indexes, or None where any step is missing or of another type."""
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def text_at(value: Any, *path: str | int) -> str:
    """The text at the path, or "" where there is none."""
    found = dig(value, *path)
    return found if isinstance(found, str) else ""


def number_at(value: Any, *path: str | int) -> float | None:
    """The number at the path, also where the service writes it as text; None where there is none."""
    found = dig(value, *path)
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        return None
    try:
        number = float(found)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def whole_at(value: Any, *path: str | int) -> int | None:
    """The whole number at the path, or None."""
    found = number_at(value, *path)
    return int(found) if found is not None and found.is_integer() else None


def seed_at(value: Any, *path: str | int) -> int | None:
    """The seed at the path, or None where there is none: services write -1, too, for one that nobody gave."""
    found = whole_at(value, *path)
    return found if found is not None and 0 <= found < 2**63 else None


def id_at(value: Any, *path: str | int) -> str | None:
    """The id at the path, also where it is a number; None where there is none that can safely be part of a URL."""
    found = dig(value, *path)
    found = str(found) if isinstance(found, int) and not isinstance(found, bool) else found
    return as_id(found) if isinstance(found, str) else None


def as_id(text: str) -> str | None:
    """An id without the spaces around it, as a person may type it or a service write it; None where it is none."""
    plain = text.strip()
    return plain if _ID.fullmatch(plain) else None


def link_at(value: Any, *path: str | int) -> str | None:
    """The http(s) link at the path, or None: a relative one would be sent with the key."""
    # Services wrap links, put them into quotes, escape them for a page, and forget to escape file names.
    found = re.sub(r"[\t\r\n]", "", text_at(value, *path)).strip(" \"'<>").replace(" ", "%20").replace("&amp;", "&")
    found = found.replace("\\/", "/")  # escaped twice for JSON
    found = f"https:{found}" if re.match(r"//[^/]", found) else found
    return found if found.lower().startswith(("https://", "http://")) and not re.search(r"\s", found) else None


def links_at(value: Any, *path: str | int) -> list[str]:
    """The http(s) links in the list at the path, each once, but for pictures, sounds and texts; [] without a list."""
    found = dig(value, *path)
    links = [link_at([one], 0) for one in found] if isinstance(found, list) else []
    return list(dict.fromkeys(link for link in links if link and not _STILL_PATH.search(_path_of(link))))


def video_link(value: Any) -> str | None:
    """The link to a clip wherever a record holds one, or None: for a finished job without a link at its usual place.

    A link counts by the name of its field (`mp4`, `video`), by the kind that is named beside it (`video/mp4`) or by the
    ending of its path; what a job was made from, and pictures of it, do not count.
    """
    found = [item for item in _links(value, "", 0) if item[0] is not None]
    return min(found, key=lambda item: item[0] or 0)[1] if found else None


_RUN = re.compile(r"[\w+/=%-]{40,}")
_PAGE = re.compile(r"<!doctype html|<html\b", re.IGNORECASE)
_VIDEO_PATH = re.compile(r"\.(mp4|m4v|mov|webm)$", re.IGNORECASE)
_STILL_PATH = re.compile(r"\.(jpe?g|png|webp|gif|avif|svg|json|txt|html?|mp3|wav)$", re.IGNORECASE)
_NOT_THE_CLIP = re.compile(
    r"input|init|start|source|reference|guid|prompt|param|thumb|poster|preview|cover|gif|audio|avatar|logo|end_?frame"
    r"|(start|end|tail|first|last)_?image",
    re.IGNORECASE,
)
_RESULT = re.compile(r"result|output|download|temporary", re.IGNORECASE)
_NOT_THE_FILE = re.compile(r"page|share|web|site|report|docs", re.IGNORECASE)
_DEEPEST = 8
_KINDS = ("contentType", "content_type", "mimeType", "mime_type", "type")
"""Fields that say of what kind the link beside them is."""


def _links(value: Any, name: str, depth: int) -> Iterator[tuple[int | None, str]]:
    """Each link below a value, with its rank: the lower, the surer that it is the clip; None where it is not."""
    if depth > _DEEPEST or _NOT_THE_CLIP.search(name):
        return
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        value = decoded(value)
    if isinstance(value, dict):
        kinds = (text_at(value, key).lower() for key in _KINDS)
        is_video = any(kind == "video" or kind.startswith("video/") for kind in kinds)
        for key, inner in value.items():
            # "url" in "videos" is a video's: a field of a general name keeps that of what it lies in.
            general = str(key).lower() in ("url", "uri", "href", "link", "src")
            name = f"{name} video" if general and is_video else name
            yield from _links(inner, f"{name} {key}" if general else str(key), depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _links(inner, name, depth + 1)
    elif isinstance(value, str) and (link := link_at([value], 0)) is not None:
        yield _rank(name.lower(), _path_of(link)), link


def _path_of(link: str) -> str:
    return link.partition("?")[0].partition("#")[0]


def _rank(name: str, path: str) -> int | None:
    if _STILL_PATH.search(path):
        return None
    is_video = _VIDEO_PATH.search(path) is not None
    if "mp4" in name:
        return 0 if is_video else 1
    if "video" in name or "movie" in name or "clip" in name:
        return 2 if is_video else 4
    if is_video:
        return 3
    return 5 if _RESULT.search(name) and not _NOT_THE_FILE.search(name) else None


SUCCEEDED = re.compile(r"completed?|succe(ss|ss?ful|eded)|finished|done|ready|ok", re.IGNORECASE)
"""Words that say in any service that a job came to its good end."""
ENDED = re.compile(
    r"cancel+ed|cancel+ation|error(ed)?|expired?|abort(ed)?|rejected|refused|time(d)?_?-?out|terminated|stopped|killed"
    r"|blocked|moderated|deleted|removed|dead|invalid|nsfw|content_filter(ed)?|failed|failure",
    re.IGNORECASE,
)
"""Words that nobody documented, after which nothing more is to be expected of a job."""


def has_succeeded(word: str) -> bool:
    """Return whether a status word says that the job is done well, in whatever case and with whatever spaces."""
    return SUCCEEDED.fullmatch(word.strip()) is not None


def has_ended(word: str) -> bool:
    """Return whether a status word sounds like an end, in whatever case and with whatever spaces."""
    return ENDED.fullmatch(re.sub(r"[\s-]+", "_", word.strip())) is not None


def is_about(value: Any, remote_id: str, *path: str | int) -> bool:
    """Return whether a record is about this job: it names its id, or none."""
    named = dig(value, *path)
    return named is None or str(named).strip().lower() == remote_id.strip().lower()


def sounds_lost(text: str) -> bool:
    """Return whether an error says that the service gave up waiting, or has the same request in hand already.

    Such a submit may have been taken, and charged, whatever its HTTP status.
    """
    return _LOST.search(text) is not None


def doubt_refusal(provider: Provider, reply: Reply, remote_id: str | None) -> None:
    """Raise where an answer refuses a submit and yet names the job that was made of it.

    Raises:
        UnexpectedReplyError: it does.
    """
    if remote_id is not None and not 200 <= reply.status_code < 300:
        raise unexpected(provider, reply, "the answer refuses the submit, and yet names its job; it may be charged")


def word_at(value: Any, *path: str | int) -> str:
    """The status word at the path, short and clean, or ""."""
    return clean(text_at(value, *path))[:60]


def time_at(value: Any, *path: str | int) -> datetime | None:
    """The moment at the path, UTC where it names no zone, or None."""
    try:
        found = datetime.fromisoformat(text_at(value, *path))
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def unix_time_at(value: Any, *path: str | int) -> datetime | None:
    """The moment at the path, in seconds since 1970, or None."""
    seconds = number_at(value, *path)
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def content_at(value: Any, *path: str | int) -> bytes | None:
    """The bytes that stand as base64 at the path, or None where there are none."""
    try:
        return base64.b64decode(text_at(value, *path), validate=True) or None
    except ValueError:
        return None


def decoded(value: Any) -> Any:
    """The JSON inside a text (both services put JSON into strings), or the value itself where there is none."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def clean(text: str) -> str:
    """The text on one line, of bounded length, without links, keys and ids."""
    if text.isalpha() and len(text) < 28:  # a status word, as nearly always
        return text
    text = "".join(char if char.isprintable() else " " for char in text[: 4 * LONGEST_TEXT])
    for pattern, instead in _CUTS:
        text = pattern.sub(instead, text)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 3]}..."


def is_page(reply: Reply) -> bool:
    """True where a gateway in front of the service answered: HTML or plain text instead of JSON."""
    return reply.json is None and bool(reply.text.strip())


def storage_reason(reply: Reply) -> str:
    """What a storage says of an upload that it refuses, from S3's XML or the start of a text; "" where it says nothing.

    Read by a pattern and not by a parser: the text is a stranger's. Long runs of letters are cut: some storages repeat
    what was signed, or a part of it.
    """
    code, message = (
        match[1] if (match := re.search(rf"<{tag}>([^<]{{1,300}})</{tag}>", reply.text)) else ""
        for tag in ("Code", "Message")
    )
    if code or message:
        return clean(_RUN.sub("[id]", html.unescape(": ".join(part for part in (code, message) if part))))
    return "" if "<" in reply.text else clean(_RUN.sub("[id]", reply.text[:300]))


def is_stored(reply: Reply) -> bool:
    """Return whether a storage took a file: with 200 come also sign-in pages and late errors of S3, and nothing is."""
    start = reply.text[:500]
    return 200 <= reply.status_code < 300 and not _PAGE.search(start) and "<Error>" not in start


def refused_upload(provider: Provider, reply: Reply, file: MediaFile) -> ProviderError:
    """Return the error of a storage that refuses a file: a late one, or a busy storage, may be tried anew."""
    told, status = storage_reason(reply), reply.status_code
    if 200 <= status < 300 and not told:
        told = "a web page came in place of the storage's answer; a proxy, or a sign-in page of this network?"
    if status == 413 or "EntityTooLarge" in told:
        told = f"the file is too large ({len(file.content) / 2**20:.1f} MB); give it a smaller one"
    again = status < 300 or status in (401, 403, 429) or status >= 500
    kind: type[ProviderError] = UnavailableError if again else RejectedError
    refusal = error(provider, kind, f"the upload failed (HTTP {status})" + (f": {told}" if told else ""), reply)
    refusal.charged = False
    return refusal


def header(reply: Reply, name: str) -> str:
    """The header's value whatever its case, or ""."""
    return next((str(value) for key, value in reply.headers.items() if str(key).lower() == name.lower()), "")


def retry_after_s(reply: Reply, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """The seconds to wait that `Retry-After` asks for, in either of its forms, or None."""
    value = header(reply, "retry-after").strip()
    seconds = number_at(value)
    if seconds is None and (until := _http_date(value)):
        # The service's own clock counts: a laptop's may be minutes off.
        seconds = (until - (_http_date(header(reply, "date")) or now())).total_seconds()
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT_S)


def server_time(reply: Reply) -> datetime | None:
    """The moment at which the service says that it answered, or None."""
    found = _http_date(header(reply, "date"))
    return None if found is None else found + timedelta(seconds=0.5)  # it says whole seconds


def error(provider: Provider, kind: type[SomeError], message: str, reply: Reply, code: str = "") -> SomeError:
    """The error with everything that the reply tells besides the message."""
    text = f"{provider.title}: {message}" + _moved(reply)
    made = kind(text, provider=provider.name, status_code=reply.status_code, code=clean(code) or None)
    if isinstance(made, RateLimitError):
        made.retry_after_s = retry_after_s(reply)
    return made


def _moved(reply: Reply) -> str:
    """Return where an answer points instead, in words; only the host, as the rest may be signed."""
    if not 300 <= reply.status_code < 400:
        return ""
    try:
        host = clean(urlsplit(header(reply, "location")).hostname or "")
    except ValueError:
        host = ""
    where = f"to {host}, where it may have moved" if host else "elsewhere, as to a sign-in page of this network"
    return f"; it points {where}, and nothing was sent there: look after the network, or update vidnb"


def unexpected(provider: Provider, reply: Reply, what: str) -> UnexpectedReplyError:
    """The error for an answer of a shape that nobody knows."""
    return error(provider, UnexpectedReplyError, f"{what} (HTTP {reply.status_code})", reply)


def advice(provider: Provider, kind: type[ProviderError]) -> str:
    """What an error of this kind means and what to do next, for a person."""
    return {
        AuthError: f"the key was refused; check {provider.key_env} ({provider.key_page})",
        CreditError: "the balance does not suffice; top it up",
        RateLimitError: "too many requests; slow down",
        RejectedError: "the request was refused",
        UnavailableError: "the service is unavailable; a submit may have been charged all the same",
        UnexpectedReplyError: "the answer has an unknown shape; a submit may have been charged all the same",
    }[kind]


def _http_date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
