"""The choice of a model: provider, model, what one should know of it, and the keys of the whole studio."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import traitlets

from vidnb import catalog
from vidnb.catalog import DEFAULT_MODEL, Model, words
from vidnb.widgets.fields import motion_of
from vidnb.widgets.live import Live

SOUGHT_FIRST = ("seed", "prompt", "start_image", "end_image", "reference_images", "audio", "resolution")
ORDER = {"active": 0, "unconfirmed": 1, "retired": 2}


class ModelPicker(Live, part="picker", main="model"):
    """A choice among the catalogue's models; those out of service need one more click.

    Args:
        model: id of the model to begin with.

    Attributes:
        model: id of the chosen model; observe it, or assign another.
        about: lines on the model or the host that a person should read before paying, each with a tone (`note`,
            `warn`).

    Example:
        >>> picker, form = vidnb.widgets.ModelPicker(), vidnb.Form()
        >>> picker.observe(lambda change: setattr(form, "model", change["new"]), "model")
    """

    model = traitlets.Unicode().tag(sync=True)
    about: traitlets.List[dict[str, str]] = traitlets.List().tag(sync=True)
    _models: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    _providers = traitlets.Dict().tag(sync=True)
    _takes: traitlets.List[dict[str, str]] = traitlets.List().tag(sync=True)
    """Params by which models can be found, with their names in words."""
    _form = traitlets.Unicode("").tag(sync=True)
    """Id of the form that the choice is for."""

    def __init__(self, model: str = DEFAULT_MODEL) -> None:
        entry = catalog.find(model)
        models = listed(catalog.load().values())
        services = {model.provider: model.service for model in catalog.load().values()}
        super().__init__(model=entry.id, _models=models, _providers=services, _takes=sought(catalog.load().values()))

    @traitlets.validate("model")
    def _valid_model(self, proposal: Any) -> str:
        return catalog.find(proposal["value"]).id


def listed(models: Iterable[Model]) -> list[dict[str, Any]]:
    """What the page needs of each model: active ones first, those out of service last."""
    titles = catalog.load().titles
    return [
        {
            "id": model.id,
            "provider": model.provider,
            "title": titles[model.id],
            "takes": list(model.params),
            "status": model.status,
            "modes": list(model.modes),
        }
        for model in sorted(models, key=lambda model: ORDER[model.status])
    ]


def sought(models: Iterable[Model]) -> list[dict[str, str]]:
    """The params that some models take and others lack, with their names in words; what moves the picture first."""
    known = list(models)
    counts = Counter(name for model in known for name in model.params if name not in ("width_px", "height_px"))
    first = [*motion_of(counts), *(name for name in SOUGHT_FIRST if counts[name])]
    rest = [name for name, _ in counts.most_common() if name not in first]
    return [{"name": name, "words": words.param(name)} for name in [*first, *rest] if counts[name] < len(known)]
