"""How values show themselves in a cell. A registry between values and `display`, so that neither imports the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_makers: dict[type, Callable[[Any], str]] = {}
load: Callable[[], object] = lambda: None  # noqa: E731  # set by the package, which alone knows `display`
"""Called before a value of a type that is not known yet is shown: imports whatever registers itself here."""

view: Callable[[str], Any]
"""What a person touches, by its public name: `shown.view("Player")`. Set by the package, which alone knows the widgets,
so that rows and clips below them can open one."""


def register(kind: type, html: Callable[[Any], str]) -> None:
    """Let `html` make the HTML of every value of this type, and of its subclasses."""
    _makers[kind] = html


_live: dict[type, Callable[[Any], dict[str, Any]]] = {}


def register_live(kind: type, bundle: Callable[[Any], dict[str, Any]]) -> None:
    """Let `bundle` make what is shown of a value of this type in place of its HTML, by mime type; {} for nothing."""
    _live[kind] = bundle


def live(value: object) -> dict[str, Any]:
    """What is shown in place of the HTML of a value while there is a kernel, by mime type; {} for nothing."""
    found = next((_live[kind] for kind in type(value).__mro__ if kind in _live), None)
    return found(value) if found is not None else {}


def html(value: object) -> str:
    """The HTML of a value.

    Raises:
        LookupError: nothing was registered for its type.
    """
    for _ in range(2):
        for kind in type(value).__mro__:
            if kind in _makers:
                return str(_makers[kind](value))  # marimo takes no subclass of str
        load()  # whatever registers itself there did not yet
    raise LookupError(f"nothing shows a {type(value).__name__}")
