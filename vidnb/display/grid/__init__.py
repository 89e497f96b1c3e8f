"""Clips side by side, by what tells them apart: the rows and columns, their words, and what is exported of them."""

from vidnb.display.grid.pivot import Cell, Grid, Head, pivot

__all__ = ["Cell", "Grid", "Head", "pivot"]
