"""Does a knob matter, or is that seed noise? Pure functions from a DataFrame of jobs to a sentence.

What passes through: rows of `History.df` -> `columns` (which of them count, emulated and real never together) ->
`pairing` (rows that differ in the knob only) -> `estimates` (intervals and tests) -> `effect` and `spread` (results
that hold numbers) -> `sentences` and `cells` (what they say, and how they look). `tables` turns rows into a grid.

SciPy does the mathematics; it is imported at first use and comes with `vidnb[stats]`.
"""

from vidnb.history.statistics import cells  # says how they look in a cell
from vidnb.history.statistics.effect import Effect, Effects, effect
from vidnb.history.statistics.spread import Spread, spread
from vidnb.history.statistics.tables import pivot

__all__ = ["Effect", "Effects", "Spread", "cells", "effect", "pivot", "spread"]
