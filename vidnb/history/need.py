"""SciPy at first use, so that whoever asks for no statistics need not have it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from vidnb.errors import ConfigError


def scipy(part: str) -> Any:
    """One of SciPy's modules: `scipy("stats")`.

    Raises:
        ConfigError: SciPy is not installed.
    """
    return needed(f"scipy.{part}", "Statistics need SciPy", "stats")


def needed(module: str, what: str, extra: str) -> Any:
    """A module of an optional package.

    Args:
        module: to import.
        what: the beginning of the message: "Plots need matplotlib".
        extra: of vidnb, which brings it.

    Raises:
        ConfigError: it is not installed; the message says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigError(f"{what}: pip install 'vidnb[{extra}]'") from error
