"""Where a client sends its requests: to the services by key, to the emulator where there is none."""

from __future__ import annotations

import functools
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from vidnb import display, providers
from vidnb.errors import ConfigError, StoreError
from vidnb.files import disk_errors
from vidnb.forking import free_locks
from vidnb.net.target import EMULATOR_KEY, Target, given_key, target
from vidnb.net.wire import Wire
from vidnb.records import Job

if TYPE_CHECKING:
    from vidnb.emulator import Emulator

EMULATOR_SPEED = 30.0
"""How much quicker than the real services the emulator is, unless `VIDNB_EMULATOR_SPEED` says otherwise."""
_noticed: set[str] = set()


class Connections:
    """The connections of one client.

    Args:
        home: the data folder, in which the emulator keeps its state.
        live: True makes a missing key an error, False emulates whatever keys there are.
        keys: keys by provider name.
        emulator: the emulator to ask where there is no key; default one with its state in the data folder.
        transport: an httpx transport below the retries, for every live target.
    """

    def __init__(
        self,
        home: Path,
        *,
        live: bool | None = None,
        keys: Mapping[str, str] | None = None,
        emulator: Emulator | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        for name in keys or {}:
            providers.get(name)  # a misspelt one would be emulated instead
        self._home = home
        self._live = live
        self._keys = {name: SecretStr(key) for name, key in (keys or {}).items()}
        self._given_emulator = emulator
        self._transport = transport
        self._wires: dict[str, Wire] = {}

    @functools.cached_property
    def emulator(self) -> Emulator:
        """The emulator that answers for providers without a key."""
        if self._given_emulator is not None:
            return self._given_emulator
        from vidnb.emulator import Emulator

        try:
            with disk_errors(self._home):
                return Emulator(self._home / "emulator", speed=_emulator_speed())
        except sqlite3.Error as error:
            raise StoreError(
                f"{self._home}: the emulator cannot keep its state there ({error}); set VIDNB_HOME to a folder you may "
                "write to"
            ) from None

    def target(self, provider: str) -> Target:
        """Return where the provider's requests are sent, and whether a real service is there.

        Raises:
            ConfigError: there is no such provider, or no key where `live` asks for one.
        """
        return target(providers.get(provider), live=self._live, key=self._key(provider))

    def prepare(self, where: Target) -> None:
        """Open the connection, or the emulator where there is no key, so that a wrong setting is found before the row.

        That a provider is emulated is said once a process.

        Raises:
            ConfigError: a proxy or a file of certificates that the environment names cannot be used.
        """
        if where.in_process:
            _ = self.emulator
            _notice(where)
        self._wire(where)

    def _wire(self, where: Target) -> Wire:
        if where.lane not in self._wires or self._wires[where.lane].target.emulated != where.emulated:
            self._wires[where.lane] = Wire(where, self.emulator.transport() if where.in_process else self._transport)
        return self._wires[where.lane]

    def wire_for(self, job: Job) -> Wire:
        """Return the connection over which a job was, or will be, submitted.

        Raises:
            ConfigError: there is no key for it, or its provider's address is another one now.
        """
        return self._wire(self._where(job))

    def begin_anew(self) -> object:
        """Forget the parent's connections in a forked child; return them."""
        free_locks(type(self))
        left, self._wires = self._wires, {}
        return left

    async def aclose(self) -> None:
        """Close all connections."""
        for wire in self._wires.values():
            await wire.aclose()

    def _where(self, job: Job) -> Target:
        provider = providers.get(job.provider)
        if job.emulated:
            key = given_key(provider, self._key(job.provider)) if urlsplit(job.base_url).port else None
            return Target(provider, job.base_url, SecretStr(key or EMULATOR_KEY), True)
        where = target(provider, live=True, key=self._key(job.provider))
        if where.base_url != job.base_url:
            raise ConfigError(
                f"it was sent to {urlsplit(job.base_url).hostname}; {provider.base_url_env} points elsewhere now"
            )
        return where

    def _key(self, provider: str) -> str | None:
        """Return the key that was given to this client, for as long as a call needs it."""
        key = self._keys.get(provider)
        return key.get_secret_value() if key else None


def _emulator_speed() -> float:
    given = os.environ.get("VIDNB_EMULATOR_SPEED") or str(EMULATOR_SPEED)
    try:
        if (speed := float(given)) > 0:
            return speed
    except ValueError:
        pass
    raise ConfigError(f"VIDNB_EMULATOR_SPEED={given!r} is no number above 0; 30 is usual, 1 is as slow as the services")


def _notice(where: Target) -> None:
    """Say once a process that a provider is emulated."""
    name = where.provider.name
    if name not in _noticed:
        _noticed.add(name)
        lacking = f"{where.provider.start} is not running" if where.provider.start else f"No {where.provider.key_env}"
        display.say(
            f"{lacking}: the built-in emulator answers for {where.provider.title}. "
            "Its clips cost nothing and say EMULATED."
        )
