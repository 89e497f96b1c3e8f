"""Fields for what comes in several: pictures and clips to start from, styles, elements.

Each item is a line of its own with a name, a thumbnail where it is a picture, and a button that takes it away. Bytes of
an uploaded file are taken out of the upload control at once, so that they are not saved into the notebook.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

import ipywidgets as widgets

from vidnb.catalog import Param
from vidnb.errors import VidnbError
from vidnb.widgets.fields import NOTHING, Field, close_all, label, tooltip

ACCEPTED = {"image": "image/*", "images": "image/*", "videos": "video/mp4,video/quicktime", "audios": "audio/*"}
THUMBNAIL_PX = 96


class ListField(Field):
    """A param that takes several items (or, with kind `image`, one); `adders` are the controls that add one."""

    def __init__(self, param: Param, adders: list[widgets.Widget]) -> None:
        self.param = param
        self.items: list[Any] = []
        self.limit = 1 if param.kind == "image" else param.max_items
        self._adders = widgets.HBox(adders)
        self._adders.add_class("vidnb-adders")
        self._lines = widgets.VBox()
        self._lines.add_class("vidnb-items")
        if param.kind == "image":
            self._lines.add_class("vidnb-single")
        super().__init__({param.name: param}, [self._adders, self._lines])

    def read(self) -> dict[str, Any]:
        if not self.items:
            return {}
        alone = self.param.kind == "image" and len(self.items) == 1
        return {self.param.name: self.items[0] if alone else [*self.items]}

    def write(self, values: Mapping[str, Any]) -> None:
        value = values.get(self.param.name, self.param.default)
        given = [] if value is None else [*value] if isinstance(value, list | tuple) else [value]
        self.items = given
        self._draw()

    def add(self, *items: Any) -> None:
        """Append items, as a person does with the controls."""
        self.items = [*self.items, *items]
        self._draw()
        self.changed()

    def remove(self, item: Any) -> None:
        """Take one item away."""
        self.items = [kept for kept in self.items if kept is not item]
        self._draw()
        self.changed()

    def name_of(self, item: Any) -> str:
        """How an item is called in its line."""
        return str(item)

    def picture_of(self, item: Any) -> str:
        """An `<img>` of the item, or ""."""
        return ""

    def _draw(self) -> None:
        for line in self._lines.children:
            close_all(line)
        self._lines.children = [self._line(item) for item in self.items]
        full = self.limit is not None and len(self.items) >= self.limit
        # One picture takes the place of the controls; a full list keeps its label, so that the line is not nameless.
        self._adders.layout.display = "none" if full and self.items and self.param.kind == "image" else None
        for adder in self._adders.children:
            adder.disabled = full

    def _line(self, item: Any) -> widgets.HBox:
        name, title = self.name_of(item), label(self.param) if self.param.kind == "image" else ""
        text = f'<span class="vidnb-item-title">{html.escape(title)}</span>{self.picture_of(item)}'
        shown = widgets.HTML(f'<div class="vidnb-item">{text}<span>{html.escape(_short(name))}</span></div>')
        button = widgets.Button(description="Remove", tooltip=_short(name))
        button.add_class("vidnb-quiet")
        button.on_click(lambda _: self.remove(item))
        line = widgets.HBox([shown, button])
        line.add_class("vidnb-line")
        return line


class MediaField(ListField):
    """Pictures, clips or sound: uploaded, or named by path or address."""

    def __init__(self, param: Param) -> None:
        what = "path or URL" if param.kind == "image" else "path or URL, then Enter"
        need = "required" if param.required else "optional"
        self._place = widgets.Text(placeholder=f"{what} ({need})", continuous_update=False)
        self._place.description, self._place.tooltip = label(param), tooltip(param)
        self._upload = widgets.FileUpload(accept=ACCEPTED[param.kind], multiple=param.kind != "image")
        self._upload.tooltip = f"Upload: {tooltip(param)}"
        super().__init__(param, [self._place, self._upload])
        self._names: dict[int, str] = {}
        self._place.observe(self._placed, "value")
        self._upload.observe(self._uploaded, "value")

    def name_of(self, item: Any) -> str:
        if isinstance(item, bytes):
            return self._names.get(id(item), f"{len(item):,} bytes")
        return str(item) if isinstance(item, str | PurePath) else f"given by code ({type(item).__name__})"

    def picture_of(self, item: Any) -> str:
        is_address = isinstance(item, str) and urlsplit(item).scheme in ("http", "https")
        if self.param.kind not in ("image", "images") or is_address:
            return ""  # nothing is fetched before Generate
        try:
            return thumbnail(item)
        except (VidnbError, OSError, ValueError, TypeError, AttributeError):
            return '<span class="vidnb-nothing" title="not a picture that can be read">?</span>'

    def write(self, values: Mapping[str, Any]) -> None:
        super().write(values)
        self._place.value = ""

    def _placed(self, change: Any) -> None:
        place = change["new"].strip().strip("'\"")
        if place:
            self._place.value = ""
            self.add(place)

    def _uploaded(self, change: Any) -> None:
        files = [(file["name"], bytes(file["content"])) for file in change["new"]]
        if files:
            self._upload.value = ()
            self._names |= {id(content): name for name, content in files}
            self.add(*(content for _, content in files))


class ChoicesField(ListField):
    """Several names out of a list."""

    def __init__(self, param: Param) -> None:
        options = [("add one ...", NOTHING), *((str(choice), choice) for choice in param.choices)]
        self._add = widgets.Dropdown(options=options, description=label(param))
        self._add.tooltip = tooltip(param)
        self._add.observe(self._added, "value")
        super().__init__(param, [self._add])

    def _added(self, change: Any) -> None:
        if change["new"] != NOTHING:
            self._add.value = NOTHING
            if change["new"] not in self.items:
                self.add(change["new"])


class ElementsField(ListField):
    """Add-ons by id, each with a weight."""

    def __init__(self, param: Param) -> None:
        self._add = widgets.Text(placeholder="id, or id: weight (-2 to 2), then Enter", continuous_update=False)
        self._add.description, self._add.tooltip = label(param), tooltip(param)
        self._add.observe(self._added, "value")
        super().__init__(param, [self._add])

    def name_of(self, item: Any) -> str:
        return f"{item.get('id')}: {item.get('weight', 1)}" if isinstance(item, Mapping) else str(item)

    def _added(self, change: Any) -> None:
        name, _, weight = change["new"].partition(":")
        if name.strip():
            self._add.value = ""
            self.add({"id": name.strip(), "weight": _weight(weight.strip() or "1")})


def thumbnail(item: Any) -> str:
    """An `<img>` of a picture, small enough to be no burden.

    Raises:
        MediaError: it is no picture.
    """
    import io

    import PIL.Image

    from vidnb import media
    from vidnb._clip import Clip

    if isinstance(item, Clip):
        return _img(item.poster, "webp")
    file = media.image_file(item)
    with PIL.Image.open(io.BytesIO(file.content)) as picture:
        picture.thumbnail((THUMBNAIL_PX * 2, THUMBNAIL_PX * 2))
        small = io.BytesIO()
        picture.convert("RGB").save(small, "WEBP", quality=70)
    return _img(small.getvalue(), "webp")


def _img(content: bytes, kind: str) -> str:
    return f'<img class="vidnb-thumbnail" alt="" src="data:image/{kind};base64,{base64.b64encode(content).decode()}">'


def _weight(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _short(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:24]}...{name[-32:]}"
