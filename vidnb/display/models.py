"""One model explained as HTML, and the catalogue as a DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from vidnb import providers
from vidnb.catalog import Model, Param, words
from vidnb.display.page import (
    AMBER,
    BLUE,
    MUTED,
    RED,
    ROW,
    Content,
    Html,
    badge,
    block,
    details,
    dotted,
    facts,
    join,
    mono,
    table,
    tag,
)
from vidnb.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

LISTED = 12
"""A param's choices up to this many are written out; more are folded away."""


def model_html(model: Model) -> str:
    """All that the catalogue knows of one model: status, params with bounds, sizes, rules, price, sources."""
    pairs: list[tuple[Content, Content]] = [
        ("Modes", ", ".join(model.modes)),
        ("Duration", f"{model.fixed_duration_s:g} s, always" if model.fixed_duration_s else None),
        ("Sizes", _size_words(model)),
        ("Images", _image_words(model.image_limits)),
        ("Price", f"{words.price_line(model.price) or 'not published'}; nothing where it is emulated"),
        ("Kept at the service", _kept(model)),
        ("Rules", join(map(words.rule, model.rules), tag("br"))),
        ("Notes", join(model.notes, tag("br"))),
    ]
    head = tag(
        "div",
        tag("span", model.title, style="font-weight:600;font-size:15px"),
        mono(model.id),
        badge(model.status.upper(), RED if model.is_retired else AMBER) if model.status != "active" else None,
        style=f"{ROW};gap:4px 10px",
    )
    rows = (_param_cells(param) for param in model.params.values())
    params = table(("param", "kind", "allowed", "default", ""), rows)
    read = dotted(f"read {model.checked}" if model.checked else None, model.confidence, *model.sources)
    parts = (head, _status_line(model), facts(pairs), tag("div", params, style="margin:8px 0 4px"), read)
    return block(*parts, style="max-width:960px;margin:2px 0 10px")


def _status_line(model: Model) -> Html | None:
    if model.status == "active":
        return None
    if not model.is_retired:
        said = "Seen in a list only: its params, or its name on the wire, are a guess."
    else:
        said = f"{words.retirement(model)} The emulator still plays it."
    return tag(
        "div", said, style=f"margin:4px 0;padding:2px 10px;border-left:3px solid {RED if model.is_retired else AMBER}"
    )


def _param_cells(param: Param) -> list[Content]:
    name = join([mono(param.name), " ", badge("required", BLUE) if param.required else None])
    default: Content = None
    if param.default is not None:
        default = mono(_plain(param.default))
    elif param.service_default is not None:
        said = (mono(_plain(param.service_default)), tag("span", " by the service", style=MUTED))
        default = tag("span", *said, style="white-space:nowrap")
    modes = f"in mode {', '.join(param.modes)} only" if param.modes else None
    older = "form of an older vendor page: accepted, not offered" if param.older else None
    extra = dotted(older, modes, param.note)
    # Wide enough that a narrow page scrolls the table rather than break every word.
    return [name, param.kind, _allowed(param), default, tag("div", param.help, extra, style="min-width:200px")]


def _allowed(param: Param) -> Content:
    if len(param.choices) <= LISTED:
        return param.bounds
    return details(f"{len(param.choices)} choices", ", ".join(map(str, param.choices)))


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _kept(model: Model) -> str | None:
    """Return how long the service keeps a finished clip, where that is so short that a person should know."""
    try:
        seconds = providers.get(model.provider).results_live_s
    except ConfigError:  # the plug-in is gone, the catalogue is not
        return None
    return None if seconds is None else f"{seconds / 3600:g} h after its end: fetch it before that"


def _size_words(model: Model) -> Html:
    groups = groupby(model.sizes, key=lambda size: size.resolution)
    lines: list[Content] = [
        f"{name}: " + ", ".join(f"{size.width_px}×{size.height_px}" for size in sizes) for name, sizes in groups
    ]
    if model.size_any:
        low, high = model.size_range or (None, None)
        step = f", in multiples of {model.size_step}" if model.size_step else ""
        lines.append("other sizes too" + (f", {low} to {high} px a side" if low else "") + step)
    lines.append('aspect_ratio="auto": follows the input' if model.size_auto else None)
    lines.append("without a size: {}×{}".format(*model.size_default) if model.size_default else None)
    lines.append(model.size_note or None)
    return join(lines, tag("br"))


def _image_words(limits: Mapping[str, Any]) -> str:
    names = {
        "max_bytes": "at most {} bytes",
        "min_side_px": "sides of at least {} px",
        "max_side_px": "sides of at most {} px",
    }
    said = [", ".join(map(str, limits["types"]))] if limits.get("types") else []
    said += [form.format(f"{limits[key]:,}") for key, form in names.items() if limits.get(key)]
    low, high = limits.get("min_aspect"), limits.get("max_aspect")
    return "; ".join(said + ([f"width to height {low} to {high}"] if low and high else []))


MODEL_COLUMNS = (
    "id", "title", "status", "modes", "durations", "sizes", "prompt_max", "seed", "audio", "start_image", "end_image",
    "motion_strength", "price", "checked", "confidence",
)  # fmt: skip


def models_frame(models: Mapping[str, Model], *, provider: str | None = None, retired: bool = False) -> pd.DataFrame:
    """The models as a DataFrame, one row each.

    Args:
        models: the catalogue.
        provider: only this provider's.
        retired: the retired ones too.
    """
    import pandas as pd

    chosen = (m for m in models.values() if provider in (None, m.provider) and (retired or not m.is_retired))
    frame = pd.DataFrame([_model_row(model) for model in chosen], columns=list(MODEL_COLUMNS))
    return frame.astype({"prompt_max": "Int64", "audio": "boolean"})


def _model_row(model: Model) -> list[Any]:
    prompt = model.params.get("prompt")
    return [
        model.id,
        model.title,
        model.status,
        ", ".join(model.modes),
        f"{model.fixed_duration_s:g}" if model.fixed_duration_s else _range(model.params.get("duration_s")),
        ", ".join(_distinct(f"{size.width_px}x{size.height_px}" for size in model.sizes)),
        prompt.max_length if prompt else None,
        _range(model.params.get("seed")),
        "audio" in model.params,
        _presence(model.params.get("start_image")),
        _presence(model.params.get("end_image")),
        _range(model.params.get("motion_strength")),
        words.price_line(model.price),
        str(model.checked),
        model.confidence,
    ]


def _distinct(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))


def _range(param: Param | None) -> str:
    return param.bounds.removeprefix("one of ") if param else ""


def _presence(param: Param | None) -> str:
    return ("required" if param.required else "yes") if param else ""
