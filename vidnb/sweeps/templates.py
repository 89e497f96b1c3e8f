"""Prompts with names in braces: "a {animal} in the {place}".

Only the names of axes are replaced; other braces stay as they are, so that a prompt may hold JSON. In a prompt with
such a name `{{` and `}}` are literal braces. The name of a param or an option is refused, as it would be read as one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

_PARTS = re.compile(r"\{\{|\}\}|\{([^{}\s]+)\}")


def spelt(name: str) -> str:
    """Return a name as Python spells it: a letter and the accent on it may come as one sign or as two."""
    return unicodedata.normalize("NFKC", name)


def names(text: str) -> list[str]:
    """Return the names in braces, each once, in their order; a name is what Python takes for one."""
    found = (spelt(match[1]) for match in _PARTS.finditer(text) if match[1])
    return list(dict.fromkeys(name for name in found if name.isidentifier()))


def is_template(text: str, axes: Collection[str]) -> bool:
    """Return whether the text has the name of one of these axes in braces."""
    return any(name in axes for name in names(text))


def filled(text: str, values: Mapping[str, Any]) -> str:
    """Return the text with the names replaced that have a value; as it is where it has none of them."""
    if not is_template(text, values):
        return text

    def part(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        name = spelt(match[1])
        return str(values[name]) if name in values else match[0]

    return _PARTS.sub(part, text)
