"""What a person touches: the studio and its parts, each alone or laid out by hand.

`Studio` is the place to work. It is made of a `ModelPicker`, a `Form` (from the catalogue), a `GenerateBar` with the
price, a line of `Progress` a job, a `Player`, and a strip of `Recent` clips. All are ipywidgets: observe their traits,
drive them from code.
"""

from importlib import import_module
from typing import Any

__all__ = ["Form", "GenerateBar", "ModelPicker", "Player", "Progress", "Recent", "Studio"]
_HOME = {"GenerateBar": "generate", "ModelPicker": "picker"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME.get(name, name.lower())}"), name)
