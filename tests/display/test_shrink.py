"""A heavy notebook becomes light: its videos are files beside it, its pictures and words stay."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
import traitlets
from ipywidgets.embed import dependency_state

from vidnb.display.shrink import shrink
from vidnb.display.shrink.widgets import STATE, VIEW
from vidnb.emulator.clips import Scene, render
from vidnb.errors import ConfigError, StoreError


@pytest.fixture(scope="module")
def video() -> bytes:
    return render(Scene("leonardo/motion_2.0", "a koala", width_px=64, height_px=64, duration_s=0.2))


def notebook(path: Path, *outputs: dict[str, Any]) -> Path:
    cells = [{"cell_type": "markdown", "source": ["# é <video>"]}]
    cells.append(
        {"cell_type": "code", "source": [], "outputs": [{"output_type": "display_data", **one} for one in outputs]}
    )  # type: ignore[dict-item]
    path.write_text(json.dumps({"nbformat": 4, "cells": cells, "metadata": {"x": 1}}), encoding="utf-8")
    return path


def test_videos_become_files_with_posters_and_all_else_stays(tmp_path: Path, video: bytes) -> None:
    text = base64.b64encode(video).decode()
    uri = f"data:video/mp4;base64,{text}"
    path = notebook(
        tmp_path / "my lesson.ipynb",
        {"data": {"text/html": [f'<p>one</p>\n<video controls src="{uri}"></video>\n', "<p>two</p>"]}},
        {"data": {"text/html": f'<video poster="mine.png"><source src="{uri}" type="video/mp4"></video>'}},
        {"data": {"video/mp4": text, "text/plain": "<Video>"}},
        {"data": {"text/html": "<p>data:video/mp4;base64,=x</p>", "image/png": "abcd"}},
    )
    done = shrink(path)
    (file,) = (tmp_path / "my lesson_files").iterdir()
    assert file.read_bytes() == video
    assert (done.videos, done.before_bytes - done.after_bytes > 2 * len(text)) == (1, True)
    assert "bytes saved; 1 video in" in str(done)
    saved = json.loads(path.read_text(encoding="utf-8"))
    assert saved["metadata"] == {"x": 1}
    assert saved["cells"][0]["source"] == ["# é <video>"]
    one, two, three, four = (output["data"] for output in saved["cells"][1]["outputs"])
    url = f"my%20lesson_files/{file.name}"
    page = "".join(one["text/html"])
    assert page.startswith(f'<p>one</p>\n<video controls src="{url}" poster="data:image/webp;base64,')
    assert page.endswith('"></video>\n<p>two</p>')
    assert two["text/html"] == f'<video poster="mine.png" src="{url}"></video>', "JupyterLab plays no relative source"
    assert f'src="{url}"' in three["text/html"]
    assert "video/mp4" not in three
    assert four == {"text/html": "<p>data:video/mp4;base64,=x</p>", "image/png": "abcd"}
    before = path.read_bytes()
    assert "stays as it is" in str(shrink(path))
    assert path.read_bytes() == before


def test_what_is_no_notebook_is_left_alone(tmp_path: Path) -> None:
    for name, text in (("a.ipynb", "notes"), ("b.ipynb", "[]"), ("c.ipynb", "{}")):
        (tmp_path / name).write_text(text)
        with pytest.raises(ConfigError, match="no notebook"):
            shrink(tmp_path / name)
        assert (tmp_path / name).read_text() == text
    with pytest.raises(StoreError, match="cannot be read"):
        shrink(tmp_path / "none.ipynb")


def saved_widgets(path: Path, *shown: ipywidgets.Widget, more: tuple[ipywidgets.Widget, ...] = ()) -> Path:
    """A notebook that shows these widgets, with their state saved in it as JupyterLab and nbclient do, and of more."""
    views = [{"model_id": widget.model_id, "version_major": 2, "version_minor": 0} for widget in shown]
    notebook(path, *({"data": {VIEW: view, "text/plain": "a widget"}, "metadata": {}} for view in views))
    whole = json.loads(path.read_text(encoding="utf-8"))
    state = dependency_state([*shown, *more], drop_defaults=False)
    whole["metadata"]["widgets"] = {STATE: {"state": state, "version_major": 2, "version_minor": 0}}
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path


def models_of(path: Path) -> dict[str, dict[str, Any]]:
    widgets = json.loads(path.read_text(encoding="utf-8"))["metadata"]["widgets"]
    return dict(widgets[STATE]["state"])


class Film(ipywidgets.DOMWidget):
    """A widget of somebody else's that holds a video."""

    data = traitlets.Bytes().tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)


def test_saved_widgets_become_outputs_that_play_from_files(tmp_path: Path, video: bytes) -> None:
    uri = f"data:video/mp4;base64,{base64.b64encode(video).decode()}"
    slider = ipywidgets.IntSlider()
    label = ipywidgets.Label("1 < 2")
    inside = ipywidgets.Output(outputs=({"output_type": "display_data", "data": {"video/mp4": uri.split(",")[1]}},))
    column = ipywidgets.VBox([label, ipywidgets.HTML(f'<video src="{uri}">')])
    boxed = ipywidgets.HBox([ipywidgets.Video(value=video), column])
    path = saved_widgets(
        tmp_path / "a.ipynb", ipywidgets.Video(value=video), boxed, Film(data=video), Film(note=uri), inside, slider,
        more=(ipywidgets.Video(value=video),),
    )  # fmt: skip
    done = shrink(path)
    url = f"a_files/{next((tmp_path / 'a_files').iterdir()).name}"
    assert (tmp_path / url).read_bytes() == video
    assert done.videos == 1
    assert done.before_bytes - done.after_bytes > 6 * len(video)
    shown = [output["data"] for output in json.loads(path.read_text())["cells"][1]["outputs"]]
    assert [data.get("text/html", "").count(f'src="{url}"') for data in shown] == [1, 2, 1, 1, 1, 0]
    assert [VIEW in data for data in shown] == [False] * 5 + [True]
    assert "<div>1 &lt; 2</div>" in shown[1]["text/html"]
    assert {model["model_name"] for model in models_of(path).values()} == {
        "IntSliderModel", "SliderStyleModel", "LayoutModel",
    }, "what nothing shows any more is gone"  # fmt: skip


def test_a_video_beside_other_widgets_leaves_its_poster_in_its_place(tmp_path: Path, video: bytes) -> None:
    film = ipywidgets.Video(value=video)
    box = ipywidgets.VBox([ipywidgets.IntSlider(), film, ipywidgets.Audio(value=b"ID3" + bytes(100))])
    path = saved_widgets(tmp_path / "a.ipynb", box)
    before = models_of(path)
    assert "bytes saved; 1 video in" in str(shrink(path))
    after = models_of(path)
    assert {name: model for name, model in after.items() if name != film.model_id} == {
        name: model for name, model in before.items() if name != film.model_id
    }
    own = after[film.model_id]
    assert own["model_name"] == own["state"]["_model_name"] == "HTMLModel"
    assert own["state"]["layout"] == before[film.model_id]["state"]["layout"]
    assert 'poster="data:image/webp;base64,' in own["state"]["value"]
    assert "a_files/" in own["state"]["value"]
    assert "buffers" not in own


def test_videos_in_words_and_attachments_become_files(tmp_path: Path, video: bytes) -> None:
    text = base64.b64encode(video).decode()
    path = notebook(tmp_path / "a.ipynb", {"data": {"text/markdown": f'<video src="data:video/mp4;base64,{text}">'}})
    whole = json.loads(path.read_text(encoding="utf-8"))
    picture = {"image/png": "abcd"}
    whole["cells"].append({
        "cell_type": "markdown", "source": ["![](attachment:film.mp4)\n", "![](attachment:p.png)"],
        "attachments": {"film.mp4": {"video/mp4": text}, "p.png": picture},
    })  # fmt: skip
    path.write_text(json.dumps(whole), encoding="utf-8")
    shrink(path)
    url = f"a_files/{next((tmp_path / 'a_files').iterdir()).name}"
    _, code, words = json.loads(path.read_text())["cells"]
    assert f'src="{url}"' in code["outputs"][0]["data"]["text/markdown"]
    assert (words["source"], words["attachments"]) == (f"![]({url})\n![](attachment:p.png)", {"p.png": picture})


@pytest.mark.parametrize("widgets", [None, [], {"state": []}, {"state": {"a": 1, "b": {"state": None}, "c": {}}}])
@pytest.mark.parametrize("cell", [1, {}, {"outputs": None}, {"outputs": [1, {"data": []}, {"data": {VIEW: 1}}]}])
def test_a_notebook_of_odd_parts_stays_as_it_is(tmp_path: Path, cell: Any, widgets: Any) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": [cell], "metadata": {"widgets": {STATE: widgets}}}))
    before = path.read_bytes()
    assert "stays as it is" in str(shrink(path))
    assert path.read_bytes() == before
