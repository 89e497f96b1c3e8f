"""The providers by name: vidnb's own, and those of plug-ins."""

from __future__ import annotations

import functools

from vidnb import plugins
from vidnb.errors import ConfigError
from vidnb.providers.base import Exchange, Provider

__all__ = ["Exchange", "Provider", "get", "names"]


def names() -> list[str]:
    """Return the names of all providers that are installed here, the built-in ones first; none is imported."""
    return plugins.names(plugins.PROVIDERS)


@functools.cache
def get(name: str) -> Provider:
    """Return the provider with this name.

    Raises:
        ConfigError: there is none, or its plug-in is broken.
    """
    if name not in names():
        raise ConfigError(f"there is no provider {name!r}; there are {', '.join(names())}")
    found = plugins.load(plugins.PROVIDERS, name)
    provider = plugins.made(plugins.PROVIDERS, name, found) if callable(found) else found
    if not isinstance(provider, Provider):
        raise ConfigError(f"the plug-in {name!r} is not a vidnb Provider: {found!r}")
    return provider
