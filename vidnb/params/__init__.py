"""Validation of a request before anything is sent, and the recipe that identifies it."""

from __future__ import annotations

from vidnb.params.request import Recipe, Request, draft, validate
from vidnb.params.seeds import drawn
from vidnb.params.values import is_given, plain

__all__ = ["Recipe", "Request", "draft", "drawn", "is_given", "plain", "validate"]
