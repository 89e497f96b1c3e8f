"""The choice of a model: provider, model, what one should know of it, and the keys of the whole studio."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import traitlets

from vidnb import catalog, providers
from vidnb.catalog import DEFAULT_MODEL, Model
from vidnb.widgets._live import Live

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
    _form = traitlets.Unicode("").tag(sync=True)
    """Id of the form that the choice is for."""

    def __init__(self, model: str = DEFAULT_MODEL) -> None:
        entry = catalog.find(model)
        models = listed(catalog.load().values())
        names = dict.fromkeys(each["provider"] for each in models)
        super().__init__(model=entry.id, _models=models, _providers={name: providers.get(name).title for name in names})

    @traitlets.validate("model")
    def _valid_model(self, proposal: Any) -> str:
        return catalog.find(proposal["value"]).id


def listed(models: Iterable[Model]) -> list[dict[str, Any]]:
    """What the page needs of each model: active ones first, those out of service last."""
    known = list(models)
    titles = [(model.provider, model.title) for model in known]
    return [
        {
            "id": model.id,
            "provider": model.provider,
            "title": model.title,
            # Two contracts of one vendor may have one title; the API's version tells them apart.
            "name": f"{model.name} ({model.api})" if titles.count((model.provider, model.title)) > 1 else model.name,
            "status": model.status,
            "modes": list(model.modes),
        }
        for model in sorted(known, key=lambda model: ORDER[model.status])
    ]
