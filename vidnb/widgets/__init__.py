"""What a person touches: the form of a model, a line of progress for each job, and the studio that has both.

All are ipywidgets: lay them out by hand, observe their traits, drive them from code. `Form` is made from the catalogue;
`Progress` follows one job; `Studio` is the place to work.
"""

from vidnb.widgets.form import Form
from vidnb.widgets.progress import Progress
from vidnb.widgets.studio import Studio

__all__ = ["Form", "Progress", "Studio"]
