"""Where the HTML will be looked at, and which files of this machine can be reached from there."""

from __future__ import annotations

import html
import io
import json
import os
import re
import shutil
import sys
import uuid
from importlib import import_module
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from vidnb.files import data_home

Host = Literal["jupyter", "voila", "vscode", "colab", "marimo", "ipython", "none"]

BESIDE = "vidnb-clips"
"""The folder beside a notebook with links to clips that lie where its page cannot read them."""
RELATIVE_HOSTS = frozenset({"jupyter", "ipython", "none"})
"""Hosts whose pages find a file by its path from the notebook (or from an HTML file in the working folder)."""

KERNEL_HOSTS = frozenset({"jupyter", "voila", "vscode", "colab"})
"""Hosts whose pages get what no server gives them from the kernel, through a widget."""

LIMITS: dict[Host, tuple[str, ...]] = {
    "voila": ("Voila serves no videos: the kernel sends each one to the studio.",),
    "vscode": (
        "VS Code plays no AAC sound: clips with sound are silent here; the file itself has it.",
        "VS Code's outputs cannot read files beside the notebook: the kernel sends each video.",
    ),
    "colab": ("Colab's page cannot read the data folder: the kernel sends each video.",),
    "marimo": ("marimo shows no boxes of ipywidgets: use Form, Player, Progress and Recent one by one.",),
}


def host() -> Host:
    """What shows the outputs of this process; `none` for a plain script."""
    if "google.colab" in sys.modules:
        return "colab"
    marimo = sys.modules.get("marimo")
    if marimo is not None and marimo.running_in_notebook():
        return "marimo"
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return "none"
    if getattr(shell, "kernel", None) is None:
        return "ipython"
    if "VOILA_PREHEAT" in os.environ:  # Voila gives it to each of its kernels, preheated or not
        return "voila"
    return "vscode" if _in_vscode(shell.user_ns) else "jupyter"


def running_cell() -> tuple[str, str] | None:
    """The id of the cell that runs now, and of this run of it; None where the host does not tell."""
    ipython = sys.modules.get("IPython")
    kernel: Any = getattr(ipython.get_ipython(), "kernel", None) if ipython is not None else None
    parent = kernel.get_parent() if hasattr(kernel, "get_parent") else {}
    cell, run = parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id")
    return (cell, run) if isinstance(cell, str) and isinstance(run, str) else None


def _in_vscode(namespace: dict[str, object]) -> bool:
    # A server started in a terminal of VS Code inherits its variables, but gives each kernel a session of its own.
    from_code = "VSCODE_PID" in os.environ or "VSCODE_CWD" in os.environ
    return "__vsc_ipynb_file__" in namespace or (from_code and "JPY_SESSION_NAME" not in os.environ)


def notebook_folder() -> Path:
    """The folder from which the page reads relative paths: the notebook's, else the working folder."""
    # The kernel may have changed its working folder since; the server told it where the notebook lies.
    session = os.environ.get("JPY_SESSION_NAME", "")
    folder = Path(session).parent
    return folder if session and folder.is_absolute() and folder.is_dir() else Path.cwd()


def server_root() -> Path | None:
    """The root folder of this kernel's Jupyter server; None without a server, or where it cannot be found out."""
    parent = os.environ.get("JPY_PARENT_PID", "")
    if not parent.isdigit():
        return None
    try:
        from jupyter_core.paths import jupyter_runtime_dir

        told = json.loads((Path(jupyter_runtime_dir()) / f"jpserver-{parent}.json").read_text(encoding="utf-8"))
        return Path(told["root_dir"])
    except (ImportError, OSError, ValueError, KeyError, TypeError):
        return None


def relative_path(path: Path) -> Path | None:
    """The way from the notebook to a file, if a page can follow it; None for a file that no server reaches.

    That is a file below the notebook's folder, or below the folder of its Jupyter server; hidden ones are not served.
    """
    start, path = notebook_folder().resolve(), path.resolve()
    root = start
    if not path.is_relative_to(root):
        served = server_root()
        if served is None or not (path.is_relative_to(served.resolve()) and start.is_relative_to(served.resolve())):
            return None
        root = served.resolve()
    if any(part.startswith(".") for part in path.relative_to(root).parts):
        return None
    return Path(os.path.relpath(path, start))


def linked_path(path: Path, name: str) -> Path | None:
    """Link a file that no page reaches into a folder beside the notebook, and return the relative path to it.

    The link is a second name of the same bytes where both lie on one disk, else a copy, made once.

    Args:
        path: the file.
        name: of the link in the folder `vidnb-clips`.

    Returns:
        The relative path, or None where nothing can be written beside the notebook.
    """
    link = notebook_folder() / BESIDE / name
    try:
        if not link.exists():
            link.parent.mkdir(exist_ok=True)
            _link(path.resolve(), link)
    except OSError:
        return None
    return relative_path(link)


def _link(path: Path, link: Path) -> None:
    part = link.with_name(f"{link.name}.{uuid.uuid4().hex[:8]}")
    try:
        os.link(path, part)
    except OSError:  # another disk, or one that has no links
        shutil.copyfile(path, part)
    part.replace(link)  # whole, whoever else makes it at the same time


def marimo_url(video: bytes) -> str | None:
    """The address at which marimo's server serves these bytes as long as their cell stands; None where it cannot."""
    shown = import_module("marimo").video(io.BytesIO(video)).text
    found = re.search(r"""src=["'](\./@file/[^"']+)""", shown)
    return html.unescape(found[1]) if found else None


def relative_url(path: Path) -> str:
    """A relative path as an address, percent-encoded."""
    url = quote(path.as_posix(), safe="/")
    return url if url.startswith("../") else f"./{url}"


def server_path(path: Path) -> str | None:
    """The way from the Jupyter server's folder to a file that it serves; None where there is none or it cannot be told.

    A page makes the address `<base URL>files/<this>` of it.
    """
    root = server_root()
    if root is None or not path.resolve().is_relative_to(root.resolve()):
        return None
    inside = path.resolve().relative_to(root.resolve())
    return None if any(part.startswith(".") for part in inside.parts) else inside.as_posix()


def shortcomings(where: Host | None = None, data_folder: Path | None = None) -> list[str]:
    """What a host cannot do, and what is done instead: a line for each; empty where all works.

    Args:
        where: the host; default this process's.
        data_folder: where the clips lie; default the data folder in force.
    """
    where = where or host()
    if where != "jupyter":
        return list(LIMITS.get(where, ()))
    if server_root() is None:
        return ["The Jupyter server's folder cannot be told from here (a remote kernel?): the kernel sends each video."]
    if server_path(data_folder or data_home()) is None:
        return ["The Jupyter server does not serve the data folder: the kernel sends each video."]
    return []
