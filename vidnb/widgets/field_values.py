"""The values of a form's fields: what a person or a program set, what stays for other models, and what is given.

Plain Python without traits or a page, so that every rule of it can be read and tested by itself; `form` keeps it in
step with the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vidnb.catalog import SIZE_PARAMS, Model
from vidnb.widgets.fields import SIZE, Spec, fields_of, initial, label_of, labels_of
from vidnb.widgets.page_values import canonical_size
from vidnb.widgets.snap import same, same_values, snap

Values = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """What somebody set, and in which model; there it is never changed."""

    values: Values
    model: str


class FieldValues:
    """The values of the fields of one model, and the wishes that a change of model keeps.

    Attributes:
        model: the catalogue's entry.
        specs: the description of each field, by its name.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.specs: dict[str, Spec] = {}
        self._set: dict[str, Values] = {}
        self._wishes: dict[str, Wish] = {}
        self._foreign: Values = {}

    def __getitem__(self, field: str) -> Values:
        """What was set in the field; {} where nothing was."""
        return self._set.get(field, {})

    def put(self, field: str, values: Values) -> None:
        """Set a field; {} lets it show its default again."""
        if values:
            self._set[field], self._wishes[field] = values, Wish(values, self.model.id)
        else:
            self._set.pop(field, None)
            self._wishes.pop(field, None)

    def all_set(self) -> list[Values]:
        """Return everything that is set or wished for, as the inputs in it must be kept."""
        return [*self._set.values(), *(wish.values for wish in self._wishes.values())]

    def switch(self, model: Model) -> tuple[dict[str, str], set[str]]:
        """Go to another model, with everything that was wished for in the models so far, as far as it takes that.

        Returns:
            What to say of each field whose value had to change, and the names of the fields that show the same as
            before.
        """
        for name, value in self._foreign.items():
            field = SIZE if name in SIZE_PARAMS else name
            earlier = self._wishes[field].values if field == SIZE and field in self._wishes else {}
            self._wishes[field] = Wish({**earlier, name: value}, "")
        self._foreign = {}
        before, self._set = self._set, {}
        old, self.specs = self.specs, {spec["name"]: spec for spec in fields_of(model)}
        self.model = model
        words: dict[str, str] = {}
        for field in self.specs.keys() & self._wishes.keys():
            wish = self._wishes[field]
            values, text = (wish.values, "") if wish.model == model.id else snap(model, wish.values)
            self._set |= {field: values} if values else {}
            words |= {field: text} if text else {}
        unchanged = {
            field
            for field in self.specs.keys() & old.keys()
            if same_values(before.get(field, {}), self[field]) and _speaks_like(old[field], self.specs[field])
        }
        return words, unchanged

    def fill(self, given: Mapping[str, Any]) -> list[str]:
        """Show these values, and in all other fields the default; return the names of the fields that changed.

        A value that stands there already counts as unmoved: it follows the default of the next model.
        """
        self._foreign = {name: value for name, value in given.items() if name not in self.model.params}
        changed = []
        for field, spec in self.specs.items():
            new = {name: given[name] for name in spec["params"] if name in given}
            new = canonical_size(self.model, new) if field == SIZE else new
            if not same_values(new, self.effective(field)) and (new or self[field]):
                self.put(field, new)
                changed.append(field)
        return changed

    def effective(self, field: str) -> Values:
        """The field's value: the one that was set, else the one that it shows unset."""
        values, own = self[field], self._initial(field)
        return own | values if field == SIZE and not self.model.sizes else values or own

    def _initial(self, field: str) -> Values:
        if field == SIZE and self.model.size_default:
            width, height = self.model.size_default
            return labels_of(self.model, width, height) or {"width_px": width, "height_px": height}
        params = [self.model.params[name] for name in self.specs[field]["params"]]
        return {param.name: value for param in params if (value := initial(param)) is not None}

    def collected(self) -> Values:
        """The values of all fields; one that this mode has no use for is left out, if nobody moved it."""
        everything: Values = {}
        for field in self.specs:
            everything |= self.effective(field)
        mode = self.model.mode_of(everything)
        for field in self.specs:
            own = self._initial(field)
            for name in self.specs[field]["params"]:
                useful = name == "start_image" or self.model.accepts(name, mode)
                if not useful and name in everything and same(everything[name], own.get(name)):
                    del everything[name]
        ordered = {name: everything[name] for name in self.model.params if name in everything}
        return {**ordered, **self._foreign}

    def kept_labels(self) -> list[str]:
        """The names of the wishes for which this model has no field, as a person reads them."""
        return [label_of(name) for name in self._wishes if name not in self.specs]


def _speaks_like(old: Spec, new: Spec) -> bool:
    """Whether an edit meant for the one field says the same in the other, should it come after a change of model."""
    return all(old.get(name) == new.get(name) for name in ("params", "control", "what", "many"))
