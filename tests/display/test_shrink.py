"""A heavy notebook becomes light: its videos are files beside it, its pictures and words stay."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from vidnb.display.shrink import shrink
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
    assert "".join(one["text/html"]).startswith('<p>one</p>\n<video poster="data:image/webp;base64,')
    assert f'controls src="{url}"></video>\n<p>two</p>' in "".join(one["text/html"])
    assert two["text/html"] == f'<video poster="mine.png"><source src="{url}" type="video/mp4"></video>'
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
