"""Faults on purpose: which request goes wrong, how, how often.

    Fault("429", on="submit", times=2)        in Python
    429:submit:2     429:0.1     slow:5s      on the command line, by `parse`
    X-Vidnb-Fault: lost_reply                 for one request

A fault is given at one operation (`submit`, `poll`, `result`, `cancel`, `upload`, `bytes`, `list`, `account`, `models`,
`price`, `delete`, `download`) or at `any` call of the API. Chance is drawn from the emulator's seed, so a run repeats.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace

from vidnb import plugins
from vidnb.errors import ConfigError
from vidnb.forking import in_child

STATUSES = ("429", "500", "502", "503", "504", "520", "522", "524")
OPERATIONS = (
    "submit", "poll", "result", "cancel", "upload", "bytes", "list", "account", "models", "price", "delete", "download",
)  # fmt: skip

KINDS = {
    **dict.fromkeys(STATUSES, "any"),
    "connect_error": "any",  # refused before anything is sent (on a socket only dropped: it was accepted already)
    "reset": "any",  # dropped before the service looked at it
    "lost_reply": "submit",  # done, and then dropped
    "lost_reply_midway": "submit",  # done, and dropped within the body
    "502_after": "submit",  # done, and the gateway answers 502 all the same
    "slow": "any",  # `seconds` late
    "1010": "any",  # the edge refuses the client
    "1015": "any",  # the edge limits the client
    "bad_key": "any",  # the key is refused although it is good
    "inactive_key": "any",
    "errors_200": "submit",  # Leonardo: {"errors": [...]} with 200; 1min: see error_object_in_200
    "429_in_200": "submit",  # Leonardo v2: the rate limit as HTTP 200
    "moderation": "submit",
    "no_credits": "submit",
    "retired": "submit",  # the model is refused as no longer offered
    "busy": "submit",  # 1min: upstream failure with the "a bit busy" text
    "no_wrapper": "submit",  # Leonardo v2: the answer without `generate`
    "no_id": "submit",  # a success that names no job
    "failed": "submit",  # the job: ends FAILED
    "no_output": "submit",  # the job: ends COMPLETE without a clip
    "nsfw": "submit",  # the job: flagged, and delivered
    "never_ending": "submit",  # the job: never ends
    "unknown_status_word": "poll",
    "null_record": "poll",  # the job is not known (yet)
    "no_temporary_url": "poll",  # 1min: SUCCESS without a link
    "root_url": "poll",  # 1min: the link beside the record
    "error_object_in_200": "poll",  # 1min: an object where the list of results belongs
    "slow_download": "download",  # `seconds` spread over the body
    "cut_download": "download",  # half of the bytes
    "expired_link": "download",
    "not_found_first": "download",
    "empty_download": "download",
}
"""Kind -> the operation it is for where none is named."""

JOB_FAULTS = ("failed", "no_output", "nsfw", "never_ending")


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Args:
        kind: one of `KINDS`.
        on: an operation, or `any` call of the API (downloads and file bytes excepted); by default what suits the kind.
        times: how often at most; None for ever.
        probability: the chance at each matching request.
        after: how many matching requests pass first.
        provider: `leonardo`, `1min`, `replicate` ...; None for all.
        seconds: how late, for the slow ones; for 429 what `Retry-After` says (none is sent without it).
    """

    kind: str
    on: str = ""
    times: int | None = None
    probability: float = 1.0
    after: int = 0
    provider: str | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown kind or operation, and fill in the default operation."""
        if self.kind not in KINDS:
            raise ConfigError(f"there is no fault {self.kind!r}; there are {', '.join(KINDS)}")
        if self.on not in ("", "any", *OPERATIONS):
            known = ", ".join(OPERATIONS)
            raise ConfigError(f"fault {self.kind!r}: there is no operation {self.on!r}; there are any, {known}")
        if not 0 <= self.probability <= 1:
            raise ConfigError(f"fault {self.kind!r}: a probability lies between 0 and 1, not {self.probability!r}")
        object.__setattr__(self, "on", self.on or KINDS[self.kind])

    def matches(self, provider: str, operation: str) -> bool:
        """True where the fault is meant for this kind of request."""
        if self.provider not in (None, provider):
            return False
        return operation not in ("download", "bytes") if self.on == "any" else self.on == operation


def parse(text: str) -> Fault:
    """The fault that a short text describes: the kind, then in any order operation, provider, count, chance, seconds.

    Example:
        >>> parse("429:submit:2"), parse("lost_reply:0.1").probability, parse("slow:5s").seconds
        (Fault(kind='429', on='submit', times=2, probability=1.0, after=0, provider=None, seconds=None), 0.1, 5.0)

    Raises:
        ConfigError: some part of it means nothing.
    """
    kind, *parts = (part.strip() for part in text.split(":"))
    fault = Fault(kind)
    for part in parts:
        fault = _with(fault, part, text)
    return fault


def _with(fault: Fault, part: str, text: str) -> Fault:
    if part in ("any", *OPERATIONS):
        return replace(fault, on=part)
    if part in plugins.names(plugins.EMULATED):
        return replace(fault, provider=part)
    if re.fullmatch(r"\d+", part):
        return replace(fault, times=int(part))
    if re.fullmatch(r"\d*\.\d+", part):
        return replace(fault, probability=float(part))
    if re.fullmatch(r"\d+(\.\d+)?s", part):
        return replace(fault, seconds=float(part[:-1]))
    if re.fullmatch(r"after\d+", part):
        return replace(fault, after=int(part[5:]))
    raise ConfigError(
        f"fault {text!r}: {part!r} is no operation, provider, count (2), chance (0.1), time (5s) or skip (after3)"
    )


class Injector:
    """Which faults a request meets: the scripted ones in order, then those that its own header asks for."""

    def __init__(self, faults: Iterable[Fault | str], seed: int = 0) -> None:
        self._faults = [parse(fault) if isinstance(fault, str) else fault for fault in faults]
        self._seen = [0] * len(self._faults)
        self._used = [0] * len(self._faults)
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        in_child(self._begin_anew)

    def _begin_anew(self) -> object:
        """Free the lock in a forked child; the thread that held it is not there."""
        left, self._lock = self._lock, threading.Lock()
        return left

    def draw(self, provider: str, operation: str, header: str | None = None) -> list[Fault]:
        """The faults of this request."""
        asked = [parse(text) for text in (header or "").split(",") if text.strip()]
        with self._lock:
            scripted = [fault for i, fault in enumerate(self._faults) if self._strikes(i, fault, provider, operation)]
        return scripted + asked

    def _strikes(self, i: int, fault: Fault, provider: str, operation: str) -> bool:
        if not fault.matches(provider, operation):
            return False
        self._seen[i] += 1
        if self._seen[i] <= fault.after or (fault.times is not None and self._used[i] >= fault.times):
            return False
        struck = fault.probability >= 1 or self._random.random() < fault.probability
        self._used[i] += struck
        return struck
