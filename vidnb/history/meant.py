"""What a person may have meant by words that no prompt has: the nearest words of the prompts that there are."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

NEAR = 0.75
"""From this likeness on, as difflib counts it, a word is taken for a misspelt other one."""


def meant(wanted: str, prompts: Iterable[str]) -> str:
    """Return the words with each that no prompt has replaced by the nearest one; "" where there is nothing near.

    Args:
        wanted: what was looked for.
        prompts: what there is.
    """
    known = dict.fromkeys(word for prompt in prompts for word in _words(prompt))
    nearest = [_nearest(word, known) for word in _words(wanted)]
    corrected = " ".join(nearest)
    return corrected if all(nearest) and corrected != " ".join(_words(wanted)) else ""


def _nearest(word: str, known: dict[str, None]) -> str:
    if word in known:
        return word
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=NEAR)), "")


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
