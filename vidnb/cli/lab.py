"""`vidnb lab`: JupyterLab on the notebooks."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from vidnb.cli.terminal import say
from vidnb.errors import ConfigError

FIRST = "01_first_clip.ipynb"
OWN_COPY = "vidnb-notebooks"
SHIPPED = ("[0-9][0-9]_*.ipynb", "images/*")
"""What belongs to the shipped notebooks; a checkout may hold people's own beside them."""


def lab(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DIR] [-- JUPYTER OPTIONS]",
            help="Folder or notebook to open; after -- options for JupyterLab, as in: vidnb lab -- --no-browser",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Open JupyterLab on the notebooks.

    Without DIR: ./notebooks if there are any in it, else a copy of the shipped ones in ./vidnb-notebooks. Files that
    are already there stay as they are.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise ConfigError("JupyterLab is not installed here: pip install 'vidnb[lab]'")
    folder, options = _split(arguments or [])
    opened = _opened(folder)
    if _is_root() and "--allow-root" not in options:
        options = ["--allow-root", *options]
    # A path that begins with a dash would be an option; an absolute one cannot.
    _become([sys.executable, "-m", "jupyterlab", str(opened.resolve()), *options])


def _split(arguments: list[str]) -> tuple[Path | None, list[str]]:
    """The folder, if the first argument is one and no option, and the rest for JupyterLab."""
    if arguments and not arguments[0].startswith("-"):
        return Path(arguments[0]), arguments[1:]
    return None, arguments


def _opened(folder: Path | None) -> Path:
    """The notebook or folder to open."""
    if folder is not None and not folder.exists():
        raise ConfigError(f"there is no folder or notebook {str(folder)!r}")
    found = folder or (Path("notebooks") if any(Path("notebooks").glob("*.ipynb")) else own_copy(Path(OWN_COPY)))
    return found / FIRST if (found / FIRST).is_file() else found


def own_copy(target: Path) -> Path:
    """Copy the shipped notebooks into a folder, and return it; what is there already is not touched."""
    source = shipped()
    found = (path.relative_to(source) for form in SHIPPED for path in sorted(source.glob(form)) if path.is_file())
    fresh = [path for path in found if not (target / path).exists()]
    try:
        for path in fresh:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / path, target / path)
    except OSError as error:
        raise ConfigError(f"the notebooks cannot be copied to {target}: {error.strerror}; name a folder") from error
    if count := sum(path.suffix == ".ipynb" for path in fresh):
        say(f"Copied {count} notebook{'s' if count != 1 else ''} to {target}.")
    return target


def shipped() -> Path:
    """The notebooks that came with vidnb: in the package, or beside it in a checkout.

    Raises:
        ConfigError: this installation has none.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_notebooks", package.parent / "notebooks"):
        if any(folder.glob(SHIPPED[0])):
            return folder
    raise ConfigError("this installation came without notebooks; name a folder: vidnb lab DIR")


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _become(command: list[str]) -> None:
    """Never returns: JupyterLab takes over, with its own handling of Ctrl-C where the system can exchange programs."""
    if os.name == "posix":
        sys.stderr.flush()
        os.execv(command[0], command)
    raise typer.Exit(subprocess.call(command))
