"""What installed packages bring to vidnb, found through their entry points; one that is broken is kept to itself.

Three groups, each with a provider's name as the name of an entry:

    vidnb.providers     `vidnb_acme:Acme`, a subclass of `vidnb.Provider`
    vidnb.catalogues    `vidnb_acme:models.toml`, a file in that package; found without importing it
    vidnb.emulated      `vidnb_acme.emulated:AcmeService`, a subclass of `vidnb.emulator.Service`

vidnb's own providers come through the same functions. A class is imported at its first use, first in a process of its
own (`rehearsal`), then in a thread: a package that raises, exits, crashes or hangs while it is imported, or while its
class makes an object, costs a sentence, never the process.
What it prints meanwhile goes to the error output, as the standard output may be read by a program.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from vidnb import forking, guarded, rehearsal
from vidnb.errors import ConfigError

log = logging.getLogger("vidnb")

T = TypeVar("T")

PROVIDERS = "vidnb.providers"
CATALOGUES = "vidnb.catalogues"
EMULATED = "vidnb.emulated"
IMPORT_S = 10.0
"""A plug-in that takes longer to import, or to make its object, is given up."""

BUILT_IN = {
    PROVIDERS: {
        "leonardo": "vidnb.providers.leonardo:Leonardo",
        "1min": "vidnb.providers.onemin:OneMin",
        "replicate": "vidnb.providers.replicate:Replicate",
        "fal": "vidnb.providers.fal:Fal",
        "runway": "vidnb.providers.runway:Runway",
        "openrouter": "vidnb.providers.openrouter:OpenRouter",
        "local": "vidnb.providers.local:Local",
    },
    EMULATED: {
        "leonardo": "vidnb.emulator.leonardo.service:Leonardo",
        "1min": "vidnb.emulator.onemin.service:OneMin",
        "replicate": "vidnb.emulator.replicate.service:Replicate",
        "fal": "vidnb.emulator.fal.service:Fal",
        "runway": "vidnb.emulator.runway.service:Runway",
        "openrouter": "vidnb.emulator.openrouter.service:OpenRouter",
        "local": "vidnb.emulator.local.service:Local",
    },
}
_warned: set[str] = set()
_attempts: dict[tuple[str, str, str], _Attempt] = {}
_unfit: dict[str, str] = {}
"""Why a module must not be imported in this process; "" where it may."""
_one_at_a_time = threading.Lock()
_here = threading.local()
"""Knows in a thread whether it imports a plug-in; that may ask for another one meanwhile."""
_leave = os._exit


def _begin_anew() -> object:
    """Forget what the parent of a forked child was importing: its threads are not there."""
    global _one_at_a_time
    left = _one_at_a_time, dict(_attempts)
    _one_at_a_time = threading.Lock()
    _attempts.clear()
    return left


forking.call_in_child(_begin_anew)


@cache
def points(group: str) -> dict[str, EntryPoint]:
    """Return the entries of a group by name, vidnb's own first; none of them is imported."""
    own = {name: EntryPoint(name, value, group) for name, value in BUILT_IN.get(group, {}).items()}
    return own | {point.name: point for point in entry_points(group=group) if point.name not in own}


def names(group: str) -> list[str]:
    """Return the names in a group."""
    return list(points(group))


@cache
def load(group: str, name: str) -> Any:
    """Return what an entry stands for, imported at its first use.

    Raises:
        ConfigError: it raises, exits or does not end while it is imported; the message names it.
    """
    if name in BUILT_IN.get(group, {}):
        with forking.crossing.inside():  # a fork in the middle of an import leaves a child that waits for its lock
            return points(group)[name].load()
    module = points(group)[name].module
    with nullcontext() if getattr(_here, "is_importing", False) else _one_at_a_time:
        if module not in _unfit and module not in sys.modules:
            _unfit[module] = rehearsal.unfit(module, IMPORT_S)
    if why := _unfit.get(module):
        raise ConfigError(f"{_title(group, name)} is broken: importing it {why}")
    return _kept_to_itself(group, name, "importing it", points(group)[name].load)


def made(group: str, name: str, make: Callable[[], T]) -> T:
    """Return what the class of an entry makes.

    Args:
        group: of the entry.
        name: of the entry.
        make: calls the class.

    Raises:
        ConfigError: it is a plug-in's, and raises, exits or does not end; the message names it.
    """
    return make() if name in BUILT_IN.get(group, {}) else _kept_to_itself(group, name, "making its object", make)


def _kept_to_itself(group: str, name: str, what: str, work: Callable[[], T]) -> T:
    """Return what somebody else's code gives, whatever it does to the process."""
    with nullcontext() if getattr(_here, "is_importing", False) else _one_at_a_time:
        attempt = _attempts.get((group, name, what))
        if attempt is None or attempt.is_over:  # one that raised may have been mended; one that hangs still does
            attempt = _attempts[group, name, what] = _Attempt(name, work)
            attempt.wait()
    if not attempt.is_over:
        raise ConfigError(f"{_title(group, name)} is broken: {what} did not end within {IMPORT_S:g} s")
    if attempt.error:
        raise ConfigError(f"{_title(group, name)} is broken: {what} raised {attempt.error}")
    found: T = attempt.found
    return found


class _Attempt:
    """One run of somebody else's code, in a thread of its own.

    Args:
        name: of the plug-in.
        work: the code.
    """

    def __init__(self, name: str, work: Callable[[], Any]) -> None:
        self.found: Any = None
        self.error = ""
        """Why it failed, in words."""
        self.is_over = False
        self._work = work
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._run, name=f"vidnb plug-in {name}", daemon=True)

    def wait(self) -> None:
        """Begin, and return once it is over or has taken too long."""
        with guarded.against(self._thread):
            self._thread.start()
            self._thread.join(IMPORT_S)

    def _run(self) -> None:
        _here.is_importing = True
        try:
            self.found = self._work()
        except BaseException as error:  # noqa: BLE001  # a plug-in may call sys.exit while it is imported
            self.error = _in_words(error)
        if os.getpid() != self._process:
            _leave(0)  # the plug-in forked: its child has nothing to do here
        self.is_over = True


def _in_words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except BaseException:  # noqa: BLE001  # somebody else's error may have no words
        return type(error).__name__


def load_or_warn(group: str, name: str) -> Any:
    """Return what an entry stands for, or None with one warning where it is broken."""
    try:
        return load(group, name)
    except ConfigError as error:
        warn(group, name, str(error))
        return None


def warn(group: str, name: str, why: str) -> None:
    """Say once a process that an entry cannot be used."""
    if (entry := f"{group} {name}") not in _warned:
        _warned.add(entry)
        log.warning("%s; everything else works", why if name in why else f"{_title(group, name)}: {why}")


def broken() -> list[str]:
    """Return what is wrong with each installed plug-in that cannot be loaded, in one line each."""
    found = []
    for group in (PROVIDERS, EMULATED):
        for name in names(group):
            try:
                load(group, name)
            except ConfigError as error:
                found.append(str(error))
    return found


def catalogues() -> list[Path]:
    """Return the catalogue files that installed packages bring; nothing of the packages is imported."""
    found = []
    for point in points(CATALOGUES).values():
        package, _, name = point.value.partition(":")
        top, *below = package.strip().split(".")
        spec = find_spec(top)  # of the top package only, as finding one inside it would import it
        for folder in spec.submodule_search_locations or () if spec else ():
            path = Path(folder, *below, name.strip())
            if path.is_file():
                found.append(path)
                break
        else:
            warn(CATALOGUES, point.name, f"the plug-in {point.name!r} brings no catalogue file {point.value!r}")
    return found


def _title(group: str, name: str) -> str:
    what = {PROVIDERS: "provider", EMULATED: "emulated service"}.get(group, "entry")
    return f"the plug-in {name!r} ({what} {points(group)[name].value})"
