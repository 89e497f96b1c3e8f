"""What the form's page must know of a model: a JSON description of each field, made from the catalogue.

A field stands for one param, or for all that say the size (`size`). Values travel as JSON that a page cannot spoil:
numbers as text, for JavaScript rounds whole ones above 2^53; None is "nothing given", shown as the default.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from vidnb import catalog
from vidnb.catalog import MEDIA_KINDS, SIZE_PARAMS, Model, Param, sizes, words
from vidnb.media.pictures import IMAGE_TYPES
from vidnb.params import seeds

Spec = dict[str, Any]

SIZE = "size"
"""The name of the field that holds all of SIZE_PARAMS."""
MOTION = (
    "motion_strength", "motion_bucket", "motion_control", "motion_control_weight", "camera_control",
    "camera_control_value",
)  # fmt: skip
"""What moves the picture, in the order of the form."""
MOVING = ("motion", "camera", "movement")
"""The first word of whatever moves the picture, in models of plug-ins and of one's own, too."""
KNOBS = ("prompt", "motion_strength", "seed", "resolution")
"""What people look for in every model: where one lacks it, the form says which models have it."""
LABELS = {"height_px": "Height (px)", "width_px": "Width (px)"}
UNITS = {"duration_s": "s", "motion_control_weight": "", "fps": "fps"}
SWITCH_WORDS = {"public": ("Private", "Public: shown in the vendor's feed"), "audio": ("Silent", "With sound")}
"""What a switch says when it is off and on."""
SEGMENTS = 6
"""Up to so many short choices stand side by side; more are a list to open."""
SEGMENT_LETTERS = 34
WIDEST_SLIDER = 300
"""Whole numbers with more steps than this are typed, not slid."""
BROWSER_TYPES = {
    "image": [*(mime for _, mime in IMAGE_TYPES.values()), "image/gif", "image/bmp", "image/tiff", "image/avif",
              "image/heic", "image/heif"],
    "video": ["video/mp4", "video/quicktime"],
    "audio": ["audio/mpeg", "audio/wav", "audio/x-wav", "audio/wave"],
}  # fmt: skip
"""What vidnb can open, as browsers call it."""


def fields_of(model: Model) -> list[Spec]:
    """The fields of a model, the basics first."""
    made = {spec["name"]: spec for spec in _all(model)}
    basics = ("prompt", "start_image", *motion_of(made), "duration_s", "seed", SIZE)
    first = [name for name in basics if name in made]
    first += [name for name, spec in made.items() if spec["required"] and name not in first]
    ordered = [*first, *(name for name in made if name not in first)]
    return [{**made[name], "basic": name in first} for name in ordered]


def motion_of(names: Iterable[str]) -> list[str]:
    """Those of the params that move the picture: the ones that vidnb names first."""
    moving = [name for name in names if name.partition("_")[0] in MOVING]
    return sorted(moving, key=lambda name: MOTION.index(name) if name in MOTION else len(MOTION))


def lacks_of(model: Model) -> list[str]:
    """What of KNOBS the model does not take, each with the models that do: "seed (Kling 2.1, Veo 3 and 9 more)"."""
    models = catalog.load()
    missing = [name for name in KNOBS if name not in model.params and not (name == "resolution" and model.sizes)]
    found = {name: words.accepting(models, name, model) for name in missing}
    return [f"{words.param(name)} ({titles} {_take(titles)} it)" for name, titles in found.items() if titles]


def _take(names: str) -> str:
    return "take" if " and " in names else "takes"


def _all(model: Model) -> Iterator[Spec]:
    size = [name for name in SIZE_PARAMS if name in model.params]
    for name, param in model.params.items():
        if name in size:
            if name == size[0]:
                yield size_field(model, size)
        else:
            yield field(param, model)


def field(param: Param, model: Model) -> Spec:
    """The description of the field for one param."""
    return {
        "name": param.name,
        "params": [param.name],
        "label": label(param),
        "about": tooltip(param),
        "required": param.required,
        "modes": [] if param.name == "start_image" else list(param.modes),
        "default": plain(initial(param)),
        "unset": left_out(param),
        **_control(param, model),
    }


def _control(param: Param, model: Model) -> Spec:
    """What a person moves, by the param's kind."""
    if param.kind in MEDIA_KINDS:
        return _media(param, model)
    if param.kind == "text":
        return {"control": "text", "limit": param.max_length, "lines": _lines(param), "help": param.help}
    if param.kind == "boolean" and param.default is not None:
        off, on = SWITCH_WORDS.get(param.name, ("Off", "On"))
        return {"control": "switch", "off": off, "on": on}
    if param.kind == "boolean":
        return {"control": "segments", "options": [_option(True, "On"), _option(False, "Off")]}
    if param.kind == "elements":
        return {"control": "elements", "max": param.max_items}
    if param.choices:
        return _choice(param)
    if param.name == "seed":
        return {"control": "seed", **_bounds(param), "drawn": list(seeds.drawn_from(model) or ())}
    return {"control": "number", **_bounds(param)}


def _lines(param: Param) -> str:
    return {"prompt": "many", "negative_prompt": "few", "prompt_enhance_instruction": "few"}.get(param.name, "one")


def _choice(param: Param) -> Spec:
    unit = UNITS.get(param.name, "")
    known = {"on": "On", "off": "Off", "auto": "Auto"}
    options = [
        _option(str(choice), known.get(choice) or f"{words.choice(choice)} {unit}".strip()) for choice in param.choices
    ]
    if param.kind == "choices":
        return {"control": "names", "options": options, "many": True, "max": param.max_items}
    if param.names:
        return {"control": "names", "options": options, "many": False, "max": 1}
    short = len(options) <= SEGMENTS and sum(len(option["label"]) for option in options) <= SEGMENT_LETTERS
    return {"control": "segments" if short else "select", "options": options}


def _option(value: Any, text: str) -> Spec:
    return {"value": value, "label": text}


def _bounds(param: Param) -> Spec:
    whole = param.kind == "integer" or param.integer
    slider = param.min is not None and param.max is not None
    slider = slider and not (whole and param.max - param.min > WIDEST_SLIDER)  # type: ignore[operator]  # both are there
    step = param.step or 1 if whole else 0.1 if not slider or param.max - param.min > 1 else 0.05  # type: ignore[operator]  # as above
    return {
        "min": plain(param.min),
        "max": plain(param.max),
        "step": step,
        "whole": whole,
        "slider": slider,
        "unit": UNITS.get(param.name, ""),
        "bounds": param.bounds,
        "rest": plain(param.service_default),
    }


def _media(param: Param, model: Model) -> Spec:
    what = {"images": "image", "videos": "video", "audios": "audio"}.get(param.kind, param.kind)
    limits = model.image_limits if what == "image" else {}
    kept = dict(IMAGE_TYPES.values())
    return {
        "control": "media",
        "what": what,
        "max": 1 if param.kind == "image" else param.max_items,
        "opens": BROWSER_TYPES[what],
        # A picture of one of these types goes out as it is; all others become PNG or JPEG first.
        "refused": [mime for extension, mime in kept.items() if limits and extension not in limits.get("types", kept)],
        "max_bytes": limits.get("max_bytes"),
    }


def size_field(model: Model, names: list[str]) -> Spec:
    """The description of the field for resolution, aspect ratio and pixels, as far as the model has them."""
    params = [model.params[name] for name in names]
    parts = {name: _part(model.params[name]) for name in ("resolution", "aspect_ratio") if name in names}
    said = [tooltip(param) for param in params if param.name in parts or not parts]
    default = None
    if model.size_default:
        labels = labels_of(model, *model.size_default)
        default = labels or dict(zip(("width_px", "height_px"), map(str, model.size_default), strict=True))
    elif any(param.default is not None for param in params):
        default = {param.name: plain(param.default) for param in params if param.default is not None}
    modes = [param.modes for param in params]
    return {
        "name": SIZE,
        "params": names,
        "control": SIZE,
        "label": label_of(SIZE) if len(names) > 1 else label(params[0]),
        "about": " ".join([*said, model.size_note]).strip(),
        "required": any(param.required for param in params),
        "modes": list(modes[0]) if all(each == modes[0] for each in modes) else [],
        "default": default,
        "unset": "the service picks",
        "parts": parts,
        "sizes": [[size.width_px, size.height_px, size.resolution, size.aspect_ratio] for size in model.sizes],
        "any": "width_px" in names and (model.size_any or not model.sizes),
        "range": list(sizes.side_bounds(model)),
        "step": sizes.side_step(model),
        "auto": model.size_auto,
        "auto_resolution": "resolution" in names and model.params["resolution"].wire is not None,
    }


def _part(param: Param) -> Spec:
    return {
        "choices": [str(choice) for choice in param.choices],
        "default": plain(param.default),
        "modes": list(param.modes),
    }


def labels_of(model: Model, width: Any, height: Any) -> dict[str, str] | None:
    """Resolution and aspect ratio that name this listed pair and no other; None where none do."""
    found = sizes.listed(model, width, height)
    if found is None:
        return None
    both = (found.resolution, found.aspect_ratio)
    same = [size for size in model.sizes if (size.resolution, size.aspect_ratio) == both]
    return {"resolution": both[0], "aspect_ratio": both[1]} if len(same) == 1 else None


def initial(param: Param) -> Any:
    """What the field shows, and gives, while nobody has set it: the default, or a start for a required slider."""
    if param.default is not None or not param.required or param.choices:
        return list(param.default) if isinstance(param.default, tuple) else param.default
    if param.kind not in ("integer", "number") or param.min is None or param.max is None or param.name == "seed":
        return None
    start = param.service_default if param.service_default is not None else (param.min + param.max) / 2
    return int(start) if param.kind == "integer" or param.integer else start


def plain(value: Any) -> Any:
    """A catalogue value as the page gets it."""
    if isinstance(value, bool | str | None):
        return value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(int(value)) if float(value).is_integer() else str(value)


def label(param: Param) -> str:
    """The param's name as a person reads it."""
    return label_of(param.name)


def label_of(name: str) -> str:
    """The name of a field or param as a person reads it."""
    return LABELS.get(name) or words.param(name).capitalize()


def tooltip(param: Param) -> str:
    """What the catalogue says of the param: help, bounds, note and source."""
    listed = param.bounds not in ("", "text", param.kind) and not param.names
    allowed = f"Allowed: {param.bounds}." if listed else ""
    required = "Required." if param.required else ""
    source = f"Source: {param.source}." if param.source else ""
    return " ".join(filter(None, (param.help, allowed, required, param.note, source)))


def left_out(param: Param) -> str:
    """What happens where nothing is given, in a few words."""
    if param.required:
        return "required"
    default = param.service_default
    if param.name == "seed":
        return "random"
    if default is None or default == "default":
        return "none" if param.names else "default"
    said = {True: "on", False: "off"}[default] if isinstance(default, bool) else default
    return f"default: {said}"
