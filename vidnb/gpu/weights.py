"""Which models the folders hold that a person named: weights are read from there, and nothing is ever downloaded.

A folder may be a cache of the Hugging Face hub (`models--Lightricks--LTX-Video/snapshots/<revision>/`), or hold one
folder a model, under the repository's name (`Lightricks/LTX-Video`), its last part (`LTX-Video`) or the name in the
catalogue (`ltx-video`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidnb import catalog
from vidnb.catalog import Model

INDEX = "model_index.json"
"""Lies in every folder that diffusers saved."""


@dataclass(frozen=True)
class Weights:
    """A model on this machine's disk."""

    model: str
    """Id in the catalogue."""
    folder: Path
    revision: str
    """The commit of the repository where the folder tells it, else ""."""
    pipeline: str
    """The class that the checkpoint names."""


def find(folders: Sequence[Path]) -> dict[str, Weights]:
    """Return what lies in these folders, by the model's id; of two the one in the folder that was named first."""
    weights = {}
    for model in local_models():
        for place, revision in _places(model, folders):
            pipeline = _pipeline(place)
            if pipeline:
                weights[model.id] = Weights(model.id, place, revision, pipeline)
                break
    return weights


def local_models() -> list[Model]:
    """Return the models that the server could run if it had their weights."""
    return [model for model in catalog.load().values() if model.provider == "local"]


def _places(model: Model, folders: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Yield where a model may lie, with the revision that the place tells."""
    last = model.wire.rpartition("/")[2]
    for folder in folders:
        for cache in (folder, folder / "hub"):
            yield from _snapshots(cache / f"models--{model.wire.replace('/', '--')}")
        for name in dict.fromkeys((model.wire, last, model.name)):
            yield folder / name, ""


def _snapshots(repository: Path) -> Iterator[tuple[Path, str]]:
    """Yield the snapshots of a repository in the hub's cache, the one that `main` points to first."""
    try:
        newest = (repository / "refs/main").read_text(encoding="utf-8").strip()
    except OSError:
        newest = ""
    try:
        snapshots = sorted(path for path in (repository / "snapshots").iterdir() if path.is_dir())
    except OSError:
        return
    for path in sorted(snapshots, key=lambda path: path.name != newest):
        yield path, path.name


def _pipeline(folder: Path) -> str:
    """Return the class of the pipeline that was saved here, or "" where none was."""
    try:
        told = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    name = told.get("_class_name") if isinstance(told, dict) else None
    return name if isinstance(name, str) else ""
