"""The wire samples: small JSON files, one for each endpoint and shape, with their source and date."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidnb.records import Reply

SAMPLES = Path(__file__).parents[1] / "providers/samples"


@dataclass(frozen=True)
class Sample:
    """One request as the vendor writes it and one answer to it."""

    source: str
    date: str
    mark: str
    request: Any
    reply: Reply


def sample(name: str) -> Sample:
    """The sample with this name."""
    raw = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return Sample(**{**raw, "reply": Reply(**raw["reply"])})


def replies(*names: str) -> list[Reply]:
    """The replies of the samples with these names."""
    return [sample(name).reply for name in names]


def all_names() -> list[str]:
    """The names of all samples."""
    return sorted(path.stem for path in SAMPLES.glob("*.json"))
