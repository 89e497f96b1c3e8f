"""Embedded videos of a notebook become files beside it, with small posters in their places."""

from vidnb.display.shrink.notebook import Shrunk, shrink

__all__ = ["Shrunk", "shrink"]
