"""The emulated services, found by name: vidnb's own, and those of plug-ins (entry-point group `vidnb.emulated`)."""

from __future__ import annotations

from functools import partial

from vidnb import plugins
from vidnb.emulator.ask import Service
from vidnb.emulator.core import Core
from vidnb.errors import ConfigError


def services(core: Core) -> list[Service]:
    """Return every service that can be loaded; one whose plug-in is broken is left out, and that is said once."""
    found = []
    for name in plugins.names(plugins.EMULATED):
        kind = plugins.load_or_warn(plugins.EMULATED, name)
        if kind is None:
            continue
        if not (isinstance(kind, type) and issubclass(kind, Service)):
            plugins.warn(plugins.EMULATED, name, "it is no subclass of vidnb.emulator.Service")
            continue
        try:
            service: Service = plugins.made(plugins.EMULATED, name, partial(kind, core))
        except ConfigError as error:
            plugins.warn(plugins.EMULATED, name, str(error))
            continue
        core.paces[name] = service
        found.append(service)
    return found
