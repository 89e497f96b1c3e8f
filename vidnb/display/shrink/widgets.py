"""The widgets that are saved in a notebook, with their videos as files.

A saved widget holds its bytes in base64. A page shows it from there without a kernel, and no widget can be told to read
a file beside the notebook instead: its page has another address. An output can, so a widget that does nothing but
show videos becomes such an output; in one that does more the video's own place gets its poster and the file's name.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from vidnb.display.shrink.videos import DATA, Videos, joined, lighter_data, suffix_of

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
REFERENCE = re.compile(r"IPY_MODEL_([\w-]+)")
COLUMNS = ("VBoxModel", "TabModel", "AccordionModel", "StackModel")
BOXES = ("BoxModel", "HBoxModel", "GridBoxModel", *COLUMNS)
DECODED = {"base64": lambda text: base64.b64decode(text, validate=True), "hex": bytes.fromhex}
Model = dict[str, Any]


class SavedWidgets:
    """What a notebook saved of its widgets.

    Args:
        models: by id, as they are saved; they are changed.
        videos: the files.
    """

    def __init__(self, models: dict[str, Model], videos: Videos) -> None:
        self._models = models
        self._videos = videos
        self._shows: dict[str, list[str]] = {}
        """By id, the addresses of the videos that a widget itself holds."""
        self._changed: set[str] = set()
        for name, model in models.items():
            if isinstance(model, dict) and isinstance(model.get("state"), dict):
                self._take_videos(name, model)

    @classmethod
    def of(cls, notebook: Mapping[str, Any], videos: Videos) -> SavedWidgets:
        """What this notebook saved; nothing, where it is of another form."""
        found: Any = notebook
        for name in ("metadata", "widgets", STATE, "state"):
            found = found.get(name) if isinstance(found, dict) else None
        return cls(found if isinstance(found, dict) else {}, videos)

    def _take_videos(self, name: str, model: Model) -> None:
        before = model["state"]
        buffers = model.get("buffers")
        own = [url for buffer in buffers if (url := self._url(buffer))] if isinstance(buffers, list) else []
        own += [url for text in before.values() if (url := self._url_of_address(text))]
        if own:
            self._shows[name] = own
        model["state"] = self._lighter(before)
        if own or model["state"] != before:
            self._changed.add(name)

    def _url(self, buffer: Any) -> str | None:
        """The address of a buffer that is a video."""
        if not isinstance(buffer, dict) or not isinstance(buffer.get("data"), str):
            return None
        try:
            data = DECODED[buffer.get("encoding", "base64")](buffer["data"])
        except (KeyError, ValueError, binascii.Error):
            return None
        suffix = suffix_of(data)
        return None if suffix is None else self._videos.url(data, suffix)

    def _url_of_address(self, text: Any) -> str | None:
        """The address of a video that is given as one that carries its bytes, and as nothing else."""
        whole = DATA.fullmatch(text) if isinstance(text, str) else None
        return self._videos.url_of_text(whole[1], whole[2]) if whole is not None else None

    def _lighter(self, value: Any) -> Any:
        """The state with videos in its texts as files, as in a widget that holds HTML or the outputs of a cell."""
        if isinstance(value, str):
            return self._videos.lighter(value)
        if isinstance(value, dict):
            return lighter_data({name: self._lighter(one) for name, one in value.items()}, self._videos)
        return [self._lighter(one) for one in value] if isinstance(value, list) else value

    def lighter(self, outputs: Iterable[dict[str, Any]]) -> None:
        """Change the outputs that show such widgets, and forget the widgets that nothing shows any more."""
        views: list[str] = []
        done: set[str] = set()
        for data in (output["data"] for output in outputs if isinstance(output.get("data"), dict)):
            name = data[VIEW].get("model_id") if isinstance(data.get(VIEW), dict) else None
            tree = self._tree([name]) if isinstance(name, str) else set()
            html = self._html(str(name)) if tree & self._changed else None
            if html is not None:
                del data[VIEW]
                data["text/html"] = html
                done |= tree
            elif isinstance(name, str):
                views.append(name)
        self._forget(done | self._shows.keys(), views)

    def _forget(self, unneeded: set[str], views: list[str]) -> None:
        """Leave out these widgets where nothing needs them; a video that something needs becomes its poster."""
        others = [name for name in self._models if name not in unneeded]
        needed = self._tree([*views, *others])
        for name in unneeded - needed:
            self._models.pop(name, None)
        for name in self._shows.keys() & needed:
            self._models[name] = self._picture(name)

    def _tree(self, names: Iterable[str]) -> set[str]:
        """The ids of these widgets and of all that they hold."""
        found: set[str] = set()
        open_ = list(names)
        while open_:
            name = open_.pop()
            if name not in found and isinstance(self._models.get(name), dict):
                found.add(name)
                open_ += REFERENCE.findall(json.dumps(self._models[name].get("state")))
        return found

    def _html(self, name: str, depth: int = 0) -> str | None:
        """The widget as HTML; None where a part of it does more than to show something."""
        if name in self._shows:
            return "".join(map(self._videos.player, self._shows[name]))
        model = self._models.get(name)
        if not isinstance(model, dict) or depth > 20:
            return None
        kind, state = model.get("model_name"), model.get("state") or {}
        value = state.get("value")
        if kind in BOXES:
            parts = [self._html(one, depth + 1) for one in REFERENCE.findall(json.dumps(state.get("children")))]
            if any(part is None for part in parts):
                return None
            way = "column" if kind in COLUMNS else "row"
            return f'<div style="display:flex;flex-flow:{way} wrap;gap:8px">{"".join(map(str, parts))}</div>'
        if kind in ("HTMLModel", "HTMLMathModel") and isinstance(value, str):
            return f"<div>{value}</div>"
        if kind == "LabelModel" and isinstance(value, str):
            return f"<div>{escape(value)}</div>"
        return _outputs_html(state.get("outputs")) if kind == "OutputModel" else None

    def _picture(self, name: str) -> Model:
        """A widget of the same place that shows the posters of its videos, and says where the files are."""
        own = self._models[name]
        module, version = "@jupyter-widgets/controls", "2.0.0"
        if own.get("model_module") == module:
            version = str(own.get("model_module_version", version))
        shown = "".join(f"<div>{self._videos.player(url)}<br>{escape(url)}</div>" for url in self._shows[name])
        state = {
            "_model_module": module, "_model_module_version": version, "_model_name": "HTMLModel",
            "_view_module": module, "_view_module_version": version, "_view_name": "HTMLView", "value": shown,
        }  # fmt: skip
        state |= {part: own["state"][part] for part in ("layout",) if part in own["state"]}
        return {"model_module": module, "model_module_version": version, "model_name": "HTMLModel", "state": state}


def _outputs_html(outputs: Any) -> str | None:
    """The outputs that a widget holds, as HTML."""
    parts = []
    for output in outputs if isinstance(outputs, list) else [None]:
        data = output.get("data") if isinstance(output, dict) else None
        whole = data.get("text/html") if isinstance(data, dict) else None
        text = output.get("text") if isinstance(output, dict) else None
        if whole is None and text is None:
            return None
        parts.append(joined(whole) if whole is not None else f"<pre>{escape(joined(text))}</pre>")
    return "".join(parts)
