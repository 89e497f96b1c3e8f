"""Makes the sync face of a verb from its coroutine: as a method of `Client`, and as a function of the module.

Names, signatures and docstrings are the coroutine's own, so a verb is written once, in `AsyncClient`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, TypeVar

from vidnb.client import loop
from vidnb.client.asynchronous import AsyncClient

T = TypeVar("T")
FOR_PROGRAMS = {
    "aclose", "await_prices", "claimed", "clip_or_job", "drive", "drives", "has_preview", "is_left_alone", "leave",
    "prepare", "preview", "target",
}  # fmt: skip
"""Methods of `AsyncClient` that widgets and scripts call, and that are no verbs."""


def verbs() -> dict[str, Callable[..., Any]]:
    """Return the verbs as `AsyncClient` has them, by name."""
    methods = inspect.getmembers(AsyncClient, inspect.isfunction)
    return {name: method for name, method in methods if not name.startswith("_") and name not in FOR_PROGRAMS}


def of_client(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of `AsyncClient` as a method of `Client`, which needs no `await`.

    A coroutine's method waits and returns the result. An async generator's method returns a plain generator. Any other
    method is called directly.
    """
    if inspect.iscoroutinefunction(method):
        return _waiting(method)
    return _streaming(method) if inspect.isasyncgenfunction(method) else _direct(method)


def of_module(verb: Callable[..., Any], client: Callable[[], Any]) -> Callable[..., Any]:
    """Return a verb as a function that takes the client in force.

    Args:
        verb: a method of `Client`.
        client: returns the client in force.
    """

    @functools.wraps(verb)
    def call(*args: Any, **kwargs: Any) -> Any:
        return verb(client(), *args, **kwargs)

    signature = inspect.signature(verb)
    call.__signature__ = signature.replace(  # type: ignore[attr-defined]  # read by inspect and Jupyter's tooltips
        parameters=[parameter for name, parameter in signature.parameters.items() if name != "self"]
    )
    return call


def _waiting(method: Callable[..., Coroutine[Any, Any, T]]) -> Callable[..., T]:
    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> T:
        return loop.run_sync(method(self.asynchronous, *args, **kwargs))

    return _plain(call)


def _direct(method: Callable[..., T]) -> Callable[..., T]:
    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> T:
        return method(self.asynchronous, *args, **kwargs)

    return _plain(call)


def _streaming(method: Callable[..., AsyncIterator[T]]) -> Callable[..., Iterator[T]]:
    """Return the verb that gives each row as it comes; leaving the loop early ends the coroutine, too."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Iterator[T]:
        rows = method(self.asynchronous, *args, **kwargs)
        try:
            while True:
                try:
                    yield loop.run_sync(_next(rows))
                except StopAsyncIteration:
                    return
        finally:
            loop.run_sync(rows.aclose())  # type: ignore[attr-defined]  # an async generator, typed as its interface

    return _plain(call)


def _plain(call: Callable[..., T]) -> Callable[..., T]:
    call.__qualname__ = f"Client.{call.__name__}"
    return call


async def _next(rows: AsyncIterator[T]) -> T:
    return await anext(rows)
