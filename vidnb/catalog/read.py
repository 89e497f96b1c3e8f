"""Turns TOML documents into models: merges them, fills in what they share, and says where a wrong entry stands.

What passes through: documents as `tomllib` reads them -> one plain entry a model (later files change earlier ones key
by key) -> `Model`. Every complaint names the file, the entry and the key.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vidnb.catalog.model import KINDS, SIZE_PARAMS, STATUSES, Model, Param, Rule, Size, aspect_ratio
from vidnb.catalog.prices import BASES
from vidnb.errors import ConfigError

Table = Mapping[str, Any]

VOCABULARY = Path(__file__).with_name("params.toml")
"""vidnb's own param names with kind and help, the same for every provider; their order is the order of the form."""

_PER_FILE = ("api", "service", "tells_cost", "checked", "sources", "confidence")
_TABLES = ("names", "older_names", "params", "every_model", "models")
_DOCUMENT_KEYS = frozenset({*_PER_FILE, *_TABLES, "provider", "path"})
_PARAM_KEYS = frozenset(f.name for f in fields(Param)) - {"name"}
_RULE_KEYS = frozenset(f.name for f in fields(Rule))
_MODEL_KEYS = frozenset(f.name for f in fields(Model)) - {"id", "provider", "names", "older_names"}
_PLAIN_KEYS = _MODEL_KEYS - {"params", "sizes", "rules"}


def read(path: Path) -> dict[str, Any]:
    """One file as a dict, with its path under `path`.

    Raises:
        ConfigError: it cannot be read or is no TOML.
    """
    try:
        return {**tomllib.loads(path.read_text(encoding="utf-8")), "path": str(path)}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the catalogue file {path} cannot be read: {error}") from error


def models(documents: list[dict[str, Any]]) -> list[Model]:
    """All models of these documents, checked; a later document changes an earlier entry key by key.

    Raises:
        ConfigError: an entry is wrong; the message names the file, the entry and the key.
    """
    entries: dict[str, dict[str, Any]] = {}
    paths: dict[str, str] = {}
    common: dict[tuple[str, str], dict[str, Any]] = {}
    for document in documents:
        _check_document(document)
        kind = (document["provider"], document.get("api", ""))
        own = document.get("every_model", {})
        common[kind] = merge(common.get(kind, {}), own)
        for name, entry in document.get("models", {}).items():
            model_id = f"{document['provider']}/{name}"
            told = {key: document[key] for key in _PER_FILE if key in document}
            # A new model also has what the files before this one say of every model of that API.
            new = merge(merge(told, own if model_id in entries else common[kind]), entry)
            entries[model_id] = merge(entries.get(model_id, {}), new)
            paths[model_id] = document["path"]
    shared = _Shared(documents)
    return [_entry(model_id, entry, shared, paths[model_id]) for model_id, entry in entries.items()]


def merge(old: Table, new: Table) -> dict[str, Any]:
    """Both tables in one, the new values over the old ones, table by table."""
    merged = dict(old)
    for key, value in new.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if nested else value
    return merged


class _Shared:
    """What entries take from the files around them: the vocabulary, the spelling of params, the name tables."""

    def __init__(self, documents: Iterable[Table]) -> None:
        self._documents = list(documents)
        self._vocabulary: Table = read(VOCABULARY)["params"]
        self._params: dict[tuple[str, str], Table] = {}
        self._names: dict[tuple[str, str], Table] = {}
        self.order = {name: position for position, name in enumerate(self._vocabulary)}

    def params(self, provider: str, api: str) -> Table:
        """Param tables for every entry of one API; a file that names no API speaks for all of its provider's."""
        if (provider, api) not in self._params:
            tables = [d.get("params", {}) for d in self._of(provider) if d.get("api", api) == api]
            self._params[provider, api] = _merge_all([self._vocabulary, *tables])
        return self._params[provider, api]

    def names(self, key: str, provider: str) -> Table:
        """The name tables of a provider (`names` or `older_names`), from all of its files."""
        if (key, provider) not in self._names:
            table = _merge_all(d.get(key, {}) for d in self._of(provider))
            self._names[key, provider] = _freeze(table)
        return self._names[key, provider]

    def _of(self, provider: str) -> Iterator[Table]:
        return (document for document in self._documents if document["provider"] == provider)


def _merge_all(tables: Iterable[Table]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for table in tables:
        merged = merge(merged, table)
    return merged


def _check_document(document: Table) -> None:
    if not isinstance(document.get("provider"), str):
        raise ConfigError(f"the catalogue file {document['path']} does not say `provider = ...`")
    try:
        _known("the file", document, _DOCUMENT_KEYS)
        tables = {key: document.get(key, {}) for key in _TABLES}
        _must_be_tables(tables)
        _must_be_tables({f"models.{name}": entry for name, entry in tables["models"].items()})
    except ValueError as error:
        raise ConfigError(f"{document['path']}: {error}") from error


def _must_be_tables(values: Table) -> None:
    for key, value in values.items():
        if not isinstance(value, Mapping):
            raise ValueError(f"{key} must be a table, not {value!r}")


def _entry(model_id: str, entry: dict[str, Any], shared: _Shared, path: str) -> Model:
    try:
        model = _model(model_id, entry, shared)
        for problem in _problems(model):
            raise ValueError(problem)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        said = str(error) if isinstance(error, ValueError) else repr(error)
        raise ConfigError(f"{path}: the entry {model_id!r} is wrong: {said}") from error
    return model


def _model(model_id: str, entry: dict[str, Any], shared: _Shared) -> Model:
    _known("the entry", entry, _MODEL_KEYS)
    provider, name = model_id.split("/", 1)
    names = shared.names("names", provider)
    common = shared.params(provider, entry.get("api", ""))
    sizes = tuple(_sizes(entry.get("sizes", {})))
    told = {**_size_params(entry, sizes), **entry.get("params", {})}
    modes, endpoints = entry.get("modes", ["text"]), entry.get("endpoints", {})
    ordered = sorted(told, key=lambda param: shared.order.get(param, len(shared.order)))
    params = {key: _param(key, {**common.get(key, {}), **told[key]}, names) for key in ordered}
    return Model(
        **{
            "wire": name,
            "api": "",
            "title": name,
            "service": provider,
            **{key: _freeze(entry[key]) for key in _PLAIN_KEYS & entry.keys()},
            "id": model_id,
            "provider": provider,
            # Those that every_model adds for a mode which this model lacks would only mislead.
            "endpoints": MappingProxyType({mode: endpoints[mode] for mode in modes if mode in endpoints}),
            "params": MappingProxyType(params),
            "sizes": sizes,
            "rules": tuple(_rule(rule) for rule in entry.get("rules", [])),
            "names": names,
            "older_names": shared.names("older_names", provider),
        }
    )


def _param(name: str, values: Table, names: Table) -> Param:
    _known(f"the param {name!r}", values, _PARAM_KEYS)
    if values.get("kind") not in KINDS:
        raise ValueError(f"the param {name!r}: kind must be one of {', '.join(KINDS)}, not {values.get('kind')!r}")
    frozen = {key: _freeze(value) for key, value in values.items()}
    if "names" in frozen:
        frozen["choices"] = tuple(names[frozen["names"]])
    return Param(name=name, **frozen)


def _size_params(entry: Table, sizes: tuple[Size, ...]) -> dict[str, dict[str, Any]]:
    """The ways to say a size, for a model that lists sizes or takes any; the entry's own tables win over them."""
    if not sizes and not entry.get("size_any"):
        return {}
    resolutions = list(dict.fromkeys(size.resolution for size in sizes))
    ratios = ["auto"] * bool(entry.get("size_auto")) + list(dict.fromkeys(size.aspect_ratio for size in sizes))
    # No field of the service, even where another of its models has one: width and height say it.
    labels = {"resolution": {"choices": resolutions, "wire": None}, "aspect_ratio": {"choices": ratios, "wire": None}}
    return {**(labels if sizes else {}), "width_px": {}, "height_px": {}}


def _sizes(table: Mapping[str, list[list[int]]]) -> Iterator[Size]:
    for resolution, pairs in table.items():
        for width, height in pairs:
            yield Size(width, height, resolution, aspect_ratio(width, height))


def _rule(values: Table) -> Rule:
    _known("a rule", values, _RULE_KEYS)
    return Rule(**{key: _freeze(value) for key, value in values.items()})


def _freeze(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_freeze(item) for item in value)
    if isinstance(value, Mapping):
        return MappingProxyType({key: _freeze(item) for key, item in value.items()})
    return str(value) if isinstance(value, date) else value


def _known(where: str, table: Table, allowed: frozenset[str]) -> None:
    for key in table:
        if key not in allowed:
            close = difflib.get_close_matches(key, allowed, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"{where} has the unknown key {key!r}{hint}")


def _problems(model: Model) -> Iterator[str]:
    """What is wrong with a model that has the right shape."""
    if model.status not in STATUSES:
        yield f"status must be one of {', '.join(STATUSES)}, not {model.status!r}"
    for mode in model.modes:
        if mode not in model.endpoints:
            yield f"there is no endpoint for the mode {mode!r}"
    for param in model.params.values():
        yield from _param_problems(model, param)
    yield from _size_problems(model)
    yield from _rule_problems(model)
    yield from _price_problems(model)
    wires = [param.wire for param in model.params.values() if param.wire]
    for wire in {wire for wire in wires if wires.count(wire) > 1 or wire in model.other_fields}:
        yield f"two params share the wire name {wire!r}"


def _price_problems(model: Model) -> Iterator[str]:
    known = {"amount", "unit", "basis", "confidence", "cases", "counted_fps", "each"}
    if unknown := set(model.price) - known:
        yield f"the price has the unknown key {min(unknown)!r}; there are {', '.join(sorted(known))}"
    if (basis := model.price.get("basis", "clip")) not in BASES:
        yield f"the price's basis must be one of {', '.join(BASES)}, not {basis!r}"
    if missing := set(model.price.get("each", {})) - model.params.keys():
        yield f"the price of each input names the param {min(missing)!r}, which the model does not have"
    for case in model.price.get("cases", ()):
        if missing := set(case["when"]) - model.params.keys():
            yield f"a case of the price names the param {min(missing)!r}, which the model does not have"


def _param_problems(model: Model, param: Param) -> Iterator[str]:
    if param.wire_values and len(param.wire_values) != len(param.choices):
        yield f"the param {param.name!r}: wire_values and choices differ in length"
    if param.kind in ("choice", "choices") and not param.choices:
        yield f"the param {param.name!r} is a choice without choices"
    if param.step is not None and (param.min is None or not (param.max is None or param.on_step(param.max))):
        yield f"the param {param.name!r}: steps of {param.step} need a min, and a max that they reach"
    if unknown := set(param.modes) - set(model.modes):
        yield f"the param {param.name!r}: the model has no mode {', '.join(sorted(unknown))}"
    for key, value in (("default", param.default), ("service_default", param.service_default)):
        if value is not None and not _allowed(param, value):
            yield f"the param {param.name!r}: the {key} {value!r} is not allowed ({param.bounds})"


def _allowed(param: Param, value: Any) -> bool:
    if param.kind == "boolean":
        return isinstance(value, bool)
    if param.choices:
        return value in param.choices
    if param.kind in ("integer", "number"):
        low, high = (-math.inf if param.min is None else param.min), (math.inf if param.max is None else param.max)
        whole = param.kind == "integer" or param.integer
        right = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        return right and low <= value <= high and param.on_step(value)
    return isinstance(value, str) and len(value) <= (param.max_length or len(value)) if param.kind == "text" else True


def _size_problems(model: Model) -> Iterator[str]:
    pairs = [(size.width_px, size.height_px) for size in model.sizes]
    if model.size_default and pairs and model.size_default not in pairs:
        yield f"size_default {model.size_default} is not among the sizes"
    labels = [(size.resolution, size.aspect_ratio) for size in model.sizes]
    for label in {label for label in labels if labels.count(label) > 1}:
        yield f"two sizes are both {' '.join(label)}"
    for name in SIZE_PARAMS[:2]:
        offered = {getattr(size, name) for size in model.sizes}
        if missing := offered - set(model.params[name].choices if name in model.params else offered):
            yield f"the param {name!r} does not offer {', '.join(sorted(missing))}, which the sizes have"


def _rule_problems(model: Model) -> Iterator[str]:
    for rule in model.rules:
        named = {*rule.when, *rule.given, *rule.require, *rule.require_any, *rule.forbid, *filter(None, [rule.param])}
        for name in sorted(named - {"mode"} - model.params.keys()):
            yield f"a rule names the param {name!r}, which the model does not have"
        if rule.param and not (rule.choices or rule.exclude or (rule.min, rule.max, rule.max_items) != (None,) * 3):
            yield f"the rule on {rule.param!r} narrows nothing"
        for name, values in rule.when.items():
            allowed = model.modes if name == "mode" else model.params[name].choices if name in model.params else ()
            if allowed and (wrong := [value for value in values if value not in allowed]):
                yield f"a rule waits for {name} = {wrong[0]!r}, which cannot be"
