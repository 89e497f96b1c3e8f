"""What a person touches: the studio and its parts, each alone or laid out by hand.

`Studio` is the place to work. It is made of a `ModelPicker`, a `Form` (from the catalogue), a `GenerateBar` with the
price, a line of `Progress` a job, a `Player`, and a strip of `Recent` clips. All are ipywidgets: observe their traits,
drive them from code, `close()` what is no longer needed.
"""

from vidnb.widgets.board import Board
from vidnb.widgets.compare_view import Compare, compare
from vidnb.widgets.form import Form
from vidnb.widgets.generate import GenerateBar
from vidnb.widgets.picker import ModelPicker
from vidnb.widgets.player import Player
from vidnb.widgets.progress import Progress
from vidnb.widgets.recent import Recent
from vidnb.widgets.studio import Studio

__all__ = [
    "Board",
    "Compare",
    "Form",
    "GenerateBar",
    "ModelPicker",
    "Player",
    "Progress",
    "Recent",
    "Studio",
    "compare",
]
