"""The catalogue: every model's limits as data, read from one TOML file a provider and API version.

What comes from it: validation before anything is sent, the form, sweep axes, the emulator's own validation and
`vidnb.models()`. Vendors change models every few weeks, so a fact is a line in a TOML file with its source and date,
never a line of code. `VIDNB_CATALOG` (a TOML file or a folder of them) adds models or overrides entries.

The format, by example:

    provider = "leonardo"
    service = "Leonardo.AI"                   # what a person calls it
    tells_cost = false                        # whether its answers say what a job cost; true where it is left out
    api = "v2"
    checked = 2026-10-08                      # when the facts were read
    sources = ["v2 OpenAPI"]                  # for models that name none

    [names.motion_control]                    # readable name = wire value, for params with names = "motion_control";
    "Dolly In" = "ece8c6a9-..."               # shared by all files of the provider

    [params]                                  # how this API spells a param; kind and help come from params.toml
    seed = {wire = "seed"}

    [every_model]                             # what every model of the file has unless it says otherwise
    endpoints = {text = "/v2/generations", image = "/v2/generations"}

    [models."motion_2.0"]
    title = "Motion 2.0"
    params.seed = {min = 0, max = 2147483637}
    sizes."480p" = [[832, 480], [480, 832]]   # legal width and height, by resolution
    rules = [{given = ["end_image"], require = ["start_image"]}]

A file of one's own needs `provider` and, for a new model of a known provider, `api`; for a known model, only the keys
that change.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

from vidnb import plugins
from vidnb.catalog import read
from vidnb.catalog.bounds import span
from vidnb.catalog.model import (
    DEFAULT_MODEL,
    KINDS,
    MEDIA_KINDS,
    PRICED_PARAMS,
    SHAPE_PARAMS,
    SIZE_PARAMS,
    STATUSES,
    Catalogue,
    Model,
    Param,
    Rule,
    Size,
    aspect_ratio,
)

__all__ = [
    "DEFAULT_MODEL",
    "KINDS",
    "MEDIA_KINDS",
    "PRICED_PARAMS",
    "SHAPE_PARAMS",
    "SIZE_PARAMS",
    "STATUSES",
    "Catalogue",
    "Model",
    "Param",
    "Rule",
    "Size",
    "aspect_ratio",
    "find",
    "load",
    "span",
]


@functools.cache
def load() -> Catalogue:
    """The catalogue: the shipped files, those of installed plug-ins, then the user's own over them.

    Raises:
        ConfigError: a file cannot be read or an entry is wrong; the message names the file and the entry.
    """
    shipped = [path for path in sorted(Path(__file__).parent.glob("*.toml")) if path != read.VOCABULARY]
    paths = [*shipped, *plugins.catalogues(), *_own()]
    return Catalogue(read.models([read.read(path) for path in paths]))


def find(model_id: str) -> Model:
    """The model with this id: `load().find(model_id)`."""
    return load().find(model_id)


def _own() -> list[Path]:
    """The user's own files."""
    told = os.environ.get("VIDNB_CATALOG")
    if not told:
        return []
    path = Path(told)
    try:
        return sorted(path.glob("*.toml")) if path.is_dir() else [path]
    except OSError:  # as of a name that is too long: whoever reads it says what is wrong
        return [path]
