"""The providers by name: a table of import strings, and plug-ins through the entry-point group `vidnb.providers`."""

from __future__ import annotations

import functools
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from vidnb.errors import ConfigError
from vidnb.providers._base import Exchange, Provider

__all__ = ["Exchange", "Provider", "get", "names", "plugin_catalogues"]

GROUP = "vidnb.providers"

_BUILT_IN = {
    "leonardo": "vidnb.providers.leonardo:Leonardo",
    "1min": "vidnb.providers.onemin:OneMin",
}


def names() -> list[str]:
    """Names of all providers that can be used here, the built-in ones first."""
    return [*_BUILT_IN, *_plugins()]


@functools.cache
def get(name: str) -> Provider:
    """The provider with this name.

    Raises:
        ConfigError: there is none, or a plug-in cannot be loaded.
    """
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        found = getattr(import_module(module), attribute)
    elif name in _plugins():
        found = _load(_plugins()[name])
    else:
        raise ConfigError(f"there is no provider {name!r}; there are {', '.join(names())}")
    provider = found()
    if not isinstance(provider, Provider):
        raise ConfigError(f"the plug-in {name!r} is not a vidnb Provider: {found!r}")
    return provider


def plugin_catalogues() -> list[str]:
    """Paths of the catalogue files that installed plug-ins bring."""
    return [path for name in _plugins() if (path := get(name).catalogue)]


@functools.cache
def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in _BUILT_IN}


def _load(point: EntryPoint) -> type[Provider]:
    try:
        return point.load()  # type: ignore[no-any-return]  # an entry point can hold anything; get() checks it
    except Exception as error:
        raise ConfigError(f"the provider plug-in {point.value!r} cannot be loaded: {error!r}") from error
